"""Parts: the unit of volume generation.

A part is a few hundred users and everything of theirs. What it holds depends on the seed and its number
alone, so parts can be made in any order, by any number of processes or machines, and again after a crash;
and it is written in one transaction, so it is there or it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import Table

from scenarios.domain import Domain, Statement, get_domain
from scenarios.errors import ValuesError
from scenarios.graph import encoding
from scenarios.values import DEFAULT_ANCHOR

USERS_PER_PART = 200
"""A few megabytes of rows: large enough for COPY, small enough to be held and to be repeated."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which users of which run.

    Attributes:
        seed: the run's seed.
        number: the part's number in the run, from 0.
        first: the number of its first user.
        users: how many users it has.
        anchor: the "now" of the data.
        locale: the locale of names.
    """

    seed: str
    number: int
    first: int
    users: int
    anchor: datetime
    locale: str = "en_US"

    @property
    def indexes(self) -> range:
        """The numbers of its users."""
        return range(self.first, self.first + self.users)


@dataclass(frozen=True, slots=True)
class TableData:
    """The rows of one table in COPY text format."""

    table: str
    columns: tuple[str, ...]
    data: bytes
    rows: int


class Recipe(Protocol):
    """What a system's volume is made of."""

    domain: Domain

    def owner(self, part: Part) -> TableData | None:
        """Return the rows that must exist before any part, the run's own instance; None if there are none."""
        ...

    def make(self, part: Part) -> list[TableData]:
        """Return the rows of *part*, tables in foreign-key order."""
        ...

    def keys(self, part: Part) -> tuple[str, str, list[str]]:
        """Return table and key column of the users of *part*, and their keys in order."""
        ...


@runtime_checkable
class Resting(Protocol):
    """A recipe of a system with triggers on INSERT some of which its rows can do without.

    Attributes:
        tables: names of the tables that parts have rows of, parents first.
        stand_in: names of trigger functions that may rest during a load into a database of ours, because the
            rows come with what the function would set, and what it would refuse is found afterwards (by
            `scenarios.graph.bulk_load.rules`, or by the recipe's own statements). One trigger that is not
            named here keeps every rule in force for each row.
    """

    tables: tuple[str, ...]
    stand_in: frozenset[str]


@runtime_checkable
class Surrounded(Protocol):
    """A recipe whose system needs something done around the parts: months, counters, sequences, views.

    Each step may be run again, at the same time by another shard, or after a crash, and changes nothing then.
    """

    def before(self, parts: Sequence[Part]) -> Iterable[Statement]:
        """Return what is done in one transaction before any of *parts* is written."""
        ...

    def opening(self, part: Part, *, triggers: bool) -> Iterable[Statement]:
        """Return what begins the transaction of *part*; *triggers*: whether those of its tables will fire."""
        ...

    def after(self, parts: Sequence[Part]) -> Iterable[Statement]:
        """Return what is done in one transaction when *parts* are all written."""
        ...


def recipe(system: str | Domain) -> Recipe:
    """Return the recipe of *system*, by itself or by the name under which it is registered.

    Raises:
        DomainError: there is no such system.
        ValuesError: it has no recipe.
    """
    domain = get_domain(system) if isinstance(system, str) else system
    if "volume" not in domain.parts:
        raise ValuesError(
            f"there is no volume recipe for {domain.title}",
            hint="name the module that defines RECIPE in Domain.parts['volume']",
        )
    found: Recipe = domain.part("volume").RECIPE
    return found


def tables_of(made: Recipe) -> tuple[str, ...]:
    """Return the tables that parts have rows of, parents first."""
    if isinstance(made, Resting):
        return made.tables
    some = made.make(Part("", 0, 0, 40, DEFAULT_ANCHOR))
    return tuple(dict.fromkeys(data.table for data in some))


def stand_in_of(made: Recipe) -> frozenset[str]:
    """Return the trigger functions whose rules the recipe makes up for."""
    return made.stand_in if isinstance(made, Resting) else frozenset()


def parts(
    seed: str,
    users: int,
    anchor: datetime,
    locale: str = "en_US",
    shard: tuple[int, int] = (1, 1),
    size: int = USERS_PER_PART,
) -> list[Part]:
    """Return the parts of a run of *users* users, those of one shard only.

    Args:
        shard: (number, of); numbers count from 1. The shards of a run share no part and together are all.
        size: users in a part; it decides how the work is cut, not what the rows are.

    Raises:
        ValuesError: the shard does not exist, or a number is out of range.
    """
    number, of = shard
    if not 1 <= number <= of:
        raise ValuesError(f"there is no shard {number}/{of}", hint="shards count from 1: 1/8 to 8/8")
    if users < 0 or size < 1:
        raise ValuesError(f"cannot generate {users} users in parts of {size}")
    return [
        Part(seed, place, first, min(size, users - first), anchor, locale)
        for place, first in enumerate(range(0, users, size))
        if place % of == number - 1
    ]


class Collector:
    """Collects the rows of a part, table by table."""

    def __init__(self, domain: Domain, tables: Sequence[tuple[str, Sequence[str]]]) -> None:
        self._tables: list[tuple[Table, tuple[str, ...], tuple[encoding.Encoder, ...], list[str]]] = []
        for name, columns in tables:
            table = domain.table(name)
            encoders = tuple(encoding.encoder(table.columns[column]) for column in columns)
            self._tables.append((table, tuple(columns), encoders, []))
        self._by_name = {table.fullname: place for place, (table, _, _, _) in enumerate(self._tables)}

    def add(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows as Python values."""
        _, _, encoders, lines = self._tables[self._by_name[table]]
        lines.extend(encoding.lines(encoders, rows))

    def lines(self, table: str) -> list[str]:
        """Return the list to which finished COPY lines of *table* are appended."""
        return self._tables[self._by_name[table]][3]

    def finish(self) -> Iterator[TableData]:
        """Yield the data of each table that has any."""
        for table, columns, _, lines in self._tables:
            if lines:
                yield TableData(table.fullname, columns, "".join(lines).encode(), len(lines))
