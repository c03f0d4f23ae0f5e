"""JSON that every reader of JSON can read, from values as a database has them.

Python writes ``NaN`` and ``Infinity``, which are no JSON: a browser that gets one in an answer shows nothing
of it. They become texts, as PostgreSQL writes them; so do bytes, and whatever else JSON has no form for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return *value* as JSON."""
    return json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def number_word(value: float) -> float | str:
    """Return *value*, or PostgreSQL's word for one that is no number in JSON."""
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return number_word(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"\\x{bytes(value).hex()}"
    return str(value)
