"""The scenario clock: one anchor, and every time relative to it.

Literal dates rot: a scenario written with "last Tuesday" in mind describes last year a year later. And rows
stamped with ``now()`` inside one transaction all carry the same time, so their order is lost. Here a time
is an offset from an anchor, the anchor can be moved when a scenario is loaded, and a conversation's times
strictly increase.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from scenarios.errors import ValuesError

if TYPE_CHECKING:
    from scenarios.values.seeded import Row

DEFAULT_ANCHOR = datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
"""The "now" of a scenario that nobody moved: a Wednesday afternoon, in UTC."""

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PART = re.compile(r"\s*(?P<sign>[+-])?\s*(?P<count>\d+)\s*(?P<unit>ms|[wdhms])(?![a-z])")
_TIME_OF_DAY = re.compile(r"\s*@\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s*$")
_MICROSECOND = timedelta(microseconds=1)


def offset(text: str) -> timedelta:
    """Return the duration *text* stands for: ``"-3d 2h"`` is three days and two hours ago.

    Units are w, d, h, m, s and ms. A sign holds until the next one; without any the offset is positive.

    Raises:
        ValuesError: it cannot be read.
    """
    total, position, sign = timedelta(), 0, 1
    if text.strip() in {"", "now", "0"}:
        return total
    while position < len(text.rstrip()):
        part = _PART.match(text, position)
        if part is None:
            raise ValuesError(
                f"cannot read the offset {text!r}",
                why=f"unexpected {text[position:].strip()!r}",
                hint="write it as '-3d 2h', '-90m' or '+1w', with a time of day as '-1d @09:30'",
            )
        if part["sign"]:
            sign = -1 if part["sign"] == "-" else 1
        total += sign * int(part["count"]) * _UNITS[part["unit"]]
        position = part.end()
    return total


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of one scenario.

    Attributes:
        anchor: the scenario's "now"; timezone-aware.
        weekday_stable: moving the clock keeps every time's weekday and time of day.
    """

    anchor: datetime = DEFAULT_ANCHOR
    weekday_stable: bool = False

    def __post_init__(self) -> None:
        if self.anchor.tzinfo is None:
            raise ValuesError(
                f"the anchor {self.anchor.isoformat()} has no time zone", hint="give one, UTC for instance"
            )

    @property
    def now(self) -> datetime:
        """The scenario's present."""
        return self.anchor

    def at(self, when: str | timedelta | datetime) -> datetime:
        """Return the time *when*: an offset such as ``"-3d 2h"`` or ``"-1d @09:30"``, or a time itself.

        Raises:
            ValuesError: it cannot be read.
        """
        if isinstance(when, datetime):
            return when if when.tzinfo else when.replace(tzinfo=self.anchor.tzinfo)
        if isinstance(when, timedelta):
            return self.anchor + when
        text = when
        day_time = _TIME_OF_DAY.search(text)
        if day_time is None:
            return self.anchor + offset(text)
        try:
            at_time = time(int(day_time["hour"]), int(day_time["minute"]), int(day_time["second"] or 0))
        except ValueError as error:
            raise ValuesError(f"cannot read the time of day in {when!r}", why=str(error)) from error
        day = self.anchor + offset(text[: day_time.start()])
        return datetime.combine(day.date(), at_time, tzinfo=self.anchor.tzinfo)

    def shifted(self, now: datetime | None) -> Clock:
        """Return this clock with *now* as its present; unchanged for None.

        A weekday-stable clock moves by whole weeks, to the latest such time that is not after *now*: what
        happened on a Monday morning still did.
        """
        return self if now is None else Clock(self.anchor + self.shift_to(now), self.weekday_stable)

    def shift_to(self, now: datetime) -> timedelta:
        """Return by how much every time of the scenario moves when *now* becomes its present."""
        target = now if now.tzinfo else now.replace(tzinfo=self.anchor.tzinfo)
        distance = target - self.anchor
        return distance // timedelta(weeks=1) * timedelta(weeks=1) if self.weekday_stable else distance

    def timeline(self, start: str | timedelta | datetime, row: Row, field: str = "timeline") -> Timeline:
        """Return a timeline that begins at *start* with gaps drawn for *row*."""
        return Timeline(self.at(start), row, field)


class Timeline:
    """Strictly increasing times: the messages of a conversation, the events of a user's day."""

    __slots__ = ("_count", "_field", "_last", "_next", "_row")

    def __init__(self, start: datetime, row: Row, field: str = "timeline") -> None:
        self._next: datetime | None = start
        self._last = start
        self._row = row
        self._field = field
        self._count = 0

    @property
    def last(self) -> datetime:
        """The time given last; the start before the first."""
        return self._last

    def tick(
        self, low: timedelta = timedelta(seconds=20), high: timedelta = timedelta(minutes=4)
    ) -> datetime:
        """Return the next time: the start first, then *low* to *high* after the one before."""
        if self._next is not None:
            moment, self._next = self._next, None
        else:
            gap = self._row.duration(f"{self._field}\0{self._count}", low, high)
            moment = self._last + max(gap, _MICROSECOND)
        self._count += 1
        self._last = moment
        return moment

    def not_before(self, moment: datetime) -> datetime:
        """Return *moment* where it is later than all before, else the least later time; and move there."""
        after = moment if self._count == 0 and self._next is not None and moment >= self._next else None
        self._last = after or max(moment, self._last + _MICROSECOND)
        self._next = None
        self._count += 1
        return self._last

    def spread(self, count: int, until: datetime) -> Iterator[datetime]:
        """Yield *count* times from here to *until*, evenly apart with some jitter, strictly increasing.

        Raises:
            ValuesError: there is no room for that many.
        """
        start = self._next if self._next is not None else self._last + _MICROSECOND
        room = (until - start) // _MICROSECOND
        if count > 0 and room < count:
            raise ValuesError(
                f"{count} different times do not fit between {start.isoformat()} and {until.isoformat()}"
            )
        for index in range(count):
            low, high = room * index // count, room * (index + 1) // count - 1
            step = self._row.integer(f"{self._field}.spread\0{index}", low, max(low, high))
            self._next, self._last = None, start + step * _MICROSECOND
            self._count += 1
            yield self._last
