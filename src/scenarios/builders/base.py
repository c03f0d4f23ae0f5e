"""What every system's builder stands on: the program of calls, rendering it to rows, and loading them.

Without it each system would decide again how a call is checked, how a handle becomes an id, and how a loaded
scenario is asked for its rows; and the same scenario could not be loaded twice, because its rows were made
when it was written down. Here a builder only *records* what was said, checked call by call. `Rendered` rows
are made from that record for one instance and one clock, as often as wanted.

How to write the builder of a system: with sections (`scenarios.library.planning.sections`) it is a class for
each kind of row, see `scenarios.builders.sections`, and nothing else has to be written.

What no section can say (a conversation laid out in sittings, the history a state implies) needs plans of its
own, plain dataclasses of what was said; a `Program` that renders them to rows, with ids from
``context.id(handle)`` and times from ``context.clock``; and steps: classes over the one program, each a
subclass of the step whose methods may follow it, so that a type checker completes exactly what can be said
next. A step checks its call there and then with ``self.program.refuse(...)``: the error is about that call,
at its line.
"""

from __future__ import annotations

import difflib
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar
from uuid import UUID

from psycopg.pq import TransactionStatus
from sqlalchemy import null
from sqlalchemy.orm.attributes import set_committed_value

from scenarios.builders.connect import async_connection, psycopg_connection
from scenarios.errors import BuilderError, ValuesError
from scenarios.factories.context import FactoryContext
from scenarios.values import Clock

if TYPE_CHECKING:
    import psycopg

    from scenarios.domain import Domain
    from scenarios.graph import Graph, Written

P = TypeVar("P", bound="Program")
R = TypeVar("R")

_HANDLE = re.compile(r"[a-z][a-z0-9_-]*\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*\Z")
_HERE = str(Path(__file__).resolve().parent.parent)

Source = tuple[str, int]
"""A file and a line, for messages."""
When = str | timedelta | datetime
"""A time: an offset from the scenario's now such as ``"-3d 2h"`` or ``"-1d @09:30"``, a duration, or a
time."""


_STEPS: set[CodeType] = set()
"""What the methods of steps run, other packages' builders included: none of it is a scenario's own line."""


def calling_line() -> Source | None:
    """Return the file and line that made the current call: outside this package and the methods of steps."""
    frame = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename.startswith(_HERE) or frame.f_code in _STEPS):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno)


def given(columns: Mapping[str, Any] | None = None, /, **said: Any) -> dict[str, Any]:
    """Return what was said, without what was not; *columns* go before."""
    return {**{name: value for name, value in said.items() if value is not None}, **(columns or {})}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return advice for an unknown *name*: the nearest of *known*, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(names)}" if names else "there is none yet"


@dataclass(slots=True)
class Rendered:
    """The rows of one instance of a scenario, not yet in any database.

    Attributes:
        graph: the rows.
        id: the instance's id.
        name: the instance's name.
        handles: what each handle stands for: the object, or for a bulk row its values by column name.
        sign_in: what a person needs to use the scenario: one mapping a user, ``handle``, ``email`` ....
        nulls: objects and attributes that are to be NULL although the database has a default.
    """

    graph: Graph
    id: UUID
    name: str
    handles: MutableMapping[str, Any] = field(default_factory=dict)
    sign_in: list[dict[str, str]] = field(default_factory=list)
    nulls: list[tuple[Any, str]] = field(default_factory=list)

    @contextmanager
    def being_written(self) -> Iterator[None]:
        """Say NULL where None would mean "the database's default", as it does to SQLAlchemy, and take it
        back."""
        for obj, key in self.nulls:
            setattr(obj, key, null())
        try:
            yield
        finally:
            for obj, key in self.nulls:
                set_committed_value(obj, key, None)


class Program(ABC):
    """What was said to a builder, in order; a system's subclass adds its plans and renders them.

    Args:
        name: the scenario's name, in lower case, digits, ``_``, ``-`` and ``.``.
        description: for people.
        seed: the seed of all values, by default the setting.
        locale: the Faker locale of names, by default the setting.
        now: the anchor all relative times refer to, by default the clock's.
    """

    def __init__(
        self,
        name: str,
        *,
        description: str = "",
        seed: str | None = None,
        locale: str | None = None,
        now: datetime | None = None,
    ) -> None:
        self.source: Source | None = calling_line()
        if not _NAME.match(name) or len(name) > 200:
            self.refuse(
                f"a scenario cannot be named {name!r}",
                hint="use lower-case letters, digits, '_', '-' and '.', at most 200 of them",
            )
        if now is not None and now.tzinfo is None:
            self.refuse("now= needs a time zone", hint="datetime(2026, 1, 5, 9, tzinfo=UTC), say")
        self.name = name
        self.description = description
        self.seed = seed
        self.locale = locale
        self.now = now
        self.handles: dict[str, str] = {}
        self._numbers: dict[str, int] = {}

    @property
    @abstractmethod
    def domain(self) -> Domain:
        """The system the scenario is of."""

    @abstractmethod
    def render(self, context: FactoryContext, instance: str) -> Rendered:
        """Make the rows of *instance*; *context* has its ids, values and clock."""

    def before_write(self, connection: psycopg.Connection[Any], rendered: Rendered) -> None:  # noqa: B027 - most need nothing here
        """Look at the database inside the loading transaction, before the rows are written.

        Systems with shared reference rows mark those that are there already: ``graph.add(row,
        existing=True)``.
        """

    async def before_write_async(self, connection: Any, rendered: Rendered) -> None:  # noqa: B027 - as above
        """Do what `before_write` does, over a psycopg or asyncpg asynchronous connection."""

    def refuse(self, what: str, *, why: str | None = None, hint: str | None = None) -> NoReturn:
        """Raise a `BuilderError` about the call that is being made."""
        place = calling_line()
        raise BuilderError(what, where=f"{place[0]}:{place[1]}" if place else None, why=why, hint=hint)

    def claim(self, handle: str, kind: str) -> str:
        """Take a handle for a new thing and return it.

        Raises:
            BuilderError: it is malformed or taken.
        """
        for part in handle.split("."):
            if not _HANDLE.match(part):
                self.refuse(
                    f"{handle!r} cannot be a handle",
                    hint="a handle starts with a lower-case letter; letters, digits, '_' and '-' follow",
                )
        if handle in self.handles:
            self.refuse(
                f"the handle {handle!r} is taken by a {self.handles[handle]}",
                hint="give this one another handle",
            )
        self.handles[handle] = kind
        return handle

    def moment(self, when: When) -> datetime:
        """Return the time *when* by the scenario's own clock; loading may move it.

        Raises:
            BuilderError: it cannot be read, or has no time zone.
        """
        if isinstance(when, datetime) and when.tzinfo is None:
            self.refuse(f"the time {when.isoformat()} has no time zone", hint="give one, UTC for instance")
        try:
            return self.clock.at(when)
        except ValuesError as error:
            self.refuse(error.what, why=error.why, hint=error.hint)

    @property
    def clock(self) -> Clock:
        """The clock against which calls are checked."""
        return Clock() if self.now is None else Clock(self.now)

    def free_name(self, prefix: str) -> str:
        """Return the next free handle ``prefix_1``, ``prefix_2`` ...; the caller claims it."""
        number = self._numbers.get(prefix, 0) + 1
        while f"{prefix}_{number}" in self.handles:
            number += 1
        self._numbers[prefix] = number
        return f"{prefix}_{number}"

    def context(self, instance: str, now: datetime | None) -> FactoryContext:
        """Return the context in which *instance* is rendered."""
        return FactoryContext(
            self.name, seed=self.seed, locale=self.locale, instance=instance, now=now or self.now
        )


class Loaded:
    """A scenario in a database: ask it for rows by handle.

    Attributes:
        id: the instance's id.
        name: the instance's name.
        sign_in: who can sign in, and how.
        written: what the writer did.
    """

    def __init__(self, rendered: Rendered, written: Written) -> None:
        self.id = rendered.id
        self.name = rendered.name
        self.sign_in = rendered.sign_in
        self.written = written
        self._handles = rendered.handles

    def __getitem__(self, handle: str) -> Any:
        """Return the row *handle*.

        Raises:
            BuilderError: the scenario has no such handle.
        """
        try:
            return self._handles[handle]
        except KeyError:
            raise BuilderError(
                f"{self.name} has no handle {handle!r}", hint=did_you_mean(handle, self._handles)
            ) from None

    def __contains__(self, handle: object) -> bool:
        return handle in self._handles

    @property
    def handles(self) -> Mapping[str, Any]:
        """Every handle with its row."""
        return self._handles

    def __repr__(self) -> str:
        return f"<{self.name}: {', '.join(self._handles)}>"


class BuiltScenario:
    """A scenario that has been said completely; it can be looked at, and loaded any number of times."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.name = program.name
        self.description = program.description
        self._rendered: Rendered | None = None
        self._checked: Rendered | None = None
        """Rendered to see that it can be, and not shown to anybody yet."""

    @property
    def domain(self) -> Domain:
        """The system the scenario is of."""
        return self.program.domain

    @property
    def graph(self) -> Graph:
        """The rows of the instance that bears the scenario's own name."""
        return self.rendered.graph

    @property
    def rendered(self) -> Rendered:
        """The instance that bears the scenario's own name, made when first asked for."""
        if self._rendered is None:
            self._rendered, self._checked = self._checked or self.render(), None
        return self._rendered

    def __getitem__(self, handle: str) -> Any:
        """Return the row *handle*, without a database.

        Raises:
            BuilderError: the scenario has no such handle.
        """
        handles = self.rendered.handles
        if handle not in handles:
            raise BuilderError(f"{self.name} has no handle {handle!r}", hint=did_you_mean(handle, handles))
        return handles[handle]

    def render(self, instance: str | None = None, *, now: datetime | None = None) -> Rendered:
        """Make the rows of an instance, new objects each time.

        Args:
            instance: the instance's name, by default the scenario's.
            now: what the scenario's times are relative to, by default what the scenario says.
        """
        name = instance or self.name
        return self.program.render(self.program.context(name, now), name)

    def load(self, db: Any, *, as_name: str | None = None, now: datetime | None = None) -> Loaded:
        """Write an instance of the scenario into a database, in one transaction.

        Args:
            db: a `scenarios.Database`, a psycopg connection, or an SQLAlchemy engine, connection or session.
            as_name: the instance's name, when the same scenario is to be there more than once.
            now: what the scenario's times are relative to.

        Raises:
            GraphError: the database refused a row; nothing is left behind.
        """
        from scenarios.graph import write

        rendered = self._to_load(as_name, now)
        with psycopg_connection(db) as connection:
            alone = connection.info.transaction_status == TransactionStatus.IDLE
            with connection.transaction():
                self.program.before_write(connection, rendered)
                with rendered.being_written():
                    written = write(connection, rendered.graph, domain=self.domain, alone=alone)
        return Loaded(rendered, written)

    def _to_load(self, as_name: str | None, now: datetime | None) -> Rendered:
        """Return rows nobody else holds: loading writes the objects' server-made values back."""
        checked, self._checked = self._checked, None
        if checked is not None and as_name in {None, self.name} and now is None:
            return checked
        return self.render(as_name, now=now)

    def checked(self) -> Self:
        """Render the scenario once, so that what only all of it together shows is refused now.

        Raises:
            BuilderError: parts of it contradict each other; the message is about one call.
        """
        if self._rendered is None:
            self._checked = self.render()
        return self

    async def load_async(self, db: Any, *, as_name: str | None = None, now: datetime | None = None) -> Loaded:
        """Write an instance of the scenario from asynchronous code, in one transaction.

        Args:
            db: a `scenarios.Database`, a psycopg `AsyncConnection`, an asyncpg connection, or an SQLAlchemy
                async engine, connection or session.
            as_name: the instance's name, when the same scenario is to be there more than once.
            now: what the scenario's times are relative to.

        Raises:
            GraphError: the database refused a row; nothing is left behind.
        """
        from scenarios.graph import write_async

        rendered = self._to_load(as_name, now)
        async with async_connection(db) as connection, connection.transaction():
            await self.program.before_write_async(connection, rendered)
            with rendered.being_written():
                written = await write_async(connection, rendered.graph, domain=self.domain)
        return Loaded(rendered, written)


class Step(Generic[P]):
    """Where a builder stands: the base of every step of every system.

    Args:
        program: what was said so far; all steps of one scenario share it.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _STEPS.update(each.__code__ for each in vars(cls).values() if isinstance(each, FunctionType))

    def __init__(self, program: P) -> None:
        self.program = program

    def build(self) -> BuiltScenario:
        """Return the scenario, complete and without a database.

        Raises:
            BuilderError: parts of it contradict each other; the message is about one call.
        """
        return BuiltScenario(self.program).checked()

    def load(self, db: Any, *, as_name: str | None = None, now: datetime | None = None) -> Loaded:
        """Build the scenario and write it; see `BuiltScenario.load`."""
        return BuiltScenario(self.program).load(db, as_name=as_name, now=now)

    async def load_async(self, db: Any, *, as_name: str | None = None, now: datetime | None = None) -> Loaded:
        """Build the scenario and write it; see `BuiltScenario.load_async`."""
        return await BuiltScenario(self.program).load_async(db, as_name=as_name, now=now)

    def apply(self, piece: Callable[[Self], R]) -> R:
        """Say a reusable piece here: ``.apply(a_refined_maker)`` is ``a_refined_maker(step)``.

        A piece is a plain function from a step to a step, so it is checked and completed like any code.
        """
        return piece(self)
