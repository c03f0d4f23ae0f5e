"""One executable, deterministic SQL script from metadata and the objects metadata cannot express.

Template databases are named by the hash of this script, so it must not depend on the order of a set; and it
must create everything, or a database made from it would lack the rules that live in functions and triggers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from sqlalchemy import Connection, Enum, MetaData, Table, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.schema import (
    AddConstraint,
    CreateIndex,
    CreateSchema,
    CreateSequence,
    CreateTable,
    ExecutableDDLElement,
    sort_tables_and_constraints,
)

from scenarios.errors import DomainError

_MARKER = re.compile(r"^-- @(?P<kind>[a-z ]+?) (?P<name>\S+)(?: on (?P<table>\S+))?[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SqlObject:
    """An object of the schema that SQLAlchemy's metadata does not describe, and the statement that makes it.

    Attributes:
        kind: ``"function"``, ``"trigger"``, ``"view"``, ``"materialized view"``, ``"policy"``, ``"role"``...
        name: its name; a function's with its argument types in parentheses.
        create: one SQL statement.
        table: the table it is on, for triggers and policies; quoted where SQL needs it.
        before_tables: whether it must exist before the tables (a function that a CHECK calls, a type).
    """

    kind: str
    name: str
    create: str
    table: str | None = None
    before_tables: bool = False

    @property
    def drop(self) -> str:
        """The statement that removes the object, and does nothing where it is not there."""
        place = f" ON {self.table}" if self.table else ""
        return f"DROP {self.kind.upper()} IF EXISTS {self.name}{place}"


def sql_objects(package: str, file: str, *, before_tables: bool = False) -> list[SqlObject]:
    """Read the objects of the ``.sql`` resource *file* in *package*, in the file's order.

    Each object is one statement after a line ``-- @<kind> <name>`` or ``-- @<kind> <name> on <table>``.

    Raises:
        DomainError: the file has no such line, or text other than comments before the first.
    """
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    marks = list(_MARKER.finditer(text))
    head = text[: marks[0].start()] if marks else text
    if not marks or any(line.strip() and not line.startswith("--") for line in head.splitlines()):
        raise DomainError(
            f"the statements of {file} cannot be told apart",
            where=package,
            hint="begin each with a line such as '-- @function name()' or '-- @trigger name on table'",
        )
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [
        SqlObject(
            kind=mark["kind"],
            name=mark["name"],
            create=text[mark.end() : end].strip().removesuffix(";").rstrip(),
            table=mark["table"],
            before_tables=before_tables,
        )
        for mark, end in zip(marks, ends, strict=True)
    ]


@cache
def _dialect() -> Dialect:
    # A named paramstyle, because with psycopg's own every % in a CHECK or a function would be doubled.
    return postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves dialects untyped


def _statement(element: ExecutableDDLElement) -> str:
    lines = str(element.compile(dialect=_dialect())).strip().splitlines()
    return "\n".join(line.rstrip().replace("\t", "    ") for line in lines)


def table_statements(metadata: MetaData, tables: Sequence[Table] | None = None) -> list[str]:
    """Return the statements that create *tables* (all of *metadata*), with all they need.

    Schemas, types and sequences come first. Tables come in foreign-key order; a foreign key that
    closes a cycle follows as an ALTER TABLE.
    """
    chosen = sorted(tables if tables is not None else metadata.tables.values(), key=lambda table: table.key)
    statements: list[str] = []
    for schema in sorted({table.schema for table in chosen if table.schema}):
        statements.append(_statement(CreateSchema(schema, if_not_exists=True)))
    types: dict[str, Any] = {}
    for table in chosen:
        for column in table.columns:
            kind = column.type
            if isinstance(kind, Enum) and kind.native_enum and kind.name:
                types[kind.name] = kind
    for _, kind in sorted(types.items()):
        native = kind.dialect_impl(_dialect())
        statements.append(_statement(postgresql.CreateEnumType(native)))
    for _, sequence in sorted(metadata._sequences.items()) if tables is None else ():
        statements.append(_statement(CreateSequence(sequence)))
    late = []
    pairs = sort_tables_and_constraints(chosen)  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    for ordered, constraints in pairs:
        if ordered is None:
            late = sorted(constraints, key=lambda constraint: str(constraint.name))
            continue
        statements.append(_statement(CreateTable(ordered, include_foreign_key_constraints=list(constraints))))
        statements.extend(
            _statement(CreateIndex(index))
            for index in sorted(ordered.indexes, key=lambda index: str(index.name))
        )
    # Not isolated: rendering must not change what a later create_all does with the constraint.
    statements.extend(_statement(AddConstraint(key, isolate_from_table=False)) for key in late)
    return statements


def render(
    metadata: MetaData,
    objects: Iterable[SqlObject] = (),
    *,
    extensions: Sequence[str] = (),
    heading: str | None = None,
) -> str:
    """Return one SQL script that creates *metadata* and *objects* in an empty database.

    The same input gives the same text in every process.
    """
    everything = list(objects)
    statements = [f'CREATE EXTENSION IF NOT EXISTS "{name}"' for name in extensions]
    statements += [item.create for item in everything if item.before_tables]
    statements += table_statements(metadata)
    statements += [item.create for item in everything if not item.before_tables]
    parts = [f"-- {line}" for line in (heading or "").splitlines()]
    body = "\n\n".join(f"{statement};" for statement in statements)
    return "\n".join([*parts, *([""] if parts else []), body]) + "\n"


def attach(metadata: MetaData, objects: Sequence[SqlObject]) -> None:
    """Make ``metadata.create_all`` create *objects* as well, and ``drop_all`` drop them.

    Without it a database made by ``create_all`` would have the tables but not the rules. Objects that are
    not on a table must be written so that creating them again does no harm (``CREATE OR REPLACE``).
    """

    def run(connection: Connection | MockConnection, statements: Iterable[str]) -> None:
        for statement in statements:
            if isinstance(connection, MockConnection):
                # Somebody reads what create_all would do; it is given the statement as it is.
                connection.execute(statement)  # type: ignore[arg-type]  # the text goes straight to its executor
            else:
                # Without parameters, since psycopg would otherwise read the % of a function body.
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def whole(tables: Iterable[Table] | None) -> bool:
        return tables is None or {table.key for table in tables} >= set(metadata.tables)

    @event.listens_for(metadata, "before_create")
    def _before(target: MetaData, connection: Connection | MockConnection, **_: Any) -> None:
        run(connection, [item.create for item in objects if item.before_tables])

    @event.listens_for(metadata, "after_create")
    def _after(
        target: MetaData,
        connection: Connection | MockConnection,
        tables: Iterable[Table] | None = None,
        **_: Any,
    ) -> None:
        # What is on a table that exists already, or is not created this time, is left alone.
        made = {table.fullname for table in (metadata.tables.values() if tables is None else tables)}
        wanted = [
            item
            for item in objects
            if not item.before_tables and (not item.table or _unquoted(item.table) in made)
        ]
        run(connection, [item.create for item in wanted])

    @event.listens_for(metadata, "before_drop")
    def _before_drop(target: MetaData, connection: Connection | MockConnection, **_: Any) -> None:
        run(connection, [item.drop for item in reversed(objects) if item.kind in _BEFORE_DROP])

    @event.listens_for(metadata, "after_drop")
    def _after_drop(
        target: MetaData,
        connection: Connection | MockConnection,
        tables: Iterable[Table] | None = None,
        **_: Any,
    ) -> None:
        # Tables that stay still need their functions.
        if whole(tables):
            free = [item for item in reversed(objects) if not item.table and item.kind not in _BEFORE_DROP]
            run(connection, [item.drop for item in free])


def _unquoted(name: str) -> str:
    return name.replace('"', "")


_BEFORE_DROP = frozenset({"view", "materialized view"})
"""What depends on tables without being on one; triggers and policies go with their table."""
