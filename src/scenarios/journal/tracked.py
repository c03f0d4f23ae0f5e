"""A table under its number, and the SQL its recorder and its restorer have in common.

What the two generate has to fit together: the columns of the undo table, and the text by which two equal rows
are known as equal. So both take it from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from scenarios.journal.tables import Table


def own(prefix: str, number: int, suffix: str = "") -> sql.Identifier:
    """The name of something that belongs to tracked table *number*: u_7, t_7_insert, n_7, r_7."""
    return sql.Identifier("scenarios_journal", f"{prefix}_{number}" + (f"_{suffix}" if suffix else ""))


def raw(text: str) -> sql.SQL:
    """SQL the server itself wrote and quoted: types, operators, qualified names."""
    return sql.SQL(text)  # pyright: ignore[reportArgumentType]  # not a literal: see above


def comma(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


@dataclass(frozen=True, slots=True)
class Tracked:
    """A table and its number.

    Args:
        conn: for quoting only.
    """

    conn: psycopg.Connection[Any]
    table: Table
    number: int

    @property
    def undo(self) -> sql.Identifier:
        """The undo table; column i of the table is c<i> there."""
        return own("u", self.number)

    @property
    def recorded(self) -> list[str]:
        """The columns undo rows have: those to put back, then those to compare."""
        return [*self.table.names, *self.table.computed]

    @property
    def types(self) -> list[str]:
        """The types of the recorded columns."""
        return [*self.table.types, *self.table.computed_types]

    @property
    def undo_columns(self) -> list[sql.Composable]:
        return [sql.Identifier(f"c{place}") for place in range(1, len(self.recorded) + 1)]

    @property
    def columns(self) -> list[sql.Composable]:
        """The columns to put back."""
        return [sql.Identifier(name) for name in self.table.names]

    def columns_of(self, alias: str) -> list[sql.Composable]:
        return [sql.Identifier(alias, name) for name in self.recorded]

    def undo_columns_of(self, alias: str) -> list[sql.Composable]:
        return [sql.Identifier(alias, f"c{place}") for place in range(1, len(self.recorded) + 1)]

    def plain_type(self, place: int) -> str:
        """The type of a column of the undo table without its collation."""
        return self.types[place].partition(" COLLATE ")[0]

    def content(self, columns: Sequence[sql.Composable]) -> sql.Composed:
        """The text of a row: types without an equality, such as json, have one of these."""
        return sql.SQL("ROW({})::pg_catalog.text").format(comma(columns))

    def function(self, head: sql.Composable, body: sql.Composable) -> sql.Composed:
        return sql.SQL("{} AS {};\n").format(head, sql.Literal(body.as_string(self.conn)))
