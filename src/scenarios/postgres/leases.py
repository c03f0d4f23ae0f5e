"""Who is still alive, asked of the server.

Files and process ids say nothing about a run on another machine that uses the same server. A session-level
advisory lock does: the server itself lets go of it when the connection ends, whatever ended it. Each run
holds one, under a number its databases carry in their tags; advisory locks are per database, so all runs
take theirs in the same one.
"""

from __future__ import annotations

import hashlib
import platform
import secrets
from typing import Any

import psycopg

from scenarios.ownership import OwnershipTag
from scenarios.postgres.creation_markers import is_same_process


def number_of(text: str) -> int:
    """Return the advisory lock number for *text*: 63 bits, never zero."""
    raw = hashlib.sha256(f"pg-scenarios {text}".encode()).digest()[:8]
    return (int.from_bytes(raw) >> 1) or 1


def take(conn: psycopg.Connection[Any]) -> int:
    """Take a new lease, held as long as *conn* is open; return its number."""
    number = secrets.randbits(62) + 1
    conn.execute("SELECT pg_advisory_lock(%s)", [number])
    return number


def take_again(conn: psycopg.Connection[Any], number: int) -> bool:
    """Take the lease *number* on another connection; False while the one before still has it."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", [number]).fetchone()
    return bool(row and row[0])


def held(conn: psycopg.Connection[Any]) -> set[int]:
    """Return the numbers of all advisory locks held in the connection's database."""
    rows = conn.execute(
        "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks"
        " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).fetchall()
    return {row[0] for row in rows}


def is_dead(tag: OwnershipTag, leases: set[int]) -> bool:
    """Whether the owner of *tag* is gone, given the *leases* that are held.

    A run whose keeping connection was cut (by a proxy, an administrator) is alive as long as its process is.
    """
    if tag.lease in leases:
        return False
    return not (tag.host == platform.node() and is_same_process(tag.pid, tag.birth))


def is_ending(tag: OwnershipTag, leases: set[int]) -> bool:
    """Whether the process of *tag* seems gone while its lease is held: the server has not noticed yet.

    It may also be a machine with our name, which is why this alone condemns nothing.
    """
    gone = tag.host == platform.node() and not is_same_process(tag.pid, tag.birth)
    return tag.lease in leases and gone
