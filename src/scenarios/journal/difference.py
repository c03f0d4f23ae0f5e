"""What differs between two databases or snapshot files, row by row.

Two states that should be equal and are not are seldom told apart by their dumps: the order of rows, sequences
and defaults drown the one row that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from scenarios.journal.changes import OPS, Change, Changes, Op
from scenarios.journal.file_format import check_file
from scenarios.journal.files import database_lines, file_lines
from scenarios.journal.install import Connection
from scenarios.journal.snapshots import Snapshot
from scenarios.journal.tables import label_of

Source = Connection | str | Path


def diff(a: Source, b: Source) -> Changes:
    """Return what must change in *a* to make it *b*, values as PostgreSQL writes them.

    Reads both as a whole into memory; rows are paired by key, or by content where there is none.

    Args:
        a: a connection, or the path of a snapshot file.
        b: likewise.

    Raises:
        SnapshotFileError: a file cannot be read.
    """
    one, other = _read(a), _read(b)
    rows: list[Change] = []
    notes: list[str] = []
    for label in sorted(set(one) | set(other)):
        if label not in one or label not in other:
            notes.append(f"{label} is only in {'the second' if label not in one else 'the first'}")
        present = one.get(label) or other[label]
        if label in one and label in other and set(one[label].columns) != set(other[label].columns):
            notes.append(f"{label} has other columns")
        rows += _compared(label, present.key, one.get(label), other.get(label))
    return Changes(rows, Snapshot(0, str(a) if isinstance(a, (str, Path)) else a.info.dbname), tuple(notes))


class _Rows:
    """The rows of a table by key, each a dictionary by column."""

    def __init__(self, described: dict[str, Any], lines: Iterator[bytes]) -> None:
        self.columns: list[str] = described["columns"]
        self.key = [self.columns[place] for place in described["key"]]
        self.by_key: dict[tuple[Any, ...], dict[str, Any]] = {}
        for line in lines:
            values = [_value(field) for field in line.split(b"\t")] if self.columns else []
            row = dict(zip(self.columns, values, strict=True))
            identity: tuple[Any, ...] = tuple(row[name] for name in self.key) if self.key else tuple(values)
            if not self.key:
                copies = 0
                while (*identity, copies) in self.by_key:
                    copies += 1
                identity = (*identity, copies)
            self.by_key[identity] = row


_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def _value(field: bytes) -> str | None:
    if field == rb"\N":
        return None
    if b"\\" not in field:
        return field.decode()
    parts = field.split(b"\\")
    plain = [parts[0]]
    escaped = False
    for part in parts[1:]:
        if escaped:
            plain.append(part)
            escaped = False
        elif part:
            plain.append(_ESCAPES.get(part[:1], part[:1]) + part[1:])
        else:
            plain.append(b"\\")  # Two in a row stand for one; what follows is plain.
            escaped = True
    return b"".join(plain).decode()


def _read(source: Source) -> dict[str, _Rows]:
    if isinstance(source, psycopg.Connection):
        tables = database_lines(source)
    else:
        check_file(source)
        tables = file_lines(Path(source))
    return {
        label_of(described["schema"], described["name"]): _Rows(described, lines)
        for described, lines in tables
    }


def _compared(label: str, key: list[str], one: _Rows | None, other: _Rows | None) -> list[Change]:
    before = one.by_key if one else {}
    after = other.by_key if other else {}
    found: dict[Op, list[Change]] = {op: [] for op in OPS}

    def add(op: Op, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        row = new if new is not None else old or {}
        found[op].append(Change(label, op, {name: row.get(name) for name in key} if key else row, old, new))

    for identity, row in after.items():
        if identity not in before:
            add("inserted", None, row)
        elif before[identity] != row:
            add("updated", before[identity], row)
    for identity, row in before.items():
        if identity not in after:
            add("deleted", row, None)
    return [change for op in OPS for change in found[op]]
