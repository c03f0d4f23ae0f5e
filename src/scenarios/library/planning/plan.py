"""What a scenario comes to: complete rows, by handle, up to the keys that only the database can count.

What is loaded does not depend on defaults of the server, except where only the server can compute one. So a
plan can be made, shown and compared without a database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from scenarios.library.planning.columns import Target, key_columns, specs
from scenarios.library.planning.links import Links
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Sections
from scenarios.values.seeded import Row as Values
from scenarios.values.seeded import Seeded


@dataclass(frozen=True, slots=True)
class Serial:
    """A value that the database makes (counts up, mostly); known when the rows are loaded."""

    row: Row
    column: str


def value_of(row: Row, column: str) -> Any:
    """Return the value that another row refers to; the database makes its own before any is written."""
    if column not in row.values and column not in row.given and specs(row.table)[column].made_there:
        row.values[column] = Serial(row, column)
    return row.values.get(column, row.given.get(column))


@dataclass(slots=True)
class Plan:
    """The rows of one instance, complete up to keys that the database counts."""

    sections: Sections
    instance: str
    anchor: datetime
    seeded: Seeded
    rows: list[Row] = field(default_factory=list)
    by_handle: dict[str, Row] = field(default_factory=dict)
    scope_id: UUID | None = None
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the model's own functions made, by handle and column, as JSON can hold it."""
    _links: Links[Row] = field(default_factory=Links)

    def values(self, row: Row) -> Values:
        """Return the generated values of *row*; instances of a scenario share them, except for ids."""
        return self.seeded.at(row.handle)

    def of(self, table: str) -> list[Row]:
        """Return the rows of *table*."""
        return [row for row in self.rows if row.section.table == table or row.table.fullname == table]

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows by table, tables without any left out."""
        found: dict[str, int] = {}
        for row in self.rows:
            found[row.table.fullname] = found.get(row.table.fullname, 0) + 1
        return found

    def referred(self, row: Row, target: Target) -> Row | None:
        """Return the row that *row* refers to by the foreign key of *target*, None where it is not here."""
        return self._links.referred(self.rows, row, target)

    def follow_counted(self) -> None:
        """Give the rows that refer to values the database made those that are known."""
        for row in self.rows:
            for name, value in row.values.items():
                if isinstance(value, Serial) and value.row is not row:
                    row.values[name] = value.row.values[value.column]

    def untrackable_rows(self, searched: Collection[str]) -> dict[str, int]:
        """Return the number of rows that nothing tells from other people's, by table.

        Their table has no key, and is none of *searched*: no foreign key leads there either.
        """
        return {
            name: count
            for name, count in self.counts.items()
            if name not in searched and not key_columns(self.sections.domain.metadata.tables[name])
        }


def earliest(rows: Iterable[Row]) -> datetime | None:
    """Return the earliest moment of *rows* that is known so far."""
    moments = [value for row in rows for value in row.values.values() if isinstance(value, datetime)]
    return min(moments, default=None)
