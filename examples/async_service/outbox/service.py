"""Claim one message, hand it over, and note what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg

CLAIM = """
SELECT m.id, m.body, m.attempts, r.address FROM message m JOIN recipient r ON r.id = m.recipient_id
WHERE m.state = 'waiting' ORDER BY m.queued_at, m.id LIMIT 1 FOR UPDATE OF m SKIP LOCKED
"""
SENT = "UPDATE message SET state = 'sent', sent_at = now(), attempts = attempts + 1 WHERE id = $1"
FAILED = """
UPDATE message SET attempts = attempts + 1, state = CASE WHEN attempts >= 2 THEN 'dead' ELSE state END
WHERE id = $1
"""
MOST_ATTEMPTS = 3

Send = Callable[[str, str], Awaitable[None]]


async def work_once(pool: asyncpg.Pool, send: Send) -> bool:
    """Send the oldest waiting message that no other worker has; False when there is none."""
    async with pool.acquire() as connection, connection.transaction():
        message = await connection.fetchrow(CLAIM)
        if message is None:
            return False
        try:
            await send(message["address"], message["body"])
        except OSError:
            await connection.execute(FAILED, message["id"])
        else:
            await connection.execute(SENT, message["id"])
        return True
