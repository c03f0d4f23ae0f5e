"""Dev Coach in scenario files: people, with all that is theirs standing under them.

A person's identities, conversation, notes and coaching state belong together when one reads them, although
they lie in ten tables. What a file leaves out is filled so that it fits: an action happens a second after its
message, an identity is created while the conversation runs, an account is older than all that is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from scenarios.domains.dev_coach import (
    DOMAIN,
    Base,
    CoachingPhase,
    IdentityCategory,
    IdentityState,
    MessageRole,
)
from scenarios.library.plan import earliest
from scenarios.library.rows import Row
from scenarios.library.sections.base import Handles, Section, Sections, Situation, mappers_of
from scenarios.library.sections.suffixes import EMAIL, WORD
from scenarios.values import bank, conversation, password_hash
from scenarios.values.keyed import Row as Values

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)

# -- defaults ------------------------------------------------------------------------------------------


def _first_name(row: Row, _: Situation) -> str:
    return row.handle.replace("_", " ").title()


def _last_name(row: Row, situation: Situation) -> str:
    given = row.given.get("last_name")
    return given if isinstance(given, str) else situation.values(row).last_name()


def _email(row: Row, situation: Situation) -> str:
    plain = situation.values(row).email(last_name=_last_name(row, situation))
    return EMAIL.add(plain, situation.instance)


def _password(_row: Row, _situation: Situation) -> str:
    return password_hash()


def _joined(row: Row, situation: Situation) -> datetime:
    given = row.values.get("created_at")
    if isinstance(given, datetime):
        return given
    first = earliest(row.subtree())
    return (
        min(first, situation.anchor) - timedelta(hours=1) if first else situation.anchor - timedelta(days=30)
    )


def _created(row: Row, _: Situation) -> Any:
    return row.values["created_at"]


def _turns(user: Row) -> list[datetime]:
    found = [row.values.get("timestamp") for row in user.children if row.section.form == "turns"]
    return [moment for moment in found if isinstance(moment, datetime)]


def _changed(row: Row, situation: Situation) -> datetime:
    # The state changes with what is said; a person who said nothing is as they were made.
    turns = _turns(row.root)
    return max(turns) + 2 * _SECOND if turns else _joined(row.root, situation)


def _identity_created(row: Row, situation: Situation) -> datetime:
    user = row.root
    siblings = [other for other in user.children if other.section is row.section]
    place = next(at for at, other in enumerate(siblings) if other is row)
    turns = _turns(user)
    if len(turns) < 2:
        return _joined(user, situation) + (place + 1) * 5 * _MINUTE
    start, end = min(turns), max(turns)
    step = (end - start) // (len(siblings) + 1)
    return start + (place + 1) * step


def _user_created(row: Row, situation: Situation) -> datetime:
    return _joined(row.root, situation)


def _note_created(row: Row, situation: Situation) -> datetime:
    return _changed(row, situation)


def _after_parent(column: str, delay: timedelta) -> Any:
    def after(row: Row, situation: Situation) -> datetime:
        above = row.up(1).values.get(column)
        base = above if isinstance(above, datetime) else situation.anchor
        siblings = [other for other in row.up(1).children if other.section is row.section]
        place = next(at for at, other in enumerate(siblings) if other is row)
        return base + (place + 1) * delay

    return after


def _state_of(row: Row, _: Situation) -> Any:
    return next((child for child in row.root.children if child.section.key == "state"), None)


def _phase_of(row: Row, situation: Situation) -> Any:
    state = _state_of(row, situation)
    given = state.given.get("current_phase") if state else None
    return given if isinstance(given, str) else CoachingPhase.GET_TO_KNOW_YOU.value


def _session_start(row: Row, situation: Situation) -> datetime:
    turns = _turns(row.root)
    return min(turns) if turns else _joined(row.root, situation)


def _token(row: Row, situation: Situation) -> str:
    ids = situation.keyed.at(row.handle)
    return ids.uuid("token.head").hex + ids.uuid("token.tail").hex


def _user_email(row: Row, _: Situation) -> Any:
    return row.root.values["email"]


def _expires(row: Row, situation: Situation) -> datetime:
    given = row.values.get("created_at")
    return (given if isinstance(given, datetime) else _user_created(row, situation)) + timedelta(hours=24)


# -- generated rows ------------------------------------------------------------------------------------


def _pace(row: Row, before: Row | None, situation: Situation) -> timedelta:
    if before is None:
        return -timedelta(days=1)
    values = situation.values(row)
    if row.given.get("role") == MessageRole.COACH.value:
        return values.duration("pace", 10 * _SECOND, 50 * _SECOND)
    said = row.given.get("content")
    length = len(said) if isinstance(said, str) else 40
    return values.duration("pace", 45 * _SECOND, 60 * _SECOND + min(length, 600) * _SECOND)


def _notes(values: Values, field: str, own: list[Row]) -> Iterator[str]:
    """Yield different notes about a person, and different from those they have."""
    have = {child.given.get("note") for row in own for child in row.children}
    texts = values.shuffle(f"{field}.notes", bank("dev_coach.texts.notes"))
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
    phase = options.get("phase") or _phase_of(user, situation)
    first_name = user.given.get("first_name")
    name = first_name if isinstance(first_name, str) else _first_name(user, situation)
    names = [child.given.get("name") for child in user.children if child.section.key == "identities"]
    skip = 1 if own and own[-1].given.get("role") == MessageRole.COACH.value else 0
    turns = conversation(
        values,
        phase,
        wanted + skip,
        name=name,
        identities=[each for each in names if isinstance(each, str)],
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


def _some_identities(
    options: Mapping[str, Any], user: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert user is not None
    wanted = options.get("count", 0) or max(0, options.get("up_to", 0) - len(own))
    values = situation.values(user)
    taken = {str(row.given.get("name")).casefold() for row in own}
    used = [row.given.get("category") for row in own]
    state_row = _state_of(user, situation)
    skipped = (state_row.given.get("skipped_identity_categories") if state_row else None) or []
    open_ones = [category.value for category in IdentityCategory if category.value not in skipped]
    free = [category for category in open_ones if category not in used]
    categories = (free + (open_ones or list(IdentityCategory)) * (wanted + 1))[:wanted]
    found: list[Mapping[str, Any]] = []
    state = options.get("state", IdentityState.ACCEPTED.value)
    for number, category in enumerate(categories):
        names = [*bank(f"dev_coach.identity_names.{category}"), *bank("dev_coach.identity_names.OTHER")]
        shuffled = values.shuffle(f"identity.{number}.name", names)
        name = next((each for each in shuffled if each.casefold() not in taken), None)
        if name is None:
            name = next(
                f"{each} {lap}"
                for lap in range(2, 9999)
                for each in shuffled
                if f"{each} {lap}".casefold() not in taken
            )
        taken.add(name.casefold())
        item: dict[str, Any] = {
            "as": f"more_{len(own) + number + 1}",
            "name": name,
            "category": category,
            "state": state,
            "notes": [values.text("dev_coach.texts.notes", f"identity.{number}.note")],
        }
        if state == IdentityState.REFINEMENT_COMPLETE.value:
            item["affirmation"] = values.text(
                "dev_coach.texts.affirmations", f"identity.{number}.affirmation"
            )
            item["visualization"] = values.text(
                "dev_coach.texts.visualizations", f"identity.{number}.visualization"
            )
        found.append(item)
    return found


# -- sections ------------------------------------------------------------------------------------------

_RESULT = Section(
    key="result",
    table="actions_actionresult",
    form="one",
    title="How the action ended.",
    unit="result",
    after="timestamp",
    defaults={"created_at": _after_parent("timestamp", timedelta(milliseconds=250))},
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
    after="timestamp",
    order=("timestamp",),
    defaults={"timestamp": _after_parent("timestamp", _SECOND)},
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
    after="timestamp",
    order=("created_at",),
    defaults={"created_at": _after_parent("timestamp", 2 * _SECOND)},
)
_MESSAGE_SESSIONS = Section(
    key="sessions",
    table="coach_states_coachingsessionmessage",
    form="list",
    title="The sessions this message belongs to.",
    links={"message_id": 1, "user_id": 2},
    short="session_id",
    unit="membership",
)
_CONVERSATION = Section(
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
_STATE = Section(
    key="state",
    table="coach_states_coachstate",
    form="one",
    title="Where the person is in the programme; null for a person who has no state yet.",
    links={"user_id": 1},
    names={"current_phase": "phase", "identity_focus": "focus", "skipped_identity_categories": "skipped"},
    unit="state",
    always=True,
    defaults={"updated_at": _changed},
)
_IDENTITIES = Section(
    key="identities",
    table="identities_identity",
    form="named",
    title="Who the person wants to be, by handle.",
    links={"user_id": 1},
    unit="identity",
    order=("created_at",),
    defaults={"created_at": _identity_created, "updated_at": _created},
    derived=frozenset({"updated_at"}),
    generate=_some_identities,
    options={
        "count": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "up_to": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "state": {"enum": [state.value for state in IdentityState]},
    },
)
_SESSIONS = Section(
    key="sessions",
    table="coach_states_coachingsession",
    form="named",
    title="Sittings with the coach, by handle; messages name the sessions they belong to.",
    links={"user_id": 1},
    hidden=frozenset({"coach_state_id"}),
    unit="session",
    order=("started_at",),
    defaults={"coach_state_id": _state_of, "phase": _phase_of, "started_at": _session_start},
)
_NOTES = Section(
    key="notes",
    table="user_notes_usernote",
    form="list",
    title="Notes that come from no message of this person.",
    links={"user_id": 1},
    names={"created_at": "at"},
    short="note",
    unit="note",
    order=("created_at",),
    defaults={"created_at": _note_created},
)
_PROFILE = Section(
    key="profile",
    table="users_userprofile",
    form="one",
    title="The person's preferences.",
    links={"user_id": 1},
    unit="profile",
    defaults={"created_at": _user_created, "updated_at": _created},
    derived=frozenset({"updated_at"}),
)
_VERIFICATIONS = Section(
    key="verifications",
    table="authentication_verification",
    form="list",
    title="Tokens sent to the person by e-mail.",
    links={"user_id": 1},
    names={"verification_type": "type"},
    unit="verification",
    order=("created_at",),
    defaults={"token": _token, "email": _user_email, "created_at": _user_created, "expires_at": _expires},
    derived=frozenset({"expires_at"}),
    suffixed={"email": EMAIL},
)
USERS = Section(
    key="users",
    table="users_user",
    form="named",
    title="The people of the scenario, by handle.",
    unit="user",
    order=("created_at",),
    inner=(_STATE, _PROFILE, _VERIFICATIONS, _IDENTITIES, _SESSIONS, _CONVERSATION, _NOTES),
    defaults={
        "first_name": _first_name,
        "last_name": _last_name,
        "email": _email,
        "password": _password,
        "date_joined": _joined,
        "created_at": _joined,
        "updated_at": _created,
    },
    derived=frozenset({"updated_at", "date_joined"}),
    suffixed={"email": EMAIL, "username": WORD},
)
PROMPTS = Section(
    key="prompts",
    table="prompts_prompt",
    form="named",
    title="Prompt versions, by handle. They are shared: an instance leaves those that exist as they are.",
    names={"coaching_phase": "phase", "prompt_type": "type"},
    unit="prompt",
    order=("coaching_phase", "version"),
    defaults={"updated_at": _created},
    derived=frozenset({"updated_at"}),
)

SECTIONS = Sections(
    domain=DOMAIN,
    sections=(PROMPTS, USERS),
    handles=(
        Handles("test_scenario_testscenariouser", "users_user", "handle", {"user_id": "id"}),
        Handles(
            "test_scenario_testscenariochatmessage",
            "chat_messages_chatmessage",
            "handle",
            {"user_id": "user_id", "message_id": "id"},
        ),
    ),
    people="users_user",
    classes=mappers_of(Base),
)
