"""What the seeded objects would write, as the rows of a scenario file.

A converter that numbers its rows gives a file nobody wants to read; one that copies keys gives a state that
can be loaded once. Rows are named after what they hold, references go by these names, and keys that the
database counts are left to it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from scenarios.coming_from.sqlalchemyseed.seeding import Existing, Seeding
from scenarios.graph.graph import Graph, Node, collect
from scenarios.graph.mapped import Field, plan_of
from scenarios.library.files.error_list import Place
from scenarios.library.files.expressions import escape
from scenarios.library.files.head import HANDLE
from scenarios.library.files.tree import from_plain
from scenarios.library.planning.columns import ColumnSpec, Target, members_of, specs
from scenarios.values.seeded import slug

if TYPE_CHECKING:
    from scenarios.library.files.tree import Node as Tree

_NAMING = ("name", "title", "username", "slug", "code", "label", "key", "email", "first_name")
"""Attributes whose text names a row well enough for a handle, the best first."""
_LONGEST = 40
"""Characters of a handle made from a text."""


class Writing:
    """Says the objects of a seeding as the rows of a scenario."""

    def __init__(self, seeding: Seeding) -> None:
        self.seeding = seeding
        graph = Graph()
        for obj in seeding.made:
            graph.add(obj)
        self._collected = collect(graph)
        self._handles: dict[tuple[int, str], str] = {}
        self._taken: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._seeded: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], Any]] = {}
        self._dropped: set[str] = set()

    def rows(self) -> dict[str, Any]:
        """Return the rows by table and handle; those of link tables as lists."""
        for node in self._collected.nodes:
            for table, _ in node.plan.tables:
                self._name(node, table)
        found: dict[str, Any] = {}
        for node in self._collected.nodes:
            for table, fields in node.plan.tables:
                rows = found.setdefault(table.fullname, {})
                rows[self._handle(node.obj, table.fullname)] = self._row(node, table, fields)
        for table, parts in self._collected.pairs:
            known = specs(table)
            row = {}
            for column, node, _ in parts:
                spec = known[column.name]
                row[spec.label] = self._other(node.obj, spec)
            listed = found.setdefault(table.fullname, [])
            if isinstance(listed, list):
                listed.append(row)
            else:
                listed[self._unique(f"{table.name}_1", table)] = row
        return found

    def notes(self) -> Iterator[str]:
        """Yield what differs from the seed files."""
        for column in sorted(self._dropped):
            yield f"{column} is left out: a load makes the keys, and references go by handle"

    def _name(self, node: Node, table: sa.Table) -> None:
        base = node.plan.tables[0][0]
        if table is not base:
            own = f"{self._handle(node.obj, base.fullname)}_{table.name}"
        else:
            own = self._word(node.obj) or f"{table.name}_1"
            if self._taken.get(own, table.fullname) != table.fullname:
                own = f"{own}_{table.name}"  # a tag and a course may both be called python
        self._handles[id(node.obj), table.fullname] = self._unique(own, table)

    def _word(self, obj: Any) -> str | None:
        held = sa.inspect(obj).dict
        for key in _NAMING:
            text = held.get(key)
            if isinstance(text, str):
                word = slug(text.partition("@")[0], "").replace("-", "_")[:_LONGEST].strip("_")
                if HANDLE.match(word):
                    return word
        return None

    def _unique(self, handle: str, table: sa.Table) -> str:
        base = re.sub(r"_\d+\Z", "", handle)
        while handle in self._taken:
            self._counts[base] = self._counts.get(base, 1) + 1
            handle = f"{base}_{self._counts[base]}"
        self._taken[handle] = table.fullname
        return handle

    def _handle(self, obj: Any, table: str) -> str:
        """Return the handle of the row of *obj* in *table*, or in its first table."""
        own = self._handles.get((id(obj), table))
        return own or self._handles[id(obj), plan_of(sa.inspect(type(obj))).tables[0][0].fullname]

    def _other(self, obj: Any, spec: ColumnSpec) -> str:
        return self._handle(obj, spec.target.table if spec.target is not None else "")

    def _row(self, node: Node, table: sa.Table, fields: tuple[Field, ...]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for part in fields:
            spec = specs(table)[part.column.name]
            value = self._value(node, part.key, spec)
            if value is None:
                continue  # as the unit of work does: the default, or NULL
            if spec.column.primary_key and spec.target is None and not spec.required:
                self._dropped.add(f"{table.fullname}.{spec.name}")
            else:
                row[spec.label] = value
        return row

    def _value(self, node: Node, key: str, spec: ColumnSpec) -> Any:
        """Return what the file says for a column: a handle, ``{key: VALUE}``, or a value its parser reads."""
        asked = self.seeding.keys.get((id(node.obj), key))
        if isinstance(asked, Existing):
            return {"key": self._plain(node, key, spec, asked.key)}
        if asked is not None:
            return self._other(asked, spec)
        if key in node.parents:
            return self._other(node.parents[key][0].obj, spec)
        held = node.state.dict.get(key)
        target = spec.target
        if target is not None and spec.column.primary_key and node.plan.tables[0][0].fullname == target.table:
            return self._handle(node.obj, target.table)  # the row of the class above
        if held is None:
            return None
        if target is not None:
            other = self._referred(node, spec.column.table.fullname, target)
            return (
                self._other(other, spec) if other is not None else {"key": self._plain(node, key, spec, held)}
            )
        return self._plain(node, key, spec, held)

    def _referred(self, node: Node, table: str, target: Target) -> Any:
        """Return the object that the row of *node* in *table* refers to, None where there is none."""
        columns = tuple(theirs for _, theirs in target.pairs)
        known = self._seeded.get((target.table, columns))
        if known is None:
            known = self._seeded[target.table, columns] = {}
            for other in self._collected.nodes:
                if any(each.fullname == target.table for each, _ in other.plan.tables):
                    known.setdefault(_values(other, target.table, columns), other.obj)
        return known.get(_values(node, table, [own for own, _ in target.pairs]))

    def _plain(self, node: Node, key: str, spec: ColumnSpec, value: Any) -> Any:
        """Return *value* such that the column's parser reads it, or None with an error."""
        item = self.seeding.places.get((id(node.obj), key)) or self.seeding.places.get((id(node.obj), None))
        place, path = (item.place, item.path) if item is not None else (Place("the seeds"), key)
        errors = self.seeding.errors
        try:
            said = _said(spec.column.type, value)
        except ValueError as error:
            errors.add(place, path, f"{spec.column.table.name}.{spec.name} cannot be {value!r:.80}: {error}")
            return None
        read: Tree = from_plain(said, place.file)
        read.place = place
        before = len(errors.found)
        spec.parser.read(read, path, errors)
        return escaped(said) if len(errors.found) == before else None


def escaped(value: Any) -> Any:
    """Return plain data such that no text in it is read as a template."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    return [escaped(item) for item in value] if isinstance(value, list | tuple) else value


def _said(type_: Any, value: Any) -> Any:
    """Return *value* as a scenario file writes it for a column of *type_*.

    Texts are read as PostgreSQL would read them for the column.

    Raises:
        ValueError: PostgreSQL, or SQLAlchemy's type, would refuse it.
    """
    if isinstance(value, Enum) and isinstance(type_, sa.Enum):
        return next(word for word, member in members_of(type_).items() if member is value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(type_, sa.LargeBinary):
        raise ValueError("the column holds bytes, write !!binary in YAML")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(type_, sa.Boolean) and type(value) is int and value in (0, 1):
        return bool(value)
    if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum) and type(value) in (int, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _read_as(type_, value)
    return value


def _read_as(type_: Any, text: str) -> Any:
    if isinstance(type_, sa.Integer):
        return int(text)
    if isinstance(type_, sa.Float):
        return float(text)
    if isinstance(type_, sa.DateTime | sa.Date):
        try:
            return datetime.fromisoformat(text.strip()).isoformat()
        except ValueError:
            raise ValueError("write a moment in ISO 8601") from None
    return text


def _values(node: Node, table: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the values of *columns* in *table*, as texts: a seed file may have written a number so."""
    fields = next((fields for each, fields in node.plan.tables if each.fullname == table), ())
    keys = {part.column.name: part.key for part in fields}
    return tuple(str(node.state.dict.get(keys.get(name, ""))) for name in columns)
