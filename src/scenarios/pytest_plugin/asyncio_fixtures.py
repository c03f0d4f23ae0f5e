"""The asynchronous session under pytest-asyncio; registered only where that plugin is installed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from scenarios.pytest_plugin.isolation import Test


@pytest_asyncio.fixture(loop_scope="function")
async def _scenario_asyncio_session(_scenario_test: Test) -> AsyncIterator[AsyncSession]:
    from scenarios.pytest_plugin.sessions import async_session_for

    async with async_session_for(_scenario_test) as session:
        yield session
