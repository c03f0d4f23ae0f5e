"""What a builder was told, or plain objects of a project's models, as the tree of a file.

A builder loads its rows itself; to be reset, shown, catalogued and unloaded like any other they have to be a
scenario with handles and a clock. Every value stands in that tree as it was made, so nothing has to be tried
out to know that it comes back. Keys that a database would count have numbers here that stand for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from scenarios.factories.context import FactoryContext
from scenarios.graph import Graph
from scenarios.graph.defaults import RowContext
from scenarios.graph.graph import Node, collect
from scenarios.graph.mapped import column_named
from scenarios.library.closure.extract import arrange
from scenarios.library.freezing.leaving_out import strip
from scenarios.library.freezing.naming import name_rows
from scenarios.library.freezing.writer import Writer
from scenarios.library.planning.columns import CLOCK, DATABASE, FUNCTION, KEY, MISSING, key_columns, specs
from scenarios.library.planning.extracted import ExtractedRow, Extraction
from scenarios.values.clock import Clock

if TYPE_CHECKING:
    from scenarios.library.planning.sections import Sections


class Program(Protocol):
    """What was said to a builder."""

    name: str
    seed: str | None
    locale: str | None
    now: datetime | None

    def render(self, context: FactoryContext, instance: str) -> Any:
        """Return the rows: ``graph``, and ``handles`` with the object of each."""
        ...


def from_builder(
    program: Program,
    sections: Sections,
    *,
    now: datetime | None = None,
    seed: str = "scenarios",
    locale: str = "en_US",
) -> dict[str, Any]:
    """Return the rows of what was said to a builder, and the clock they are relative to, as a file says them.

    Args:
        program: what was said.
        sections: the system's sections.
        now: what the clock shows, by default what was said to the builder.
        seed: of the values, where none was said to the builder.
        locale: of names, where none was said to the builder.

    Raises:
        BuilderError: what was said cannot be rendered.
        FreezeError: the rows do not make a scenario.
    """
    context = FactoryContext(
        program.name,
        seed=program.seed or seed,
        locale=program.locale or locale,
        instance=program.name,
        now=now or program.now,
    )
    rendered = program.render(context, program.name)
    names = {id(obj): handle for handle, obj in rendered.handles.items()}
    extraction, known = _extraction(rendered.graph, names, sections, context.clock.now)
    return _said(extraction, known, sections, context.clock.now, instance=program.name)


def from_objects(
    objects: Mapping[str, Any], sections: Sections, *, now: datetime | None = None
) -> dict[str, Any]:
    """Return the rows that objects of mapped classes are, by handle, with all that they bring along.

    Args:
        objects: the objects.
        sections: the system's sections.
        now: what the clock shows, by default the usual moment.

    Raises:
        GraphError: one is no object of a mapped class.
        FreezeError: the rows do not make a scenario.
    """
    anchor = (Clock() if now is None else Clock(now)).now
    graph = Graph()
    for handle, obj in objects.items():
        graph.add(obj, handle)
    names = {id(obj): handle for handle, obj in objects.items()}
    extraction, known = _extraction(graph, names, sections, anchor)
    return _said(extraction, known, sections, anchor)


def _said(
    extraction: Extraction,
    known: Mapping[tuple[str, tuple[Any, ...]], str],
    sections: Sections,
    anchor: datetime,
    *,
    instance: str | None = None,
) -> dict[str, Any]:
    arrange(extraction, sections)
    # What a builder made up bears its instance's name, as the library's will when it loads.
    strip(extraction, instance)
    name_rows(extraction, known)
    writer = Writer(sections, extraction, anchor)
    writer.open_all()
    return writer.data({"clock": anchor.isoformat()})


def _extraction(
    graph: Graph, names: Mapping[int, str], sections: Sections, anchor: datetime
) -> tuple[Extraction, dict[tuple[str, tuple[Any, ...]], str]]:
    """Return the rows of *graph*, and the handles of those that have one."""
    extraction = Extraction()
    known: dict[tuple[str, tuple[Any, ...]], str] = {}
    skipped = {handles.table for handles in sections.handles}
    if sections.scoped and sections.domain.scope is not None:
        skipped.add(sections.domain.scope.table)
    keys = _Keys()

    def take(table: sa.Table, values: dict[str, Any]) -> ExtractedRow | None:
        if table.fullname in skipped:
            return None
        for name, value in values.items():
            kind = column_named(table, name).type
            if isinstance(value, float) and isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
                values[name] = Decimal(str(value))  # as it is stored
        found = ExtractedRow(sections.domain.metadata.tables.get(table.fullname, table), values)
        extraction.rows.append(found)
        extraction.by_key[table.fullname, found.key] = found
        return found

    collected = collect(graph)
    for node in collected.nodes:
        if node.stored:
            continue
        for table, fields in node.plan.tables:
            values = {}
            for field in fields:
                name, value = field.column.name, keys.value(node, field.key)
                if value is None and field.key not in node.state.dict and field.key not in node.parents:
                    value = specs(table)[name].default
                    if value is DATABASE or value is FUNCTION:
                        continue  # what only the database or the model can say stays unsaid
                    value = _default(value, anchor)
                values[name] = _plain(value)
            row = take(table, values)
            if row is not None and id(node.obj) in names:
                # A prompt belongs to nobody: its handle is one word.
                handle = names[id(node.obj)]
                known[table.fullname, row.key] = (
                    handle.replace(".", "_") if handle[:7] == "prompt." else handle
                )
    for table, parts in collected.pairs:
        take(table, {column.name: keys.value(node, key) for column, node, key in parts})
    for stretch in graph.stretches:
        for cells in stretch.rows:
            values = {
                name: _plain(_default(spec.default, anchor))
                for name, spec in specs(stretch.table).items()
                if spec.default is not DATABASE and spec.default is not FUNCTION
            }
            values.update({name: _plain(cell) for name, cell in zip(stretch.columns, cells, strict=True)})
            for name in key_columns(stretch.table):
                if values.get(name) is None:
                    values[name] = keys.next(column_named(stretch.table, name))
            take(stretch.table, values)
    return extraction, known


class _Keys:
    """Numbers in place of the keys that a database would count."""

    def __init__(self) -> None:
        self._given: dict[tuple[int, str], Any] = {}
        self._last: dict[str, int] = {}

    def next(self, column: sa.Column[Any]) -> Any:
        number = self._last[column.table.fullname] = self._last.get(column.table.fullname, 0) + 1
        return UUID(int=number) if isinstance(column.type, sa.Uuid) else number

    def value(self, node: Node, key: str) -> Any:
        """Return the value of an attribute: its own, its parent's, or a key that stands for one."""
        parent = node.parents.get(key)
        if parent is not None:
            return self.value(*parent)
        found = node.state.dict.get(key)
        part = next((each for each in node.plan.key_fields if each.key == key), None)
        if found is not None or part is None:
            return found
        if (id(node), key) not in self._given:
            context = RowContext(dict, part.column)
            made = part.default(context) if part.default is not None else self.next(part.column)
            self._given[id(node), key] = made
        return self._given[id(node), key]


def _default(value: Any, anchor: datetime) -> Any:
    if value is CLOCK:
        return anchor
    return None if any(value is marker for marker in (MISSING, KEY)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
