"""A worker's database and the layers of data on it, so that a test starts where it asked to start.

Without it each test would load its state again, or a test would inherit what the one before it left behind.
A `PreparedDatabase` is one database with a stack of layers on it: at the bottom the bare schema, above it
what broader fixtures put there (session, package, module, class), on top the scenarios the test named. Each
layer ends in a snapshot of the journal. The next test that wants the same layers costs one restore; one that
wants others goes back to the last layer both share and loads only what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from scenarios.errors import DatabaseError, JournalError

if TYPE_CHECKING:
    from scenarios.journal import Restored, Snapshot
    from scenarios.postgres import Database

T = TypeVar("T")

Fill = Callable[["Database"], Any]
"""Puts a layer's data into the database and returns what tests get to see of it."""


@dataclass(frozen=True, slots=True)
class StateKey:
    """What makes two loaded scenarios the same: the name and the parameters."""

    name: str
    params: tuple[tuple[str, Hashable], ...]

    @classmethod
    def of(cls, name: str, params: dict[str, Any]) -> StateKey:
        return cls(name, tuple(sorted((key, repr(value)) for key, value in params.items())))

    def __str__(self) -> str:
        if not self.params:
            return self.name
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in self.params)})"


@dataclass(slots=True)
class Layer:
    """One layer: its key, where the database stood before and after it, and what filling it returned."""

    key: Hashable
    before: Snapshot
    after: Snapshot | None = None
    """None for a broader layer: its owner may write for as long as it is open."""
    value: Any = None
    rank: int = 0
    """How broader the scope of a broader layer is; broader ones lie below."""

    @property
    def broader(self) -> bool:
        """Owned by a fixture broader than a test; once lost it cannot be filled again."""
        return self.after is None


@dataclass(slots=True)
class PreparedDatabase:
    """One database and its stack of layers, the broader ones below the scenarios."""

    database: Database
    layers: list[Layer] = field(default_factory=list)
    tainted_by: str | None = None
    """The test whose effects could not be undone while broader data lay on the prepared database."""
    ended: list[str] = field(default_factory=list)
    """Connections that stood in the way of a copy and were ended, by the names of their applications."""
    _ground: Snapshot | None = None
    """What lies below all layers: the bare schema, and what broader fixtures wrote without a layer."""

    def prepare(self, wanted: list[tuple[StateKey, Fill]]) -> list[Any]:
        """Make the scenarios on the prepared database exactly *wanted*, in that order, and return their
        values.

        What is there already and wanted stays; the rest is undone by one restore.

        Raises:
            DatabaseError: an earlier test's effects destroyed data of a broader fixture.
        """
        self._refuse_when_tainted()
        floor = self._floor()
        keep = floor
        for key, _ in wanted:
            if keep == len(self.layers) or self.layers[keep].key != key:
                break
            keep += 1
        self._drop_to(keep)
        if len(self.layers) < keep:  # lost on the way: something on it could only be undone with all the rest
            self._refuse_when_tainted()
            keep = floor = 0
        for key, fill in wanted[keep - floor :]:
            self._push(key, fill)
        return [layer.value for layer in self.layers[floor:]]

    def clear(self) -> None:
        """Take the scenarios off, so that a broader fixture can write below them."""
        self._drop_to(self._floor())

    def forget_ground(self) -> None:
        """Note that a broader fixture may have written below all layers."""
        self._ground = None

    def _floor(self) -> int:
        return sum(layer.broader for layer in self.layers)

    def _push(self, key: Hashable, fill: Fill) -> None:
        before = self._snapshot()
        try:
            value = fill(self.database)
        except BaseException:
            # A load is one transaction, but a project's own fill may commit before it fails.
            self.undo(before, str(key))
            raise
        self.layers.append(Layer(key, before, self._snapshot(), value))

    def _drop_to(self, count: int) -> None:
        if len(self.layers) > count:
            lowest = self.layers[count]
            del self.layers[count:]
            self.undo(lowest.before, str(lowest.key))

    @contextmanager
    def broader(self, key: Hashable, rank: int) -> Iterator[Database]:
        """Open a layer for a fixture broader than a test; what it commits lasts until the layer is closed.

        Raises:
            DatabaseError: a fixture of a narrower scope has its data on the prepared database already; that
                would be undone last, and this one's with it.
        """
        self._refuse_when_tainted()
        self.clear()
        for layer in self.layers:
            if layer.rank < rank:
                raise DatabaseError(
                    f"the fixture for {key} is set up too late",
                    where=f"database {self.database.name}",
                    why=f"the data of a narrower fixture ({layer.key}) lies on the database already",
                    hint="let the narrower fixture ask for the broader one, or make the broader one autouse",
                )
        depth = len(self.layers)
        self.layers.append(Layer(key, self._snapshot(), rank=rank))
        try:
            yield self.database
        finally:
            if self.tainted_by is None:
                self._drop_to(depth)
            elif depth == 0:
                self.tainted_by = None  # nothing of the broader data is left to protect

    def begin(self) -> Snapshot:
        """Return the point a test starts from.

        With a broader layer on top it is taken now, since its owner may have written since the last test.
        """
        if not self.layers:
            if self._ground is None:
                self._ground = self._snapshot()
            return self._ground
        return self.layers[-1].after or self._snapshot()

    def copy(self) -> Database:
        """Return a new database with the present content.

        An application's pool keeps connections between tests, and PostgreSQL copies no database somebody is
        connected to: they are ended, as they are where the database is made anew. Who had them is in `ended`.

        Raises:
            DatabaseError: somebody connects again and again, or our role may not end their connections.
        """
        self.ended += self.database.end_connections()
        return self._past_connections(self.database.fork)

    def _snapshot(self) -> Snapshot:
        # Where our role may not undo rows it is a copy.
        return self._past_connections(self.database.snapshot)

    def _past_connections(self, act: Callable[[], T]) -> T:
        from psycopg.errors import ObjectInUse

        try:
            return act()
        except DatabaseError as error:
            if not isinstance(error.__cause__, ObjectInUse):
                raise
        self.ended += self.database.end_connections()
        return act()

    def undo(self, start: Snapshot, culprit: str) -> Restored:
        """Put the database back to *start* after the test *culprit*.

        What cannot be undone row by row is undone by making the database anew, whatever is on it: the next
        test loads its state again.

        Raises:
            JournalError: the test left something behind that keeps its effects from being undone, a
                transaction still open, say. The database was made anew all the same.
        """
        from scenarios import journal

        began = time.perf_counter()
        try:
            restored = self.database.restore(start)
        except journal.CannotRestoreInPlace as error:
            self.database.recreate()
            elapsed = (time.perf_counter() - began) * 1000
            restored = journal.Restored(ms=elapsed, in_place=False, why=error.why or error.what)
        except JournalError:
            self.database.recreate()
            self.lose(culprit)
            raise
        if not restored.in_place:
            self.lose(culprit)
        return restored

    def put_back(self, copy: Database) -> None:
        """Make the database what *copy* holds, under its own name; its snapshots are in the copy as well."""
        self.database.become(copy)

    def lose(self, culprit: str) -> None:
        """Note that the database was made anew because of *culprit*: no layer is on it any more."""
        if self._floor():
            self.tainted_by = culprit
        self.layers.clear()
        self._ground = None

    def _refuse_when_tainted(self) -> None:
        if self.tainted_by is not None:
            raise DatabaseError(
                "the data of a broader fixture is gone",
                where=f"database {self.database.name}",
                why=f"{self.tainted_by} did something that could not be undone in place (DDL, for one), "
                "so the database was made anew",
                hint='mark that test with @pytest.mark.scenario_isolation("clone"): '
                "a copy is then put back after it",
            )
