from __future__ import annotations

import asyncio

import pytest
from outbox.service import work_once

pytestmark = pytest.mark.scenario("three_waiting")


async def refuse(address: str, body: str) -> None:
    raise ConnectionError("no route")


async def test_workers_side_by_side_send_each_message_once(pool, scenario_changes):
    sent = []
    together = asyncio.Barrier(3)

    async def send(address: str, body: str) -> None:
        await together.wait()  # three transactions are open at once
        sent.append((address, body))

    assert await asyncio.gather(*(work_once(pool, send) for _ in range(3))) == [True] * 3
    assert sorted(sent) == [
        ("ada@example.com", "Your book is here"),
        ("bob@example.com", "Your book is due"),
        ("bob@example.com", "Your book is late"),
    ]
    assert not await work_once(pool, send)
    changes = scenario_changes()
    assert changes.counts == {"public.message": {"inserted": 0, "updated": 3, "deleted": 0}}
    assert all(row.columns["state"] == ("waiting", "sent") for row in changes)


async def test_a_message_is_given_up_after_three_attempts(pool, scenario, scenario_changes):
    for _ in range(7):
        assert await work_once(pool, refuse)
    assert not await work_once(pool, refuse)
    assert {row.columns["state"] for row in scenario_changes()} == {("waiting", "dead")}
    assert await pool.fetchval("SELECT attempts FROM message WHERE id = $1", scenario["last_try"].id) == 3


async def test_the_oldest_goes_first(pool, scenario, scenario_changes):
    async def send(address: str, body: str) -> None:
        pass

    await work_once(pool, send)
    [change] = scenario_changes()
    assert change.key == {"id": scenario["first"].id}


async def test_the_given_session_works_beside_it(scenario_async_session, scenario):
    from sqlalchemy import text

    query = text("SELECT body FROM message WHERE id = :id")
    assert await scenario_async_session.scalar(query, {"id": scenario["done"].id}) == "Welcome"
