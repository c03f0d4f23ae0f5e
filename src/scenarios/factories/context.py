"""Who a factory builds for: the seed, the clock, the counters, the parents to reuse, the session if any.

factory_boy keeps counters and the session on the class. So the tenth test of a run gets ``user10`` or
``user3`` depending on the order of the tests, and a factory knows a session before any test has one. Here all
of that belongs to a `FactoryContext`; a factory class holds nothing but declarations.

A context is opened with `factory_context`. Where none is open, each test of a pytest run has its own, named
after the test, so that what one test builds never depends on another; outside pytest there is one for the
process.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID
from zlib import crc32

from scenarios.errors import FactoryError
from scenarios.factories.rows import TableRow
from scenarios.values import Clock, Row, Seeded

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from scenarios.graph import Graph

M = TypeVar("M")


@lru_cache(maxsize=32)
def _defaults(directory: str, seed: str | None, locale: str | None) -> tuple[str, str]:
    """Return the settings; reading the project's file for each scenario would cost more than rendering it.

    The arguments are what the settings depend on; a changed file counts from the next process on.
    """
    from scenarios.settings import Settings

    settings = Settings(project=Path(directory))
    return settings["seed"], settings["locale"]


class FactoryContext:
    """One place where rows are made: values, ids, times, counters and parents.

    Args:
        scenario: the name the values are seeded by; two contexts of one name and seed make the same rows.
        seed: the seed of all values, by default the setting ``seed``.
        instance: the name the ids are seeded by, by default *scenario*; two instances of one scenario have
            equal values and different ids.
        locale: a Faker locale for names and places.
        now: the anchor of the clock, by default the clock's own.
        session: where `create` adds what it makes.
        graph: where `create` adds what it makes when there is no session.
        connection: a database of the schema, asked whether a row satisfies a CHECK that only PostgreSQL can
            evaluate (one that calls a function of the schema, say); by default the session's.
    """

    def __init__(
        self,
        scenario: str = "factories",
        *,
        seed: str | None = None,
        instance: str | None = None,
        locale: str | None = None,
        now: datetime | None = None,
        session: Session | None = None,
        graph: Graph | None = None,
        connection: Connection | None = None,
    ) -> None:
        if seed is None or locale is None:
            said = os.environ.get("SCENARIOS_SEED"), os.environ.get("SCENARIOS_LOCALE")
            defaults = _defaults(os.getcwd(), *said)
            seed = defaults[0] if seed is None else seed
            locale = defaults[1] if locale is None else locale
        self.scenario = scenario
        self.instance = instance or scenario
        self.seed = seed
        self.locale = locale
        self.values = Seeded(seed, scenario, locale, self.instance)
        self.clock = Clock() if now is None else Clock(now)
        self.session = session
        self.graph = graph
        self.connection = connection
        self._row: Row | None = None
        self.handles: dict[str, object] = {}
        self.cascade: dict[str, int] = {}
        """How many rows of each kind were made only because another row needed a parent."""
        self._counters: defaultdict[str, int] = defaultdict(int)
        self._latest: dict[Any, object] = {}
        self.trail: list[str] = []
        """The tables whose parents are being derived, to notice those that need each other."""
        self.drawing: dict[str, Mapping[str, Any]] = {}
        """What is known of the rows of `trail`, by table."""
        self._moments: dict[tuple[UUID, str], datetime] = {}
        self._used: defaultdict[str, set[object]] = defaultdict(set)
        self.needed: set[tuple[str, str]] = set()
        """Columns (table, name) that children refer to: they are not left empty."""

    def count(self, name: str) -> int:
        """Return the next number of the counter *name*, from 1."""
        self._counters[name] += 1
        return self._counters[name]

    def number(self, name: str, *, small: bool = False) -> int:
        """Return the next number for a key *name* that no sequence gives.

        Contexts count from places of their own, above what a sequence reaches in a test, so that two of them
        can fill one database.

        Args:
            name: the key.
            small: whether it has to fit 16 bits.
        """
        place = crc32(f"{self.seed}/{self.instance}".encode())
        if small:
            return 10_000 + place % 220 * 100 + self.count(name)
        return 1_000_000_000 + place % 1_140_000 * 1000 + self.count(name)

    def id(self, handle: str) -> UUID:
        """Return the stable id of the row *handle* in this context's instance."""
        return self.values.id(handle)

    def row(self, handle: str) -> Row:
        """Return the source of values of the row *handle*."""
        last = self._row
        if last is None or last.handle != handle:
            # A row's columns are asked for one after the other.
            last = self._row = self.values.at(handle)
        return last

    def moment(self, person: UUID, start: datetime, handle: str, *, lane: str = "") -> datetime:
        """Return the next moment of a person's time: *start* first, then some minutes after the one
        before."""
        last = self._moments.get((person, lane))
        if last is None:
            moment = start
        else:
            moment = last + self.row(handle).duration("moment", timedelta(seconds=20), timedelta(minutes=4))
        self._moments[person, lane] = moment
        return moment

    def not_before(self, person: UUID, moment: datetime) -> None:
        """Let what is built next for *person* be later than *moment*."""
        last = self._moments.get((person, ""))
        if last is None or last < moment:
            self._moments[person, ""] = moment

    def remember(self, handle: str, made: object) -> None:
        """Keep a row under its handle, and as the parent of what is built next."""
        self.handles[handle] = made
        self._latest[made.table if isinstance(made, TableRow) else type(made)] = made

    def latest_of(self, target: Any) -> Any:
        """Return what `latest` does, for a mapped class or a table."""
        return self._latest.get(target)

    def latest(self, model: type[M]) -> M | None:
        """Return the row of *model* that was built last, to be the parent of the next one."""
        return cast("M | None", self._latest.get(model))

    def use(self, parent: object) -> None:
        """Make *parent* the one that rows built from now on share, though it was not built last."""
        self._latest[type(parent)] = parent

    def asked(self) -> Connection | None:
        """Return the connection to ask PostgreSQL on, if there is one."""
        if self.connection is None and self.session is not None:
            return self.session.connection()
        return self.connection

    def claim(self, space: str, value: object) -> bool:
        """Take *value* in the unique space *space*; False when it is taken already."""
        if value in self._used[space]:
            return False
        self._used[space].add(value)
        return True

    def save(self, handle: str, made: object) -> None:
        """Hand a created row to the session, or to the graph.

        Raises:
            FactoryError: the context has neither.
        """
        if isinstance(made, TableRow) and self.session is not None:
            stored = self.session.execute(made.table.insert().values(made).returning(made.table))
            made.update(stored.mappings().one())
        elif isinstance(made, TableRow) and self.graph is not None:
            self.graph.add_rows(made.table, list(made), [list(made.values())], [handle])
        elif self.session is not None:
            self.session.add(made)
        elif self.graph is not None:
            self.graph.add(made, handle=handle)
        else:
            raise FactoryError(
                f"create() has nowhere to put the {type(made).__name__} {handle!r}",
                why="the factory context has no session and no graph",
                hint="use build(), or open factory_context(session=...) or factory_context(graph=...)",
            )


_open: ContextVar[FactoryContext | None] = ContextVar("scenarios_factory_context", default=None)
_fallback: tuple[str, FactoryContext] | None = None


def current_context() -> FactoryContext:
    """Return the open context, else the test's own, else the process's."""
    context = _open.get()
    if context is not None:
        return context
    global _fallback
    place = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    if _fallback is None or _fallback[0] != place:
        _fallback = (place, FactoryContext(place or "factories"))
    return _fallback[1]


@contextmanager
def factory_context(
    scenario: str = "factories",
    *,
    seed: str | None = None,
    instance: str | None = None,
    locale: str | None = None,
    now: datetime | None = None,
    session: Session | None = None,
    graph: Graph | None = None,
    connection: Connection | None = None,
) -> Iterator[FactoryContext]:
    """Open a `FactoryContext` for the block; the arguments are its."""
    context = FactoryContext(
        scenario,
        seed=seed,
        instance=instance,
        locale=locale,
        now=now,
        session=session,
        graph=graph,
        connection=connection,
    )
    with entered(context):
        yield context


@contextmanager
def entered(context: FactoryContext) -> Iterator[FactoryContext]:
    """Make *context* the open one for the block."""
    token = _open.set(context)
    try:
        yield context
    finally:
        _open.reset(token)
