from __future__ import annotations

from pathlib import Path

import asyncpg
import outbox
import pytest
import pytest_asyncio


@pytest.fixture(scope="session")
def scenario_schema():
    return Path(outbox.__file__).with_name("schema.sql")


@pytest_asyncio.fixture
async def pool(scenario_db):
    async with asyncpg.create_pool(scenario_db.dsn, min_size=1, max_size=4) as pool:
        yield pool
