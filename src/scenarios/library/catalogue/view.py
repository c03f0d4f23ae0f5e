"""A scenario as a person wants to see it: who is there, how far they are, what was said."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scenarios.library.files.times import format_offset
from scenarios.library.planning.columns import specs
from scenarios.library.planning.sections import visible

if TYPE_CHECKING:
    from rich.console import Console

    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.planning.plan import Plan
    from scenarios.library.planning.rows import Row


def handle_of(plan: Plan, table: str, column: str, value: Any) -> str | None:
    """Return the handle of the row of *table* whose *column* is *value*."""
    for row in plan.rows:
        if row.table.fullname == table and row.values.get(column) == value:
            return row.handle
    return None


def fields(plan: Plan, row: Row) -> dict[str, Any]:
    """Return what *row* says, by the names a file uses; references as handles, times as offsets."""
    found: dict[str, Any] = {}
    for label, spec in visible(row.section, row.table, plan.sections).items():
        if spec.name not in row.values:
            continue
        value = row.values[spec.name]
        if spec.target is not None and value is not None:
            value = handle_of(plan, spec.target.table, spec.target.column, value) or str(value)
        found[label] = readable(value, plan)
    if row.section.form == "turns":
        speaker = next(key for key, word in row.section.speakers.items() if word == spoken_by(row))
        found = {speaker: row.values[row.section.text], **found}
    return found


def spoken_by(row: Row) -> Any:
    """Return who speaks in a turn: a column tells, or in systems without such a column the file alone."""
    return row.values.get(row.section.speaker, row.given.get(row.section.speaker))


def readable(value: Any, plan: Plan) -> Any:
    """Return *value* as JSON can hold it and people read it."""
    if isinstance(value, datetime):
        return format_offset(value - plan.anchor)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict):
        return {key: readable(item, plan) for key, item in value.items()}
    if isinstance(value, list):
        return [readable(item, plan) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


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


def as_text(
    console: Console,
    definition: ScenarioDefinition,
    plan: Plan,
    *,
    user: str | None = None,
    messages: int = 24,
) -> None:
    """Print a scenario's state.

    Args:
        user: only the top row with this handle.
        messages: how many turns of a conversation to print, the last ones; 0 for all.

    Raises:
        LibraryError: no top row has the handle *user*.
    """
    from scenarios.errors import LibraryError
    from scenarios.library.files.faults import suggest

    _head(console, definition, plan)
    top = [row for row in plan.rows if row.parent is None]
    if user is not None:
        chosen = [row for row in top if row.handle == user]
        if not chosen:
            raise LibraryError(
                f"{definition.name} has no {user!r}", remedy=suggest(user, [row.handle for row in top])
            )
        top = chosen
    people = plan.sections.people
    for row in top:
        if row.section.table == people:
            _person(console, plan, row, messages)
    others = [row for row in top if row.section.table != people]
    for key in dict.fromkeys(row.section.key for row in others):
        _table(console, plan, key, [row for row in others if row.section.key == key])


def _head(console: Console, definition: ScenarioDefinition, plan: Plan) -> None:
    from rich.markup import escape

    head = definition.head
    console.print(f"[bold]{escape(head.title or definition.name)}[/]")
    console.print(
        f"{definition.name}, {definition.domain.title}, version {head.version}, "
        f"{sum(plan.counts.values())} rows"
    )
    if head.tags or head.owner:
        owner = f"owner {head.owner}" if head.owner else ""
        console.print(
            escape(", ".join(filter(None, [f"tags {' '.join(head.tags)}" if head.tags else "", owner])))
        )
    if head.description:
        for paragraph in head.description.split("\n\n"):
            console.print(escape(" ".join(paragraph.split())))
    for name, parameter in head.parameters.items():
        what = f"{parameter.describe()}; default {parameter.default}"
        console.print(f"  --param {name}=…  {escape(what)}. {escape(parameter.description)}")
    console.print(f"The clock shows {plan.anchor.isoformat()}.")


def _person(console: Console, plan: Plan, row: Row, messages: int) -> None:
    from rich.markup import escape

    values = row.values
    name = " ".join(str(values[key]) for key in ("first_name", "last_name") if values.get(key))
    console.print()
    console.rule(f"[bold]{escape(name or row.handle)}[/] ({row.handle})", align="left")
    for section in row.section.inner:
        rows = [child for child in row.children if child.section is section]
        if not rows:
            continue
        if section.form == "turns":
            _chat(console, plan, row, rows, messages)
        elif section.form == "one":
            facts = {
                key: value for key, value in fields(plan, rows[0]).items() if value not in (None, "", [], {})
            }
            text = "; ".join(f"{key} {_short(value)}" for key, value in facts.items())
            console.print(f"[bold]{section.key}[/]  {escape(text)}")
        else:
            _table(console, plan, section.key, rows)
            for each in rows:
                _conversations(console, plan, each, messages)


def _conversations(console: Console, plan: Plan, row: Row, messages: int) -> None:
    """Print the conversations that stand under a row of a person: where people have several chats."""
    for section in row.section.inner:
        rows = [child for child in row.children if child.section is section]
        if rows and section.form == "turns":
            console.print(f"[dim]{row.handle}[/]")
            _chat(console, plan, row.root, rows, messages)


def _chat(console: Console, plan: Plan, user: Row, rows: list[Row], messages: int) -> None:
    from rich.markup import escape
    from rich.padding import Padding

    shown = rows[-messages:] if messages else rows
    console.print(f"[bold]conversation[/]  {len(rows)} turns")
    if len(shown) < len(rows):
        console.print(f"  … {len(rows) - len(shown)} earlier turns (--messages 0 shows all)")
    last: date | None = None
    section = rows[0].section
    speakers = {word: key for key, word in section.speakers.items()}
    for row in shown:
        moment = row.values[section.time]
        if moment.date() != last:
            last = moment.date()
            console.print(f"  [dim]{moment:%A %d %B %Y}[/]")
        who = speakers[spoken_by(row)]
        name = str(user.values.get("first_name") or user.handle) if who == "user" else who
        text = escape(str(row.values[section.text]))
        console.print(
            Padding(
                f"[dim]{moment:%H:%M}[/] [bold]{escape(name)}[/]  {text}",
                (0, 0, 0, 2 if who != "user" else 6),
            )
        )
        for child in row.children:
            if child.section.unit == "note":
                console.print(f"          note: {escape(str(child.values['note']))}", style="yellow")
            elif child.section.unit == "action":
                summary = child.values.get("result_summary") or ""
                console.print(
                    f"          {child.values['action_type']}: {escape(str(summary))}", style="cyan"
                )
            elif child.section.unit == "log":
                console.print(f"          logged: {escape(str(child.values['action']))}", style="dim")


def _table(console: Console, plan: Plan, title: str, rows: list[Row]) -> None:
    from rich.markup import escape
    from rich.padding import Padding
    from rich.table import Table

    data = [fields(plan, row) for row in rows]
    defaults = {
        label: spec.default
        for row in rows[:1]
        for label, spec in visible(row.section, row.table, plan.sections).items()
    }
    columns = [
        key
        for key in dict.fromkeys(key for each in data for key in each)
        if key not in ("updated_at", "created_at", "password", "token")
        and any(each.get(key) not in (None, "", [], {}, defaults.get(key)) for each in data)
    ]
    # Texts read badly in narrow columns: they get lines of their own below the row's short words.
    long = [key for key in columns if any(_is_long(each.get(key)) for each in data)]
    if not long:
        table = Table(
            "handle", *columns, title=title, title_justify="left", title_style="bold", show_edge=False
        )
        for row, each in zip(rows, data, strict=True):
            table.add_row(_inner_handle(row), *(escape(_short(each.get(key))) for key in columns))
        console.print(table)
        return
    console.print(f"[bold]{escape(title)}[/]")
    for row, each in zip(rows, data, strict=True):
        words = [_short(each.get(key)) for key in columns if key not in long and _told(each.get(key))]
        console.print(f"  [bold]{escape(_inner_handle(row))}[/]  {escape('; '.join(words))}")
        for key in long:
            if _told(each.get(key)):
                console.print(Padding(f"[dim]{key}[/]  {escape(_short(each[key], 240))}", (0, 0, 0, 6)))


def _inner_handle(row: Row) -> str:
    return row.handle.removeprefix(f"{row.root.handle}.") if row.parent else row.handle


def _is_long(value: Any) -> bool:
    return len(_short(value, 200)) > 40


def _told(value: Any) -> bool:
    return value not in (None, "", [], {})


def _short(value: Any, limit: int = 90) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        text = ", ".join(map(str, value))
    elif isinstance(value, dict):
        text = ", ".join(f"{key}: {item}" for key, item in value.items())
    else:
        text = str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def column_titles(row: Row) -> Iterable[str]:
    """Return the names of the columns of *row*'s table."""
    return specs(row.table).keys()
