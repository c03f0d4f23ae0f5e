"""What a scenario's rows say, in the words of a file: references as handles, times as offsets.

A person, a page and a program look at the same state; each with its own way of reading rows would show it
differently. `text` prints this, `html` makes pages of it, and ``--json`` gives it as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scenarios.column_types import written
from scenarios.library.files.times import format_offset
from scenarios.library.planning.sections import visible

if TYPE_CHECKING:
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.planning.plan import Plan
    from scenarios.library.planning.rows import Row


def fields(plan: Plan, row: Row) -> dict[str, Any]:
    """Return what *row* says, by the names a file uses; references as handles, times as offsets."""
    found: dict[str, Any] = {}
    for label, spec in visible(row.section, row.table, plan.sections).items():
        if spec.name not in row.values:
            continue
        value = row.values[spec.name]
        if spec.target is not None and value is not None:
            other = plan.referred(row, spec.target)
            value = other.handle if other is not None else str(value)
        found[label] = readable(value, plan)
    if row.section.form == "turns":
        speaker = next(key for key, word in row.section.speakers.items() if word == spoken_by(row))
        found = {speaker: row.values[row.section.text], **found}
    return found


def spoken_by(row: Row) -> Any:
    """Return who speaks in a turn: a column tells, or in systems without such a column the file alone."""
    return row.values.get(row.section.speaker, row.given.get(row.section.speaker))


def beside(turn: Row) -> Iterator[tuple[str, str]]:
    """Yield what hangs on a message as (what it is, what it says): a note, an action with its outcome."""
    for child in turn.children:
        section = child.section
        if section.silent:
            continue
        kind = str(child.values.get(section.kind) or section.unit)
        said = child.values.get(section.says)
        yield kind, said if isinstance(said, str) else ""


def name_of(row: Row) -> str:
    """Return the name of whom *row* is, for a conversation: the first name, or the handle."""
    return str(row.values.get("first_name") or row.handle)


@dataclass(frozen=True, slots=True)
class Branch:
    """A row at the top of a scenario, or a section of it, in the outline of who has what.

    Attributes:
        label: the row's name, or the section's.
        count: how many rows it stands for.
        inside: what stands under it.
    """

    label: str
    count: int = 1
    inside: tuple[Branch, ...] = ()


_TOP, _NAMED = 40, 12
"""So many rows are named; of more, their number is told."""


def outline(plan: Plan) -> tuple[Branch, ...]:
    """Return who has what in *plan*: its topmost rows, their sections, and the named rows among these."""
    return _named([row for row in plan.rows if row.parent is None], _TOP)


def _named(rows: Sequence[Row], most: int) -> tuple[Branch, ...]:
    shown = [Branch(row.handle.rpartition(".")[2], 1, _inside(row)) for row in rows[:most]]
    more = [Branch("more", len(rows) - most)] if len(rows) > most else []
    return (*shown, *more)


def _inside(row: Row) -> tuple[Branch, ...]:
    found = []
    for section in row.section.inner:
        rows = [child for child in row.children if child.section is section]
        if rows and not section.silent:
            named = _named(rows, _NAMED) if section.form == "named" else ()
            found.append(Branch(section.key.replace("_", " "), len(rows), named))
    return tuple(found)


def readable(value: Any, plan: Plan) -> Any:
    """Return *value* as JSON can hold it and people read it."""
    if isinstance(value, datetime):
        return format_offset(value - plan.anchor)
    if isinstance(value, dict):
        return {key: readable(item, plan) for key, item in value.items()}
    if isinstance(value, list):
        return [readable(item, plan) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    text = str(written(value))
    return text.removeprefix("+") if isinstance(value, timedelta) else text


def tree(plan: Plan, row: Row) -> dict[str, Any]:
    """Return *row* with all below it, as JSON."""
    found: dict[str, Any] = {"handle": row.handle, **fields(plan, row)}
    for section in row.section.inner:
        rows = [child for child in row.children if child.section is section]
        if section.form == "one":
            if rows:
                found[section.key] = tree(plan, rows[0])
        elif rows:
            found[section.key] = [tree(plan, child) for child in rows]
    return found


def as_data(definition: ScenarioDefinition, plan: Plan) -> dict[str, Any]:
    """Return a scenario's state for ``--json``."""
    head = definition.head
    top = [row for row in plan.rows if row.parent is None]
    return {
        "scenario": definition.name,
        "system": definition.domain.name,
        "version": head.version,
        "title": head.title,
        "description": head.description,
        "tags": list(head.tags),
        "owner": head.owner,
        "clock": plan.anchor.isoformat(),
        "parameters": {
            name: {
                "type": each.type,
                "default": each.default,
                "allowed": each.describe(),
                "description": each.description,
            }
            for name, each in head.parameters.items()
        },
        "made_of": list(definition.composed.parts),
        "rows": plan.counts,
        "state": {
            key: [tree(plan, row) for row in top if row.section.key == key]
            for key in dict.fromkeys(row.section.key for row in top)
        },
    }
