"""Coach Bot in scenario files: people, their chats under them, and the audit trail under what it tells of.

What a file leaves out is filled so that it fits: a chat begins some seconds before its first message, a reply
comes seconds after its question, a line of the audit trail milliseconds after its message, and an account is
older than all that is in it. The table does not say who spoke (a reply carries the user's key too); the file
does, for its readers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from scenarios.domains.coach_bot import DOMAIN, Base, defaults
from scenarios.domains.coach_bot.audit import sent_details
from scenarios.domains.coach_bot.models import SEND_MESSAGE
from scenarios.domains.coach_bot.queries import who_spoke
from scenarios.library.planning.extracted import ExtractedRow, Extraction
from scenarios.library.planning.plan import earliest
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Sections, Situation, mappers_of
from scenarios.library.sections.suffixes import EMAIL
from scenarios.values import conversation

_SECOND = timedelta(seconds=1)

# -- defaults ------------------------------------------------------------------------------------------


def _username(row: Row, _: Situation) -> str:
    return row.handle


def _email(row: Row, situation: Situation) -> str:
    return defaults.email(situation.values(row), situation.instance)


def _joined(row: Row, situation: Situation) -> datetime:
    first = earliest(row.subtree())
    return defaults.joined(situation.anchor, [first] if first else [])


def _begun(row: Row, situation: Situation) -> datetime:
    first = earliest([child for child in row.children if child.section.key == "messages"])
    return first - defaults.BEFORE_FIRST if first else situation.anchor - timedelta(days=1)


def _created(row: Row, _: Situation) -> Any:
    return row.values["created_at"]


def _sent(row: Row, _: Situation) -> Any:
    return row.values["timestamp"]


def _owner_of_chat(row: Row, _: Situation) -> Row:
    return row.up(2)


def _owner_of_message(row: Row, _: Situation) -> Row:
    return row.up(3)


def _after_message(row: Row, situation: Situation) -> datetime:
    message = row.up(1)
    sent = message.values.get("timestamp")
    siblings = [other for other in message.children if other.section is row.section]
    place = next(at for at, other in enumerate(siblings) if other is row)
    return (sent if isinstance(sent, datetime) else situation.anchor) + (place + 1) * defaults.LOG_DELAY


def _details(row: Row, _: Situation) -> Any:
    content = row.up(1).given.get("content")
    return (
        sent_details(content) if row.values["action"] == SEND_MESSAGE and isinstance(content, str) else None
    )


def _in_chat(row: Row, situation: Situation) -> datetime:
    chat = row.up(1)
    moments = [chat.values.get("created_at"), *(child.values.get("timestamp") for child in chat.children)]
    return max((each for each in moments if isinstance(each, datetime)), default=situation.anchor) + _SECOND


# -- times and texts of a conversation -----------------------------------------------------------------


def _pace(row: Row, before: Row | None, situation: Situation) -> timedelta:
    if before is None:
        return _first(row.up(1), situation)
    values = situation.values(row)
    if row.given.get("") == "coach":
        return values.duration("pace", *defaults.REPLY)
    return values.duration("pace", *defaults.QUESTION)


def _first(chat: Row, situation: Situation) -> timedelta:
    begun = chat.values.get("created_at")
    if isinstance(begun, datetime):
        return begun + defaults.BEFORE_FIRST - situation.anchor
    # The chat that stands last is the latest.
    siblings = [other for other in chat.up(1).children if other.section is chat.section]
    place = next(at for at, other in enumerate(siblings) if other is chat)
    return -timedelta(days=len(siblings) - place)


def _spoken(turns: Sequence[ExtractedRow]) -> Sequence[str]:
    chat = turns[0].parent
    assert chat is not None
    trail = [
        row.values["timestamp"]
        for above in (chat, *turns)
        for row in above.children
        if row.table.name == "logs" and row.values["action"] == SEND_MESSAGE
    ]
    return who_spoke([turn.values["timestamp"] for turn in turns], trail)


def _told_of(log: ExtractedRow, extraction: Extraction) -> ExtractedRow | None:
    """Return the message that a line of the audit trail tells of: the last one of its person before it."""
    if log.values["action"] != SEND_MESSAGE:
        return None
    key = f"{__name__}.messages"
    if key not in extraction.indexes:
        index: dict[Any, list[tuple[datetime, str, ExtractedRow]]] = {}
        for row in extraction.rows:
            if row.table.name == "messages":
                place = (row.values["chat_id"], row.values["sender_id"])
                index.setdefault(place, []).append((row.values["timestamp"], str(row.key), row))
        for found in index.values():
            found.sort(key=lambda entry: entry[:2])
        extraction.indexes[key] = index
    said = extraction.indexes[key].get((log.values["chat_id"], log.values["user_id"]), [])
    before = bisect_right(said, log.values["timestamp"], key=lambda entry: entry[0])
    return said[before - 1][2] if before else None


def _some_messages(
    options: Mapping[str, Any], chat: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert chat is not None
    turns = conversation(
        situation.values(chat),
        "CHAT",
        options["messages"] + 1,
        system="coach_bot",
        identities=("you",),
        field=f"messages.{len(own)}",
    )
    next(turns)  # the scripts begin with the coach, a chat with the person
    found: list[Mapping[str, Any]] = []
    for number, turn in enumerate(turns):
        item: dict[str, Any] = {"coach" if number % 2 else "user": turn.content}
        if number == 0 and "starts" in options:
            item["at"] = options["starts"]
        elif "every" in options and (number or own):
            item["at"] = f"+{options['every']}"
        if number % 2 == 0 and options.get("log", "yes") == "yes":
            item["logs"] = [SEND_MESSAGE]
        found.append(item)
    return found


# -- sections ------------------------------------------------------------------------------------------

_STAMPS = frozenset({"created_at", "updated_at"})
_LOG_NAMES = {"user_id": "user", "timestamp": "at"}
_MESSAGE_LOGS = Section(
    key="logs",
    table="logs",
    form="list",
    above=_told_of,
    title="What the audit trail tells of this message; an action alone is enough: [send_message].",
    links={"chat_id": 2},
    names=_LOG_NAMES,
    short="action",
    unit="log",
    kind="action",
    says="details",
    after="timestamp",
    order=("timestamp", "id"),
    derived=_STAMPS | {"details"},
    defaults={
        "user_id": _owner_of_message,
        "timestamp": _after_message,
        "details": _details,
        "created_at": _sent,
        "updated_at": _created,
    },
)
_CHAT_LOGS = Section(
    key="logs",
    table="logs",
    form="list",
    title="Lines of the audit trail that tell of no message.",
    links={"chat_id": 1},
    names=_LOG_NAMES,
    short="action",
    unit="log",
    after="created_at",
    order=("timestamp", "id"),
    derived=_STAMPS,
    defaults={"user_id": _owner_of_chat, "timestamp": _in_chat, "created_at": _sent, "updated_at": _created},
)
_MESSAGES = Section(
    key="messages",
    table="messages",
    form="turns",
    title="What was said, turn by turn: by the user, or by the coach.",
    links={"chat_id": 1},
    names={"timestamp": "at", "sender_id": "sender"},
    unit="message",
    order=("timestamp", "id"),
    derived=_STAMPS,
    speakers={"user": "user", "coach": "coach"},
    person="user",
    text="content",
    time="timestamp",
    spoken=_spoken,
    pace=_pace,
    inner=(_MESSAGE_LOGS,),
    defaults={"sender_id": _owner_of_chat, "created_at": _sent, "updated_at": _created},
    generate=_some_messages,
    options={
        "messages": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "required": True, "example": 40},
        "starts": {"type": "string"},
        "every": {"type": "string"},
        "log": {"enum": ["yes", "no"]},
    },
)
_CHATS = Section(
    key="chats",
    table="chats",
    form="named",
    title="The person's conversations, by handle.",
    links={"user_id": 1},
    names={"created_at": "started"},
    unit="chat",
    order=("created_at", "id"),
    derived=frozenset({"updated_at"}),
    inner=(_MESSAGES, _CHAT_LOGS),
    defaults={"created_at": _begun, "updated_at": _created},
)
USERS = Section(
    key="users",
    table="users",
    form="named",
    title="The people of the scenario, by handle.",
    names={"created_at": "joined"},
    unit="user",
    order=("created_at", "id"),
    derived=frozenset({"updated_at"}),
    inner=(_CHATS,),
    defaults={"username": _username, "email": _email, "created_at": _joined, "updated_at": _created},
    suffixed={"email": EMAIL},
)

SECTIONS = Sections(domain=DOMAIN, sections=(USERS,), people="users", classes=mappers_of(Base))
