"""Plain data as the YAML a person would have written.

A general YAML writer is correct and hard to read: it quotes what needs no quotes, breaks texts at column
eighty and spreads ``{type: x, at: y}`` over four lines. What this one writes, `scenarios.library.files.tree`
reads back as the same data, whatever the texts contain; a test generates texts to hold it to that.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from scenarios.library.files.tree import resolve

WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z0-9_+\-./][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff#:,\[\]{}&*!|>'\"%`\\]*\Z")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_+-]*\Z")
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def to_yaml(data: Mapping[str, Any], *, comments: Iterable[str] = (), spaced: Iterable[str] = ()) -> str:
    """Return *data* as YAML.

    Args:
        data: mappings, lists and scalars.
        comments: lines to stand at the top.
        spaced: top-level keys that get an empty line before them.
    """
    lines = [f"# {line}".rstrip() for line in comments]
    before = set(spaced)
    for key, value in data.items():
        if key in before:
            lines.append("")
        _pair(lines, key, value, 0)
    return "\n".join(lines) + "\n"


def _pair(lines: list[str], key: str, value: Any, depth: int, lead: str | None = None) -> None:
    pad = "  " * depth
    head = f"{pad if lead is None else lead}{key_text(key)}:"
    if isinstance(value, Mapping) and value:
        if _flat(value) and len(short := f"{head} {flow(value)}") <= WIDTH:
            lines.append(short)
            return
        lines.append(head)
        for inner, item in value.items():
            _pair(lines, inner, item, depth + 1)
    elif isinstance(value, list) and value:
        if (
            _flat(value)
            and not any(isinstance(item, Mapping) for item in value)
            and len(short := f"{head} {flow(value)}") <= WIDTH
        ):
            lines.append(short)
            return
        lines.append(head)
        for item in value:
            _item(lines, item, depth + 1)
    else:
        lines.append(f"{head} {_scalar(value, depth + 1)}")


def _item(lines: list[str], value: Any, depth: int) -> None:
    pad = "  " * depth
    if isinstance(value, Mapping) and value:
        if len(value) > 1 and _flat(value) and len(short := f"{pad}- {flow(value)}") <= WIDTH:
            lines.append(short)
            return
        lead: str | None = f"{pad}- "
        for key, item in value.items():
            _pair(lines, key, item, depth + 1, lead)
            lead = None
    elif isinstance(value, list) and value and not (_flat(value) and len(pad) + len(flow(value)) < WIDTH):
        lines.append(f"{pad}-")
        for item in value:
            _item(lines, item, depth + 1)
    elif isinstance(value, list):
        lines.append(f"{pad}- {flow(value)}")
    else:
        lines.append(f"{pad}- {_scalar(value, depth + 1)}")


def _flat(value: Any) -> bool:
    if len(value) > 24:
        return False
    items = value.values() if isinstance(value, Mapping) else value
    return all(
        not isinstance(item, Mapping | list) or not item or (isinstance(item, list) and _flat(item))
        for item in items
    ) and not any(isinstance(item, str) and len(item) > 70 for item in items)


def flow(value: Any) -> str:
    """Return *value* on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key_text(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def key_text(key: str) -> str:
    """Return a mapping's key."""
    return key if _KEY.match(key) and resolve(key) == key else _quoted(key)


def scalar(value: Any) -> str:
    """Return a scalar on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return ".nan"
        if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return _text(str(value))


def _text(text: str) -> str:
    if (
        _PLAIN.match(text)
        and text == text.strip()
        and isinstance(resolve(text), str)
        and not text.startswith(("-", "---", "..."))
    ):
        return text
    if (
        text.startswith("-")
        and len(text) > 1
        and text[1].isdigit()
        and _PLAIN.match(text)
        and isinstance(resolve(text), str)
    ):
        return text if text == text.strip() else _quoted(text)
    return _quoted(text)


def _quoted(text: str) -> str:
    """Return *text* in double quotes; JSON's escapes are YAML's."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)


def _scalar(value: Any, depth: int) -> str:
    if not isinstance(value, str) or not _blockable(value):
        return scalar(value)
    pad = "  " * depth
    body = value.rstrip("\n")
    trailing = len(value) - len(body)
    chomp = {0: "-", 1: ""}.get(trailing, "+")
    lines = [f"{pad}{line}" if line else "" for line in body.split("\n")]
    return f"|{chomp}\n" + "\n".join(lines) + "\n" * max(0, trailing - 1)


def _blockable(text: str) -> bool:
    if "\n" not in text or "\r" in text or "\t" in text or _UNSAFE.search(text):
        return False
    lines = text.rstrip("\n").split("\n")
    if not lines[0] or lines[0][0] == " ":
        return False
    return all(line == line.rstrip() for line in lines) and len(text) - len(text.rstrip("\n")) <= 1
