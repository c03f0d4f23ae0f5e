"""When things happened to a person, in one order, whatever tables they are in.

A state is the end of a story, and a bug often lies in its order: an identity accepted before it was proposed,
an essay read before it was sent. A line for every row would hide that among a thousand messages; so what was
said in one sitting is one line, and so are rows of a kind that came one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from scenarios.library.planning.columns import specs

if TYPE_CHECKING:
    from scenarios.library.planning.rows import Row
    from scenarios.library.planning.sections import Section

_SITTING = timedelta(hours=1)
"""A longer silence ends a sitting."""
_NAMED = 6
"""So many rows of a kind are named; of more, their number is told."""
_UNTOLD = frozenset({"updated_at"})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: to which row, and what, as its column's name tells."""

    moment: datetime
    row: Row
    what: str

    @property
    def kind(self) -> tuple[str, str, object]:
        """Events of one kind, one after the other on one day, are told together."""
        return self.row.section.unit, self.what, self.moment.date()


def timeline(person: Row, anchor: datetime) -> Iterator[tuple[str, str]]:
    """Yield what happened to *person* as (when, what), the first first.

    Args:
        person: the row of a person, whose subtree is told.
        anchor: the moment the clock shows; what is later is told as yet to come.
    """
    lines: list[tuple[datetime, str]] = list(_sittings(person))
    lines += _many(person)
    events = sorted(_events(person), key=lambda event: event.moment)
    for _, group in groupby(events, key=lambda event: event.kind):
        together = list(group)
        lines.append((together[0].moment, _told(together, person)))
    come = False
    for moment, what in sorted(lines, key=lambda line: line[0]):
        if moment > anchor and not come:
            come = True
            yield f"{anchor:%a %d %b %Y %H:%M}", "the clock stands here"
        yield f"{moment:%a %d %b %Y %H:%M}", what


def _told(events: list[Event], person: Row) -> str:
    first = events[0]
    unit = first.row.section.unit
    handles = list(dict.fromkeys(event.row.handle.rpartition(".")[2] for event in events))
    if len(handles) > _NAMED:
        return f"{unit}: {len(events)} {first.what}"
    if first.row is person:
        return first.what
    if first.row.section.form == "one":
        return f"{unit} {first.what}"
    names = ", ".join(handles)
    return f"{names} {first.what}" if handles[0].startswith(unit) else f"{unit} {names} {first.what}"


def _moments(row: Row) -> dict[datetime, str]:
    """Return the times in the columns of *row*, each with the first column that has it."""
    found: dict[datetime, str] = {}
    for name in specs(row.table):
        value = row.values.get(name)
        if isinstance(value, datetime) and name not in _UNTOLD:
            found.setdefault(value, name)
    return found


def _events(row: Row) -> Iterator[Event]:
    """Yield what happened to *row* and to what stands under it, without conversations and long lists."""
    for moment, name in _moments(row).items():
        what = name.removeprefix("date_").removesuffix("_at").replace("_", " ")
        yield Event(moment, row, "noted" if what == "at" else what)
    for _, rows in _by_section(row):
        if rows[0].section.form != "turns" and not _is_long(rows):
            for child in rows:
                yield from _events(child)


def _many(row: Row) -> Iterator[tuple[datetime, str]]:
    """Yield a line for each long list under *row*: measurements, logs."""
    for section, rows in _by_section(row):
        if _is_long(rows):
            moments = sorted(moment for each in rows for moment in _moments(each))
            if moments:
                yield moments[0], f"{section.key}: {len(rows)} rows until {moments[-1]:%a %d %b %Y}"
        elif section.form != "turns":
            for child in rows:
                yield from _many(child)


def _by_section(row: Row) -> Iterator[tuple[Section, list[Row]]]:
    for section in row.section.inner:
        rows = [child for child in row.children if child.section is section]
        if rows:
            yield section, rows


def _is_long(rows: list[Row]) -> bool:
    return len(rows) > _NAMED and rows[0].section.form == "list"


def _sittings(row: Row) -> Iterator[tuple[datetime, str]]:
    """Yield what was said, and what hangs on it, by sitting."""
    sitting: list[Row] = []
    for child in row.children:
        if child.section.form != "turns":
            yield from _sittings(child)
            continue
        time = child.section.time
        if sitting and child.values[time] - sitting[-1].values[time] > _SITTING:
            yield _sat(sitting)
            sitting = []
        sitting.append(child)
    if sitting:
        yield _sat(sitting)


def _sat(turns: list[Row]) -> tuple[datetime, str]:
    time = turns[0].section.time
    begun, ended = turns[0].values[time], turns[-1].values[time]
    hanging: Counter[tuple[str, str]] = Counter()
    for turn in turns:
        for row in turn.subtree()[1:]:
            if not row.section.silent:
                hanging[row.section.unit, row.section.key] += 1
    told = [f"{len(turns)} turns until {ended:%H:%M}"] if len(turns) > 1 else ["1 turn"]
    told += [f"{count} {one if count == 1 else more}" for (one, more), count in hanging.items()]
    return begun, ", ".join(told)
