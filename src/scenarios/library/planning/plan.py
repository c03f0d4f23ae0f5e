"""From rows as written to rows as loaded: keys, times, defaults, references.

The order matters and is the whole of this module: keys first (they depend on handles alone), then times
from top to bottom (a turn's time counts from the turn before), then every column of every row (a default
may look at the row's earlier columns and at the rows above), then texts with handles in them. A plan holds
complete rows: what is loaded does not depend on defaults of the server, except where only the server can
compute one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from scenarios.library.files.expressions import Filler
from scenarios.library.files.faults import Faults, suggest
from scenarios.library.files.shapes import INVALID, Identifier, Moment, Reference, Template, moment
from scenarios.library.files.times import SYNTAX, Offset, of_one_kind
from scenarios.library.files.tree import Branch
from scenarios.library.planning.columns import CLOCK, DATABASE, KEY, MISSING, ColumnSpec, key_columns, specs
from scenarios.library.planning.reader import RowReader
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Sections
from scenarios.values.keyed import Keyed
from scenarios.values.keyed import Row as Values


@dataclass(frozen=True, slots=True)
class Serial:
    """A key the database counts up; known when the rows are loaded."""

    row: Row
    column: str


@dataclass(slots=True)
class Plan:
    """The rows of one instance, complete up to keys that the database counts."""

    sections: Sections
    instance: str
    anchor: datetime
    keyed: Keyed
    rows: list[Row] = field(default_factory=list)
    by_handle: dict[str, Row] = field(default_factory=dict)
    scope_id: UUID | None = None

    def values(self, row: Row) -> Values:
        """Return the generated values of *row*; instances of a scenario share them, except for ids."""
        return self.keyed.at(row.handle)

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

    def lost_sight_of(self, searched: Collection[str]) -> dict[str, int]:
        """Return the number of rows that nothing tells from other people's, by table.

        Their table has no key, and is none of *searched*: no foreign key leads there either.
        """
        return {
            name: count
            for name, count in self.counts.items()
            if name not in searched and not key_columns(self.sections.domain.metadata.tables[name])
        }


class Planner:
    """Makes a `Plan` from the tree of a composed scenario."""

    def __init__(
        self,
        sections: Sections,
        *,
        instance: str,
        anchor: datetime,
        keyed: Keyed,
        parameters: Mapping[str, Any],
        faults: Faults,
    ) -> None:
        self.plan = Plan(sections, instance, anchor, keyed.for_instance(instance))
        self.faults = faults
        self.filler = Filler(parameters, faults)
        self.left_out: set[str] = set()
        if sections.scoped:
            self.plan.scope_id = self.plan.keyed.at("").uuid("instance")

    @property
    def anchor(self) -> datetime:
        return self.plan.anchor

    @property
    def keyed(self) -> Keyed:
        return self.plan.keyed

    @property
    def instance(self) -> str:
        return self.plan.instance

    def values(self, row: Row) -> Values:
        """Return the generated values of *row*."""
        return self.plan.values(row)

    def make(self, tree: Branch) -> Plan:
        """Return the plan; what is wrong is in the faults, and then the plan is not to be loaded."""
        reader = RowReader(self.plan.sections, self.filler, self, self.faults)
        self.plan.rows = reader.read(tree)
        self.plan.by_handle = reader.by_handle
        self.left_out = reader.left_out
        for row in self.plan.rows:
            self._keys(row)
        turns: dict[tuple[int, str], Row] = {}
        for row in self.plan.rows:
            self._times(row, turns)
        late: list[tuple[Row, str, Any]] = []
        for row in self.plan.rows:
            self._columns(row, late)
        for row, column, value in late:
            row.values[column] = self._deferred(row, specs(row.table)[column], value)
        return self.plan

    # -- keys ------------------------------------------------------------------------------------------

    def _keys(self, row: Row) -> None:
        reference = row.section.table in self.plan.sections.domain.reference
        # Rows that instances share have the same key in each of them.
        keyed = self.plan.keyed.for_instance("") if reference else self.plan.keyed
        for name, spec in specs(row.table).items():
            if not spec.column.primary_key or name in row.given or spec.target is not None:
                continue
            if spec.serial:
                row.values[name] = Serial(row, name)
            elif spec.default is KEY:
                found = keyed.at(row.handle).uuid(name)
                row.values[name] = found if isinstance(spec.column.type, sa.Uuid) else str(found)

    # -- times -----------------------------------------------------------------------------------------

    def _times(self, row: Row, turns: dict[tuple[int, str], Row]) -> None:
        section = row.section
        base = self.plan.anchor
        if section.after is not None and row.parent is not None:
            above = row.parent.values.get(section.after)
            base = above if isinstance(above, datetime) else base
        if section.form == "turns":
            self._turn(row, turns)
        for name, value in row.given.items():
            if isinstance(value, Moment) and name not in row.values:
                forward = isinstance(value.when, Offset) and value.when.forward
                row.values[name] = self._moment(value, base if forward else self.plan.anchor)
            elif isinstance(value, list):
                anchor = self.plan.anchor
                row.given[name] = of_one_kind(
                    [self._moment(item, anchor) if isinstance(item, Moment) else item for item in value]
                )

    def _turn(self, row: Row, turns: dict[tuple[int, str], Row]) -> None:
        section = row.section
        place = (id(row.parent), section.key)
        before = turns.get(place)
        turns[place] = row
        last = before.values.get(section.time) if before is not None else None
        given = row.given.get(section.time)
        start = last if isinstance(last, datetime) else self.plan.anchor
        if isinstance(given, Moment):
            if isinstance(given.when, Offset) and given.when.forward:
                row.values[section.time] = self._moment(given, start + row.pause)
            else:
                row.values[section.time] = self._moment(given, self.plan.anchor)
        elif given is None:
            assert section.pace is not None, f"the section {section.key} has turns and no pace"
            try:
                row.values[section.time] = start + row.pause + section.pace(row, before, self)
            except OverflowError:
                self._outside(row, section.time)
                row.values[section.time] = start

    def _moment(self, value: Moment, base: datetime) -> datetime | date:
        try:
            found = moment(value.when, base)
        except (OverflowError, ValueError):
            self.faults.add(value.node.place, value.path, "this time is outside the calendar", SYNTAX)
            return self.plan.anchor
        return found.date() if value.kind is date else found

    def _outside(self, row: Row, column: str) -> None:
        """A time that nobody wrote, derived from one at the calendar's edge."""
        hint = "move what it follows, or the scenario's clock, away from the first and the last year"
        self.faults.add(row.place, row.path, f"its {column!r} would be outside the calendar", hint)

    # -- columns ---------------------------------------------------------------------------------------

    def _columns(self, row: Row, late: list[tuple[Row, str, Any]]) -> None:
        section = row.section
        domain = self.plan.sections.domain
        scope = domain.scope if self.plan.sections.scoped else None
        given = row.given
        for name, spec in specs(row.table).items():
            if name in row.values:
                continue
            if name in section.links:
                row.values[name] = self._key_of(row.up(section.links[name]), spec)
            elif scope is not None and name == scope.column and section.table not in domain.reference:
                row.values[name] = self.plan.scope_id
            elif name in given:
                value = given[name]
                if name in section.suffixed and isinstance(value, str):
                    value = section.suffixed[name].add(value, self.plan.instance)
                    self._fits(row, spec, value)
                if _waits(value):
                    late.append((row, name, value))
                    row.values[name] = None
                else:
                    row.values[name] = value
            else:
                self._default(row, spec, late)

    def _default(self, row: Row, spec: ColumnSpec, late: list[tuple[Row, str, Any]]) -> None:
        own = row.section.defaults.get(spec.name)
        try:
            value = spec.default if own is None else own(row, self)
        except OverflowError:
            self._outside(row, spec.name)
            value = INVALID
        if isinstance(value, Row):
            value = self._key_of(value, spec)
        if value is MISSING:
            label = row.section.names.get(spec.name, spec.label)
            self.faults.add(
                row.place,
                row.path,
                f"the {row.section.unit} lacks {label!r}",
                f"add {label}: {_example(spec)}",
            )
            row.values[spec.name] = INVALID
        elif value is CLOCK:
            moment = self.plan.anchor
            row.values[spec.name] = (
                moment.date() if spec.shape.name == "a time" and _is_date(spec) else moment
            )
        elif value is KEY:
            row.values[spec.name] = self.plan.keyed.at(row.handle).uuid(spec.name)
        elif value is not DATABASE:
            row.values[spec.name] = _copy(value)

    def _fits(self, row: Row, spec: ColumnSpec, value: str) -> None:
        limit = getattr(spec.shape, "limit", None)
        if limit is not None and len(value) > limit:
            self.faults.add(
                row.place,
                f"{row.path}.{spec.label}",
                f"with the suffix of the instance {self.plan.instance!r} this has {len(value)} characters, "
                f"the column holds {limit}",
                "shorten it, or the instance's name",
            )

    def _key_of(self, row: Row, spec: ColumnSpec) -> Any:
        assert spec.target is not None, f"{spec.column} links to a row and is no foreign key"
        column = spec.target.column
        if spec.target.table != row.table.fullname and spec.target.table != row.section.table:
            column = next(iter(key_columns(row.table)))
        return row.values.get(column, row.given.get(column))

    # -- references ------------------------------------------------------------------------------------

    def _deferred(self, row: Row, spec: ColumnSpec, value: Any) -> Any:
        if isinstance(value, Reference):
            return self._reference(row, spec, value)
        filled = self._texts(row, value)
        if filled is INVALID:
            return INVALID
        if isinstance(spec.shape, Identifier) and isinstance(filled, str):
            try:
                return UUID(filled)
            except ValueError:
                assert isinstance(value, Template)
                self.faults.add(value.node.place, value.path, f"{filled!r} is not a UUID")
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
            self.faults.add(
                value.node.place,
                value.path,
                f"{value.handle} is a {found.section.unit}, this has to be a {what}",
                suggest(value.handle, self._near(row, target.table)),
            )
            return INVALID
        return found.values.get(target.column)

    def _unknown(self, row: Row, value: Reference, name: str, table: str | None) -> None:
        if any(handle == name or handle.endswith(f".{name}") for handle in self.left_out):
            hint: str | None = "its condition (when) leaves it out; give this the same condition"
        else:
            hint = suggest(name, self._near(row, table))
        what = (
            f"no {self._noun(table)} has the handle {name!r}" if table else f"nothing has the handle {name!r}"
        )
        self.faults.add(value.node.place, value.path, what, hint)

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
            self.faults.add(
                reference.node.place, reference.path, f"{name} has no {label!r}", suggest(label, columns)
            )
            return INVALID
        value = found.values.get(columns[label])
        if isinstance(value, Serial):
            self.faults.add(
                reference.node.place,
                reference.path,
                f"the key of {name} is counted by the database",
                "only keys that are UUIDs can stand in texts",
            )
            return INVALID
        if value is None and _waits(found.given.get(columns[label])):
            self.faults.add(reference.node.place, reference.path, f"{name}.{label} has handles itself")
            return INVALID
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        return str(value) if not isinstance(value, bool) else str(value).lower()


def _waits(value: Any) -> bool:
    if isinstance(value, Reference | Template):
        return True
    if isinstance(value, dict):
        return any(_waits(item) for item in value.values())
    if isinstance(value, list):
        return any(_waits(item) for item in value)
    return False


def _is_date(spec: ColumnSpec) -> bool:
    return isinstance(spec.column.type, sa.Date)


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value


def _example(spec: ColumnSpec) -> str:
    words = getattr(spec.shape, "words", None)
    if words:
        return str(words[0])
    return {"a text": "TEXT", "a time": "-1d 2h", "true or false": "true"}.get(spec.shape.name, "VALUE")


def earliest(rows: Iterable[Row]) -> datetime | None:
    """Return the earliest moment of *rows* that is known so far."""
    moments = [value for row in rows for value in row.values.values() if isinstance(value, datetime)]
    return min(moments, default=None)
