"""What happens around one test: the state it starts in, and the isolation strategy that undoes it.

Rollback is cheapest but blind to every connection except the one it owns; restore undoes what anyone
committed; clone copes with what no journal can undo. Which one a test needs follows from what it asks for.
Whatever the strategy, the journal is asked at the end: it notices when the test did more than the strategy
can undo; the next one then undoes it, and the report says so. A leak blamed on the next test is the failure
this prevents.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from scenarios.errors import JournalError, LibraryError, ScenariosError
from scenarios.pytest_plugin.keys import BROADER_FIXTURES, TEST
from scenarios.pytest_plugin.prepared import StateKey
from scenarios.pytest_plugin.report import describe

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from scenarios.journal import Changes, Snapshot
    from scenarios.library import Instance
    from scenarios.postgres import Database
    from scenarios.pytest_plugin.prepared import PreparedDatabase
    from scenarios.pytest_plugin.worker import Worker

_SESSIONS = frozenset({"scenario_session", "scenario_async_session"})
_REAL_COMMITS = BROADER_FIXTURES | {"scenario_db", "load_scenario"}
_LOOKS = frozenset({"scenario_changes"})


@dataclass(slots=True)
class Test:
    """One test that uses a database."""

    __test__ = False

    nodeid: str
    database: Database
    start: Snapshot
    strategy: str
    why_strategy: str
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
            "strategy": self.strategy,
            "why": self.why_strategy,
            "fell_back": self.fell_back,
            "rows_loaded": self.rows_loaded,
            "rows_written": self.rows_undone if self.rows_written is None else self.rows_written,
            "ms_before": round(self.ms_before, 3),
            "ms_after": round(self.ms_after, 3),
            "kept": self.kept,
            "ended": self.ended,
        }


def choose_strategy(item: pytest.Item, names: frozenset[str], *, counted: bool = False) -> tuple[str, str]:
    """Return the strategy for a test and why: its marker, or what it asks for.

    Args:
        item: the test.
        names: the fixtures it uses.
        counted: its changes must be known when it ends.
    """
    mark = item.get_closest_marker("scenario_isolation")
    unseen = "scenario_async_session" in names and (counted or bool(names & _LOOKS))
    if mark is not None and not (unseen and mark.args[0] == "rollback"):
        return str(mark.args[0]), "its marker"
    if names & _REAL_COMMITS:
        return "restore", f"it uses {', '.join(sorted(names & _REAL_COMMITS))}"
    if unseen:
        return "restore", "what an asynchronous session did can be seen only once it is committed"
    if names & _SESSIONS:
        return "rollback", "it reaches the database by the given session only"
    return "restore", "the default"


@contextmanager
def isolated(item: pytest.Item, worker: Worker, names: frozenset[str]) -> Iterator[Test]:
    """Bring the test's database into its state, and back into it afterwards."""
    began = time.perf_counter()
    settings = worker.settings
    readonly = item.get_closest_marker("scenario_readonly") is not None
    strategy, why = choose_strategy(item, names, counted=readonly or bool(settings["max_rows"]))
    marks = _marks(item)
    states = [StateKey.of(name, params) for name, params in marks.items()]
    shared = bool(names & BROADER_FIXTURES)
    prepared = worker.prepared(item.session, states, shared=shared)
    fills = [
        (state, worker.fill(state, params)) for state, params in zip(states, marks.values(), strict=True)
    ]
    values = prepared.prepare(fills)
    start = prepared.begin()
    with ExitStack() as own:
        database = prepared.database
        spare: Database | None = None
        if strategy == "clone":
            # Its own copy; on the shared database, whose name must stay, the copy is what it is put back
            # from.
            spare = own.enter_context(prepared.copy())
            if not shared:
                database, start = spare, spare.snapshot()
        test = Test(
            nodeid=item.nodeid,
            database=database,
            start=start,
            strategy=strategy,
            why_strategy=why,
            states=states,
            instances={
                str(state): replace(value, db=database, _objects={})
                for state, value in zip(states, values, strict=True)
            },
            worker=worker,
            seed=str(settings["seed"]),
            readonly=readonly,
            max_rows=settings["max_rows"],
            keep_failed=settings["keep_failed"],
            counts=bool(settings["report"]),
        )
        test.rows_loaded = sum(sum(instance.counts.values()) for instance in test.instances.values())
        item.stash[TEST] = test
        worker.test_in_progress = item.nodeid
        test.ms_before = (time.perf_counter() - began) * 1000
        try:
            yield test
        finally:
            began = time.perf_counter()
            try:
                if test.failed and test.keep_failed:
                    _keep(test, prepared, worker)
                else:
                    _undo(test, prepared, spare)
            finally:
                worker.test_ended()
                test.ended, prepared.ended = prepared.ended, []
                test.ms_after = (time.perf_counter() - began) * 1000


def _marks(item: pytest.Item) -> dict[str, dict[str, Any]]:
    """Return the scenarios a test names, with parameters; the closest is last and overrules its namesakes."""
    marks: dict[str, dict[str, Any]] = {}
    for mark in reversed(list(item.iter_markers("scenario"))):
        marks.pop(mark.args[0], None)
        marks[mark.args[0]] = dict(mark.kwargs)
    return marks


def _undo(test: Test, prepared: PreparedDatabase, spare: Database | None) -> None:
    if test.failed_unseen:
        test.extra.append(describe(test))
    if test.database is spare:
        return
    if spare is not None:
        prepared.put_back(spare)
        return
    restored = prepared.undo(test.start, test.nodeid)
    if test.strategy != "rollback":  # there, what a test set went with its transaction
        test.database.reset_connections()
    test.rows_undone += restored.rows
    if not restored.in_place:
        test.fell_back = f"clone: {restored.why}"
    elif test.strategy == "rollback" and restored.rows and not test.failed_unseen:
        test.fell_back = "restore: rows were committed past the given session"


def _keep(test: Test, prepared: PreparedDatabase, worker: Worker) -> None:
    """Leave the failed test's database for a person, and let the next test have another."""
    try:
        if test.database is not prepared.database:
            kept = test.database
        elif prepared is worker.shared_if_any():
            kept = prepared.copy()
            prepared.undo(test.start, test.nodeid)
        else:
            kept = prepared.database
            worker.abandon(prepared)
        worker.server.keep(kept)
    except ScenariosError as error:
        test.extra.append(f"the database could not be kept: {error}")
        with suppress(JournalError):
            prepared.undo(test.start, test.nodeid)
        return
    test.kept = kept.psql
    lines = [f"the database is kept as {kept.name}", f"  {kept.psql}"]
    environment = kept.psql.partition("psql ")[0]
    lines += [
        f"  {environment}scenarios open {instance.name} --in '{kept.safe_url}'"
        for instance in test.instances.values()
        if instance.definition.sections.scoped
    ]
    test.extra.append("\n".join(lines))
