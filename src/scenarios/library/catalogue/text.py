"""A scenario printed for a person: who is there, how far they are, what was said, and when things happened.

Rows by table say everything and show nothing: whether Maya is stuck is in five tables. So each person is a
chapter, what belongs to a row stands under it whatever the system, a conversation reads as a chat, and a
timeline tells the order in which it all came about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from scenarios.domain import PERSONAL
from scenarios.errors import LibraryError
from scenarios.library.catalogue.timeline import timeline
from scenarios.library.catalogue.view import beside, fields, name_of, spoken_by
from scenarios.library.files.column_parsers import EnumText, Text
from scenarios.library.files.error_list import suggest
from scenarios.library.files.expressions import word
from scenarios.library.files.time_parsers import When
from scenarios.library.planning.sections import visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.planning.plan import Plan
    from scenarios.library.planning.rows import Row
    from scenarios.library.planning.sections import Section

_STEP = 2
"""Columns by which what stands under a row is moved to the right."""
_NAMES = ("first_name", "last_name")


def print_scenario(
    console: Console,
    definition: ScenarioDefinition,
    plan: Plan,
    *,
    user: str | None = None,
    messages: int = 24,
) -> None:
    """Print a scenario's state.

    Args:
        console: where to.
        definition: the scenario.
        plan: its rows.
        user: only the person, or the row at the top, with this handle.
        messages: how many turns of a conversation, and rows of a list, to print, the last ones; 0 for all.

    Raises:
        LibraryError: nobody has the handle *user*.
    """
    printer = _Printer(console, plan, messages)
    top = [row for row in plan.rows if row.parent is None]
    if user is not None:
        known = {row.handle: row for row in plan.rows if row.parent is None or printer.is_person(row)}
        chosen = known.get(user) or next(
            (row for handle, row in known.items() if handle.endswith(f".{user}")), None
        )
        if chosen is None:
            raise LibraryError(f"{definition.name} has no {user!r}", hint=suggest(user, known))
        top = [chosen]
    _head(console, definition, plan)
    for section in {id(row.section): row.section for row in top}.values():
        printer.section(section, [row for row in top if row.section is section], 0)


def _head(console: Console, definition: ScenarioDefinition, plan: Plan) -> None:
    head = definition.head
    console.print(f"[bold]{escape(head.title or definition.name)}[/]")
    rows = sum(plan.counts.values())
    about = [definition.name, f"{definition.domain.title}, version {head.version}, {rows} rows"]
    if head.tags:
        about.append(" ".join(head.tags))
    if head.owner:
        about.append(f"owner {head.owner}")
    console.print(escape(" · ".join(about)), style="dim")
    for paragraph in head.description.split("\n\n") if head.description else ():
        console.print()
        console.print(escape(" ".join(paragraph.split())))
    console.print()
    for name, parameter in head.parameters.items():
        what = f"{parameter.describe()}; default {word(parameter.default)}. {parameter.description}"
        console.print(Padding(f"[bold]--param {name}=…[/]  {escape(what)}", (0, 0, 0, _STEP), expand=False))
    console.print(f"The clock shows {plan.anchor:%A %d %B %Y, %H:%M} UTC.")


class _Printer:
    def __init__(self, console: Console, plan: Plan, messages: int) -> None:
        self.console = console
        self.plan = plan
        self.messages = messages

    def is_person(self, row: Row) -> bool:
        return row.section.table == self.plan.sections.people

    def out(self, what: RenderableType, indent: int) -> None:
        self.console.print(Padding(what, (0, 0, 0, indent), expand=False))

    # -- rows, and what stands under them --------------------------------------------------------------

    def section(self, section: Section, rows: list[Row], indent: int) -> None:
        """Print the rows of one section under one row."""
        if section.form == "turns":
            self.chat(rows, indent)
        elif section.form == "one":
            if self.told(rows[0]) or rows[0].children:
                self.out(f"[bold]{section.key}[/]", indent)
                self.facts(rows[0], indent + _STEP)
                self.inner(rows[0], indent + _STEP)
        elif self.is_person(rows[0]) or (rows[0].parent is None and any(row.children for row in rows)):
            for row in rows:
                self.chapter(row)
        else:
            self.listed(section.key, rows, indent)

    def inner(self, row: Row, indent: int) -> None:
        """Print what stands under *row*."""
        for section in row.section.inner:
            rows = [child for child in row.children if child.section is section]
            if rows:
                self.section(section, rows, indent)

    def chapter(self, row: Row) -> None:
        """Print a person, or another row at the top, with all that is theirs."""
        name = " ".join(str(row.values[key]) for key in _NAMES if row.values.get(key))
        self.console.print()
        self.console.rule(
            f"[bold]{escape(_short(name, 60) or row.handle)}[/] ({row.section.unit} {row.handle})",
            align="left",
        )
        self.facts(row, 0, without={*_NAMES, *self.times(row)})
        self.inner(row, 0)
        if self.is_person(row):
            lines = list(timeline(row, self.plan.anchor))
            if lines:
                self.out("[bold]timeline[/]", 0)
                grid = Table.grid(padding=(0, 2))
                for moment, what in lines:
                    grid.add_row(f"[dim]{moment}[/]", escape(what))
                self.out(grid, _STEP)

    def told(self, row: Row) -> dict[str, Any]:
        """Return the columns of *row* worth a line: not empty, not what they would be anyway, no secrets."""
        shown = fields(self.plan, row)
        columns = visible(row.section, row.table, self.plan.sections)
        found = {}
        for label, value in shown.items():
            spec = columns.get(label)
            if value in (None, "", [], {}) or label in ("created_at", "updated_at"):
                continue
            if spec is not None and spec.column.info.get(PERSONAL) == "secret":
                continue
            # A phase or a status is worth a word also where it is the one that everybody begins with.
            if spec is not None and not isinstance(spec.parser, EnumText) and _same(value, spec.default):
                continue
            found[label] = value
        return found

    def facts(self, row: Row, indent: int, *, without: Collection[str] = ()) -> None:
        """Print what *row* itself says, a line for each column."""
        self.pairs(
            {label: value for label, value in self.told(row).items() if label not in without}, indent, 400
        )

    def pairs(self, found: Mapping[str, Any], indent: int, limit: int) -> None:
        """Print labels and values in two columns."""
        if found:
            grid = Table.grid(padding=(0, 2))
            for label, value in found.items():
                grid.add_row(f"[dim]{escape(label)}[/]", escape(_short(value, limit)))
            self.out(grid, indent)

    def listed(self, title: str, rows: list[Row], indent: int) -> None:
        """Print rows as a table; where texts are long or rows have more below them, one after the other."""
        shown = rows[-self.messages :] if self.messages and rows[0].section.form == "list" else rows
        self.out(
            f"[bold]{escape(title)}[/]" + (f"  {len(rows)} rows" if len(shown) < len(rows) else ""), indent
        )
        if len(shown) < len(rows):
            self.out(f"… {len(rows) - len(shown)} earlier rows (--messages 0 shows all)", indent + _STEP)
        told = [self.told(row) for row in shown]
        columns = list(dict.fromkeys(key for each in told for key in each))
        # Texts read badly in narrow columns: they get lines of their own below the row's short words.
        long = [key for key in columns if any(len(_short(each.get(key), 200)) > 40 for each in told)]
        if not long and not any(row.children for row in shown):
            grid = _grid(shown, told, columns)
            # Where not even the longest words have room, a table would cut them.
            if self.console.measure(grid).minimum <= self.console.width - indent - _STEP:
                self.out(grid, indent + _STEP)
                return
        for row, each in zip(shown, told, strict=True):
            plain = self.plain(row)
            words = [
                _short(value) if key in plain else f"{key} {_short(value)}"
                for key, value in each.items()
                if key not in long
            ]
            self.out(f"[bold]{escape(_inner_handle(row))}[/]  {escape('; '.join(words))}", indent + _STEP)
            self.pairs({key: each[key] for key in long if key in each}, indent + 2 * _STEP, 240)
            self.inner(row, indent + 2 * _STEP)

    def plain(self, row: Row) -> set[str]:
        """Return the names of the columns of *row* whose values need no name beside them: texts and words."""
        columns = visible(row.section, row.table, self.plan.sections)
        return {
            label for label, spec in columns.items() if isinstance(spec.parser, Text) and spec.target is None
        }

    def times(self, row: Row) -> set[str]:
        """Return the names of the columns of *row* that hold times."""
        columns = visible(row.section, row.table, self.plan.sections)
        return {label for label, spec in columns.items() if isinstance(spec.parser, When)}

    # -- conversations ---------------------------------------------------------------------------------

    def chat(self, rows: list[Row], indent: int) -> None:
        """Print a conversation, with what came of each message under it."""
        section = rows[0].section
        shown = rows[-self.messages :] if self.messages else rows
        self.out(f"[bold]{section.key}[/]  {len(rows)} turns", indent)
        if len(shown) < len(rows):
            earlier = len(rows) - len(shown)
            self.out(f"… {earlier} earlier turns (--messages 0 shows all)", indent + _STEP)
        last: date | None = None
        speakers = {word: key for key, word in section.speakers.items()}
        for row in shown:
            moment = row.values[section.time]
            if moment.date() != last:
                last = moment.date()
                self.out(f"[dim]{moment:%A %d %B %Y}[/]", indent + _STEP)
            who = speakers[spoken_by(row)]
            own = who == section.person
            name = name_of(row.root) if own else who
            text = escape(str(row.values[section.text]))
            self.out(
                f"[dim]{moment:%H:%M}[/] [bold]{escape(name)}[/]  {text}",
                indent + (3 * _STEP if own else _STEP),
            )
            for what, said in beside(row):
                self.out(f"[cyan]{escape(f'{what}: {said}' if said else what)}[/]", indent + 5 * _STEP)


def _grid(rows: list[Row], told: list[dict[str, Any]], columns: list[str]) -> Table:
    """Return rows with short words as a table, a column for each."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("", *(f"[dim]{escape(key)}[/]" for key in columns))
    for row, each in zip(rows, told, strict=True):
        cells = (escape(_short(each.get(key))) for key in columns)
        grid.add_row(f"[bold]{escape(_inner_handle(row))}[/]", *cells)
    return grid


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _inner_handle(row: Row) -> str:
    return row.handle.rpartition(".")[2]


def _short(value: Any, limit: int = 90) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        text = ", ".join(map(_inside, value))
    elif isinstance(value, dict):
        text = ", ".join(f"{key}: {_inside(item)}" for key, item in value.items())
    else:
        text = str(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _inside(value: Any) -> str:
    return "null" if value is None else str(value)
