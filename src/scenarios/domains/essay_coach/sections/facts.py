"""What is known of an essay while its rows are still being made.

An essay's text, times and attempts are needed by its versions, its answers and its feedback alike, and each
may be in the file or not; read in two places, they would come out differently.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from scenarios.domains.essay_coach.enums import EssayStatus
from scenarios.factories.essay_coach.texts import (
    TYPES,
    essay_text,
)
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Situation

SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
_QUEUE = timedelta(seconds=5)
"""How long a submitted essay waits before it is processed."""
STEP = timedelta(seconds=10)
"""How long the AI takes for one side of an essay."""


def word_of(row: Row) -> str:
    return row.handle.rpartition(".")[2]


def fixed(value: Any) -> Any:
    return lambda _row, _situation: value


def place_of(row: Row) -> int:
    assert row.parent is not None
    siblings = [other for other in row.parent.children if other.section is row.section]
    return next(at for at, other in enumerate(siblings) if other is row)


def status_of(row: Row) -> EssayStatus:
    given = row.given.get("status")
    return EssayStatus(given) if isinstance(given, str) else EssayStatus.DRAFT


def content_of(row: Row, situation: Situation) -> str:
    given = row.given.get("content")
    if isinstance(given, str):
        return given
    return essay_text(situation.values(row.up(1)), place_of(row)).content


def title_of(row: Row, situation: Situation) -> str:
    given = row.given.get("title")
    if isinstance(given, str):
        return given
    return essay_text(situation.values(row.up(1)), place_of(row)).title


def submitted_at(row: Row, situation: Situation) -> datetime | None:
    if status_of(row) is EssayStatus.DRAFT:
        return None
    given = row.values.get("submitted_at")
    if isinstance(given, datetime):
        return given
    begun = row.values.get("created_at")
    return begun + 2 * DAY if isinstance(begun, datetime) else situation.anchor - (place_of(row) + 1) * DAY


def begun_at(row: Row, situation: Situation) -> datetime:
    given = row.values.get("created_at")
    if isinstance(given, datetime):
        return given
    sent = submitted_at(row, situation)
    return (sent or situation.anchor) - 2 * DAY


def started_at(row: Row, situation: Situation) -> datetime | None:
    given = row.values.get("processing_started_at")
    if isinstance(given, datetime):
        return given
    sent = submitted_at(row, situation)
    if sent is None or status_of(row) is EssayStatus.SUBMITTED:
        return None
    return sent + _QUEUE


def kind_of(row: Row) -> str:
    # Feedback is named by its type, an answer of the AI by its type and attempt: grammar, grammar_1.
    word = word_of(row)
    head, _, tail = word.rpartition("_")
    return head if head in TYPES and tail.isdigit() else word


def slot_of(row: Row) -> int:
    kind = kind_of(row)
    tail = word_of(row).removeprefix(kind).removeprefix("_")
    attempt = int(tail) - 1 if tail.isdigit() else 0
    return list(TYPES).index(kind) + attempt * len(TYPES) if kind in TYPES else 0
