"""Entity diagrams from metadata, as Mermaid: code hosts, editors and documentation sites draw it.

A diagram drawn by hand is wrong after the next migration. These are made from the models and are the same
text in every run, so that a test can tell when the kept copy is stale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql

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
