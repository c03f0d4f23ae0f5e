"""The isolation strategies: what a test may do, and how it is undone.

Rollback is cheapest but blind to every connection except the one it owns; restore undoes what anyone
committed; clone copes with what no journal can undo. Which one a test needs follows from what it asks for.
Whatever the strategy, the journal is asked at the end: it notices when the test got past its strategy, the
next one is taken and the report says so. A leak blamed on the next test is the failure this prevents.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, AsyncTransaction
from sqlalchemy.orm import Session

from scenarios.pytest_plugin.isolated_test import Strategy, Test
from scenarios.pytest_plugin.keys import BROADER_FIXTURES
from scenarios.pytest_plugin.prepared import PreparedDatabase
from scenarios.pytest_plugin.sessions import (
    async_engine_for,
    commit_asks_what_waits_for_it,
    end,
    note_processes,
)

if TYPE_CHECKING:
    from scenarios.journal import Restored, Snapshot
    from scenarios.postgres import Database

_SESSIONS = frozenset({"scenario_session", "scenario_async_session"})
_REAL_COMMITS = BROADER_FIXTURES | {"scenario_db", "load_scenario"}
_LOOKS = frozenset({"scenario_changes"})


class Restore(Strategy):
    """The journal undoes what anybody committed."""

    name = "restore"

    def begin(
        self, prepared: PreparedDatabase, start: Snapshot, own: ExitStack, *, shared: bool
    ) -> tuple[Database, Snapshot]:
        return prepared.database, start

    @contextmanager
    def session(self, test: Test) -> Iterator[Session]:
        session = Session(test.database.engine)
        note_processes(session, test.given, "scenario_session")
        try:
            yield session
        finally:
            end(session.close)

    @asynccontextmanager
    async def async_session(self, test: Test) -> AsyncIterator[AsyncSession]:
        async with (
            async_engine_for(test.database) as engine,
            AsyncSession(engine, expire_on_commit=False) as session,
        ):
            note_processes(session.sync_session, test.given, "scenario_async_session")
            yield session

    def undo(self, test: Test, prepared: PreparedDatabase) -> None:
        self._restored(test, prepared)
        test.database.reset_connections()

    def _restored(self, test: Test, prepared: PreparedDatabase) -> Restored:
        restored = prepared.undo(test.start, test.nodeid)
        test.rows_undone += restored.rows
        if not restored.in_place:
            test.fell_back = f"{Clone.name}: {restored.why}"
        return restored


class Rollback(Restore):
    """The given session lives in one transaction, and its commits are savepoints in it."""

    name = "rollback"

    @contextmanager
    def session(self, test: Test) -> Iterator[Session]:
        with test.database.engine.connect() as connection:
            outer = connection.begin()
            session = Session(connection, join_transaction_mode="create_savepoint")
            note_processes(session, test.given, "scenario_session")
            commit_asks_what_waits_for_it(session)
            test.session = session
            try:
                yield session
            finally:
                test.session = None
                end(session.close)
                end(outer.rollback)

    @asynccontextmanager
    async def async_session(self, test: Test) -> AsyncIterator[AsyncSession]:
        async with async_engine_for(test.database) as engine, engine.connect() as connection:
            outer = await connection.begin()
            test.async_session_open = True
            try:
                async with AsyncSession(
                    connection, join_transaction_mode="create_savepoint", expire_on_commit=False
                ) as session:
                    note_processes(session.sync_session, test.given, "scenario_async_session")
                    commit_asks_what_waits_for_it(session.sync_session)
                    yield session
                    if test.failed:
                        await _show(session, outer, test)
            finally:
                test.async_session_open = False
                if outer.is_active:
                    await outer.rollback()

    def undo(self, test: Test, prepared: PreparedDatabase) -> None:
        # What the test set went with its transaction: its connections need no reset.
        restored = self._restored(test, prepared)
        if restored.in_place and restored.rows and not test.failed_unseen:
            test.fell_back = f"{Restore.name}: rows were committed past the given session"


async def _show(session: AsyncSession, outer: AsyncTransaction, test: Test) -> None:
    """Commit what a failed test did, so that the report can show it before the journal undoes it."""
    try:
        await session.commit()
        await outer.commit()
    except Exception:  # noqa: BLE001  # nothing to show then: the transaction cannot be committed
        return
    test.failed_unseen = True


class Clone(Restore):
    """The test gets a copy; where the database's name must stay, it is put back from the copy."""

    name = "clone"
    copies = True

    def begin(
        self, prepared: PreparedDatabase, start: Snapshot, own: ExitStack, *, shared: bool
    ) -> tuple[Database, Snapshot]:
        self._copy = own.enter_context(prepared.copy())
        return (prepared.database, start) if shared else (self._copy, self._copy.snapshot())

    def undo(self, test: Test, prepared: PreparedDatabase) -> None:
        if test.database is not self._copy:
            prepared.put_back(self._copy)


STRATEGIES: Mapping[str, type[Strategy]] = MappingProxyType(
    {each.name: each for each in (Rollback, Restore, Clone)}
)
"""The strategies by name, cheapest first."""


def demanded(item: pytest.Item) -> type[Strategy] | None:
    """Return the strategy that the marker of *item* demands, if it has one."""
    mark = item.get_closest_marker("scenario_isolation")
    return None if mark is None else STRATEGIES[mark.args[0]]


def choose(item: pytest.Item, names: frozenset[str], *, counted: bool = False) -> Strategy:
    """Return the strategy for a test: that of its marker, or what the test asks for.

    Args:
        item: the test.
        names: the fixtures it uses.
        counted: its changes must be known when it ends.
    """
    marked = demanded(item)
    unseen = "scenario_async_session" in names and (counted or bool(names & _LOOKS))
    if marked is not None and not (unseen and marked is Rollback):
        return marked("its marker")
    if names & _REAL_COMMITS:
        return Restore(f"it uses {', '.join(sorted(names & _REAL_COMMITS))}")
    if unseen:
        return Restore("what an asynchronous session did can be seen only once it is committed")
    if names & _SESSIONS:
        return Rollback("it reaches the database by the given session only")
    return Restore("the default")
