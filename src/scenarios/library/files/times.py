"""Times as people write them in a scenario: relative to the scenario's clock.

Fixed dates rot: a scenario with "last week" written as a date is wrong a month later. Almost every time in
a file is an offset from one anchor (``-3d 2h``), or from the turn before (``+40s``); loading with another
anchor moves everything together. Offsets are exact to the microsecond, so that a frozen state loses
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

_UNITS = {"w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}
_OFFSET = re.compile(
    r"(?P<sign>[-+])\s*(?P<parts>[0-9.]+\s*[wdhms](\s*[0-9.]+\s*[wdhms])*)(\s+@?(?P<clock>\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?))?\Z"
)
_PART = re.compile(r"(?P<number>\d{1,9}(\.\d{1,6})?)\s*(?P<unit>[wdhms])")
SYNTAX = "write an offset as -3d 2h, +40s or -1d @09:30, a moment as 2025-03-03T09:00:00+00:00, or now"
"""How a time is written; the hint of every error about one."""


@dataclass(frozen=True, slots=True)
class Offset:
    """A time relative to another.

    Attributes:
        delta: how far away.
        forward: written with a plus: after the row before it (or the anchor, for a first row).
        clock: the time of day (microseconds since midnight) to which the day is then set, or None.
    """

    delta: timedelta
    forward: bool = False
    clock: int | None = None

    def after(self, base: datetime) -> datetime:
        """Return the moment this far from *base*.

        Raises:
            OverflowError: outside the calendar.
        """
        moment = base + self.delta
        if self.clock is not None:
            midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
            moment = midnight + timedelta(microseconds=self.clock)
        return moment


def parse_time(text: str) -> Offset | datetime:
    """Return what *text* means: an offset, or a moment with its zone (UTC where none is written).

    Raises:
        ValueError: it is no time; the message is a clause without the hint of ``SYNTAX``.
    """
    text = text.strip()
    if text in {"now", "anchor"}:
        return Offset(timedelta())
    match = _OFFSET.match(text)
    if match:
        microseconds = 0
        rest = match["parts"]
        spot = 0
        while spot < len(rest):
            part = _PART.match(rest, spot)
            if part is None:
                raise ValueError(f"{text!r} is not an offset")
            whole, _, fraction = part["number"].partition(".")
            unit = _UNITS[part["unit"]]
            microseconds += int(whole) * unit + (int(fraction.ljust(6, "0")) * unit) // 1_000_000 * bool(
                fraction
            )
            spot = part.end()
            while spot < len(rest) and rest[spot].isspace():
                spot += 1
        clock = _clock(match["clock"]) if match["clock"] else None
        sign = -1 if match["sign"] == "-" else 1
        try:
            return Offset(timedelta(microseconds=sign * microseconds), match["sign"] == "+", clock)
        except OverflowError:
            raise ValueError(f"{text!r} is further away than a calendar reaches") from None
    if text[:4].isdigit():
        try:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            moment.astimezone(UTC)
        except (OverflowError, ValueError) as error:
            raise ValueError(f"{text!r} is not a moment: {error}") from None
        return moment
    raise ValueError(f"{text!r} is not a time")


def _clock(text: str) -> int:
    hours, minutes, *rest = text.split(":")
    seconds = float(rest[0]) if rest else 0.0
    if int(hours) > 23 or int(minutes) > 59 or seconds >= 60:
        raise ValueError(f"{text!r} is not a time of day")
    return round((int(hours) * 3600 + int(minutes) * 60 + seconds) * 1_000_000)


def format_offset(delta: timedelta, *, forward: bool = False) -> str:
    """Return *delta* as ``parse_time`` reads it, exactly; ``forward`` writes a plus also for zero."""
    total = delta // timedelta(microseconds=1)
    if total == 0:
        return "+0s" if forward else "now"
    sign = "-" if total < 0 else "+"
    left = abs(total)
    parts = []
    for unit in ("d", "h", "m"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if left:
        seconds, micro = divmod(left, 1_000_000)
        parts.append(f"{seconds}.{micro:06d}".rstrip("0") + "s" if micro else f"{seconds}s")
    return sign + " ".join(parts)


def of_one_kind(values: list[Any]) -> list[Any]:
    """Return the elements of an array such that a driver takes them: all as texts where some have to be.

    What Python has no time for (``infinity``, a month) is PostgreSQL's text, and may stand beside one it has.
    """
    return _as_text(values) if _has_text(values) else values


def _has_text(value: Any) -> bool:
    return any(map(_has_text, value)) if isinstance(value, list) else isinstance(value, str)


def _as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, timedelta):
        minutes, seconds = divmod(value.seconds, 60)
        return f"{value.days} days {minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{value.microseconds:06}"
    return value.isoformat() if isinstance(value, date | time) else value
