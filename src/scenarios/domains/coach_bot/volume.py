"""What generated users of Coach Bot look like.

Most people try the bot two or three times and a few live in it: chats per user and messages per chat have a
long tail, some users never begin a chat, some chats never get a message. Now and then the model does not
answer, and now and then the audit trail misses a message; both are states the application knows and a test on
perfect data never meets. Nobody's rows depend on another user.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from json import dumps
from uuid import UUID

from scenarios.domains.coach_bot import DOMAIN
from scenarios.domains.coach_bot.audit import sent_details
from scenarios.domains.coach_bot.models import SEND_MESSAGE
from scenarios.graph.encoding import escaped
from scenarios.values import Row, Seeded, corpus, slug
from scenarios.values.conversation import Script, script
from scenarios.volume.parts import Collector, Part, TableData
from scenarios.volume.rhythm import DAY, moments, times_of_day

_TABLES = (
    ("users", ("id", "username", "email", "created_at", "updated_at")),
    ("chats", ("id", "user_id", "created_at", "updated_at")),
    ("messages", ("id", "chat_id", "sender_id", "content", "timestamp", "created_at", "updated_at")),
    ("logs", ("id", "user_id", "chat_id", "action", "details", "timestamp", "created_at", "updated_at")),
)

_LOG_DELAY = 20_000
"""Microseconds from a message to its line of the audit trail."""

_OUTAGE = 3
"""Of 256 messages, those the model does not answer."""

_UNLOGGED = 2
"""Of 256 messages, those the audit trail misses (never a chat's first)."""


class CoachBotRecipe:
    """The recipe; stateless, so that any process can use it."""

    domain = DOMAIN

    def owner(self, part: Part) -> TableData | None:
        """Return nothing: Coach Bot's rows belong to their users alone."""
        return None

    def keys(self, part: Part) -> tuple[str, str, list[str]]:
        """Return table and key column of the part's users, and their keys."""
        seeded = _seeded(part)
        return "users", "id", [str(seeded.at(_handle(index)).uuid()) for index in part.indexes]

    def make(self, part: Part) -> list[TableData]:
        """Return everything of the part's users."""
        rows = Collector(DOMAIN, _TABLES)
        seeded = _seeded(part)
        key = seeded.key("messages")
        for index in part.indexes:
            _user(seeded.at(_handle(index)), index, part.anchor, key, rows)
        return list(rows.finish())


RECIPE = CoachBotRecipe()


def _seeded(part: Part) -> Seeded:
    return Seeded(part.seed, "volume/coach_bot", part.locale)


def _handle(index: int) -> str:
    return f"user-{index:08d}"


def _user(row: Row, index: int, anchor: datetime, key: bytes, rows: Collector) -> None:
    """Add one user and everything of theirs."""
    user = row.uuid()
    count = 0 if row.chance("never came", 0.1) else row.skewed("chats", 1, 90, 3)
    starts = moments(row, anchor, max(count, 1), row.skewed("age", 3, 720, 70))
    joined = starts[0] - row.duration("joined", timedelta(minutes=2), timedelta(hours=30))
    first, last = row.first_name(), row.last_name()
    rows.add(
        "users",
        [(user, f"{slug(first)}.{slug(last)}", f"{slug(first)}.{slug(last)}.{index}@example.com", joined,
          joined)],
    )  # fmt: skip
    own = blake2b(user.bytes, key=key, digest_size=32).digest()
    chats = []
    for number in range(count):
        chat = row.uuid(f"chat {number}")
        chats.append((chat, user, starts[number], starts[number]))
        exchanges = 0 if row.chance(f"empty {number}", 0.05) else row.skewed(f"turns {number}", 1, 160, 5)
        _talk(row, own, user, chat, number, starts[number], exchanges, escaped(first), rows)
    rows.add("chats", chats)


def _talk(
    row: Row,
    key: bytes,
    user: UUID,
    chat: UUID,
    number: int,
    start: datetime,
    exchanges: int,
    name: str,
    rows: Collector,
) -> None:
    """Append the messages of a chat and their lines of the audit trail as finished COPY lines."""
    text = _escaped_script()
    questions, answers = corpus("coach_bot.texts.questions"), corpus("coach_bot.texts.answers")
    messages, logs = rows.lines("messages"), rows.lines("logs")
    middle = f"\t{chat.hex}\t{user.hex}\t"
    log_middle = f"\t{user.hex}\t{chat.hex}\t{SEND_MESSAGE}\t"
    dates = (f"{start:%Y-%m-%d} ", f"{start + DAY:%Y-%m-%d} ")
    micro, log_micro = start.microsecond, start.microsecond + _LOG_DELAY
    hours = times_of_day()
    second = start.hour * 3600 + start.minute * 60 + start.second + 5
    size = len(text.exchanges)
    topic = row.integer(f"topic {number}", 0, len(questions) - 1)
    first = row.integer(f"first {number}", 0, size - 1)
    says, reply = questions[topic], answers[topic]
    for turn in range(exchanges):
        data = blake2b(
            number.to_bytes(4, "little") + turn.to_bytes(4, "little"), key=key, digest_size=64
        ).digest()
        ids = data[:48].hex()
        picks = data[48:]
        lap, place = divmod(first + turn, size)
        exchange = text.exchanges[place]
        # What the user says answers the question before; the reply takes it up and asks the next.
        asked = exchange.ask[(picks[0] + lap) % len(exchange.ask)].replace("{name}", name)
        one, two, three = (
            f"{ids[at : at + 12]}4{ids[at + 13 : at + 16]}a{ids[at + 17 : at + 32]}" for at in (0, 32, 64)
        )
        day, clock = dates[second // 86_400], hours[second % 86_400]
        moment = f"{day}{clock}.{micro:06d}+00"
        messages.append(f"{one}{middle}{says}\t{moment}\t{moment}\t{moment}\n")
        if turn == 0 or picks[1] >= _UNLOGGED:
            moment = f"{day}{clock}.{log_micro:06d}+00"
            logs.append(f"{two}{log_middle}{_details(says)}\t{moment}\t{moment}\t{moment}\n")
        if picks[2] >= _OUTAGE:
            second += 2 + picks[3] % 11
            moment = f"{dates[second // 86_400]}{hours[second % 86_400]}.{micro:06d}+00"
            messages.append(f"{three}{middle}{reply} {asked}\t{moment}\t{moment}\t{moment}\n")
            says = exchange.say[(picks[4] + lap) % len(exchange.say)]
            reply = exchange.ack[(picks[5] + lap) % len(exchange.ack)]
        second += 15 + picks[6] % 170


@lru_cache(maxsize=4096)
def _details(content: str) -> str:
    """Return what the audit trail says of a message, as COPY text."""
    return escaped(dumps(sent_details(content), ensure_ascii=False))


@lru_cache(maxsize=1)
def _escaped_script() -> Script:
    """Return what is said in chats; its texts need no escaping, which is checked once here."""
    found = script("CHAT", "coach_bot")
    texts = [*corpus("coach_bot.texts.questions"), *corpus("coach_bot.texts.answers")]
    texts += [text for each in found.exchanges for text in (*each.ask, *each.say, *each.ack)]
    assert all(escaped(text) == text for text in texts), "a corpus text needs escaping"
    return found
