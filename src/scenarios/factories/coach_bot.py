"""Factories of Coach Bot's four tables.

Rows made by hand break this system's quiet rules: a reply before its question, a log of a message nobody
sent, two addresses that differ in case. Here a row fits its parents by default: a message belongs to the chat
built last and is later than the one before, a log tells of the message built last.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from factory.declarations import LazyAttribute, Trait

from scenarios.domains.coach_bot import defaults
from scenarios.domains.coach_bot.audit import sent_details
from scenarios.domains.coach_bot.models import ACTION_LENGTH, SEND_MESSAGE, Chat, Log, Message, User
from scenarios.factories.base import Declaration, Parent, RowFactory, RowId, Value
from scenarios.factories.context import current_context
from scenarios.values import Row

if TYPE_CHECKING:
    from factory.builder import BuildStep, Resolver

T = TypeVar("T")

LONGEST_ACTION = "escalated_" + "x" * (ACTION_LENGTH - len("escalated_"))
"""An action that fills its column to the last character."""


class Moment(Declaration[datetime]):
    """The next moment of the row's chat: strictly later than everything built in it before."""

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> datetime:
        chat: Chat = instance.chat
        start = chat.created_at + defaults.BEFORE_FIRST
        return current_context().moment(chat.id, start, instance.handle)


def _of(make: Callable[[Any], T]) -> LazyAttribute[Any, T]:
    """Return the declaration of what *make* computes from the row's other values."""
    return LazyAttribute(make)


def _question(row: Row) -> str:
    return row.text("coach_bot.texts.questions", "content")


def _answer(row: Row) -> str:
    return row.text("coach_bot.texts.answers", "content")


class UserFactory(RowFactory[User]):
    """A person."""

    class Meta:
        model = User

    id = RowId()
    username = _of(lambda o: o.handle)
    email = _of(lambda o: defaults.email(current_context().row(o.handle), current_context().instance))
    created_at = _of(lambda o: defaults.joined(current_context().clock.now))
    updated_at = _of(lambda o: o.created_at)


class ChatFactory(RowFactory[Chat]):
    """A conversation of the user built last."""

    class Meta:
        model = Chat

    id = RowId()
    user = Parent(UserFactory)
    user_id = _of(lambda o: o.user.id)
    created_at = _of(lambda o: max(o.user.created_at, current_context().clock.now - timedelta(days=1)))
    updated_at = _of(lambda o: o.created_at)


class MessageFactory(RowFactory[Message]):
    """A message in the chat built last; ``reply=True`` is what the coach says."""

    class Meta:
        model = Message

    class Params:
        reply: Any = Trait(content=Value(_answer))

    id = RowId()
    chat = Parent(ChatFactory)
    sender = _of(lambda o: o.chat.user)
    chat_id = _of(lambda o: o.chat.id)
    sender_id = _of(lambda o: o.sender.id)
    content = Value(_question)
    sent_at = Moment()
    created_at = _of(lambda o: o.sent_at)
    updated_at = _of(lambda o: o.created_at)


class LogFactory(RowFactory[Log]):
    """The log of the message built last; ``longest=True`` fills the action's column."""

    class Meta:
        model = Log

    class Params:
        message = Parent(MessageFactory)
        longest: Any = Trait(action=LONGEST_ACTION, details=None)

    id = RowId()
    chat = _of(lambda o: o.message.chat)
    user = _of(lambda o: o.message.sender)
    chat_id = _of(lambda o: o.chat.id)
    user_id = _of(lambda o: o.user.id)
    action = SEND_MESSAGE
    details = _of(lambda o: sent_details(o.message.content))
    logged_at = _of(lambda o: o.message.sent_at + defaults.LOG_DELAY)
    created_at = _of(lambda o: o.logged_at)
    updated_at = _of(lambda o: o.created_at)
