"""A row found in a database, and where it will stand in a file: what `rows.Row` is on the way in.

Sections describe both ways, so what they are asked about a row on its way out is known here, below them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from scenarios.library.planning.columns import key_columns, specs
from scenarios.library.planning.sections import Section, Sections


@dataclass(eq=False, slots=True, repr=False)
class Found:
    """A row found in the database, and where it will stand in the file."""

    table: sa.Table
    values: dict[str, Any]
    section: Section | None = None
    parent: Found | None = None
    handle: str = ""
    named: bool = False
    children: list[Found] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Found {self.key} of {self.table.fullname}>"

    @property
    def key(self) -> tuple[Any, ...]:
        """Its primary key."""
        return tuple(self.values[column] for column in key_columns(self.table))

    def up(self, levels: int) -> Found | None:
        """Return the row *levels* above, None beyond the top."""
        row: Found | None = self
        for _ in range(levels):
            row = row.parent if row is not None else None
        return row

    @property
    def root(self) -> Found:
        """The topmost row this one stands under."""
        return self if self.parent is None else self.parent.root


@dataclass(slots=True)
class Gathered:
    """All rows found.

    Attributes:
        rows: the rows, parents before children.
        by_key: the rows by table and key.
        unknown: number of rows in tables the system does not know, by table.
        notes: what was left out and why, as sentences.
        indexes: what sections looked up and want to find again.
        searched: the tables in which rows were looked for.
    """

    rows: list[Found] = field(default_factory=list)
    by_key: dict[tuple[str, tuple[Any, ...]], Found] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    indexes: dict[str, Any] = field(default_factory=dict)
    searched: set[str] = field(default_factory=set)

    def drop(self, doomed: set[int], sections: Sections) -> None:
        """Take rows out, with those that cannot be without them; links that may be empty are emptied."""
        waiting = True
        while waiting:
            waiting = False
            kept = {key for key, row in self.by_key.items() if id(row) not in doomed}
            for row in self.rows:
                if id(row) in doomed:
                    continue
                for name, spec in specs(row.table).items():
                    target = spec.target
                    value = row.values.get(name)
                    if target is None or value is None:
                        continue
                    key = (target.table, (value,))
                    if key in self.by_key and key not in kept:
                        if spec.column.nullable:
                            row.values[name] = None
                        else:
                            doomed.add(id(row))
                            waiting = True
                            break
        self.rows = [row for row in self.rows if id(row) not in doomed]
        self.by_key = {key: row for key, row in self.by_key.items() if id(row) not in doomed}
