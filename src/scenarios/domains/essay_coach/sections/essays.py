"""A student's essays, with their versions.

An essay lies in five tables and has a status that decides what may stand in each. A file says the status and
how good the essay is; versions, raw answers, feedback, counts and times follow, and whatever a file does say
stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scenarios.domains.essay_coach.enums import EssayStatus, ProcessingStatus
from scenarios.domains.essay_coach.sections.answers import FEEDBACK, RESPONSES
from scenarios.domains.essay_coach.sections.facts import (
    DAY,
    SECOND,
    STEP,
    begun_at,
    content_of,
    place_of,
    slot_of,
    started_at,
    status_of,
    submitted_at,
    title_of,
)
from scenarios.domains.essay_coach.sections.records import history
from scenarios.factories.essay_coach.texts import (
    CHANGES,
    count_words,
    earlier_versions,
    essay_text,
    reading_minutes,
)
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Situation


def _category(row: Row, situation: Situation) -> int:
    return situation.values(row).integer("category", 1, 4)


def _answers(row: Row) -> list[Row]:
    return [child for child in row.children if child.section.key in ("responses", "feedback")]


def _completed(row: Row, situation: Situation) -> datetime | None:
    given = row.values.get("processing_completed_at")
    if isinstance(given, datetime):
        return given
    started = started_at(row, situation)
    if started is None or status_of(row) is not EssayStatus.COMPLETED:
        return None
    said = [each.values.get("created_at") for each in _answers(row)]
    moments = [moment for moment in said if isinstance(moment, datetime)]
    slots = max((slot_of(each) for each in _answers(row)), default=0) + 1
    return max([started + slots * STEP, *moments]) + 2 * SECOND


def _essay_changed(row: Row, situation: Situation) -> datetime:
    done = _completed(row, situation) or started_at(row, situation) or submitted_at(row, situation)
    written = [child.values.get("created_at") for child in row.children if child.section.key == "versions"]
    moments = [moment for moment in written if isinstance(moment, datetime)]
    return max([begun_at(row, situation), *([done] if done else []), *moments])


_PROCESSING = {
    EssayStatus.DRAFT: ProcessingStatus.PENDING,
    EssayStatus.SUBMITTED: ProcessingStatus.PENDING,
    EssayStatus.PROCESSING: ProcessingStatus.RUNNING,
    EssayStatus.COMPLETED: ProcessingStatus.SUCCEEDED,
    EssayStatus.FAILED: ProcessingStatus.FAILED,
}


def _processing(row: Row, _: Situation) -> str:
    return _PROCESSING[status_of(row)].value


def _version_number(row: Row, _: Situation) -> int:
    return place_of(row) + 1


def _version_text(row: Row, situation: Situation) -> str:
    given = row.given.get("content")
    if isinstance(given, str):
        return given
    essay = row.up(1)
    versions = [child for child in essay.children if child.section.key == "versions"]
    return earlier_versions(content_of(essay, situation), len(versions))[place_of(row)]


def _version_words(row: Row, situation: Situation) -> int:
    return count_words(_version_text(row, situation))


def _version_at(row: Row, situation: Situation) -> datetime:
    essay = row.up(1)
    versions = [child for child in essay.children if child.section.key == "versions"]
    begun = begun_at(essay, situation)
    end = submitted_at(essay, situation) or begun + DAY
    return begun + (end - begun) * (place_of(row) + 1) // len(versions)


def _change(row: Row, _: Situation) -> str:
    place = place_of(row)
    return CHANGES[place if place < len(CHANGES) else 1 + place % (len(CHANGES) - 1)]


def _some_versions(
    options: Mapping[str, Any], essay: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    return [{"change": CHANGES[(len(own) + n) % len(CHANGES)]} for n in range(options["count"])]


def _some_essays(
    options: Mapping[str, Any], student: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert student is not None
    values = situation.values(student)
    count, every = options["count"], options.get("days_apart", 14)
    status = options.get("status", EssayStatus.COMPLETED.value)
    base = options.get("quality", values.integer("quality", 55, 88))
    found: list[Mapping[str, Any]] = []
    for number in range(count):
        place = len(own) + number
        ago = (count - number) * every - values.integer(f"essay.{place}.day", 0, max(0, every - 4))
        text = essay_text(values, place)
        trend = options.get("trend", 0) * number
        quality = min(97, max(30, base + trend + values.integer(f"essay.{place}.form", -4, 4)))
        item: dict[str, Any] = {
            "as": f"essay_{place + 1}",
            "title": text.title,
            "content": text.content,
            "status": status,
        }
        if status == EssayStatus.DRAFT.value:
            item["created_at"] = f"-{ago}d"
        else:
            minute = values.integer(f"essay.{place}.minute", 8 * 60, 20 * 60)
            item["submitted_at"] = f"-{ago}d @{minute // 60:02}:{minute % 60:02}"
            item["versions"] = [{"generate": {"count": options.get("versions", 1 + place % 3)}}]
        if status == EssayStatus.COMPLETED.value:
            item["responses"] = {"generate": {}}
            item["feedback"] = {"generate": {"quality": quality}}
        found.append(item)
    return found


_VERSIONS = Section(
    key="versions",
    table="submissions",
    form="list",
    title="The versions of the essay, oldest first; the last one is its text.",
    links={"essay_id": 1},
    hidden=frozenset({"id"}),
    names={"created_at": "at", "change_summary": "change"},
    short="change_summary",
    unit="version",
    order=("version_number",),
    defaults={
        "version_number": _version_number,
        "content": _version_text,
        "word_count": _version_words,
        "change_summary": _change,
        "created_at": _version_at,
    },
    generate=_some_versions,
    options={"count": {"type": "integer", "minimum": 1, "maximum": 1000, "required": True, "example": 2}},
)
ESSAYS = Section(
    key="essays",
    table="essays",
    form="named",
    title="The student's essays, by handle.",
    links={"user_id": 1, "institution_id": 1},
    hidden=frozenset({"id"}),
    unit="essay",
    order=("created_at",),
    inner=(_VERSIONS, RESPONSES, FEEDBACK, history()),
    defaults={
        "category_id": _category,
        "title": title_of,
        "content": content_of,
        "word_count": lambda row, situation: count_words(content_of(row, situation)),
        "character_count": lambda row, situation: len(content_of(row, situation)),
        "reading_time_minutes": lambda row, situation: reading_minutes(content_of(row, situation)),
        "ai_processing_status": _processing,
        "processing_started_at": started_at,
        "processing_completed_at": _completed,
        "created_at": begun_at,
        "updated_at": _essay_changed,
        "submitted_at": submitted_at,
    },
    generate=_some_essays,
    options={
        "count": {"type": "integer", "minimum": 1, "maximum": 10_000, "required": True, "example": 4},
        "days_apart": {"type": "integer", "minimum": 4, "maximum": 400},
        "status": {
            "enum": [EssayStatus.DRAFT.value, EssayStatus.SUBMITTED.value, EssayStatus.COMPLETED.value]
        },
        "quality": {"type": "integer", "minimum": 0, "maximum": 100},
        "trend": {"type": "integer", "minimum": -10, "maximum": 10},
        "versions": {"type": "integer", "minimum": 1, "maximum": 100},
    },
)
