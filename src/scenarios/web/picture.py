"""A scenario as a person wants to see it: who is there, how far they are, what was said and when.

Made from the planned rows and the system's sections alone, so that a page for another system needs no code:
people are the rows of the people's table, a conversation is a section of turns, and what can be tallied is a
column with a fixed vocabulary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from scenarios.domain import PERSONAL
from scenarios.library.catalogue.view import readable, spoken_by
from scenarios.library.files.column_parsers import EnumText
from scenarios.library.planning.columns import specs
from scenarios.library.planning.sections import visible

if TYPE_CHECKING:
    from scenarios.library.planning.plan import Plan
    from scenarios.library.planning.rows import Row

TURNS_ON_A_PAGE = 100
TURNS_SHOWN = 8
PEOPLE_ON_A_PAGE = 12
ROWS_SHOWN = 25
_TALLIED = ("state", "status")
_LONG = 160


@dataclass(frozen=True, slots=True)
class Aside:
    """What stands beside a message: a note, an action, a log entry."""

    kind: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of a conversation."""

    handle: str
    side: str
    who: str
    moment: datetime
    text: str
    asides: tuple[Aside, ...]
    new_day: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages under one row; `turns` are those of one page."""

    handle: str
    title: str
    total: int
    turns: tuple[Turn, ...]
    page: int = 1
    pages: int = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of one kind, with the columns that say something."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    total: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a scenario."""

    handle: str
    name: str
    email: str
    facts: tuple[tuple[str, str], ...]
    grids: tuple[Grid, ...]
    conversations: tuple[Conversation, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A word of a vocabulary and how many rows have it."""

    word: str
    count: int
    share: float
    who: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How the rows of one kind are spread over a vocabulary, in its order."""

    title: str
    bars: tuple[Bar, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of the timeline."""

    label: str
    count: int
    share: float
    parts: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Picture:
    """Everything a scenario's page shows of its rows."""

    rows: int
    counts: dict[str, int]
    tallies: list[Tally] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    total_people: int = 0
    page: int = 1
    pages: int = 1
    others: list[Grid] = field(default_factory=list)
    timeline: list[Moment] = field(default_factory=list)


def words(text: str) -> str:
    """Return a vocabulary's word as people write it: ``GET_TO_KNOW_YOU`` as ``Get to know you``."""
    return text.replace("_", " ").strip().capitalize()


def title_of(row: Row) -> str:
    """Return what people call *row*."""
    values = row.values
    name = " ".join(str(values[key]) for key in ("first_name", "last_name") if values.get(key))
    if name:
        return name
    for key in ("name", "title", "display_name", "full_name", "username"):
        if isinstance(values.get(key), str) and values[key]:
            return str(values[key])
    return row.handle.rpartition(".")[2]


def people_of(plan: Plan) -> list[Row]:
    """Return the rows that are people."""
    table = plan.sections.people or plan.sections.domain.owner
    return [row for row in plan.rows if row.section.table == table] if table else []


def phases_of(plan: Plan) -> list[str]:
    """Return the phases people are in, in a system that has such."""
    name = plan.sections.phase
    found = [str(row.values[name]) for row in plan.rows if name and row.values.get(name)]
    return list(dict.fromkeys(found))


def picture_of(plan: Plan, page: int = 1) -> Picture:
    """Return what the page of a scenario shows, with the people of one page."""
    people = people_of(plan)
    pages = max(1, -(-len(people) // PEOPLE_ON_A_PAGE))
    page = min(max(1, page), pages)
    shown = people[(page - 1) * PEOPLE_ON_A_PAGE : page * PEOPLE_ON_A_PAGE]
    names = _Names(plan)
    ids = {id(row) for row in people}
    found = Picture(len(plan.rows), dict(sorted(plan.counts.items())))
    found.tallies = list(_tallies(plan))
    found.people = [_person(row, plan, names) for row in shown]
    found.total_people, found.page, found.pages = len(people), page, pages
    top = [row for row in plan.rows if row.parent is None and id(row) not in ids]
    for key in dict.fromkeys(row.section.key for row in top):
        grid = _grid(key, [row for row in top if row.section.key == key], plan, names)
        if grid is not None:
            found.others.append(grid)
    found.timeline = _timeline(plan.rows)
    return found


def conversation_of(plan: Plan, handle: str, page: int | None) -> Conversation | None:
    """Return one page of the conversation under the row *handle*; the last page for None."""
    row = plan.by_handle.get(handle)
    if row is None:
        return None
    turns = [child for child in row.children if child.section.form == "turns"]
    if not turns:
        return None
    return _conversation(row, turns, page)


def _conversation(row: Row, turns: list[Row], page: int | None, shown: int = TURNS_ON_A_PAGE) -> Conversation:
    pages = max(1, -(-len(turns) // shown))
    page = pages if page is None else min(max(1, page), pages)
    part = turns[-shown:] if shown == TURNS_SHOWN else turns[(page - 1) * shown : page * shown]
    user = title_of(row.root).split(" ")[0]
    made: list[Turn] = []
    last: date | None = None
    for turn in part:
        section = turn.section
        speakers = {word: key for key, word in section.speakers.items()}
        who = speakers.get(spoken_by(turn), str(spoken_by(turn)))
        moment = turn.values[section.time]
        made.append(
            Turn(
                turn.handle,
                "user" if who == section.person else "coach",
                user if who == section.person else words(who),
                moment,
                str(turn.values[section.text]),
                tuple(_asides(turn)),
                moment.date() != last,
            )
        )
        last = moment.date()
    return Conversation(row.handle, title_of(row), len(turns), tuple(made), page, pages)


def _asides(turn: Row) -> Iterable[Aside]:
    for child in turn.children:
        section = child.section
        if not section.silent:
            kind, said = child.values.get(section.kind), child.values.get(section.says)
            yield Aside(section.unit, str(kind or ""), str(said or ""))


def _person(row: Row, plan: Plan, names: _Names) -> Person:
    facts: list[tuple[str, str]] = []
    grids: list[Grid] = []
    chats: list[Conversation] = []
    own = [(label, text) for label, text in _fields(row, plan, names) if label not in ("email", "password")]
    skip = {"first name", "last name", "name"}
    facts += [(label, text) for label, text in own if label not in skip][:6]
    for section in row.section.inner:
        rows = [child for child in row.children if child.section is section]
        if not rows:
            continue
        if section.form == "turns":
            chats.append(_conversation(row, rows, None, TURNS_SHOWN))
        elif section.form == "one":
            facts += _fields(rows[0], plan, names)
        else:
            grid = _grid(section.key, rows, plan, names)
            if grid is not None:
                grids.append(grid)
    for child in row.subtree()[1:]:
        turns = [each for each in child.children if each.section.form == "turns"]
        if turns and len(chats) < 6:
            chats.append(_conversation(child, turns, None, TURNS_SHOWN))
    email = str(row.values.get("email") or row.values.get("username") or "")
    return Person(row.handle, title_of(row), email, tuple(facts), tuple(grids), tuple(chats))


class _Names:
    """Handles of rows by table and key, looked up once for a page."""

    def __init__(self, plan: Plan) -> None:
        self._rows: dict[tuple[str, str], dict[Any, str]] = {}
        self._plan = plan

    def of(self, table: str, column: str, value: Any) -> str | None:
        known = self._rows.get((table, column))
        if known is None:
            known = self._rows[table, column] = {}
            for row in self._plan.rows:
                if row.table.fullname == table:
                    key = row.values.get(column)
                    if isinstance(key, int | str) or hasattr(key, "__hash__"):
                        known.setdefault(key, row.handle)
        return known.get(value)


def _fields(row: Row, plan: Plan, names: _Names) -> list[tuple[str, str]]:
    """Return what *row* says besides its defaults; references as handles, times as offsets."""
    found: list[tuple[str, str]] = []
    for label, spec in visible(row.section, row.table, plan.sections).items():
        value = row.values.get(spec.name)
        if value in (None, "", [], {}) or spec.column.info.get(PERSONAL) == "secret":
            continue
        if spec.name in ("created_at", "updated_at", "date_joined"):
            continue
        if value == spec.default and type(value) is type(spec.default):
            continue
        if spec.target is not None:
            handle = names.of(spec.target.table, spec.target.column, value)
            value = handle.removeprefix(f"{row.root.handle}.") if handle else str(value)
        elif isinstance(spec.parser, EnumText) and isinstance(value, str) and value.isupper():
            value = words(value)
        found.append((label.replace("_", " "), short(readable(value, plan))))
    return found


def short(value: Any, limit: int = _LONG) -> str:
    """Return *value* in at most *limit* characters."""
    if isinstance(value, list):
        text = ", ".join(
            words(item) if isinstance(item, str) and item.isupper() else str(item) for item in value
        )
    elif isinstance(value, dict):
        text = ", ".join(f"{key}: {item}" for key, item in value.items())
    else:
        text = str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _grid(title: str, rows: Sequence[Row], plan: Plan, names: _Names) -> Grid | None:
    data = [dict(_fields(row, plan, names)) for row in rows[:ROWS_SHOWN]]
    columns = tuple(dict.fromkeys(key for each in data for key in each))[:7]
    if not columns:
        return None
    lines = tuple(
        (row.handle.removeprefix(f"{row.root.handle}."), tuple(each.get(key, "") for key in columns))
        for row, each in zip(rows[:ROWS_SHOWN], data, strict=True)
    )
    return Grid(title.replace("_", " "), columns, lines, len(rows))


def _tallies(plan: Plan) -> Iterable[Tally]:
    done: set[tuple[str, str]] = set()
    for row in plan.rows:
        for name in (plan.sections.phase, *_TALLIED):
            spec = specs(row.table).get(name)
            if spec is None or not isinstance(spec.parser, EnumText) or (row.table.fullname, name) in done:
                continue
            done.add((row.table.fullname, name))
            rows = [each for each in plan.rows if each.table is row.table and each.values.get(name)]
            label = row.section.names.get(name, name)
            title = f"people by {label}" if name == plan.sections.phase else f"{row.section.key} by {label}"
            yield _tally(title, name, spec.parser, rows)


def _tally(title: str, name: str, parser: EnumText, rows: list[Row]) -> Tally:
    counts = Counter(str(row.values[name]) for row in rows)
    most = max(counts.values(), default=1)
    bars = []
    for word in parser.words:
        who = [_who(row) for row in rows if str(row.values[name]) == word]
        bars.append(Bar(words(word), counts[word], counts[word] / most, tuple(dict.fromkeys(who))[:8]))
    return Tally(words(title), tuple(bars), len(rows))


def _who(row: Row) -> str:
    return row.root.handle if row.section.form == "one" else row.handle.rpartition(".")[2]


def _timeline(rows: list[Row]) -> list[Moment]:
    moments: list[tuple[datetime, str]] = []
    for row in rows:
        names = (row.section.time, "timestamp", "started_at", "submitted_at", "created_at")
        found = next((row.values.get(name) for name in names if name and row.values.get(name)), None)
        if isinstance(found, datetime) and not row.section.silent:
            moments.append((found, row.section.unit))
    if not moments:
        return []
    days = {moment.date() for moment, _ in moments}
    pattern = "%a %d %b %Y" if len(days) <= 31 else "%B %Y"
    groups: dict[str, Counter[str]] = {}
    for moment, unit in sorted(moments):
        groups.setdefault(moment.strftime(pattern), Counter())[unit] += 1
    most = max(group.total() for group in groups.values())
    return [
        Moment(label, group.total(), group.total() / most, tuple(group.most_common(5)))
        for label, group in groups.items()
    ][-60:]
