"""One test that uses a database, and what an isolation strategy has to do for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from scenarios.errors import LibraryError
from scenarios.pytest_plugin.prepared import PreparedDatabase, StateKey

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

    from scenarios.journal import Changes, Snapshot
    from scenarios.library import Instance
    from scenarios.postgres import Database
    from scenarios.pytest_plugin.worker import Worker


class Strategy(ABC):
    """How the effects of a test are undone.

    Args:
        why: why the test is isolated so.
    """

    name: ClassVar[str]
    """What the marker ``scenario_isolation`` and the report call it."""
    copies: ClassVar[bool] = False
    """The database is copied for the test, so nobody may be connected to it."""

    def __init__(self, why: str) -> None:
        self.why = why

    @abstractmethod
    def begin(
        self, prepared: PreparedDatabase, start: Snapshot, own: ExitStack, *, shared: bool
    ) -> tuple[Database, Snapshot]:
        """Return the database the test gets, and the point it is put back to.

        Args:
            prepared: the database in the test's state.
            start: where it stands.
            own: closed after the test, when it is undone.
            shared: the test has to be on that very database, whose name stays.
        """

    @abstractmethod
    def session(self, test: Test) -> AbstractContextManager[Session]:
        """Give the test a session on its database."""

    @abstractmethod
    def async_session(self, test: Test) -> AbstractAsyncContextManager[AsyncSession]:
        """Give the test an asynchronous session on the running loop."""

    @abstractmethod
    def undo(self, test: Test, prepared: PreparedDatabase) -> None:
        """Put the test's database back."""


@dataclass(slots=True)
class Test:
    """One test that uses a database."""

    __test__ = False

    nodeid: str
    database: Database
    start: Snapshot
    strategy: Strategy
    states: list[StateKey]
    instances: dict[str, Instance]
    seed: str
    worker: Worker
    readonly: bool = False
    max_rows: int = 0
    keep_failed: bool = False
    counts: bool = False
    """The report wants to know the rows it changed."""
    failed: bool = False
    session: Session | None = None
    """The session of the rollback strategy, through which alone its changes can be seen."""
    async_session_open: bool = False
    """Its changes are in the transaction of an asynchronous driver, where nobody else can look."""
    failed_unseen: bool = False
    """It failed with such a session, which was therefore committed so that its changes can be shown."""
    given: dict[int, str] = field(default_factory=dict)
    """Server processes of sessions the test was given, with the fixture's name."""
    transaction_failed: bool = False
    """A statement failed in its session's transaction, which was therefore rolled back at the end."""
    rows_loaded: int = 0
    rows_written: int | None = None
    rows_undone: int = 0
    ms_before: float = 0.0
    ms_after: float = 0.0
    fell_back: str | None = None
    kept: str | None = None
    ended: list[str] = field(default_factory=list)
    """Connections that were ended because the database had to be copied, by their applications' names."""
    extra: list[str] = field(default_factory=list)
    """What to tell a person after the test's end."""

    def instance(self) -> Instance:
        """Return the instance of the closest marker.

        Raises:
            LibraryError: the test carries no marker.
        """
        if not self.instances:
            raise LibraryError(
                "the fixture scenario has nothing to give",
                where=self.nodeid,
                why="the test names no scenario",
                hint='mark the test with @pytest.mark.scenario("name"), or use load_scenario("name")',
            )
        return next(reversed(self.instances.values()))

    def load(self, name: str, /, **params: Any) -> Instance:
        """Load a further scenario, on top of what is there."""
        state = StateKey.of(name, params)
        before = sum(each.scenario == name for each in self.instances.values())
        instance: Instance = self.worker.fill(state, params, before=before)(self.database)
        again = str(state) in self.instances
        self.instances[f"{state}, {instance.name}" if again else str(state)] = instance
        self.rows_loaded += sum(instance.counts.values())
        return instance

    def changes(self) -> Changes:
        """Return the rows the test has changed so far, those it has added to its session included."""
        if self.session is not None:
            self.session.flush()
        return self.written()

    def written(self) -> Changes:
        """Return the rows the test changed, as far as the database has heard of them.

        A transaction of its session in which a statement failed is rolled back first: the test is over, and
        nothing can be read in it. What was added to the session and not flushed may not even be complete.
        """
        if self.session is None:
            return self.database.changes(self.start)
        from scenarios import journal
        from scenarios.pytest_plugin.sessions import driver_connection, end_failed_transaction

        self.transaction_failed |= end_failed_transaction(self.session)
        return journal.changes(driver_connection(self.session), self.start)

    def keep_promises(self) -> None:
        """Fail the test itself when it changed what it promised to leave, or more than it may.

        Called after a test that passed; what a promise cost is then blamed on the one who broke it.
        """
        __tracebackhide__ = True
        if not (self.readonly or self.max_rows or self.counts) or self.async_session_open:
            return
        changes = self.written()
        self.rows_written = len(changes)
        if self.readonly and changes:
            self.failed = True
            pytest.fail(
                f"the test is marked scenario_readonly, but it changed {changes.summary()}", pytrace=False
            )
        rows = self.rows_loaded + len(changes)
        if self.max_rows and rows > self.max_rows:
            pytest.fail(
                f"built or wrote {rows} rows, the budget is {self.max_rows} (setting max_rows): "
                f"{self.rows_loaded} by scenarios, {len(changes)} by the test",
                pytrace=False,
            )

    def record(self) -> dict[str, Any]:
        """Return what the report says of this test, as plain data."""
        return {
            "scenarios": list(self.instances),
            "strategy": self.strategy.name,
            "why": self.strategy.why,
            "fell_back": self.fell_back,
            "rows_loaded": self.rows_loaded,
            "rows_written": self.rows_undone if self.rows_written is None else self.rows_written,
            "ms_before": round(self.ms_before, 3),
            "ms_after": round(self.ms_after, 3),
            "kept": self.kept,
            "ended": self.ended,
        }
