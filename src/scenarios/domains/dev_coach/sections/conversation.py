"""What is said in Dev Coach, turn by turn, with the actions, notes and sittings that hang on a message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count
from typing import Any

from scenarios.domains.dev_coach import (
    CoachingPhase,
    MessageRole,
)
from scenarios.domains.dev_coach.sections.moments import SECOND, after_parent
from scenarios.domains.dev_coach.sections.progress import first_name_of, phase_by_default
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Situation
from scenarios.values import conversation, corpus
from scenarios.values.seeded import Row as Values


def _pace(row: Row, before: Row | None, situation: Situation) -> timedelta:
    if before is None:
        return -timedelta(days=1)
    values = situation.values(row)
    if row.given.get("role") == MessageRole.COACH.value:
        return values.duration("pace", 10 * SECOND, 50 * SECOND)
    said = row.given.get("content")
    length = len(said) if isinstance(said, str) else 40
    return values.duration("pace", 45 * SECOND, 60 * SECOND + min(length, 600) * SECOND)


def _notes(values: Values, field: str, own: list[Row]) -> Iterator[str]:
    """Yield different notes about a person, and different from those they have."""
    have = {child.given.get("note") for row in own for child in row.children}
    texts = values.shuffle(f"{field}.notes", corpus("dev_coach.texts.notes"))
    for lap in count(1):
        for text in texts:
            note = text if lap == 1 else f"{text} (Said {lap} times.)"
            if note not in have:
                yield note


def _some_turns(
    options: Mapping[str, Any], user: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert user is not None
    wanted = options["turns"]
    values = situation.values(user)
    field = f"conversation.{len(own)}"
    phase = options.get("phase") or phase_by_default(user, situation)
    first_name = user.given.get("first_name")
    name = first_name if isinstance(first_name, str) else first_name_of(user, situation)
    names = [child.given.get("name") for child in user.children if child.section.key == "identities"]
    skip = 1 if own and own[-1].given.get("role") == MessageRole.COACH.value else 0
    turns = conversation(
        values,
        phase,
        wanted + skip,
        name=name,
        identities=[each for each in names if isinstance(each, str)],
        system="dev_coach",
        field=field,
    )
    found: list[Mapping[str, Any]] = []
    notes = _notes(values, field, own)
    sitting = options.get("sitting", 0)
    for number, turn in enumerate(turns):
        if number < skip:
            continue
        place = len(found)
        item: dict[str, Any] = {"coach" if turn.role == "COACH" else "user": turn.content}
        if place == 0 and "starts" in options:
            item["at"] = options["starts"]
        elif place and sitting and place % sitting == 0:
            item["at"] = f"+{options.get('rest', '2d')}"
        if "sessions" in options:
            item["sessions"] = list(options["sessions"])
        if (
            turn.role == "USER"
            and options.get("notes_every")
            and (place // 2 + 1) % options["notes_every"] == 0
        ):
            item["notes"] = [next(notes)]
        if (
            turn.role == "COACH"
            and place
            and options.get("actions_every")
            and (place // 2) % options["actions_every"] == 0
        ):
            note = values.text("dev_coach.texts.notes", f"{field}.action.{place}")
            item["actions"] = [
                {
                    "type": "ADD_USER_NOTE",
                    "parameters": {"notes": [note]},
                    "summary": "Kept a note about the client.",
                }
            ]
        found.append(item)
    return found


_RESULT = Section(
    key="result",
    table="actions_actionresult",
    form="one",
    title="How the action ended.",
    unit="result",
    silent=True,
    after="timestamp",
    defaults={"created_at": after_parent("timestamp", timedelta(milliseconds=250))},
    names={"created_at": "at"},
)


def _result(depth: int) -> Section:
    return Section(**{**vars(_RESULT), "links": {"action_id": 1, "user_id": depth}})


_ACTION_NAMES = {"action_type": "type", "result_summary": "summary", "timestamp": "at"}
_MESSAGE_ACTIONS = Section(
    key="actions",
    table="actions_action",
    form="list",
    title="What the coach did because of this message.",
    links={"coach_message_id": 1, "user_id": 2},
    names=_ACTION_NAMES,
    unit="action",
    kind="action_type",
    says="result_summary",
    after="timestamp",
    order=("timestamp",),
    defaults={"timestamp": after_parent("timestamp", SECOND)},
    inner=(_result(3),),
)
_MESSAGE_NOTES = Section(
    key="notes",
    table="user_notes_usernote",
    form="list",
    title="What was learned from this message.",
    links={"source_message_id": 1, "user_id": 2},
    names={"created_at": "at"},
    short="note",
    unit="note",
    says="note",
    after="timestamp",
    order=("created_at",),
    defaults={"created_at": after_parent("timestamp", 2 * SECOND)},
)
_MESSAGE_SESSIONS = Section(
    key="sessions",
    table="coach_states_coachingsessionmessage",
    form="list",
    title="The sessions this message belongs to.",
    links={"message_id": 1, "user_id": 2},
    short="session_id",
    unit="membership",
    silent=True,
)
CONVERSATION = Section(
    key="conversation",
    table="chat_messages_chatmessage",
    form="turns",
    title="What was said, turn by turn.",
    links={"user_id": 1},
    names={"timestamp": "at"},
    unit="message",
    order=("timestamp",),
    speakers={"coach": MessageRole.COACH.value, "user": MessageRole.USER.value},
    speaker="role",
    person="user",
    text="content",
    time="timestamp",
    pace=_pace,
    inner=(_MESSAGE_SESSIONS, _MESSAGE_NOTES, _MESSAGE_ACTIONS),
    generate=_some_turns,
    options={
        "turns": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "required": True, "example": 40},
        "phase": {"enum": [phase.value for phase in CoachingPhase]},
        "starts": {"type": "string"},
        "sitting": {"type": "integer", "minimum": 2, "maximum": 10_000},
        "rest": {"type": "string"},
        "sessions": {"type": "array"},
        "notes_every": {"type": "integer", "minimum": 1, "maximum": 1000},
        "actions_every": {"type": "integer", "minimum": 1, "maximum": 1000},
    },
)
