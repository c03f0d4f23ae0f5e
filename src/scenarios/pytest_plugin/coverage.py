"""What no scenario reaches, and which scenarios nobody uses.

A library of states rots in two ways: the schema grows a table, a status, an optional column that no state
has, and the tests stay green; and a state outlives the last test that needed it. Both are read off the
scenarios' rows as planned, so no database is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy as sa

    from scenarios.library import Library
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.planning.plan import Plan

Gaps = dict[str, dict[str, list[str]]]
"""By system: ``tables``, ``values``, ``never_null``, ``always_null`` that no scenario reaches."""

_BOOKS = frozenset({"alembic_version"})
MOST_NAMES = 12
"""Names a line of the summary shows; the JSON report has them all."""


def gaps_of(library: Library, systems: Iterable[str]) -> tuple[Gaps, list[str]]:
    """Return what the scenarios of *systems* leave out, and the names of those scenarios.

    A scenario that cannot be planned with its default parameters counts as reaching nothing.
    """
    wanted = set(systems)
    found: dict[str, list[ScenarioDefinition]] = {}
    names = []
    for entry in library.entries():
        if entry.system not in wanted and entry.path.parent.name not in wanted and "project" not in wanted:
            continue
        definition = library[entry.name]
        if definition.domain.name in wanted:
            names.append(entry.name)
            found.setdefault(definition.domain.name, []).append(definition)
    return {system: _gaps(definitions) for system, definitions in sorted(found.items())}, sorted(names)


def _gaps(definitions: list[ScenarioDefinition]) -> dict[str, list[str]]:
    sections = definitions[0].sections
    books = {handles.table for handles in sections.handles} | _BOOKS
    if sections.domain.scope is not None:
        books.add(sections.domain.scope.table)
    seen: dict[tuple[str, str], set[Any]] = {}
    reached: set[str] = set()
    for definition in definitions:
        _note(definition.plan(), reached, seen)
    tables, values, never, always = [], [], [], []
    for name, table in sorted(sections.domain.metadata.tables.items()):
        if name in books:
            continue
        if name not in reached:
            tables.append(name)
            continue
        for label, words in _words(table).items():
            missing = [word for word in words if word not in seen.get((name, label), ())]
            values += [f"{name}.{label}={word}" for word in missing]
        for column in table.columns:
            met = seen.get((name, column.name))
            if met is not None and column.nullable and not column.primary_key:
                if None not in met:
                    never.append(f"{name}.{column.name}")
                elif met == {None}:
                    always.append(f"{name}.{column.name}")
    return {"tables": tables, "values": values, "never_null": never, "always_null": always}


def _note(plan: Plan, reached: set[str], seen: dict[tuple[str, str], set[Any]]) -> None:
    for row in plan.rows:
        name = row.table.fullname
        reached.add(name)
        for column, value in row.values.items():
            plain = getattr(value, "value", value)
            met = seen.setdefault((name, column), set())
            if isinstance(plain, list | tuple | set):
                met.update(map(str, plain))
            else:
                met.add(plain if plain is None or isinstance(plain, str) else "a value")


def _words(table: sa.Table) -> dict[str, tuple[str, ...]]:
    from sqlalchemy import Enum

    from scenarios.library.planning.columns import vocabularies

    found = dict(vocabularies(table))
    for column in table.columns:
        if isinstance(column.type, Enum):
            found[column.name] = tuple(column.type.enums)
    return found


def lines_of(gaps: Gaps, unused: list[str]) -> list[str]:
    """Return the lines of the summary."""
    headings = {
        "tables": "tables no scenario reaches",
        "values": "values no scenario reaches",
        "never_null": "columns that are null in no scenario",
        "always_null": "columns that are null in every scenario",
    }
    lines = []
    for system, missing in gaps.items():
        told = [f"{headings[kind]}: {_some(names)}" for kind, names in missing.items() if names]
        lines += [f"scenarios: {system}: {each}" for each in told] or [
            f"scenarios: {system}: every table, value and nullable column is reached"
        ]
    if unused:
        lines.append(f"scenarios: scenarios no test uses: {_some(unused)}")
    return lines


def _some(names: list[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
