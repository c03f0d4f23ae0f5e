"""What the framework must know of a schema: tables, DDL, who owns what, which columns are personal.

Without one such description every part (templates, the writer, load, freeze, the plugin) would carry its own
knowledge of Dev Coach, and a project's own schema would be a second-class guest. A `Domain` is all of that in
one place; the three built-in systems and anything a user brings are described the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scenarios.errors import DomainError

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

BUILT_IN = ("dev_coach", "coach_bot", "essay_coach")
"""The systems that come with the project; each is a package in ``scenarios.domains`` with a ``DOMAIN``."""

PERSONAL = "personal"
"""Key in ``Column.info`` that classifies a column for anonymisation.

Values: ``"email"``, ``"first_name"``, ``"last_name"``, ``"username"``, ``"phone"``, ``"secret"``, ``"text"``
(free text that may mention people), ``"date_of_birth"``, ``"address"``, or ``None`` for "not personal".
"""

REFERS_TO = "refers_to"
"""Key in ``Column.info``: the column (``"users.id"``) whose value a column holds without a foreign key.

A history that outlives its subject has such columns; scenario files name the row by its handle all the same.
"""


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
        name: the system's name in files and commands, ``"dev_coach"``.
        title: its name for people, ``"Dev Coach"``.
        metadata: the SQLAlchemy metadata with all its tables.
        ddl: returns one SQL script that creates everything in an empty database, functions, triggers,
            policies and views included. Deterministic, since templates are named by its hash.
        owner: the table whose rows are people; freeze and forget start from it. None where there is none.
        scope: how rows belong to an instance, None where the schema has no such column.
        reference: tables that belong to no instance and are shared (prompts, roles).
        append_only: tables from which nothing can be removed (an audit trail): unload and reset leave them.
        resting: names of trigger functions that may rest while many rows are written to a database of ours,
            because all they do is set or refuse a row's scope, which is checked for all rows at once; None
            where rules never rest. One trigger on INSERT that is not named keeps all rules in force.
        extensions: PostgreSQL extensions the DDL needs.
        before_load: takes the first and last time in the new rows of each table and returns the statements to
            run inside the loading transaction before rows are written; makes the partitions they need, say.
            A generator receives the rows of each statement it yields.
        after_load: returns the statements to run inside the loading transaction after the rows; refreshes
            views, say.
        parts: dotted names of the modules that complete the domain, imported only when used:
            ``"factories"``, ``"builder"``, ``"sections"``, ``"validators"``, ``"queries"``.
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
    resting: frozenset[str] | None = None
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
                remedy=f"its tables are {', '.join(sorted(self.metadata.tables))}",
            ) from None

    def part(self, name: str) -> ModuleType:
        """Import and return the module that completes the domain as *name*.

        Raises:
            DomainError: the domain names no such part.
        """
        if name not in self.parts:
            raise DomainError(
                f"{self.title} has no {name}",
                remedy=f"name the module in Domain.parts[{name!r}]; it has {', '.join(self.parts) or 'none'}",
            )
        return import_module(self.parts[name])


def domain_names() -> list[str]:
    """Return the names of all domains: the built-in ones, then those of installed packages."""
    return [*BUILT_IN, *sorted(point.name for point in entry_points(group="scenarios.domains"))]


def get_domain(name: str) -> Domain:
    """Return the domain *name*, built in or provided by a package's ``scenarios.domains`` entry point.

    Raises:
        DomainError: there is no such domain.
    """
    if name in BUILT_IN:
        found = import_module(f"scenarios.domains.{name}").DOMAIN
    else:
        points = {point.name: point for point in entry_points(group="scenarios.domains")}
        if name not in points:
            raise DomainError(f"there is no system {name!r}", remedy=f"known are {', '.join(domain_names())}")
        found = points[name].load()
    if not isinstance(found, Domain):
        raise DomainError(f"the system {name!r} is described by a {type(found).__name__}, not a Domain")
    return found
