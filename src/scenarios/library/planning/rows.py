"""A row of a scenario while it is made: what the file says of it, and what is written.

Reading, planning, loading and showing all speak of the same row; with a shape of its own each would have to
keep its place in the file, its handle and its neighbours in step with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from scenarios.library.files.error_list import Place
from scenarios.library.planning.sections import Section


@dataclass(eq=False, slots=True, repr=False)
class Row:
    """One row of a scenario.

    Attributes:
        handle: its full name, ``maya.maker``.
        given: what the file says, by column, as its parser read it.
        values: what is written, by column; filled by `scenarios.library.planning.plan`.
    """

    handle: str
    section: Section
    table: sa.Table
    parent: Row | None
    place: Place
    path: str
    origin: Mapping[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    children: list[Row] = field(default_factory=list)
    pause: timedelta = timedelta()
    named: bool = True

    def __repr__(self) -> str:
        # Not the rows above and below: a key counted by the database is looked up by its text.
        return f"<Row {self.handle} of {self.table.fullname}>"

    def up(self, levels: int) -> Row:
        """Return the row *levels* above this one."""
        row: Row = self
        for _ in range(levels):
            assert row.parent is not None, "a section links to a row above the top"
            row = row.parent
        return row

    @property
    def root(self) -> Row:
        """The topmost row this one stands under (itself at the top)."""
        row = self
        while row.parent is not None:
            row = row.parent
        return row

    def subtree(self) -> list[Row]:
        """Return this row and all below it."""
        found: list[Row] = [self]
        for child in self.children:
            found.extend(child.subtree())
        return found
