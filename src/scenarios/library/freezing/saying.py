"""How generated Python is laid out: calls as a person would write them, broken where long."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pprint import pformat
from typing import Any

from scenarios.library.files.times import format_offset

WIDTH = 100
_FRACTION = re.compile(r"(\d+)\.(\d+)s")


class CannotSay(Exception):
    """A builder has no words for a state; the message says for what."""


class Code(str):
    """A text that is Python already."""

    __slots__ = ()


def member(kind: type[StrEnum], value: Any) -> Code | None:
    """Return the enum member that a column's *value* is, as code."""
    return None if value is None else Code(f"{kind.__name__}.{kind(value).name}")


def members(kind: type[StrEnum], values: Iterable[Any]) -> Code:
    """Return a list of enum members as code."""
    return Code(f"[{', '.join(str(member(kind, value)) for value in values)}]")


def offset(value: datetime, anchor: datetime) -> str | Code:
    """Return a time as the offset from *anchor* that builders read, and one to come as a moment."""
    delta = value - anchor
    if delta > timedelta() or delta.microseconds % 1000:
        return moment(value)  # builders read whole milliseconds
    text = format_offset(delta) if delta else "-0s"
    return _FRACTION.sub(lambda match: f"{match[1]}s {int(match[2].ljust(3, '0'))}ms", text)


def moment(value: datetime) -> Code:
    """Return a time as code."""
    inner = value.astimezone(UTC).timetuple()[:6]
    micro = f", {value.microsecond}" if value.microsecond else ""
    return Code(f"datetime({', '.join(map(str, inner))}{micro}, tzinfo=UTC)")


def literal(value: Any, indent: int = 0) -> str:
    """Return *value* as code."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return f"date({value.year}, {value.month}, {value.day})"
    if isinstance(value, dict):
        items = [f"{_quoted(repr(key))}: {literal(item, indent + 4)}" for key, item in value.items()]
        line = "{" + ", ".join(items) + "}"
        if len(line) + indent <= WIDTH - 12 and "\n" not in line:
            return line
        return "{" + "".join(f"\n{' ' * indent}{item}," for item in items) + f"\n{' ' * (indent - 4)}}}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, str):
        text = pformat(value, width=WIDTH - indent)
        return _quoted(text) if "\n" not in text else text.strip("()").replace("\n ", "\n" + " " * indent)
    return repr(value)


def _quoted(text: str) -> str:
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


def call(target: str, *words: Any, **named: Any) -> str:
    """Return a call; arguments that are None are left out, wrap them in `Code` to say them."""
    parts = [literal(word, 8) for word in words]
    parts += [f"{name}={literal(value, 12)}" for name, value in named.items() if value is not None]
    line = f"{target}({', '.join(parts)})"
    if len(line) + 4 <= WIDTH and "\n" not in line:
        return line
    inner = ",\n".join(f"        {part}" for part in parts)
    return f"{target}(\n{inner},\n    )"
