"""How generated Python is laid out: calls as a person would write them, broken where long."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from keyword import iskeyword
from pprint import pformat
from typing import Any

from scenarios.library.files.times import format_offset

WIDTH = 100
_FRACTION = re.compile(r"(\d+)\.(\d+)s")


class NotExpressible(Exception):
    """A builder has no words for a state; the message says for what."""


class Code(str):
    """A text that is Python already."""

    __slots__ = ()


class Variables:
    """Names of variables for handles: no keyword, nothing the module uses, and each once.

    Args:
        taken: names that mean something else in the module.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*taken, *dir(builtins)}

    def name(self, handle: str) -> str:
        """Return a name for the row *handle*."""
        word = handle.rpartition(".")[2]
        found = word if word not in self._taken and not iskeyword(word) else f"{word}_"
        number = 2
        while found in self._taken:
            found = f"{word}_{number}"
            number += 1
        self._taken.add(found)
        return found


def member(kind: type[StrEnum], value: Any) -> Code | None:
    """Return the enum member that a column's *value* is, as code."""
    return None if value is None else Code(f"{kind.__name__}.{kind(value).name}")


def members(kind: type[StrEnum], values: Iterable[Any]) -> Code:
    """Return a list of enum members as code."""
    return Code(f"[{', '.join(str(member(kind, value)) for value in values)}]")


def offset(value: datetime, anchor: datetime) -> str | Code:
    """Return a time as the offset from *anchor* that builders read, so that it moves with the clock."""
    delta = value - anchor
    if delta > timedelta() or delta.microseconds % 1000:
        return _span(delta)  # in words, builders read whole milliseconds of the past
    text = format_offset(delta) if delta else "-0s"
    return _FRACTION.sub(lambda match: f"{match[1]}s {int(match[2].ljust(3, '0'))}ms", text)


def _span(delta: timedelta) -> Code:
    """Return a length of time as code."""
    length = abs(delta)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = {
        "days": length.days,
        "hours": hours,
        "minutes": minutes,
        "seconds": seconds,
        "microseconds": length.microseconds,
    }
    inner = ", ".join(f"{name}={number}" for name, number in parts.items() if number)
    return Code(f"{'-' if delta < timedelta() else ''}timedelta({inner})")


def moment(value: datetime) -> Code:
    """Return a time as code."""
    inner = value.astimezone(UTC).timetuple()[:6]
    micro = f", {value.microsecond}" if value.microsecond else ""
    return Code(f"datetime({', '.join(map(str, inner))}{micro}, tzinfo=UTC)")


def number(value: Decimal) -> Code:
    """Return an exact number as a plain one where that says the same, else as a text."""
    if value == value.to_integral_value():
        return Code(str(int(value)))
    plain = repr(float(value))
    return Code(plain if Decimal(plain) == value else repr(str(value)))


def literal(value: Any, indent: int = 0) -> str:
    """Return *value* as code; *indent* is where the line that it begins on begins."""
    flat = _flat(value)
    if isinstance(value, Code) or (len(flat) + indent <= WIDTH - 12 and "\n" not in flat):
        return flat
    inner, end = " " * (indent + 4), " " * indent
    if isinstance(value, dict) and value:
        items = [f"{_quoted(repr(key))}: {literal(item, indent + 4)}" for key, item in value.items()]
        return "{\n" + "".join(f"{inner}{item},\n" for item in items) + end + "}"
    if isinstance(value, list | tuple) and value:
        return "[\n" + "".join(f"{inner}{literal(item, indent + 4)},\n" for item in value) + end + "]"
    if isinstance(value, str):
        parts = pformat(value, width=WIDTH - indent).splitlines()
        if len(parts) > 1:
            parts = [part.strip().removeprefix("(") for part in parts]
            parts[-1] = parts[-1].removesuffix(")")
            return "(\n" + "".join(f"{inner}{_quoted(part)}\n" for part in parts) + end + ")"
    return flat


def _flat(value: Any) -> str:
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, Decimal):
        return str(number(value))
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return f"date({value.year}, {value.month}, {value.day})"
    if isinstance(value, dict):
        items = ", ".join(f"{_quoted(repr(key))}: {_flat(item)}" for key, item in value.items())
        return "{" + items + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return _quoted(repr(value)) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


def call(target: str, *words: Any, **named: Any) -> str:
    """Return a call; arguments that are None are left out, wrap them in `Code` to say them."""
    parts = [literal(word, 8) for word in words]
    parts += [f"{name}={literal(value, 8)}" for name, value in named.items() if value is not None]
    line = f"{target}({', '.join(parts)})"
    if len(line) + 4 <= WIDTH and "\n" not in line:
        return line
    inner = ",\n".join(f"        {part}" for part in parts)
    return f"{target}(\n{inner},\n    )"
