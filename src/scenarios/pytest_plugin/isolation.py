"""What happens around one test: the state it starts in, and the rung of the ladder that undoes it.

Rollback is cheapest but blind to every connection except the one it owns; restore undoes what anyone
committed; clone copes with what no journal can undo. Which one a test needs follows from what it asks for.
Whatever the rung, the journal is asked at the end: it notices when the test got past the rung it was on, and
the ladder is climbed and the report says so. A leak blamed on the next test is the failure this prevents.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from scenarios.errors import JournalError, LibraryError, ScenariosError
from scenarios.pytest_plugin.keys import TEST, WIDE_FIXTURES
from scenarios.pytest_plugin.stage import StateKey

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from scenarios.journal import Changes, Snapshot
    from scenarios.library import Instance
    from scenarios.postgres import Database
    from scenarios.pytest_plugin.stage import Stage
    from scenarios.pytest_plugin.worker import Worker

_SESSIONS = frozenset({"scenario_session", "scenario_async_session"})
_REAL_COMMITS = WIDE_FIXTURES | {"scenario_db"}


@dataclass(slots=True)
class Test:
    """One test that uses a database."""

    __test__ = False

    nodeid: str
    database: Database
    start: Snapshot
    rung: str
    why_rung: str
    states: list[StateKey]
    instances: dict[str, Instance]
    seed: str
    readonly: bool = False
    max_rows: int = 0
    keep_failed: bool = False
    failed: bool = False
    session: Session | None = None
    """The session of the rollback rung, through which alone its changes can be seen."""
    rows_loaded: int = 0
    rows_undone: int = 0
    ms_before: float = 0.0
    ms_after: float = 0.0
    climbed: str | None = None
    kept: str | None = None
    failure: str | None = None
    """The changes as text, taken when the test failed and before they were undone."""
    extra: list[str] = field(default_factory=list)

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
                remedy='mark the test with @pytest.mark.scenario("name"), or use load_scenario("name")',
            )
        return next(reversed(self.instances.values()))

    def load(self, name: str, /, **params: Any) -> Instance:
        worker = self._worker
        instance: Instance = worker.fill(StateKey.of(name, params), params)(self.database)
        self.instances[name] = instance
        self.rows_loaded += sum(instance.counts.values())
        return instance

    _worker: Worker = field(init=False)

    def changes(self) -> Changes:
        """Return the rows the test changed since its start, those of an open rollback session included."""
        if self.session is not None:
            from scenarios import journal

            self.session.flush()
            raw: Any = self.session.connection().connection.driver_connection
            return journal.changes(raw, self.start)
        return self.database.changes(self.start)

    def keep_promises(self) -> None:
        """Fail the test itself when it changed what it promised to leave, or more than it may.

        Called after a test that passed; what a promise cost is then blamed on the one who broke it.
        """
        __tracebackhide__ = True
        if not self.readonly and not self.max_rows:
            return
        changes = self.changes()
        if self.readonly and changes:
            pytest.fail(f"marked scenario_readonly, but it changed rows:\n{changes}", pytrace=False)
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
            "scenarios": [str(state) for state in self.states],
            "rung": self.rung,
            "why": self.why_rung,
            "climbed": self.climbed,
            "rows_loaded": self.rows_loaded,
            "rows_undone": self.rows_undone,
            "ms_before": round(self.ms_before, 3),
            "ms_after": round(self.ms_after, 3),
            "kept": self.kept,
        }


def choose_rung(item: pytest.Item, names: frozenset[str]) -> tuple[str, str]:
    """Return the rung for a test and why: its marker, or what it asks for."""
    mark = item.get_closest_marker("scenario_isolation")
    if mark is not None:
        return str(mark.args[0]), "its marker"
    if names & _REAL_COMMITS:
        return "restore", f"it uses {', '.join(sorted(names & _REAL_COMMITS))}"
    if names & _SESSIONS:
        return "rollback", "it reaches the database by the given session only"
    return "restore", "the default"


@contextmanager
def isolated(item: pytest.Item, worker: Worker, names: frozenset[str]) -> Iterator[Test]:
    """Bring the test's database into its state, and back into it afterwards."""
    began = time.perf_counter()
    rung, why = choose_rung(item, names)
    marks = [(mark.args[0], mark.kwargs) for mark in reversed(list(item.iter_markers("scenario")))]
    states = [StateKey.of(name, dict(params)) for name, params in marks]
    home = bool(names & WIDE_FIXTURES)
    stage = worker.stage(item.session, states, home=home)
    fills = [
        (state, worker.fill(state, dict(params))) for state, (_, params) in zip(states, marks, strict=True)
    ]
    values = stage.settle(fills)
    start = stage.begin()
    with ExitStack() as own:
        database = stage.database
        if rung == "clone" and not home:
            database = own.enter_context(stage.database.fork())
            start = database.snapshot()
        test = Test(
            nodeid=item.nodeid,
            database=database,
            start=start,
            rung=rung,
            why_rung=why,
            states=states,
            instances={
                state.name: replace(value, db=database, _objects={})
                for state, value in zip(states, values, strict=True)
            },
            seed=str(worker.settings["seed"]),
            readonly=item.get_closest_marker("scenario_readonly") is not None,
            max_rows=worker.settings["max_rows"],
            keep_failed=worker.settings["keep_failed"],
        )
        test._worker = worker
        test.rows_loaded = sum(sum(instance.counts.values()) for instance in test.instances.values())
        item.stash[TEST] = test
        worker.test_in_progress = item.nodeid
        test.ms_before = (time.perf_counter() - began) * 1000
        try:
            yield test
        finally:
            worker.test_in_progress = None
            began = time.perf_counter()
            try:
                _undo(test, stage, worker, forked=database is not stage.database)
            finally:
                test.ms_after = (time.perf_counter() - began) * 1000


def _undo(test: Test, stage: Stage, worker: Worker, *, forked: bool) -> None:
    if test.failed and test.keep_failed:
        _keep(test, stage, worker, forked=forked)
        return
    if forked:
        return
    if test.rung == "clone":
        stage.database.recreate()
        stage.lose(test.nodeid)
        return
    restored = stage.undo(test.start, test.nodeid)
    test.rows_undone = restored.rows
    if not restored.in_place:
        test.climbed = f"clone: {restored.why}"
    elif test.rung == "rollback" and restored.rows:
        test.climbed = f"restore: {restored.rows} rows were committed past the given session"


def _keep(test: Test, stage: Stage, worker: Worker, *, forked: bool) -> None:
    """Leave the failed test's database for a person, and let the next test have another."""
    try:
        if forked:
            kept = test.database
        elif stage is worker.home_if_any():
            kept = stage.database.fork()
            stage.undo(test.start, test.nodeid)
        else:
            kept = stage.database
            worker.abandon(stage)
        kept.keep = True
        test.kept = kept.name
        test.extra.append(f"kept as {kept.name}\n  {kept.psql}\n  scenarios open {kept.name}")
    except ScenariosError as error:
        test.extra.append(f"could not be kept: {error}")
        with suppress(JournalError):
            stage.undo(test.start, test.nodeid)
