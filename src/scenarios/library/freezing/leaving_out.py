"""What a frozen scenario leaves out: secrets, an instance's suffixes, and the parts nobody asked for.

A password hash in a file is a secret in a repository, and an address with an instance's suffix gets a second
one when it is loaded. A part of a conversation must still fit together: what hangs on a message goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios.domain import PERSONAL
from scenarios.errors import FreezeError
from scenarios.library.planning.columns import specs
from scenarios.library.planning.extracted import ExtractedRow, Extraction
from scenarios.library.planning.sections import Sections


class _SecretValue:
    def __repr__(self) -> str:
        return "a secret"


SECRET = _SecretValue()
"""Stands where a secret stood."""


def strip(extraction: Extraction, instance: str | None) -> list[str]:
    """Take out what a file never holds: secrets, and the instance's suffixes."""
    secrets = 0
    for row in extraction.rows:
        section = row.section
        for column in row.table.columns:
            name = column.name
            value = row.values.get(name)
            if column.info.get(PERSONAL) == "secret" and value:
                default = section.defaults.get(name) if section is not None else None
                if default is not None:
                    row.values[name] = SECRET
                    secrets += 1
            if (
                instance is not None
                and section is not None
                and name in section.suffixed
                and isinstance(value, str)
            ):
                row.values[name] = section.suffixed[name].strip(value, instance)
    return [f"{secrets} secrets left out (passwords, tokens): loading makes new ones"] if secrets else []


def subset(
    extraction: Extraction,
    sections: Sections,
    last_messages: int | None,
    session: str | None,
    known: Mapping[tuple[str, tuple[Any, ...]], str],
    notes: list[str],
) -> None:
    """Keep a part of the conversation, with only what fits it.

    Raises:
        FreezeError: there is no such session.
    """
    turns = next((section for section in sections.walk() if section.form == "turns"), None)
    if turns is None or (last_messages is None and session is None):
        return
    messages = [row for row in extraction.rows if row.table.fullname == turns.table]
    doomed: set[int] = set()
    if session is not None:
        doomed |= _out_of_session(extraction, sections, messages, session, known)
    if last_messages is not None:
        by_owner: dict[Any, list[ExtractedRow]] = {}
        owner = next(iter(turns.links), "")
        for row in messages:
            if id(row) not in doomed:
                by_owner.setdefault(row.values.get(owner), []).append(row)
        for rows in by_owner.values():
            rows.sort(key=lambda row: (row.values[turns.time], str(row.key)))
            doomed |= {id(row) for row in rows[: max(0, len(rows) - last_messages)]}
    for section in sections.walk():
        if section.above is not None:
            for row in extraction.rows:
                above = section.above(row, extraction) if row.table.fullname == section.table else None
                if above is not None and id(above) in doomed:
                    doomed.add(id(row))
    before = len(extraction.rows)
    extraction.drop(doomed, sections)
    extraction.indexes.clear()
    if before > len(extraction.rows):
        notes.append(
            f"{len(doomed)} messages left out, with what hangs on them: {before - len(extraction.rows)} rows"
        )


def _out_of_session(
    extraction: Extraction,
    sections: Sections,
    messages: list[ExtractedRow],
    session: str,
    known: Mapping[Any, str],
) -> set[int]:
    for member in sections.walk():
        if not member.silent or member.short is None:
            continue
        target = specs(sections.domain.metadata.tables[member.table])[member.short].target
        if target is None:
            continue
        link = next(iter(member.links))
        chosen = {
            row.key[0]
            for row in extraction.rows
            if row.table.fullname == target.table
            and (str(row.key[0]) == session or known.get((target.table, row.key)) == session)
        }
        if not chosen:
            raise FreezeError(
                f"there is no session {session!r}", hint="give its key, or its handle: maya.first"
            )
        inside = {
            row.values[link]
            for row in extraction.rows
            if row.table.fullname == member.table and row.values[member.short] in chosen
        }
        return {id(row) for row in messages if row.key[0] not in inside}
    raise FreezeError(f"{sections.domain.title} has no sessions")
