"""EssayCoach in scenario files: institutions, their people, and under each student the essays.

An essay lies in five tables and has a status that decides what may stand in each. A file says the status and
how good the essay is; versions, raw answers, feedback, counts and times follow, and whatever a file does say
stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b, sha256
from typing import Any

from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.enums import EssayStatus, ProcessingStatus, RevokeReason, Role
from scenarios.domains.essay_coach.models import Base
from scenarios.factories.essay_coach.texts import (
    CHANGES,
    METRICS,
    MODEL,
    TYPES,
    VERSION,
    Verdict,
    cost,
    count_words,
    earlier_versions,
    essay_text,
    prompt_of,
    reading_minutes,
    verdict,
)
from scenarios.library.gather import Found, Gathered
from scenarios.library.plan import Serial, earliest
from scenarios.library.rows import Row
from scenarios.library.sections.base import Section, Sections, Situation, Suffix, mappers_of
from scenarios.library.sections.suffixes import EMAIL
from scenarios.values import Row as Values
from scenarios.values import password_hash, slug

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_QUEUE = timedelta(seconds=5)
"""How long a submitted essay waits before it is processed."""
_STEP = timedelta(seconds=10)
"""How long the AI takes for one side of an essay."""

# -- values kept apart between instances ---------------------------------------------------------------


def _mark(instance: str) -> str:
    plain = slug(instance)
    if len(plain) <= 40:
        return plain
    return f"{plain[:31].rstrip('-')}-{blake2b(instance.encode(), digest_size=4).hexdigest()}"


_WORD = Suffix(
    lambda word, instance: f"{word}-{_mark(instance)}",
    lambda word, instance: word.removesuffix(f"-{_mark(instance)}"),
)
_NAME = Suffix(
    lambda name, instance: f"{name} ({_mark(instance)})",
    lambda name, instance: name.removesuffix(f" ({_mark(instance)})"),
)

# -- people --------------------------------------------------------------------------------------------


def _word(row: Row) -> str:
    return row.handle.rpartition(".")[2]


def _first_name(row: Row, situation: Situation) -> str:
    word = _word(row)
    return situation.values(row).first_name() if word[-1].isdigit() else word.replace("_", " ").title()


def _last_name(row: Row, situation: Situation) -> str:
    given = row.given.get("last_name")
    return given if isinstance(given, str) else situation.values(row).last_name()


def _named(row: Row, situation: Situation) -> Values:
    # A hyphen is in no handle, so harbour-jonas is one person's and can be read.
    return situation.keyed.at(row.handle.replace(".", "-"))


def _email(row: Row, situation: Situation) -> str:
    plain = _named(row, situation).email(last_name=_last_name(row, situation), domain="school.example")
    return EMAIL.add(plain, situation.instance)


def _username(row: Row, situation: Situation) -> str:
    return _WORD.add(_named(row, situation).username(), situation.instance)


def _password(_row: Row, _situation: Situation) -> str:
    return password_hash()


def _joined(row: Row, situation: Situation) -> datetime:
    given = row.values.get("date_joined")
    if isinstance(given, datetime):
        return given
    first = earliest(row.subtree())
    return min(first, situation.anchor) - 14 * _DAY if first else situation.anchor - 60 * _DAY


def _founded(row: Row, situation: Situation) -> datetime:
    first = earliest(row.subtree())
    return (min(first, situation.anchor) if first else situation.anchor) - 400 * _DAY


def _account_changed(row: Row, situation: Situation) -> datetime:
    login = row.values.get("last_login")
    joined = _joined(row, situation)
    return max(joined, login) if isinstance(login, datetime) else joined


def _is_staff(row: Row, _: Situation) -> bool:
    return row.values.get("role") == Role.ADMIN.value


def _fixed(value: Any) -> Any:
    return lambda _row, _situation: value


# -- essays --------------------------------------------------------------------------------------------


def _place(row: Row) -> int:
    assert row.parent is not None
    siblings = [other for other in row.parent.children if other.section is row.section]
    return next(at for at, other in enumerate(siblings) if other is row)


def _status(row: Row) -> EssayStatus:
    given = row.given.get("status")
    return EssayStatus(given) if isinstance(given, str) else EssayStatus.DRAFT


def _content(row: Row, situation: Situation) -> str:
    given = row.given.get("content")
    if isinstance(given, str):
        return given
    return essay_text(situation.values(row.up(1)), _place(row)).content


def _title(row: Row, situation: Situation) -> str:
    given = row.given.get("title")
    if isinstance(given, str):
        return given
    return essay_text(situation.values(row.up(1)), _place(row)).title


def _category(row: Row, situation: Situation) -> int:
    return situation.values(row).integer("category", 1, 4)


def _submitted(row: Row, situation: Situation) -> datetime | None:
    if _status(row) is EssayStatus.DRAFT:
        return None
    given = row.values.get("submitted_at")
    if isinstance(given, datetime):
        return given
    begun = row.values.get("created_at")
    return begun + 2 * _DAY if isinstance(begun, datetime) else situation.anchor - (_place(row) + 1) * _DAY


def _begun(row: Row, situation: Situation) -> datetime:
    given = row.values.get("created_at")
    if isinstance(given, datetime):
        return given
    sent = _submitted(row, situation)
    return (sent or situation.anchor) - 2 * _DAY


def _started(row: Row, situation: Situation) -> datetime | None:
    given = row.values.get("processing_started_at")
    if isinstance(given, datetime):
        return given
    sent = _submitted(row, situation)
    if sent is None or _status(row) is EssayStatus.SUBMITTED:
        return None
    return sent + _QUEUE


def _answers(row: Row) -> list[Row]:
    return [child for child in row.children if child.section.key in ("responses", "feedback")]


def _completed(row: Row, situation: Situation) -> datetime | None:
    given = row.values.get("processing_completed_at")
    if isinstance(given, datetime):
        return given
    started = _started(row, situation)
    if started is None or _status(row) is not EssayStatus.COMPLETED:
        return None
    said = [each.values.get("created_at") for each in _answers(row)]
    moments = [moment for moment in said if isinstance(moment, datetime)]
    slots = max((_slot(each) for each in _answers(row)), default=0) + 1
    return max([started + slots * _STEP, *moments]) + 2 * _SECOND


def _essay_changed(row: Row, situation: Situation) -> datetime:
    done = _completed(row, situation) or _started(row, situation) or _submitted(row, situation)
    written = [child.values.get("created_at") for child in row.children if child.section.key == "versions"]
    moments = [moment for moment in written if isinstance(moment, datetime)]
    return max([_begun(row, situation), *([done] if done else []), *moments])


_PROCESSING = {
    EssayStatus.DRAFT: ProcessingStatus.PENDING,
    EssayStatus.SUBMITTED: ProcessingStatus.PENDING,
    EssayStatus.PROCESSING: ProcessingStatus.RUNNING,
    EssayStatus.COMPLETED: ProcessingStatus.SUCCEEDED,
    EssayStatus.FAILED: ProcessingStatus.FAILED,
}


def _processing(row: Row, _: Situation) -> str:
    return _PROCESSING[_status(row)].value


def _version_number(row: Row, _: Situation) -> int:
    return _place(row) + 1


def _version_text(row: Row, situation: Situation) -> str:
    given = row.given.get("content")
    if isinstance(given, str):
        return given
    essay = row.up(1)
    versions = [child for child in essay.children if child.section.key == "versions"]
    return earlier_versions(_content(essay, situation), len(versions))[_place(row)]


def _version_words(row: Row, situation: Situation) -> int:
    return count_words(_version_text(row, situation))


def _version_at(row: Row, situation: Situation) -> datetime:
    essay = row.up(1)
    versions = [child for child in essay.children if child.section.key == "versions"]
    begun = _begun(essay, situation)
    end = _submitted(essay, situation) or begun + _DAY
    return begun + (end - begun) * (_place(row) + 1) // len(versions)


def _change(row: Row, _: Situation) -> str:
    place = _place(row)
    return CHANGES[place if place < len(CHANGES) else 1 + place % (len(CHANGES) - 1)]


# -- what the AI says ----------------------------------------------------------------------------------


def _kind(row: Row) -> str:
    # Feedback is named by its type, an answer of the AI by its type and attempt: grammar, grammar_1.
    word = _word(row)
    head, _, tail = word.rpartition("_")
    return head if head in TYPES and tail.isdigit() else word


def _slot(row: Row) -> int:
    kind = _kind(row)
    tail = _word(row).removeprefix(kind).removeprefix("_")
    attempt = int(tail) - 1 if tail.isdigit() else 0
    return list(TYPES).index(kind) + attempt * len(TYPES) if kind in TYPES else 0


def _type_id(row: Row, _: Situation) -> int | None:
    return TYPES.get(_kind(row))


def _quality(row: Row, situation: Situation) -> int:
    return situation.values(row.up(1)).integer("quality", 52, 94)


def _verdict(row: Row, situation: Situation) -> Verdict:
    essay = row.up(1)
    kind = _kind(row)
    given = row.given.get("score")
    quality = int(given) if isinstance(given, int | float | Decimal) else _quality(row, situation)
    return verdict(situation.values(essay), kind, _content(essay, situation), quality)


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
        return _content(row.up(1), situation)[start:end]
    return _verdict(row, situation).excerpt


def _answered(row: Row, situation: Situation) -> datetime:
    started = _started(row.up(1), situation) or situation.anchor
    return started + (_slot(row) + 1) * _STEP - 2 * _SECOND


def _told(row: Row, situation: Situation) -> datetime:
    return _answered(row, situation) + _SECOND


def _prompt(row: Row, situation: Situation) -> str:
    return prompt_of(_kind(row), _title(row.up(1), situation))


def _response(row: Row, situation: Situation) -> dict[str, Any]:
    twin = next(
        (each for each in row.up(1).children if each.section.key == "feedback" and _word(each) == _kind(row)),
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
    there = {_word(row) for row in own}
    only = options.get("only") or list(TYPES)
    found: list[Mapping[str, Any]] = []
    for kind in only:
        if kind in there:
            continue
        quality = options.get("quality", situation.values(essay).integer("quality", 52, 94))
        said = verdict(
            situation.values(essay), kind, _content(essay, situation), quality, options.get("confidence")
        )
        found.append({"as": kind, "score": float(said.score), "confidence": float(said.confidence)})
    return found


def _all_answers(
    options: Mapping[str, Any], essay: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    there = {_word(row) for row in own}
    names = [f"{kind}_1" for kind in options.get("only") or list(TYPES)]
    return [{"as": name} for name in names if name not in there]


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


def _some_students(
    options: Mapping[str, Any], institution: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert institution is not None
    values = situation.values(institution)
    found: list[Mapping[str, Any]] = []
    for number in range(options["count"]):
        place = len(own) + number + 1
        item: dict[str, Any] = {"as": f"student_{place}", "grade_level": options.get("grade_level", "10")}
        if options.get("essays"):
            item["essays"] = {
                "generate": {
                    "count": options["essays"],
                    "days_apart": options.get("days_apart", 14),
                    "trend": values.choice(f"student.{place}.trend", (-2, 0, 1, 2, 3)),
                    "quality": values.integer(f"student.{place}.quality", 48, 86),
                }
            }
            item["essay_score"] = [
                {"generate": {"count": options["essays"], "days_apart": options.get("days_apart", 14)}}
            ]
        found.append(item)
    return found


# -- measurements, logs, tokens, history ---------------------------------------------------------------


def _some_values(
    options: Mapping[str, Any], user: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert user is not None
    values = situation.values(user)
    count, every = options["count"], options.get("days_apart", 7)
    low, high = options.get("from", 55), options.get("to", 85)
    found: list[Mapping[str, Any]] = []
    for number in range(count):
        middle = low + (high - low) * number / max(1, count - 1)
        value = round(min(100.0, max(0.0, middle + values.number(f"measured.{len(own) + number}", -5, 5))), 1)
        # Hours after the essay the value may be about, and never in the future.
        found.append({"value": value, "at": f"-{(count - 1 - number) * every + 1}d @23:{number % 60:02}"})
    return found


def _family(row: Row, situation: Situation) -> Any:
    # phone_1, phone_2 and phone_3 are one login session; so is a token without a number.
    head, _, tail = _word(row).rpartition("_")
    return situation.values(row.up(1)).uuid(f"family.{head if head and tail.isdigit() else _word(row)}")


def _jti(row: Row, situation: Situation) -> Any:
    return situation.values(row).uuid("jti")


def _token_hash(row: Row, situation: Situation) -> bytes:
    return sha256(f"{situation.instance}/{row.handle}".encode()).digest()


def _expires(row: Row, situation: Situation) -> datetime:
    issued = row.values.get("issued_at")
    return (issued if isinstance(issued, datetime) else situation.anchor) + 7 * _DAY


def _why_revoked(row: Row, _: Situation) -> str | None:
    if row.values.get("revoked_at") is None:
        return None
    return RevokeReason.ROTATED.value if "replaced_by" in row.given else RevokeReason.LOGOUT.value


def _own_key(row: Row, _: Situation) -> Any:
    # The key of the row this entry stands under; the database counts it.
    found = row.up(1).values["id"]
    return found if isinstance(found, Serial) else str(found)


def _own_table(row: Row, _: Situation) -> str:
    return row.up(1).table.name


def _subject(entry: Found, gathered: Gathered) -> Found | None:
    """Return the row an audit entry is about."""
    key = str(entry.values["row_pk"])
    if not key.isdigit():
        return None
    return gathered.by_key.get((str(entry.values["table_name"]), (int(key),)))


def _institution(row: Row, _: Situation) -> Any:
    return row.root.values["id"]


def _changed_columns(row: Row, _: Situation) -> list[str] | None:
    before, after = row.given.get("old_row"), row.given.get("new_row")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    return sorted(key for key in after if after[key] != before.get(key))


def _transaction(row: Row, situation: Situation) -> int:
    return situation.values(row).integer("tx", 1000, 900_000)


def _payload_hash(row: Row, _: Situation) -> bytes | None:
    after = row.given.get("new_row")
    return sha256(repr(sorted(after.items())).encode()).digest() if isinstance(after, dict) else None


def _created(row: Row, _: Situation) -> Any:
    return row.values["created_at"]


# -- sections ------------------------------------------------------------------------------------------


def _history() -> Section:
    return Section(
        key="history",
        table="audit_log",
        form="list",
        title="What the audit trail says about this row.",
        names={"old_row": "before", "new_row": "after", "actor_id": "by"},
        hidden=frozenset(
            {"id", "table_name", "row_pk", "institution_id", "changed", "tx_id", "payload_hash"}
        ),
        unit="entry",
        order=("at",),
        defaults={
            "table_name": _own_table,
            "row_pk": _own_key,
            "institution_id": _institution,
            "db_role": _fixed("ec_app"),
            "changed": _changed_columns,
            "tx_id": _transaction,
            "payload_hash": _payload_hash,
        },
    )


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
_ONLY = {"type": "array"}
_RESPONSES = Section(
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
        "model_name": _fixed(MODEL),
        "model_version": _fixed(VERSION),
        "tokens_used": _tokens,
        "processing_time_seconds": _seconds,
        "cost_usd": _cost,
        "created_at": _answered,
    },
    generate=_all_answers,
    options={"only": _ONLY},
)
_FEEDBACK = Section(
    key="feedback",
    table="feedback",
    form="named",
    title="The feedback, by type: grammar, structure, content, style.",
    links={"essay_id": 1},
    hidden=frozenset({"id"}),
    names={"created_at": "at", "feedback": "text"},
    unit="feedback",
    order=("type_id",),
    defaults={
        "type_id": _type_id,
        "score": _score,
        "confidence": _confidence,
        "max_score": _fixed(Decimal(100)),
        "feedback": _said,
        "suggestions": _suggestions,
        "start_index": _start,
        "end_index": _end,
        "highlighted_text": _excerpt,
        "ai_model_version": _fixed(VERSION),
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
_ESSAYS = Section(
    key="essays",
    table="essays",
    form="named",
    title="The student's essays, by handle.",
    links={"user_id": 1, "institution_id": 1},
    hidden=frozenset({"id"}),
    unit="essay",
    order=("created_at",),
    inner=(_VERSIONS, _RESPONSES, _FEEDBACK, _history()),
    defaults={
        "category_id": _category,
        "title": _title,
        "content": _content,
        "word_count": lambda row, situation: count_words(_content(row, situation)),
        "character_count": lambda row, situation: len(_content(row, situation)),
        "reading_time_minutes": lambda row, situation: reading_minutes(_content(row, situation)),
        "ai_processing_status": _processing,
        "processing_started_at": _started,
        "processing_completed_at": _completed,
        "created_at": _begun,
        "updated_at": _essay_changed,
        "submitted_at": _submitted,
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


def _metric(name: str, key: int) -> Section:
    return Section(
        key=name,
        table="analytics",
        form="list",
        title=f"Measurements of {name.replace('_', ' ')}.",
        fixed={"metric_type_id": key},
        links={"user_id": 1},
        hidden=frozenset({"id", "metric_type_id"}),
        names={"created_at": "at"},
        short="value",
        unit=name,
        order=("created_at",),
        defaults={"metric_type_id": _fixed(key)},
        generate=_some_values,
        options={
            "count": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "required": True, "example": 12},
            "days_apart": {"type": "integer", "minimum": 1, "maximum": 400},
            "from": {"type": "number", "minimum": 0, "maximum": 100},
            "to": {"type": "number", "minimum": 0, "maximum": 100},
        },
    )


_PROFILE = Section(
    key="profile",
    table="user_profiles",
    form="one",
    title="What the person tells about themselves; null for a person without a profile.",
    links={"user_id": 1},
    hidden=frozenset({"id"}),
    unit="profile",
    always=True,
)
_TOKENS = Section(
    key="tokens",
    table="refresh_tokens",
    form="named",
    title="Refresh tokens, by handle; phone_1, phone_2 and phone_3 are one login session.",
    links={"user_id": 1},
    hidden=frozenset({"id", "token_hash"}),
    unit="token",
    order=("issued_at",),
    defaults={
        "family_id": _family,
        "jti": _jti,
        "token_hash": _token_hash,
        "expires_at": _expires,
        "revoke_reason": _why_revoked,
    },
)
_REPORTS = Section(
    key="reports",
    table="reports",
    form="named",
    title="Reports the person made, by handle.",
    links={"user_id": 1},
    hidden=frozenset({"id"}),
    unit="report",
    order=("created_at",),
    inner=(_history(),),
    defaults={"updated_at": _created},
)
_LOGS = Section(
    key="logs",
    table="logs",
    form="list",
    title="What the system logged about the person.",
    links={"user_id": 1},
    hidden=frozenset({"id"}),
    names={"created_at": "at"},
    unit="log",
    order=("created_at",),
)


def _people(
    key: str, role: Role, title: str, *inner: Section, generate: Any = None, options: Any = None
) -> Section:
    return Section(
        key=key,
        table="users",
        form="named",
        title=title,
        fixed={"role": role.value},
        links={"institution_id": 1},
        hidden=frozenset({"id", "role"}),
        unit=role.value,
        order=("date_joined",),
        inner=(_PROFILE, *inner, _TOKENS, _LOGS, _history()),
        defaults={
            "role": _fixed(role.value),
            "first_name": _first_name,
            "last_name": _last_name,
            "username": _username,
            "email": _email,
            "password": _password,
            "is_staff": _is_staff,
            "date_joined": _joined,
            "created_at": _joined,
            "updated_at": _account_changed,
        },
        suffixed={"email": EMAIL, "username": _WORD},
        generate=generate,
        options=options or {},
    )


_STUDENTS = _people(
    "students",
    Role.STUDENT,
    "The institution's students, by handle.",
    _ESSAYS,
    *(_metric(name, key) for name, key in METRICS.items()),
    _REPORTS,
    generate=_some_students,
    options={
        "count": {"type": "integer", "minimum": 1, "maximum": 100_000, "required": True, "example": 30},
        "essays": {"type": "integer", "minimum": 0, "maximum": 1000},
        "days_apart": {"type": "integer", "minimum": 4, "maximum": 400},
        "grade_level": {"type": "string"},
    },
)
INSTITUTIONS = Section(
    key="institutions",
    table="institutions",
    form="named",
    title="The institutions of the scenario, by handle: tenants that must not see each other.",
    hidden=frozenset({"id", "student_count"}),
    unit="institution",
    inner=(
        _people("admins", Role.ADMIN, "Those who look after the institution, by handle.", _REPORTS),
        _people("educators", Role.EDUCATOR, "The institution's educators, by handle.", _REPORTS),
        _STUDENTS,
    ),
    defaults={"created_at": _founded},
    suffixed={"name": _NAME},
)
SYSTEM_LOGS = Section(
    key="logs",
    table="logs",
    form="list",
    fixed={"user_id": None},
    title="What the system logged about nobody in particular.",
    hidden=frozenset({"id", "user_id"}),
    names={"created_at": "at"},
    unit="log",
    order=("created_at",),
)

SECTIONS = Sections(
    domain=DOMAIN,
    sections=(INSTITUTIONS, SYSTEM_LOGS),
    people="users",
    classes=mappers_of(Base),
)
"""How EssayCoach's rows are arranged in scenario files."""
