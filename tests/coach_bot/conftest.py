"""A Coach Bot database of one's own, and sessions on it."""

from __future__ import annotations

import pytest
import pytest_asyncio

from scenarios.domains.coach_bot import DOMAIN
from scenarios.domains.coach_bot.connection import CoachBotDatabase, make_sessions


@pytest.fixture
def coach_bot_db(server):
    """An isolated database with Coach Bot's schema."""
    with server.database(DOMAIN) as database:
        yield database


@pytest_asyncio.fixture
async def database(coach_bot_db):
    """The data layer on it, without a pool."""
    async with CoachBotDatabase(coach_bot_db.url, pooled=False) as database:
        yield database


@pytest_asyncio.fixture
async def session(database):
    """A session inside one outer transaction that is rolled back at the end."""
    async with database.engine.connect() as connection:
        outer = await connection.begin()
        async with make_sessions(connection)() as session:
            yield session
        await outer.rollback()
