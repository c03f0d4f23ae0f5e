"""From rows as written to rows as loaded: keys, times, defaults, references.

The order matters and is the whole of this module: keys first (they depend on handles alone), then times
from top to bottom (a turn's time counts from the turn before), then every column of every row (a default
may look at the row's earlier columns and at the rows above), then texts with handles in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from scenarios.library.files.column_parsers import INVALID
from scenarios.library.files.error_list import ErrorList
from scenarios.library.files.expressions import Filler
from scenarios.library.files.time_parsers import Moment, moment
from scenarios.library.files.times import SYNTAX, Offset, of_one_kind
from scenarios.library.files.tree import Branch
from scenarios.library.planning.columns import (
    CLOCK,
    DATABASE,
    FUNCTION,
    KEY,
    MISSING,
    ColumnSpec,
    key_columns,
    specs,
)
from scenarios.library.planning.functions import CannotMake, asks_for_row, make
from scenarios.library.planning.handles import Handles, waits
from scenarios.library.planning.plan import Plan, Serial, value_of
from scenarios.library.planning.reader import RowReader
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Sections
from scenarios.values.seeded import Row as Values
from scenarios.values.seeded import Seeded


class Planner:
    """Makes a `Plan` from the tree of a composed scenario."""

    def __init__(
        self,
        sections: Sections,
        *,
        instance: str,
        anchor: datetime,
        seeded: Seeded,
        parameters: Mapping[str, Any],
        errors: ErrorList,
        made: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.plan = Plan(sections, instance, anchor, seeded.for_instance(instance))
        self.plan.made = {handle: dict(values) for handle, values in (made or {}).items()}
        self._functions: list[tuple[Row, ColumnSpec]] = []
        self.errors = errors
        self.filler = Filler(parameters, errors)
        if sections.scoped:
            self.plan.scope_id = self.plan.seeded.at("").uuid("instance")

    @property
    def anchor(self) -> datetime:
        return self.plan.anchor

    @property
    def seeded(self) -> Seeded:
        return self.plan.seeded

    @property
    def instance(self) -> str:
        return self.plan.instance

    def values(self, row: Row) -> Values:
        """Return the generated values of *row*."""
        return self.plan.values(row)

    def make(self, tree: Branch) -> Plan:
        """Return the plan; what is wrong is in the errors, and then the plan is not to be loaded."""
        reader = RowReader(self.plan.sections, self.filler, self, self.errors)
        self.plan.rows = reader.read(tree)
        self.plan.by_handle = reader.by_handle
        for row in self.plan.rows:
            self._keys(row)
        turns: dict[tuple[int, str], Row] = {}
        for row in self.plan.rows:
            self._times(row, turns)
        late: list[tuple[Row, str, Any]] = []
        for row in self.plan.rows:
            self._columns(row, late)
        for row, spec in self._functions:
            if not asks_for_row(spec):
                self._function(row, spec)
        handles = Handles(self.plan, reader.left_out, self.errors, late)
        for row, column, _ in late:
            handles.settle(row, column)
        for row, spec in self._functions:
            if asks_for_row(spec):
                self._function(row, spec)
        return self.plan

    # -- keys ------------------------------------------------------------------------------------------

    def _keys(self, row: Row) -> None:
        reference = row.section.table in self.plan.sections.domain.reference
        # Rows that instances share have the same key in each of them.
        seeded = self.plan.seeded.for_instance("") if reference else self.plan.seeded
        for name, spec in specs(row.table).items():
            if not spec.column.primary_key or name in row.given or spec.target is not None:
                continue
            if spec.made_there:
                row.values[name] = Serial(row, name)
            elif spec.default is KEY:
                found = seeded.at(row.handle).uuid(name)
                row.values[name] = found if isinstance(spec.column.type, sa.Uuid) else str(found)
            elif spec.default is FUNCTION:
                self._function(row, spec)

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
                row.given[name] = of_one_kind([self._resolved(item) for item in value])

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

    def _resolved(self, value: Any) -> Any:
        """Return an element of an array of any depth with its moments counted from the clock."""
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        return self._moment(value, self.plan.anchor) if isinstance(value, Moment) else value

    def _moment(self, value: Moment, base: datetime) -> datetime | date:
        try:
            found = moment(value.when, base)
        except (OverflowError, ValueError):
            self.errors.add(value.node.place, value.path, "this time is outside the calendar", SYNTAX)
            return self.plan.anchor
        return found.date() if value.kind is date else found

    def _outside(self, row: Row, column: str) -> None:
        """A time that nobody wrote, derived from one at the calendar's edge."""
        hint = "move what it follows, or the scenario's clock, away from the first and the last year"
        self.errors.add(row.place, row.path, f"its {column!r} would be outside the calendar", hint)

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
                if waits(value):
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
            self.errors.add(
                row.place,
                row.path,
                f"the {row.section.unit} lacks {label!r}",
                f"add {label}: {spec.parser.example}",
            )
            row.values[spec.name] = INVALID
        elif value is CLOCK:
            moment = self.plan.anchor
            row.values[spec.name] = (
                moment.date() if spec.parser.name == "a time" and _is_date(spec) else moment
            )
        elif value is KEY and spec.serial:
            row.values[spec.name] = Serial(row, spec.name)
        elif value is KEY:
            row.values[spec.name] = self.plan.seeded.at(row.handle).uuid(spec.name)
        elif value is FUNCTION:
            row.values[spec.name] = None
            self._functions.append((row, spec))
        elif value is not DATABASE:
            row.values[spec.name] = _copy(value)

    def _function(self, row: Row, spec: ColumnSpec) -> None:
        """Ask the model's own function for the value of a column."""
        row.values.pop(spec.name, None)
        try:
            row.values[spec.name] = make(self.plan, row, spec)
        except CannotMake as error:
            if asks_for_row(spec) and any(isinstance(value, Serial) for value in row.values.values()):
                return  # it may have asked for a number that only the writer will know
            label = row.section.names.get(spec.name, spec.label)
            self.errors.add(
                row.place,
                row.path,
                f"the default of {label!r} cannot be made here: {error}",
                f"it is a function that needs the application: add {label}: {spec.parser.example}",
            )

    def _fits(self, row: Row, spec: ColumnSpec, value: str) -> None:
        limit = getattr(spec.parser, "limit", None)
        if limit is not None and len(value) > limit:
            self.errors.add(
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
        return value_of(row, column)


def _is_date(spec: ColumnSpec) -> bool:
    return isinstance(spec.column.type, sa.Date)


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value
