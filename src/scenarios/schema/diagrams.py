"""Entity diagrams from metadata: Mermaid for where it is rendered, SVG for everywhere else.

A diagram drawn by hand is wrong after the next migration. These are made from the models, need no program
but this one, and are the same text in every run, so that a test can tell when the kept copy is stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import sort_tables_and_constraints

_SHORT = (("timestamp with time zone", "timestamptz"), ("timestamp without time zone", "timestamp"))


@dataclass(frozen=True, slots=True)
class Relation:
    """A foreign key as a diagram shows it.

    Attributes:
        child: the table that refers.
        column: its first referring column, which names the relation; further ones repeat the parent's key.
        parent: the table referred to.
        optional: whether a child can do without a parent.
        single: whether a parent has at most one child.
    """

    child: str
    column: str
    parent: str
    optional: bool
    single: bool


def column_type_name(column: Column[Any]) -> str:
    """Return the PostgreSQL type of *column* in one short word: ``varchar(64)[]``, ``timestamptz``."""
    name = column.type.compile(dialect=postgresql.dialect()).lower()  # type: ignore[no-untyped-call]  # untyped there
    for long, short in _SHORT:
        name = name.replace(long, short)
    return name


def _unique_sets(table: Table) -> list[set[str]]:
    found = [
        {column.name for column in constraint.columns}
        for constraint in table.constraints
        if isinstance(constraint, (UniqueConstraint, PrimaryKeyConstraint))
    ]
    found += [{column.name for column in index.columns} for index in table.indexes if index.unique]
    return [names for names in found if names]


def relations(metadata: MetaData) -> list[Relation]:
    """Return the foreign keys of *metadata*, by child and column."""
    found = []
    for _, table in sorted(metadata.tables.items()):
        unique = _unique_sets(table)
        for key in table.foreign_key_constraints:
            columns = [column.name for column in key.columns]
            found.append(
                Relation(
                    child=table.fullname,
                    column=columns[0],
                    parent=key.referred_table.fullname,
                    optional=any(column.nullable for column in key.columns),
                    single=any(names <= set(columns) for names in unique),
                )
            )
    return sorted(found, key=lambda item: (item.child, item.column, item.parent))


def _marks(table: Table, column: Column[Any]) -> list[str]:
    marks = []
    if column.primary_key:
        marks.append("PK")
    if column.foreign_keys:
        marks.append("FK")
    if not column.primary_key and {column.name} in _unique_sets(table):
        marks.append("UK")
    return marks


def mermaid(metadata: MetaData, *, title: str | None = None) -> str:
    """Return *metadata* as a Mermaid ``erDiagram``."""
    lines = ["---", f"title: {title}", "---"] if title else []
    lines.append("erDiagram")
    for _, table in sorted(metadata.tables.items()):
        lines.append(f"    {_word(table.fullname)} {{")
        for column in table.columns:
            # Mermaid's types know no commas and spaces: numeric(10,2), double precision.
            kind = re.sub(r"[^\w()\[\]-]+", "-", column_type_name(column)).strip("-")
            marks = ", ".join(_marks(table, column))
            lines.append(" ".join(filter(None, [f"        {kind} {_word(column.name)}", marks])))
        lines.append("    }")
    for relation in relations(metadata):
        parent = "|o" if relation.optional else "||"
        child = "o|" if relation.single else "o{"
        ends = f"{_word(relation.parent)} {parent}--{child} {_word(relation.child)}"
        lines.append(f"    {ends} : {_word(relation.column)}")
    return "\n".join(lines) + "\n"


def _word(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else '"' + name.replace('"', "'") + '"'


# --- SVG: tables in columns by how far they depend on others, references as curves between them.

_ROW, _HEAD, _PAD, _GAP_X, _GAP_Y, _MARGIN, _LETTER = 17, 26, 10, 110, 28, 30, 6.7
_STYLE = """
    text { font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 11px; fill: #1f2933 }
    .title { font-family: Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 18px; font-weight: 700 }
    .name { font-weight: 700; fill: #ffffff }
    .type { fill: #7b8794 }
    .mark { fill: #b44d12; font-weight: 700 }
    .box { fill: #ffffff; stroke: #9aa5b1 }
    .head { fill: #334e68 }
    .edge { fill: none; stroke: #627d98; stroke-width: 1.3 }
    .optional { stroke-dasharray: 5 3 }
    .scope { stroke: #cbd2d9; stroke-width: 1 }
"""


@dataclass(slots=True)
class _Box:
    table: Table
    width: float
    height: float
    x: float = 0
    y: float = 0

    def row(self, column: str) -> float:
        place = list(self.table.columns.keys()).index(column)
        return self.y + _HEAD + place * _ROW + _ROW / 2


def _levels(metadata: MetaData) -> dict[str, int]:
    """How many references deep each table is; references that close a cycle do not count."""
    level: dict[str, int] = {}
    tables = sorted(metadata.tables.values(), key=lambda table: table.fullname)
    ordering: Iterable[tuple[Table | None, Iterable[ForeignKeyConstraint]]] = sort_tables_and_constraints(
        tables
    )  # type: ignore[no-untyped-call]  # untyped there
    for table, keys in ordering:
        if table is None:
            continue
        parents = [key.referred_table.fullname for key in keys]
        level[table.fullname] = max((level[name] + 1 for name in parents if name in level), default=0)
    return level


def _column_key(table: Table, name: str) -> str:
    return next(key for key, column in table.columns.items() if column.name == name)


def _arrange(metadata: MetaData) -> dict[str, _Box]:
    boxes = {}
    for _, table in sorted(metadata.tables.items()):
        widest = max(
            [len(table.fullname) + 2]
            + [len(column.name) + len(column_type_name(column)) + 9 for column in table.columns]
        )
        boxes[table.fullname] = _Box(
            table, width=widest * _LETTER + 2 * _PAD, height=_HEAD + len(table.columns) * _ROW + _PAD / 2
        )
    levels = _levels(metadata)
    area = sum((box.width + _GAP_X) * (box.height + _GAP_Y) for box in boxes.values())
    tallest = max((area**0.5) * 1.1, *(box.height for box in boxes.values())) if boxes else 0
    x: float = _MARGIN
    for level in sorted(set(levels.values())):
        stack = sorted(name for name, of in levels.items() if of == level)
        while stack:
            y, width = float(_MARGIN + 30), 0.0
            while stack and (width == 0 or y + boxes[stack[0]].height <= tallest + _MARGIN):
                box = boxes[stack.pop(0)]
                box.x, box.y = x, y
                y += box.height + _GAP_Y
                width = max(width, box.width)
            x += width + _GAP_X
    return boxes


def _edge(relation: Relation, boxes: Mapping[str, _Box], scope: str | None) -> str:
    child, parent = boxes[relation.child], boxes[relation.parent]
    y1 = child.row(_column_key(child.table, relation.column))
    y2 = parent.y + _HEAD / 2
    if child is parent:
        x1 = x2 = child.x + child.width
        path = f"M{x1:.0f},{y1:.0f} C{x1 + 50:.0f},{y1:.0f} {x1 + 50:.0f},{y2:.0f} {x2:.0f},{y2:.0f}"
    else:
        leftwards = parent.x < child.x
        x1 = child.x if leftwards else child.x + child.width
        x2 = parent.x + parent.width if leftwards else parent.x
        bend = max(40.0, abs(x1 - x2) / 2) * (-1 if leftwards else 1)
        path = f"M{x1:.0f},{y1:.0f} C{x1 + bend:.0f},{y1:.0f} {x2 - bend:.0f},{y2:.0f} {x2:.0f},{y2:.0f}"
    classes = ["edge"]
    if relation.optional:
        classes.append("optional")
    if relation.column == scope:
        classes.append("scope")
    label = escape(f"{relation.child}.{relation.column} -> {relation.parent}")
    look = f'class="{" ".join(classes)}" marker-end="url(#arrow)"'
    return f'  <path {look} d="{path}"><title>{label}</title></path>'


def svg(metadata: MetaData, *, title: str = "", scope: str | None = None) -> str:
    """Return *metadata* as an SVG drawing: a box for each table, dashed arrows for optional references.

    Args:
        title: written above the drawing.
        scope: a column most tables have (`scenarios.domain.Scope.column`), drawn faintly.
    """
    boxes = _arrange(metadata)
    width = max((box.x + box.width for box in boxes.values()), default=0) + _MARGIN
    height = max((box.y + box.height for box in boxes.values()), default=0) + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{_STYLE}  </style>",
        '  <defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#627d98"/></marker></defs>',
        f'  <rect width="{width:.0f}" height="{height:.0f}" fill="#f5f7fa"/>',
        f'  <text class="title" x="{_MARGIN}" y="{_MARGIN + 4}">{escape(title)}</text>',
    ]
    # The faint ones first, so that they lie below the others.
    for relation in sorted(relations(metadata), key=lambda item: item.column != scope):
        lines.append(_edge(relation, boxes, scope))
    for _, box in sorted(boxes.items()):
        lines += _draw(box)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _draw(box: _Box) -> list[str]:
    left, right = box.x + _PAD, box.x + box.width - _PAD
    frame = f'x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}"'
    lines = [
        f'  <rect class="box" {frame} height="{box.height:.0f}"/>',
        f'  <rect class="head" {frame} height="{_HEAD - 4}"/>',
        f'  <text class="name" x="{left:.0f}" y="{box.y + 15:.0f}">{escape(box.table.fullname)}</text>',
    ]
    for place, column in enumerate(box.table.columns):
        y = box.y + _HEAD + place * _ROW + 12
        marks = " ".join(_marks(box.table, column))
        # A question mark for a column that may be empty.
        name = column.name + ("?" if column.nullable else "")
        lines.append(f'  <text x="{left:.0f}" y="{y:.0f}">{escape(name)}</text>')
        kind = f'<tspan class="type">{escape(column_type_name(column))}</tspan>'
        mark = f' <tspan class="mark">{marks}</tspan>' if marks else ""
        lines.append(f'  <text x="{right:.0f}" y="{y:.0f}" text-anchor="end">{kind}{mark}</text>')
    return lines
