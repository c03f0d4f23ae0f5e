"""What the AI says of an essay: its raw answers, and the feedback they became."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from scenarios.domains.essay_coach.sections.facts import (
    SECOND,
    STEP,
    content_of,
    fixed,
    kind_of,
    slot_of,
    started_at,
    title_of,
    word_of,
)
from scenarios.domains.essay_coach.sections.records import history
from scenarios.factories.essay_coach.texts import (
    MODEL,
    TYPES,
    VERSION,
    Verdict,
    cost,
    prompt_of,
    verdict,
)
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Situation


def _type_id(row: Row, _: Situation) -> int | None:
    return TYPES.get(kind_of(row))


def _quality(row: Row, situation: Situation) -> int:
    return situation.values(row.up(1)).integer("quality", 52, 94)


def _verdict(row: Row, situation: Situation) -> Verdict:
    essay = row.up(1)
    kind = kind_of(row)
    given = row.given.get("score")
    quality = int(given) if isinstance(given, int | float | Decimal) else _quality(row, situation)
    return verdict(situation.values(essay), kind, content_of(essay, situation), quality)


def _score(row: Row, situation: Situation) -> Any:
    return _verdict(row, situation).score


def _confidence(row: Row, situation: Situation) -> Any:
    return _verdict(row, situation).confidence


def _said(row: Row, situation: Situation) -> str:
    return _verdict(row, situation).text


def _suggestions(row: Row, situation: Situation) -> Any:
    return _verdict(row, situation).suggestions


def _start(row: Row, situation: Situation) -> int | None:
    return _verdict(row, situation).start


def _end(row: Row, situation: Situation) -> int | None:
    return _verdict(row, situation).end


def _excerpt(row: Row, situation: Situation) -> str:
    start, end = row.given.get("start_index"), row.given.get("end_index")
    if isinstance(start, int) and isinstance(end, int):
        return content_of(row.up(1), situation)[start:end]
    return _verdict(row, situation).excerpt


def _answered(row: Row, situation: Situation) -> datetime:
    started = started_at(row.up(1), situation) or situation.anchor
    return started + (slot_of(row) + 1) * STEP - 2 * SECOND


def _told(row: Row, situation: Situation) -> datetime:
    return _answered(row, situation) + SECOND


def _prompt(row: Row, situation: Situation) -> str:
    return prompt_of(kind_of(row), title_of(row.up(1), situation))


def _response(row: Row, situation: Situation) -> dict[str, Any]:
    twin = next(
        (
            each
            for each in row.up(1).children
            if each.section.key == "feedback" and word_of(each) == kind_of(row)
        ),
        None,
    )
    said = _verdict(twin or row, situation)
    return said.response


def _tokens(row: Row, situation: Situation) -> int:
    return _verdict(row, situation).tokens


def _cost(row: Row, situation: Situation) -> Decimal:
    tokens = row.values.get("tokens_used")
    return cost(tokens if isinstance(tokens, int) else _tokens(row, situation))


def _seconds(row: Row, situation: Situation) -> float:
    return round(situation.values(row).number("seconds", 6.5, 9.5), 2)


def _all_kinds(
    options: Mapping[str, Any], essay: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert essay is not None
    there = {word_of(row) for row in own}
    only = options.get("only") or list(TYPES)
    found: list[Mapping[str, Any]] = []
    for kind in only:
        if kind in there:
            continue
        quality = options.get("quality", situation.values(essay).integer("quality", 52, 94))
        said = verdict(
            situation.values(essay), kind, content_of(essay, situation), quality, options.get("confidence")
        )
        found.append({"as": kind, "score": float(said.score), "confidence": float(said.confidence)})
    return found


def _all_answers(
    options: Mapping[str, Any], essay: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    there = {word_of(row) for row in own}
    names = [f"{kind}_1" for kind in options.get("only") or list(TYPES)]
    return [{"as": name} for name in names if name not in there]


_ONLY = {"type": "array"}
RESPONSES = Section(
    key="responses",
    table="ai_responses",
    form="named",
    title="The AI's raw answers, by feedback type and attempt: grammar_1, grammar_2.",
    links={"essay_id": 1},
    hidden=frozenset({"id"}),
    names={"created_at": "at"},
    unit="response",
    order=("created_at",),
    defaults={
        "feedback_type_id": _type_id,
        "prompt": _prompt,
        "response": _response,
        "model_name": fixed(MODEL),
        "model_version": fixed(VERSION),
        "tokens_used": _tokens,
        "processing_time_seconds": _seconds,
        "cost_usd": _cost,
        "created_at": _answered,
    },
    generate=_all_answers,
    options={"only": _ONLY},
)
FEEDBACK = Section(
    key="feedback",
    table="feedback",
    form="named",
    title="The feedback, by type: grammar, structure, content, style.",
    links={"essay_id": 1},
    hidden=frozenset({"id"}),
    names={"created_at": "at", "feedback": "text"},
    unit="feedback",
    order=("type_id",),
    inner=(history(),),
    defaults={
        "type_id": _type_id,
        "score": _score,
        "confidence": _confidence,
        "max_score": fixed(Decimal(100)),
        "feedback": _said,
        "suggestions": _suggestions,
        "start_index": _start,
        "end_index": _end,
        "highlighted_text": _excerpt,
        "ai_model_version": fixed(VERSION),
        "processing_time_seconds": _seconds,
        "created_at": _told,
    },
    generate=_all_kinds,
    options={
        "quality": {"type": "integer", "minimum": 0, "maximum": 100},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "only": _ONLY,
    },
)
