"""What a model's own functions make for the columns of a scenario, the same again when it is loaded again.

A default such as ``lambda: secrets.token_hex(4)`` is asked once for each row. Its values are seeded where it
is plain what they are (a UUID, a text of hexadecimal digits) and where the function uses Python's own random
numbers; whatever else it makes is kept with the instance, so that a reset gives it again.
"""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from scenarios.graph.defaults import RowContext
from scenarios.library.planning.columns import ColumnSpec, python_value
from scenarios.library.planning.plan import Plan, Serial
from scenarios.library.planning.rows import Row

_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
_HEX = re.compile(r"[0-9a-f]{8,64}\Z")
_MIXED = re.compile(r"(?=.*\d)(?=.*[a-f])")


class CannotMake(Exception):
    """The function needs what only the running application has; the text says what."""


def asks_for_row(spec: ColumnSpec) -> bool:
    """Return whether the default of *spec* is called with the row's values."""
    # SQLAlchemy wraps a function without parameters.
    return not hasattr(getattr(spec.column.default, "arg", None), "__wrapped__")


def make(plan: Plan, row: Row, spec: ColumnSpec) -> Any:
    """Return what the default of *spec* comes to for *row*.

    Raises:
        CannotMake: it failed.
    """
    known = plan.made.get(row.handle, {})
    if spec.name in known:
        return from_json(known[spec.name])
    default: Any = spec.column.default
    values = {
        column.key: row.values[column.name]
        for column in row.table.columns
        if column.name in row.values and not isinstance(row.values[column.name], Serial)
    }
    context = RowContext(lambda: values, spec.column)
    state = random.getstate()
    random.seed(plan.values(row).uuid(f"default of {spec.name}").bytes)
    try:
        made = python_value(default.arg(context), spec.column)
        others = _others(default.arg, context, made)
    except Exception as error:
        raise CannotMake(f"{type(error).__name__}: {error}") from error
    finally:
        random.setstate(state)
    if others and isinstance(made, UUID):
        return plan.values(row).uuid(spec.name)
    if others and isinstance(made, str) and _UUID.match(made):
        return str(plan.values(row).uuid(spec.name))
    if others and isinstance(made, str) and any(_MIXED.match(each) for each in others):
        # Like ids, and unlike other values, another one in each instance: such texts are unique.
        ids = (plan.values(row).uuid(f"{spec.name} {number}") for number in range(2))
        return "".join(each.hex for each in ids)[: len(made)]
    if isinstance(made, dt.datetime | dt.date) and isinstance(spec.column.type, sa.DateTime | sa.Date):
        return plan.anchor.date() if isinstance(spec.column.type, sa.Date) else plan.anchor
    kept = to_json(made)
    if kept is not None:
        plan.made.setdefault(row.handle, {})[spec.name] = kept
    return made


def _others(function: Any, context: RowContext, made: Any) -> list[Any]:
    """Return what *function* makes when it is asked again, where that tells ids drawn at random from others.

    One text of hexadecimal digits may by chance have no letter; some of them have.
    """
    if isinstance(made, UUID) or (isinstance(made, str) and (_UUID.match(made) or _HEX.match(made))):
        others = [function(context) for _ in range(6)]
        alike = all(type(each) is type(made) for each in others)
        if alike and isinstance(made, str):
            alike = all(len(each) == len(made) and (_UUID.match(each) or _HEX.match(each)) for each in others)
        return others if alike and len({made, *others}) == len(others) + 1 else []
    return []


_TEXTS: Mapping[str, tuple[type, Any]] = {
    "datetime": (dt.datetime, dt.datetime.fromisoformat),
    "date": (dt.date, dt.date.fromisoformat),
    "time": (dt.time, dt.time.fromisoformat),
    "decimal": (Decimal, Decimal),
    "bytes": (bytes, bytes.fromhex),
}


def to_json(value: Any) -> Any:
    """Return *value* as JSON can hold it; None where it cannot."""
    for name, (kind, _) in _TEXTS.items():
        if type(value) is kind:
            return {"of": name, "text": value.hex() if isinstance(value, bytes) else str(value)}
    plain = isinstance(value, str | int | float | bool | list | dict)
    return {"value": value} if plain else None


def from_json(kept: Mapping[str, Any]) -> Any:
    """Return the value that `to_json` made *kept* of."""
    if "value" in kept:
        return kept["value"]
    return _TEXTS[kept["of"]][1](kept["text"])
