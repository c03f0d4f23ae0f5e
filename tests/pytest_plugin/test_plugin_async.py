"""Asynchronous tests under pytest-asyncio and anyio, each on its own loop."""

from __future__ import annotations

import re

BODY = """
import pytest
from sqlalchemy import func, select

from models import Customer, Order, Status


{marks}
@pytest.mark.scenario("one_customer")
@pytest.mark.parametrize("n", range(2))
async def test_commits_are_undone(scenario, scenario_async_session, n):
    session = scenario_async_session
    assert await session.scalar(select(func.count()).select_from(Order)) == 2
    session.add(Order(customer_id=scenario["ada"].id, status=Status.lost, total=1))
    await session.commit()
    assert await session.scalar(select(func.count()).select_from(Order)) == 3


{marks}
@pytest.mark.scenario("one_customer")
async def test_others_see_what_is_committed(scenario_async_session, scenario_db, scenario_changes):
    scenario_async_session.add(Customer(name="Bob"))
    await scenario_async_session.commit()
    with scenario_db.connect() as connection:
        assert connection.execute("SELECT count(*) FROM customer").fetchone() == (2,)
    assert [row.name for row in scenario_changes().inserted(Customer)] == ["Bob"]


{marks}
@pytest.mark.scenario("one_customer")
async def test_the_application_uses_its_own_driver(scenario_db):
    import asyncpg

    connection = await asyncpg.connect(scenario_db.dsn)
    try:
        assert await connection.fetchval("SELECT sum(total) FROM orders") == 12
        await connection.execute("DELETE FROM orders")
    finally:
        await connection.close()
"""


def test_asyncio_and_anyio(project):
    run = project(
        "-q",
        test_asyncio=BODY.format(marks="@pytest.mark.asyncio"),
        test_anyio="import pytest\n\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n\n"
        + BODY.format(marks="@pytest.mark.anyio"),
    )
    assert run.outcomes == {"passed": 8}, run.text


def test_loops_of_other_scopes_and_other_loops(project):
    run = project(
        test_loops="""
        import asyncio
        import threading

        import pytest
        from sqlalchemy import text


        @pytest.mark.asyncio(loop_scope="module")
        @pytest.mark.parametrize("n", range(2))
        async def test_on_a_loop_of_the_module(scenario_async_session, n):
            assert await scenario_async_session.scalar(text("SELECT 1")) == 1


        @pytest.mark.asyncio
        @pytest.mark.scenario_isolation("restore")
        async def test_elsewhere(scenario_async_session):
            await asyncio.to_thread(asyncio.run, scenario_async_session.execute(text("SELECT 1")))


        @pytest.mark.asyncio
        async def test_elsewhere_in_one_transaction(scenario_async_session):
            await asyncio.to_thread(asyncio.run, scenario_async_session.execute(text("SELECT 1")))


        def test_synchronous(scenario_async_session):
            raise AssertionError("not reached")
        """,
    )
    run.has(
        r"ERROR at setup of test_synchronous", r"needs a test that is asynchronous", r"use scenario_session"
    )
    run.has(r"this asynchronous session belongs to another event loop", r"scenario_db.async_url")
    assert len(re.findall(r"^E .*belongs to another event loop", run.text, re.M)) == 2
    assert run.outcomes == {"passed": 2, "failed": 2, "error": 1}, run.text
