"""The questions Coach Bot asks its tables, as SQLAlchemy statements with one stable order each.

Rows may share a timestamp (several made in one statement do), so every order ends with the id: a page
boundary in the middle of equal times neither repeats nor loses a row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from scenarios.domains.coach_bot.errors import Invalid
from scenarios.domains.coach_bot.models import SEND_MESSAGE, Chat, Log, Message, User

LARGEST_PAGE: Final = 1000
"""Rows one page may have at most."""

Speaker = Literal["user", "coach"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows: after the row with this time and id."""

    time: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{self.time.isoformat()}_{self.id}"

    @classmethod
    def parse(cls, written: str) -> Cursor:
        """Return the cursor that was written as *written*.

        Raises:
            Invalid: it was not, or its time has no zone.
        """
        time, _, id = written.partition("_")
        try:
            cursor = cls(datetime.fromisoformat(time), UUID(id))
        except ValueError:
            raise Invalid("this is not a place in a list", field="after") from None
        if cursor.time.utcoffset() is None:
            raise Invalid("the place in the list needs a time zone", field="after")
        return cursor


def user_by_email(email: str) -> Select[User]:
    """The user with this address, whatever its case; the index on ``lower(email)`` answers it."""
    return select(User).where(func.lower(User.email) == func.lower(email))


def chats_of_user(user_id: UUID) -> Select[Chat]:
    """A user's chats, oldest first."""
    return select(Chat).where(Chat.user_id == user_id).order_by(Chat.created_at, Chat.id)


def messages_of_chat(chat_id: UUID, *, after: Cursor | None = None) -> Select[Message]:
    """A chat's messages in the order they were sent, from the cursor on."""
    query = select(Message).where(Message.chat_id == chat_id).order_by(Message.sent_at, Message.id)
    if after is not None:
        query = query.where(_past(Message.sent_at, Message.id, after))
    return query


def latest_messages(chat_id: UUID, count: int) -> Select[Message]:
    """The last *count* messages of a chat, the newest first."""
    query = select(Message).where(Message.chat_id == chat_id)
    return query.order_by(Message.sent_at.desc(), Message.id.desc()).limit(count)


def logs_of_chat(chat_id: UUID, *, action: str | None = None, after: Cursor | None = None) -> Select[Log]:
    """A chat's audit trail in order, all actions or one, from the cursor on."""
    query = select(Log).where(Log.chat_id == chat_id).order_by(Log.logged_at, Log.id)
    if action is not None:
        query = query.where(Log.action == action)
    if after is not None:
        query = query.where(_past(Log.logged_at, Log.id, after))
    return query


def _past(
    time: InstrumentedAttribute[datetime], key: InstrumentedAttribute[UUID], after: Cursor
) -> ColumnElement[bool]:
    # A row comparison, so that one index range answers it.
    return tuple_(time, key) > tuple_(after.time, after.id)


def speakers(messages: Sequence[Message], logs: Sequence[Log]) -> list[Speaker]:
    """Tell for each message of a chat, in order, who spoke.

    Args:
        messages: the chat's messages in order.
        logs: the chat's audit trail.
    """
    return who_spoke(
        [message.sent_at for message in messages],
        [log.logged_at for log in logs if log.action == SEND_MESSAGE],
    )


def who_spoke(sent: Sequence[datetime], logged: Iterable[datetime]) -> list[Speaker]:
    """Tell for each message who spoke, from the times alone.

    A reply carries the user's ``sender_id`` too, so the table does not say. What a person wrote is followed
    by a ``send_message`` log; where logs are missing, speakers take turns, beginning with the user.

    Args:
        sent: when the messages of one chat were sent, in order.
        logged: when its ``send_message`` logs were written.
    """
    times = sorted(logged)
    result: list[Speaker] = []
    for position, moment in enumerate(sent):
        following = sent[position + 1] if position + 1 < len(sent) else None
        at = bisect_left(times, moment)
        known = at < len(times) and (following is None or times[at] < following)
        after_user = bool(result) and result[-1] == "user"
        result.append("user" if known or not after_user else "coach")
    return result
