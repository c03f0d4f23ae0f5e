"""Rows found by the names a file gives them, in columns and in texts.

A handle means the nearest row: one under the same person before one of another. Whoever looks it up by a
global name makes two people with a "maker" impossible; whoever takes any match points a note at somebody
else's row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from scenarios.library.files.column_parsers import INVALID, Identifier, Reference, Template
from scenarios.library.files.error_list import ErrorList, suggest
from scenarios.library.planning.columns import ColumnSpec, key_columns, specs
from scenarios.library.planning.plan import Plan, Serial, value_of
from scenarios.library.planning.rows import Row


class Handles:
    """The handles of a plan whose rows have all but their deferred values."""

    def __init__(
        self,
        plan: Plan,
        left_out: Collection[str],
        errors: ErrorList,
        late: Iterable[tuple[Row, str, Any]] = (),
    ) -> None:
        self.plan = plan
        self.left_out = left_out
        self.errors = errors
        self.late = {(id(row), column): value for row, column, value in late}

    def settle(self, row: Row, column: str) -> None:
        """Give *column* of *row* its value, where that names rows; those it depends on get theirs first."""
        value = self.late.pop((id(row), column), None)
        if value is not None:
            row.values[column] = self.resolve(row, specs(row.table)[column], value)

    def resolve(self, row: Row, spec: ColumnSpec, value: Any) -> Any:
        """Return the value of a column that names rows, or INVALID with an error."""
        if isinstance(value, Reference):
            return self._reference(row, spec, value)
        filled = self._texts(row, value)
        if filled is INVALID:
            return INVALID
        if isinstance(spec.parser, Identifier) and isinstance(filled, str):
            try:
                return UUID(filled)
            except ValueError:
                assert isinstance(value, Template)
                self.errors.add(value.node.place, value.path, f"{filled!r} is not a UUID")
                return INVALID
        return filled

    def find(self, row: Row, name: str) -> Row | None:
        """Return the row that *name* means where *row* stands: under a row above it first, then anywhere."""
        first, _, rest = name.partition(".")
        if first in row.origin:
            name = f"{row.origin[first]}.{rest}" if rest else row.origin[first]
        above: Row | None = row
        while above is not None:
            found = self.plan.by_handle.get(f"{above.handle}.{name}")
            if found is not None:
                return found
            above = above.parent
        return self.plan.by_handle.get(name)

    def _reference(self, row: Row, spec: ColumnSpec, value: Reference) -> Any:
        found = self.find(row, value.handle)
        target = spec.target
        assert target is not None
        if found is None:
            self._unknown(row, value, value.handle, target.table)
            return INVALID
        if target.table not in (found.table.fullname, found.table.name):
            what = self._noun(target.table)
            self.errors.add(
                value.node.place,
                value.path,
                f"{value.handle} is a {found.section.unit}, this has to be a {what}",
                suggest(value.handle, self._near(row, target.table)),
            )
            return INVALID
        if target.column not in specs(found.table):
            self.errors.add(
                value.node.place,
                value.path,
                f"the {target.column!r} of {value.handle} is computed by the database",
                "a file can refer to columns that are given, or made before the row is written",
            )
            return INVALID
        self.settle(found, target.column)
        return value_of(found, target.column)

    def _unknown(self, row: Row, value: Reference, name: str, table: str | None) -> None:
        if any(handle == name or handle.endswith(f".{name}") for handle in self.left_out):
            hint: str | None = "its condition (when) leaves it out; give this the same condition"
        else:
            hint = suggest(name, self._near(row, table))
        what = (
            f"no {self._noun(table)} has the handle {name!r}" if table else f"nothing has the handle {name!r}"
        )
        self.errors.add(value.node.place, value.path, what, hint)

    def _near(self, row: Row, table: str | None) -> list[str]:
        root = f"{row.root.handle}."
        found = [other for other in self.plan.rows if table is None or other.table.fullname == table]
        return [other.handle.removeprefix(root) for other in found if other.named]

    def _noun(self, table: str) -> str:
        for section in self.plan.sections.walk():
            if section.table == table:
                return section.unit
        return f"row of {table}"

    def _texts(self, row: Row, value: Any) -> Any:
        if isinstance(value, Template):
            parts = [part if isinstance(part, str) else self._part(row, part) for part in value.parts]
            return INVALID if any(part is INVALID for part in parts) else "".join(parts)
        if isinstance(value, dict):
            found = {key: self._texts(row, item) for key, item in value.items()}
            return INVALID if any(item is INVALID for item in found.values()) else found
        if isinstance(value, list):
            items = [self._texts(row, item) for item in value]
            return INVALID if any(item is INVALID for item in items) else items
        return value

    def _part(self, row: Row, reference: Reference) -> Any:
        name = reference.handle
        found = self.find(row, name)
        label = "id"
        if found is None:
            name, _, label = name.rpartition(".")
            found = self.find(row, name)
        if found is None:
            self._unknown(row, reference, reference.handle, None)
            return INVALID
        columns = {
            other: spec.name for spec in specs(found.table).values() for other in (spec.label, spec.name)
        }
        if label == "id" and "id" not in columns:
            columns["id"] = key_columns(found.table)[0]
        if label not in columns:
            self.errors.add(
                reference.node.place, reference.path, f"{name} has no {label!r}", suggest(label, columns)
            )
            return INVALID
        value = found.values.get(columns[label])
        made = columns[label] not in found.values and specs(found.table)[columns[label]].made_there
        if made or isinstance(value, Serial):
            self.errors.add(
                reference.node.place,
                reference.path,
                f"the {columns[label]!r} of {name} is made by the database",
                "only what is known before the rows are written can stand in texts, such as UUIDs",
            )
            return INVALID
        if value is None and waits(found.given.get(columns[label])):
            self.errors.add(reference.node.place, reference.path, f"{name}.{label} has handles itself")
            return INVALID
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        return str(value) if not isinstance(value, bool) else str(value).lower()


def waits(value: Any) -> bool:
    """Return whether *value* names rows, so that their values have to be known first."""
    if isinstance(value, Reference | Template):
        return True
    if isinstance(value, dict):
        return any(waits(item) for item in value.values())
    if isinstance(value, list):
        return any(waits(item) for item in value)
    return False
