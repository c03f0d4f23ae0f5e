"""The asynchronous session under pytest-asyncio; registered only where that plugin is installed.

There is one fixture for each scope a test's loop can have, since a session works on the loop it was made on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Literal

import pytest_asyncio

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from scenarios.pytest_plugin.isolated_test import Test

    Scope = Literal["function", "class", "module", "package", "session"]
    Fixture = Callable[[Test], AsyncIterator[AsyncSession]]


def _on_loop_of(scope: Scope) -> Fixture:
    @pytest_asyncio.fixture(loop_scope=scope, name=f"_scenario_asyncio_session_{scope}")
    async def session_on_loop(_scenario_test: Test) -> AsyncIterator[AsyncSession]:
        async with _scenario_test.strategy.async_session(_scenario_test) as session:
            yield session

    return session_on_loop


on_function_loop = _on_loop_of("function")
on_class_loop = _on_loop_of("class")
on_module_loop = _on_loop_of("module")
on_package_loop = _on_loop_of("package")
on_session_loop = _on_loop_of("session")
