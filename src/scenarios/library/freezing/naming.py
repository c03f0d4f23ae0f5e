"""Handles for rows found in a database: a person's name, a place in a conversation, or the one they had.

A file full of ``row_17`` is complete and nobody can review it. Rows of an instance keep the handles they were
loaded under, so that freezing a scenario after a small change gives a small difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scenarios.library.files.head import HANDLE
from scenarios.library.planning.extracted import ExtractedRow, Extraction
from scenarios.values.seeded import slug


def name_rows(extraction: Extraction, known: Mapping[tuple[str, tuple[Any, ...]], str]) -> None:
    """Give every row its handle; *known* are those that rows had, by table and key."""
    taken: set[str] = set()
    counters: dict[tuple[int, str], int] = {}
    for row in extraction.rows:
        section = row.section
        above = row.parent.handle if row.parent is not None else ""
        if section is None:
            own = known.get((row.table.fullname, row.key), "").rpartition(".")[2]
            counted = f"{slug(row.table.name).replace('-', '_')}_1"
            row.handle = _unique(own if HANDLE.match(own) else counted, taken)
        elif section.form == "one":
            row.handle = f"{above}.{section.key}"
        elif section.form == "named":
            prefix = f"{above}." if above else ""
            old = known.get((row.table.fullname, row.key), row.handle)
            wanted = old.rpartition(".")[2] or _word(row)
            reserved = (
                {inner.key for inner in row.parent.section.inner}
                if row.parent and row.parent.section
                else set()
            )
            if wanted in reserved:
                wanted = f"{wanted}_1"
            row.handle = _unique(f"{prefix}{wanted}", taken)
        else:
            number = counters.get((id(row.parent), section.key), 0) + 1
            counters[id(row.parent), section.key] = number
            chosen = known.get((row.table.fullname, row.key))
            if chosen is not None and row.parent is not None:
                row.handle, row.named = (
                    _unique(f"{row.root.handle}.{chosen.rpartition('.')[2]}", taken),
                    True,
                )
            else:
                row.handle = f"{above}.{section.unit}_{number}" if above else f"{section.unit}_{number}"
        taken.add(row.handle)


def _word(row: ExtractedRow) -> str:
    assert row.section is not None
    for column in ("first_name", "name", "title", "username"):
        value = row.values.get(column)
        if isinstance(value, str) and value:
            word = slug(value, "").replace("-", "_")[:40].strip("_")
            if word and HANDLE.match(word):
                return word
    return f"{row.section.unit}_1"


def _unique(handle: str, taken: set[str]) -> str:
    if handle not in taken:
        return handle
    base = re.sub(r"_\d+\Z", "", handle)
    number = 2
    while f"{base}_{number}" in taken:
        number += 1
    return f"{base}_{number}"
