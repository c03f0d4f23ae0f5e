"""What the framework must know of a schema: tables, DDL, who owns what, which columns are personal.

Without one such description every package (templates, the writer, load, freeze, the plugin) would carry its
own knowledge of one schema, and a project's own would be a second-class guest. A `Domain` is all of that in
one place. The systems that come with the project are registered as anybody's are, by an entry point of the
group ``scenarios.domains`` that names the `Domain`; nothing generic names one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scenarios.errors import DomainError

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

GROUP = "scenarios.domains"
"""The group of entry points that register systems: ``shop = "shop.testing:DOMAIN"``."""

PERSONAL = "personal"
"""Key in ``Column.info`` that classifies a column for anonymisation.

Values: ``"email"``, ``"first_name"``, ``"last_name"``, ``"username"``, ``"phone"``, ``"secret"``, ``"text"``
(free text that may mention people), ``"date_of_birth"``, ``"address"``, or ``None`` for "not personal".
"""

REFERS_TO = "refers_to"
"""Key in ``Column.info``: the column (``"users.id"``) whose value a column holds without a foreign key.

A history that outlives its subject has such columns; scenario files name the row by its handle all the same.
"""


PARTS = {
    "sections": "how its rows stand in scenario files: SECTIONS, a `library.sections.Sections`",
    "builder": "its builder: a_scenario",
    "as_code": "a frozen state as calls of the builder: SPEAKER, a `freezing.code.generator.CodeGenerator`",
    "volume": "what `generate` makes of it: RECIPE, a `volume.Recipe`",
    "validators": "rules that the database's constraints cannot hold: CHECKS",
    "health": "whether a live database is well: health(connection)",
    "demo": "what `scenarios demo` shows: SCENARIO, last_turns(db, count), VISITOR",
    "maintenance": "what the database's schema may legitimately differ in: normalise(kind, name, definition)",
}
"""What a module named in `Domain.parts` is for, and what it must define."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement that a domain wants run around a load, on whatever connection loads.

    A function that took a connection would work on one driver and in synchronous code only; a statement works
    on psycopg, on its asynchronous connection and on asyncpg.

    Attributes:
        text: the SQL, with ``$1``, ``$2`` for the parameters. One statement, since the drivers prepare it.
        parameters: the values, in their order. Times are aware datetimes.
    """

    text: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """How rows of a domain belong to an instance of a scenario.

    Attributes:
        table: the table with one row an instance (``test_scenario_testscenario``).
        column: the column by which scoped rows name their instance (``test_scenario_id``).
    """

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Domain:
    """A schema the framework knows.

    Attributes:
        name: the system's name in files and commands, ``"shop"``.
        title: its name for people, ``"The shop"``.
        metadata: the SQLAlchemy metadata with all its tables.
        ddl: returns one SQL script that creates everything in an empty database, functions, triggers,
            policies and views included. Deterministic, since templates are named by its hash.
        owner: the table whose rows are people; freeze and forget start from it. None where there is none.
        scope: how rows belong to an instance, None where the schema has no such column.
        reference: tables that belong to no instance and are shared (prompts, roles).
        append_only: tables from which nothing can be removed (an audit trail): unload and reset leave them.
        suspendable: names of trigger functions that may rest while many rows are written to a database of
            ours, because all they do is set or refuse a row's scope, which is checked for all rows at once;
            None where rules never rest. One trigger on INSERT that is not named keeps all rules in force.
        extensions: PostgreSQL extensions the DDL needs.
        before_load: takes the first and last time in the new rows of each table and returns the statements to
            run inside the loading transaction before rows are written; makes the partitions they need, say.
            A generator receives the rows of each statement it yields.
        after_load: returns the statements to run inside the loading transaction after the rows; refreshes
            views, say.
        parts: dotted names of the modules that complete the domain, imported only when used; see `PARTS`.
        schema: what its databases are made from where that is not one script: a ``MetaData``, an Alembic
            ``Config``, a path, a function; *ddl* is then not asked.
    """

    name: str
    title: str
    metadata: MetaData
    ddl: Callable[[], str]
    owner: str | None = None
    scope: Scope | None = None
    reference: frozenset[str] = frozenset()
    append_only: frozenset[str] = frozenset()
    suspendable: frozenset[str] | None = None
    extensions: tuple[str, ...] = ()
    before_load: Callable[[Mapping[str, tuple[datetime, datetime]]], Iterable[Statement]] | None = None
    after_load: Callable[[], Iterable[Statement]] | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    schema: object = None

    def table(self, name: str) -> Table:
        """Return the table *name* (with its schema where it has one).

        Raises:
            DomainError: the domain has no such table.
        """
        try:
            return self.metadata.tables[name]
        except KeyError:
            raise DomainError(
                f"{self.title} has no table {name!r}",
                hint=f"its tables are {', '.join(sorted(self.metadata.tables))}",
            ) from None

    def part(self, name: str) -> ModuleType:
        """Import and return the module that completes the domain as *name*.

        Raises:
            DomainError: the domain names no such part.
        """
        if name not in self.parts:
            raise DomainError(
                f"{self.title} has no {name}",
                hint=f"name the module in Domain.parts[{name!r}]; it has {', '.join(self.parts) or 'none'}",
            )
        return import_module(self.parts[name])


def domain_names() -> list[str]:
    """Return the names of the systems that installed distributions register, this one's among them."""
    return sorted(_registered(tuple(sys.path)))


def get_domain(name: str) -> Domain:
    """Return the system *name* that an installed distribution registers.

    Raises:
        DomainError: there is no such system.
    """
    found = _point(name).load()
    if not isinstance(found, Domain):
        raise DomainError(f"the system {name!r} is described by a {type(found).__name__}, not a Domain")
    return found


def home_of(name: str) -> Path:
    """Return the directory of the module that has the system *name*, without importing it.

    Raises:
        DomainError: there is no such system.
    """
    spec = find_spec(_point(name).module)
    if spec is None or spec.origin is None:
        raise DomainError(f"the module of the system {name!r} is not there", where=_point(name).value)
    return Path(spec.origin).parent


def _point(name: str) -> EntryPoint:
    points = _registered(tuple(sys.path))
    if name in points:
        return points[name]
    raise DomainError(
        f"there is no system {name!r}",
        hint=f"known are {', '.join(sorted(points))}"
        if points
        else "not even those of pg-scenarios are registered: install it again, as with pip install -e .",
    )


@lru_cache(maxsize=4)
def _registered(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Return the entry points by name; *path* is ``sys.path``, on which distributions are looked for."""
    return {point.name: point for point in entry_points(group=GROUP)}
