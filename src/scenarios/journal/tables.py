"""Which tables there are, and what the journal must know of each.

A table's rows can be told apart by a key, or by their content only; a partition tree is one table with many
doors; a parent in plain inheritance does not show its children's columns. Whoever overlooks one of these
restores the wrong row. So the catalogue is read once, by ``catalogue.sql``, into plain values that everything
else here is generated from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from scenarios.errors import JournalError

#: Bump when the generated SQL changes, so that a journal made by an older release is fitted anew.
GENERATION = 3


def label_of(schema: str, name: str) -> str:
    """What people call a relation: ``schema.name``, quoted where a dot would make two look alike."""
    if "." in schema or "." in name:
        schema, name = (f'"{part.replace(chr(34), chr(34) * 2)}"' for part in (schema, name))
    return f"{schema}.{name}"


@dataclass(frozen=True, slots=True)
class Member:
    """A relation statements may name: the table itself, or any part of a partition tree."""

    relation: int
    qualified: str
    leaf: bool


@dataclass(frozen=True, slots=True)
class Table:
    """An ordinary table, or a partition tree by its root.

    Attributes:
        names: its columns but for the generated ones, which come back by themselves.
        types: their types with domains resolved, for the undo table.
        key: positions in ``names`` of a key that is unique at once and never null; empty when there is none.
        operators: the equality of each key column, as the key's index sees it.
        computed: its stored generated columns whose value may differ when they are computed again.
        key_rivals: another index may look as good for finding a row by its key, and is not.
        key_groups: the key columns have an order of their own, so rows can be grouped by them.
        fixed: positions of the columns an UPDATE may not change while rows are put back: those that any index
            wants to be unique, key and exclusion constraints included, and those it is not allowed to set.
        inherits: it is part of a tree of plain inheritance.
        subscribed: a subscription brings rows to it.
        inside_extension: an extension made it for itself, and does not say that its rows are configuration.
        loud: triggers and rules that would fire during a restore: relation, kind, name, mode.
    """

    relation: int
    schema: str
    name: str
    partitioned: bool
    inherits: bool
    subscribed: bool
    inside_extension: bool
    row_security: bool
    names: Sequence[str]
    types: Sequence[str]
    declared: Sequence[str]
    computed: Sequence[str]
    computed_types: Sequence[str]
    key: Sequence[int]
    operators: Sequence[str]
    key_groups: bool
    key_rivals: bool
    fixed: Sequence[int]
    members: Sequence[Member]
    foreign: Sequence[str]
    loud: Sequence[Sequence[str]]

    @property
    def label(self) -> str:
        return label_of(self.schema, self.name)

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def by_row(self) -> bool:
        """Rows are recorded one by one where they live: statement triggers are not told the truth.

        In plain inheritance a statement on a parent reports the children's rows without their own columns.
        In a partition tree a MERGE that moves a row reports nothing, and one that inserts and then updates
        reports copies of the inserted row as updated (PostgreSQL 15.20 to 18.6, and 16.14 to 18.6). What a
        subscription applies fires triggers for rows only.
        """
        return self.partitioned or self.inherits or self.subscribed

    @property
    def signature(self) -> str:
        """Equal signatures need equal undo tables, triggers and functions."""
        parts = (
            GENERATION,
            self.label,
            self.partitioned,
            self.inherits,
            self.subscribed,
            list(self.names),
            list(self.types),
            list(self.declared),
            list(self.key),
            list(self.operators),
            self.key_groups,
            self.key_rivals,
            list(self.computed),
            list(self.computed_types),
            list(self.fixed),
            [[m.relation, m.qualified, m.leaf] for m in self.members],
            [list(switch) for switch in self.loud],
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_tables(conn: psycopg.Connection[Any]) -> list[Table]:
    """Return every table of the database whose rows can be journalled."""
    query = resources.files("scenarios.journal").joinpath("catalogue.sql").read_text("utf-8")
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query.encode()).fetchall()
    tables = []
    for row in rows:
        members = [Member(int(oid), qualified, kind == "r") for oid, qualified, kind in row["members"]]
        tables.append(
            Table(
                relation=row["relation"],
                schema=row["schema_name"],
                name=row["table_name"],
                partitioned=row["partitioned"],
                inherits=row["inherits"],
                subscribed=row["subscribed"],
                inside_extension=row["inside_extension"],
                row_security=row["row_security"],
                names=row["names"],
                types=row["types"],
                declared=row["declared"],
                key=[position - 1 for position in row["key_positions"] or ()],
                operators=row["key_operators"] or (),
                key_groups=bool(row["key_groups"]),
                key_rivals=bool(row["key_rivals"]),
                computed=row["computed"],
                computed_types=row["computed_types"],
                fixed=[position - 1 for position in row["fixed_positions"]],
                members=members,
                foreign=row["foreign_members"],
                loud=row["switches"],
            )
        )
    return tables


def refuse_row_security(tables: Sequence[Table]) -> None:
    """For a role that cannot look past row-level security.

    Raises:
        JournalError: a table has policies, so its rows could be hidden from the journal.
    """
    hidden = [table.label for table in tables if table.row_security]
    if hidden:
        raise JournalError(
            "cannot journal tables with row-level security",
            where=", ".join(hidden),
            why="this role neither is a superuser nor has BYPASSRLS, so policies would hide rows from it",
            hint="install the journal as a superuser",
        )
