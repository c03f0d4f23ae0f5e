"""The row that another refers to, by all the columns of a foreign key.

Looked up by one column alone, another customer's invoice of the same number would do as well; looked up by
going through all rows each time, five thousand messages would be five thousand times five thousand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa

from scenarios.library.planning.columns import Target


class _Row(Protocol):
    @property
    def table(self) -> sa.Table: ...
    @property
    def values(self) -> Mapping[str, Any]: ...


R = TypeVar("R", bound=_Row)


class Links(Generic[R]):
    """Rows by the columns that foreign keys lead to; looked at again when there are more or fewer rows."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, ...]], tuple[int, dict[tuple[Any, ...], R]]] = {}

    def referred(self, rows: Sequence[R], row: R, target: Target) -> R | None:
        """Return which of *rows* the row *row* refers to by the foreign key of *target*; None for no link."""
        values = tuple(row.values.get(own) for own, _ in target.pairs)
        if None in values:
            return None
        columns = tuple(theirs for _, theirs in target.pairs)
        count, known = self._known.get((target.table, columns), (-1, {}))
        if count != len(rows):
            known = {}
            for other in rows:
                if other.table.fullname == target.table:
                    known.setdefault(tuple(other.values.get(each) for each in columns), other)
            self._known[target.table, columns] = len(rows), known
        return known.get(values)
