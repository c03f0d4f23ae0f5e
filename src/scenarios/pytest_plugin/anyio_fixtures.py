"""The asynchronous session under anyio, whose plugin runs coroutine fixtures of tests that use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from scenarios.pytest_plugin.isolated_test import Test


@pytest.fixture
async def _scenario_anyio_session(_scenario_test: Test) -> AsyncIterator[AsyncSession]:
    async with _scenario_test.strategy.async_session(_scenario_test) as session:
        yield session
