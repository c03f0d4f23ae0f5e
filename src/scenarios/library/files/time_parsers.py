"""What a time in a scenario file may be: a moment, a time of day, a length of time.

Python has no ``infinity``, no year before the first and no month, and a database has all of them. What only
PostgreSQL knows is written as it writes it and goes there as text; everything else is checked here, against
the calendar and the scenario's clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from scenarios.library.files.column_parsers import ColumnParser
from scenarios.library.files.error_list import ErrorList
from scenarios.library.files.times import SYNTAX, Offset, parse_time
from scenarios.library.files.tree import Leaf, Node

_BEYOND = re.compile(
    r"[-+]?infinity|(\d{4,6}-\d\d-\d\d BC|\d{5,6}-\d\d-\d\d)|"
    r"(\d{5,6}-\d\d-\d\d|\d{4,6}-\d\d-\d\d(?=.* BC)) \d\d:\d\d:\d\d(\.\d{1,6})?([-+][\d:]+)?( BC)?"
)
"""Times that PostgreSQL has and Python has not: they are written and read as PostgreSQL's text."""
_INTERVAL = re.compile(
    r"([-+]?\d+ (years?|mons?|days?) ?)*([-+]?\d+:\d\d:\d\d(\.\d{1,6})?)?|P(?=.)[\dYMWDTHS.+-]*"
)
"""A length of time as PostgreSQL or ISO 8601 writes it: months and days have no fixed length."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as written, to be resolved against the clock and the rows before it."""

    when: Offset | datetime
    node: Node
    path: str
    kind: type = datetime


class When(ColumnParser):
    """A moment, usually relative to the clock."""

    name = "a time"
    example = "-1d 2h"

    def __init__(self, kind: type = datetime) -> None:
        self.kind = kind

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        if not isinstance(value, str):
            return self.wrong(node, path, errors, hint=SYNTAX)
        try:
            return Moment(parse_time(value), node, path, self.kind)
        except ValueError as error:
            if _BEYOND.fullmatch(value):
                return value
            return self.wrong(node, path, errors, str(error), SYNTAX)

    def schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "description": "a time: -3d 2h, +40s, -1d 09:30, an ISO 8601 moment, or now",
        }


class TimeOfDay(ColumnParser):
    """A time of day."""

    name = "a time of day, 09:30"

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        if value == "24:00:00":
            return value
        try:
            return time.fromisoformat(value if isinstance(value, str) else "")
        except ValueError:
            return self.wrong(node, path, errors, hint="write it as 09:30 or 09:30:15")

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


class Duration(ColumnParser):
    """A length of time."""

    name = "a length of time, 2h 30m"

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, str):
            try:
                parsed = parse_time(value if value[:1] in "+-" else f"+{value}")
            except ValueError:
                parsed = None
            if isinstance(parsed, Offset) and parsed.clock is None:
                return parsed.delta
            if value and _INTERVAL.fullmatch(value):
                return value
        return self.wrong(node, path, errors, hint="write it as 2h 30m or 40s")

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


def moment(value: Offset | datetime, base: datetime) -> datetime:
    """Return the moment *value* means when offsets count from *base*, in UTC.

    Raises:
        OverflowError: outside the calendar.
    """
    found = value.after(base) if isinstance(value, Offset) else value
    return found.astimezone(UTC)
