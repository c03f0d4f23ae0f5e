"""A row found in a database, and where it will stand in a file: what `rows.Row` is on the way in.

Sections describe both ways, so what they are asked about a row on its way out is known here, below them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from scenarios.graph.mapped import column_named
from scenarios.library.planning.columns import Target, key_columns, specs
from scenarios.library.planning.links import Links
from scenarios.library.planning.sections import Section, Sections


@dataclass(eq=False, slots=True, repr=False)
class ExtractedRow:
    """A row found in the database, and where it will stand in the file."""

    table: sa.Table
    values: dict[str, Any]
    section: Section | None = None
    parent: ExtractedRow | None = None
    handle: str = ""
    named: bool = False
    children: list[ExtractedRow] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<ExtractedRow {self.key} of {self.table.fullname}>"

    @property
    def key(self) -> tuple[Any, ...]:
        """Its primary key."""
        return tuple(self.values[column] for column in key_columns(self.table))

    def up(self, levels: int) -> ExtractedRow | None:
        """Return the row *levels* above, None beyond the top."""
        row: ExtractedRow | None = self
        for _ in range(levels):
            row = row.parent if row is not None else None
        return row

    @property
    def root(self) -> ExtractedRow:
        """The topmost row this one stands under."""
        return self if self.parent is None else self.parent.root


@dataclass(slots=True)
class Extraction:
    """All rows found.

    Attributes:
        rows: the rows, parents before children.
        by_key: the rows by table and key.
        unknown: number of rows in tables the system does not know, by table.
        notes: what was left out and why, as sentences.
        indexes: what sections looked up and want to find again.
        searched: the tables in which rows were looked for.
    """

    rows: list[ExtractedRow] = field(default_factory=list)
    by_key: dict[tuple[str, tuple[Any, ...]], ExtractedRow] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    indexes: dict[str, Any] = field(default_factory=dict)
    searched: set[str] = field(default_factory=set)
    _links: Links[ExtractedRow] = field(default_factory=Links)

    def referred(self, row: ExtractedRow, target: Target) -> ExtractedRow | None:
        """Return the row that *row* refers to by the foreign key of *target*, None where it is not here."""
        return self._links.referred(self.rows, row, target)

    def drop(self, doomed: set[int], sections: Sections) -> None:
        """Take rows out, with those that cannot be without them; links that may be empty are emptied."""
        waiting = True
        while waiting:
            waiting = False
            for row in self.rows:
                if id(row) in doomed:
                    continue
                for spec in specs(row.table).values():
                    other = self.referred(row, spec.target) if spec.target is not None else None
                    if spec.target is None or other is None or id(other) not in doomed:
                        continue
                    empty = to_empty(row.table, spec.target)
                    for own in empty:
                        row.values[own] = None
                    if not empty:
                        doomed.add(id(row))
                        waiting = True
                        break
        self.rows = [row for row in self.rows if id(row) not in doomed]
        self.by_key = {key: row for key, row in self.by_key.items() if id(row) not in doomed}


def to_empty(table: sa.Table, target: Target) -> list[str]:
    """Return the columns without which there is no link: rather those that are part of no other."""
    may = [own for own, _ in target.pairs if column_named(table, own).nullable]
    links = {spec.target.pairs for spec in specs(table).values() if spec.target is not None}
    shared = {own for pairs in links if pairs != target.pairs for own, _ in pairs}
    return [own for own in may if own not in shared] or may
