"""Rows as the data of a scenario file: nested where they belong, times relative, keys as handles.

Which columns are written is decided elsewhere (see `lossless`); how a value is written is decided here, once,
so that what is read back is what was found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from scenarios.column_types import written
from scenarios.errors import FreezeError
from scenarios.library.files.compose import escape_key
from scenarios.library.files.expressions import escape
from scenarios.library.files.times import format_offset
from scenarios.library.freezing.leaving_out import SECRET
from scenarios.library.planning.columns import CLOCK, KEY, ColumnSpec, specs
from scenarios.library.planning.extracted import ExtractedRow, Extraction
from scenarios.library.planning.sections import EXTRA, Section, Sections


class Writer:
    """Turns arranged and named rows into the data of a file.

    Attributes:
        open: the columns that are written, as (identity of the row, column); the rest is left to defaults.
    """

    def __init__(self, sections: Sections, extraction: Extraction, anchor: datetime) -> None:
        self.sections = sections
        self.extraction = extraction
        self.anchor = anchor
        self.open: set[tuple[int, str]] = set()
        self.by_text: dict[str, ExtractedRow] = {
            str(row.key[0]): row
            for row in extraction.rows
            if len(row.key) == 1 and isinstance(row.key[0], UUID) and not _made_there(row)
        }
        self.previous: dict[int, datetime] = {}
        self.spoken: dict[int, dict[int, str]] = {}

    def open_all(self) -> None:
        """Write every column but those that come to the same by the table's own default.

        Nothing is then left to the defaults of a section, which may follow from what a file says elsewhere.
        """
        for row in self.extraction.rows:
            for name, spec in specs(row.table).items():
                if name not in row.values:
                    continue
                value, default = row.values[name], spec.default
                usual = type(value) is type(default) and value == default
                follows = row.section is not None and name in row.section.defaults
                if follows or not (usual or (default is CLOCK and value == self.anchor)):
                    self.open.add((id(row), name))

    def data(self, head: Mapping[str, Any]) -> dict[str, Any]:
        """Return the file's data, with the columns that are open."""
        self.previous.clear()
        found: dict[str, Any] = dict(head)
        for section in self.sections.sections:
            rows = [row for row in self.extraction.rows if row.section is section]
            if rows:
                found[section.key] = self.section(section, rows)
        extra: dict[str, Any] = {}
        for row in self.extraction.rows:
            if row.section is None:
                extra.setdefault(row.table.fullname, {})[row.handle] = self.columns(row)
        if extra:
            found[EXTRA] = extra
        return found

    def section(self, section: Section, rows: list[ExtractedRow]) -> Any:
        """Return the data of a section's rows."""
        if section.form == "named":
            return {row.handle.rpartition(".")[2]: self.row(row) for row in rows}
        if section.form == "one":
            return self.row(rows[0])
        return [self.short(section, self.row(row)) for row in rows]

    def short(self, section: Section, data: dict[str, Any]) -> Any:
        """Return *data*, or the bare word it comes to."""
        if section.short is not None:
            label = (
                section.names.get(section.short)
                or specs(self.sections.domain.metadata.tables[section.table])[section.short].label
            )
            if list(data) == [label] and isinstance(data[label], str):
                return data[label]
        return data

    def row(self, row: ExtractedRow) -> dict[str, Any]:
        """Return the data of one row with all below it."""
        section = row.section
        assert section is not None
        data: dict[str, Any] = {}
        if section.form == "turns":
            speaker = self.speaker(row, section)
            data[speaker] = self.value(row, specs(row.table)[section.text], row.values[section.text])
        if row.named and section.form in ("list", "turns"):
            data["as"] = row.handle.rpartition(".")[2]
        data.update(self.columns(row))
        for inner in section.inner:
            rows = [child for child in row.children if child.section is inner]
            if rows:
                data[inner.key] = self.section(inner, rows)
            elif inner.always:
                data[inner.key] = None
        return data

    def speaker(self, row: ExtractedRow, section: Section) -> str:
        """Return the key of who speaks in a turn."""
        if section.spoken is not None and row.parent is not None:
            if id(row.parent) not in self.spoken:
                turns = [child for child in row.parent.children if child.section is section]
                keys = section.spoken(turns)
                self.spoken[id(row.parent)] = {id(turn): key for turn, key in zip(turns, keys, strict=True)}
            return self.spoken[id(row.parent)][id(row)]
        word = row.values[section.speaker]
        speaker = next((key for key, each in section.speakers.items() if each == word), None)
        if speaker is None:
            raise FreezeError(
                f"nobody in a scenario speaks as {word!r}", where=f"{row.table.fullname} {row.key}"
            )
        return speaker

    def columns(self, row: ExtractedRow) -> dict[str, Any]:
        """Return the open columns of *row* by their names in files."""
        section = row.section
        scope = self.sections.domain.scope if self.sections.scoped else None
        found: dict[str, Any] = {}
        for name, spec in specs(row.table).items():
            if scope is not None and name == scope.column:
                continue
            made_up = spec.column.primary_key and not spec.required and spec.target is None
            if (made_up and spec.default is not CLOCK) or (spec.column.unique and drawn(section, spec)):
                continue
            if section is not None and (
                name in section.links or name in section.hidden or name in (section.speaker, section.text)
            ):
                continue
            value = row.values.get(name)
            if value is SECRET or (id(row), name) not in self.open:
                continue
            label = (section.names.get(name) if section is not None else None) or spec.label
            found[label] = self.value(row, spec, value)
        if section is not None and section.form == "turns":
            moment = row.values[section.time]
            self.previous[id(row.parent)] = moment
        return found

    def value(self, row: ExtractedRow, spec: ColumnSpec, value: Any) -> Any:
        """Return *value* as the file has it."""
        if value is None:
            return None
        if spec.target is not None:
            other = self.extraction.referred(row, spec.target)
            if other is None:
                return {"key": self.plain(value)}
            if other.root is row.root and other is not other.root:
                return other.handle.removeprefix(f"{row.root.handle}.")
            return other.handle
        if isinstance(value, datetime):
            return self.moment(row, spec, value)
        return self.plain(value)

    def moment(self, row: ExtractedRow, spec: ColumnSpec, value: datetime) -> str:
        """Return a time as an offset: from the turn before, from the row above, or from the clock."""
        section = row.section
        if section is not None and section.form == "turns" and spec.name == section.time:
            before = self.previous.get(id(row.parent))
            if before is not None and value >= before:
                return format_offset(value - before, forward=True)
        elif section is not None and section.after is not None and row.parent is not None:
            above = row.parent.values.get(section.after)
            if isinstance(above, datetime) and value >= above:
                return format_offset(value - above, forward=True)
        delta = value - self.anchor
        return format_offset(delta) if delta <= timedelta() else value.astimezone(UTC).isoformat()

    def plain(self, value: Any) -> Any:
        """Return a value of any type such that its parser reads it back."""
        if isinstance(value, str):
            return self.handles(escape(value))
        if isinstance(value, dict):
            return {escape_key(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        return written(value)

    def handles(self, text: str) -> str:
        """Return *text* with the keys of rows in it replaced by their handles."""
        if len(text) < 36:
            return text

        def name(match: re.Match[str]) -> str:
            row = self.by_text.get(match.group().lower())
            if row is None or match.group() != str(row.key[0]):
                return match.group()
            column = next(iter(row.table.primary_key.columns)).name
            return f"${{{row.handle}.{column}}}"

        return UUIDS.sub(name, text)


def _made_there(row: ExtractedRow) -> bool:
    # What the database makes is not known yet when texts are written.
    return specs(row.table)[next(iter(row.table.primary_key.columns)).name].made_there


UUIDS = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def drawn(section: Section | None, spec: ColumnSpec) -> bool:
    """Return whether a column is an id that nobody chose, and one is drawn when a file leaves it out.

    Written into the file, such an id would let the scenario be loaded once in a database and never again.
    """
    column = spec.column
    if column.primary_key or not isinstance(column.type, sa.Uuid) or spec.target is not None:
        return False
    if section is not None and spec.name in section.defaults:
        return True
    return bool(column.unique) and spec.default is KEY
