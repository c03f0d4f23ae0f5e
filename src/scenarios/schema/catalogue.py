"""What is really in a database, and how two databases differ.

Alembic's autogenerate sees what SQLAlchemy's metadata describes: no functions, no triggers, no policies, no
predicate of a partial index. A migration that forgets a trigger passes it. PostgreSQL's own catalogue knows
everything, so databases are compared by what it says.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from psycopg.rows import tuple_row

Normalise = Callable[[str, str, str], str]
"""Makes two definitions equal that differ on purpose: ``(kind, name, definition) -> definition``."""

IGNORED_SCHEMAS = ("scenarios_journal",)
"""What this project puts into its own databases: the undo log, with its triggers on every table."""

IGNORED_TABLES = ("alembic_version", "alembic_version_pkc")
"""What migrations need for themselves."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An object that is not the same in two databases.

    Attributes:
        kind: ``"table"``, ``"column"``, ``"columns"`` (their order), ``"constraint"``, ``"index"``, ...
        name: its name with schema, and with table where it is on one.
        expected: its definition where it was expected, None where it should not exist.
        found: its definition where it was found, None where it is missing.
    """

    kind: str
    name: str
    expected: str | None
    found: str | None

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.kind} {self.name} is missing"
        if self.expected is None:
            return f"{self.kind} {self.name} should not be there"
        if "\n" not in self.expected + self.found:
            return f"{self.kind} {self.name} is [{self.found}], expected [{self.expected}]"
        lines = difflib.unified_diff(
            self.expected.splitlines(), self.found.splitlines(), "expected", "found", lineterm="", n=1
        )
        return "\n".join([f"{self.kind} {self.name} differs", *(f"    {line}" for line in lines)])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The objects of a database: definition by kind and name."""

    objects: Mapping[tuple[str, str], str]

    def names(self, kind: str) -> set[str]:
        """Return the names of the objects of *kind*, with schema."""
        return {name for found, name in self.objects if found == kind}

    def differences(
        self, found: Catalogue, *, ignore: Collection[str] = (), normalise: Normalise | None = None
    ) -> list[Difference]:
        """Return where *found* is not what this catalogue says, by kind and name.

        Args:
            found: the other database.
            ignore: kinds not to compare: ``"columns"`` where the order of columns may differ, say.
            normalise: see `Normalise`.
        """

        def look(objects: Mapping[tuple[str, str], str], key: tuple[str, str]) -> str | None:
            definition = objects.get(key)
            return normalise(*key, definition) if normalise and definition is not None else definition

        differences = []
        for key in sorted({*self.objects, *found.objects}):
            ours, theirs = look(self.objects, key), look(found.objects, key)
            if ours != theirs and key[0] not in ignore:
                differences.append(Difference(*key, expected=ours, found=theirs))
        return differences


@cache
def _query() -> bytes:
    return resources.files("scenarios.schema.sql").joinpath("catalogue.sql").read_bytes()


def read_catalogue(
    connection: psycopg.Connection[Any],
    *,
    ignored_schemas: Collection[str] = IGNORED_SCHEMAS,
    ignored_tables: Collection[str] = IGNORED_TABLES,
) -> Catalogue:
    """Read what is in the database of *connection*. Nothing is changed.

    Names and definitions do not depend on the search_path of the connection.

    Args:
        connection: any role that may read the catalogue will do.
        ignored_schemas: schemas whose objects, and triggers that call them, are not part of what is compared.
        ignored_tables: tables (and what is on them) that are not part of it.
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        # Qualified names everywhere; LOCAL, so that the connection's own path comes back.
        cursor.execute("SET LOCAL search_path = pg_catalog")
        cursor.execute(
            _query(),
            {"ignored_schemas": list(ignored_schemas), "ignored_tables": list(ignored_tables)},
        )
        return Catalogue({(kind, name): definition or "" for kind, name, definition in cursor})
