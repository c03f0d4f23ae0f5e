"""What a builder built as a scenario of the library, made of its graph as a freeze makes one of rows.

A builder loads its rows itself; to be reset, shown, catalogued and unloaded like any other they have to be a
scenario with handles and a clock. The two ways must not drift apart, so its rows go through the freeze.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from scenarios.factories.context import FactoryContext
from scenarios.library.closure.gather import arrange
from scenarios.library.freezing.leaving_out import strip
from scenarios.library.freezing.lossless import shortest
from scenarios.library.freezing.naming import name_rows
from scenarios.library.planning.columns import CLOCK, DATABASE, KEY, MISSING, specs
from scenarios.library.planning.found import Found, Gathered

if TYPE_CHECKING:
    from scenarios.builders.base import BuiltScenario
    from scenarios.library.planning.sections import Sections


def from_builder(
    built: BuiltScenario,
    name: str,
    sections: Sections,
    *,
    now: datetime | None = None,
    seed: str = "scenarios",
    locale: str = "en_US",
) -> dict[str, Any]:
    """Return the rows that a builder *built*, and the clock they are relative to, as a file would say them.

    Args:
        built: what was built.
        name: the scenario's name.
        sections: the system's sections.
        now: what the clock shows, by default what was said to the builder.
        seed: of the values, where none was said to the builder.
        locale: of names, where none was said to the builder.

    Raises:
        BuilderError: what was said cannot be rendered.
        FreezeError: the rows do not make a scenario.
    """
    program = built.program
    context = FactoryContext(
        program.name,
        seed=program.seed or seed,
        locale=program.locale or locale,
        instance=program.name,
        now=now or program.now,
    )
    rendered = program.render(context, program.name)
    gathered = Gathered()
    skipped = {handles.table for handles in sections.handles}
    scope = sections.domain.scope.table if sections.domain.scope is not None else None
    names = {id(obj): handle for handle, obj in rendered.handles.items()}
    known: dict[tuple[str, tuple[Any, ...]], str] = {}

    def take(table: sa.Table, values: dict[str, Any]) -> Found | None:
        if table.fullname == scope:
            return None
        if table.fullname in skipped:
            return None
        found = Found(table, values)
        gathered.rows.append(found)
        gathered.by_key[table.fullname, found.key] = found
        return found

    for obj in rendered.graph.objects():
        mapper = sa.inspect(obj).mapper
        table = mapper.local_table
        state = sa.inspect(obj).dict
        values = {
            column.name: _plain(
                state[key]
                if (key := mapper.get_property_by_column(column).key) in state
                else _default(specs(table)[column.name].default)
            )
            for column in table.columns
            if column.computed is None
        }
        row = take(table, values)
        if row is not None and id(obj) in names:
            # A prompt belongs to nobody: its handle is one word.
            handle = names[id(obj)]
            known[table.fullname, row.key] = handle.replace(".", "_") if handle[:7] == "prompt." else handle
    for stretch in rendered.graph.stretches:
        for cells in stretch.rows:
            values = {column.name: None for column in stretch.table.columns if column.computed is None}
            values.update({name: _plain(cell) for name, cell in zip(stretch.columns, cells, strict=True)})
            take(stretch.table, values)
    for row in gathered.rows:
        email = row.values.get("email")
        if isinstance(email, str) and "+" in email:
            # The builder's instance has its own suffix; the library adds one when it loads.
            row.values["email"] = f"{email.partition('+')[0]}@{email.rpartition('@')[2]}"
    arrange(gathered, sections)
    strip(gathered, None)
    name_rows(gathered, known)
    anchor = context.clock.now
    found = shortest(sections, gathered, anchor, {"scenario": name}, seed=seed, locale=locale)
    del found["scenario"]
    return {"clock": anchor.isoformat(), **found}


def _default(value: Any) -> Any:
    return None if any(value is marker for marker in (MISSING, CLOCK, KEY, DATABASE)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
