"""From what was said to rows: ids from handles, times from the clock, and everything nobody said filled in.

A request of the application stores the message, its line of the audit trail and the reply in this order; the
times made here keep it, in every chat, under every name and at every present.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from scenarios.builders.base import Rendered, Source
from scenarios.builders.coach_bot.plans import (
    ChatPlan,
    GeneratedBlockPlan,
    LogPlan,
    MessagePlan,
    Said,
    UserPlan,
)
from scenarios.domains.coach_bot import defaults
from scenarios.domains.coach_bot.audit import sent_details
from scenarios.domains.coach_bot.defaults import BEFORE_FIRST, LOG_DELAY
from scenarios.domains.coach_bot.models import SEND_MESSAGE, Chat, Log, Message, User
from scenarios.errors import BuilderError
from scenarios.factories.coach_bot import UserFactory
from scenarios.factories.context import FactoryContext, entered
from scenarios.graph import Graph
from scenarios.values import Row, add_to_email, conversation

_MESSAGES = ("id", "chat_id", "sender_id", "content", "timestamp", "created_at", "updated_at")
_LOGS = ("id", "user_id", "chat_id", "action", "details", "timestamp", "created_at", "updated_at")


def render(program: Said, context: FactoryContext, instance: str) -> Rendered:
    """Make the rows of *instance*.

    Raises:
        BuilderError: something would happen before what it depends on.
    """
    rendered = Rendered(Graph(context.values), context.row("").uuid("instance"), instance)
    with entered(context):
        made = [_PersonRenderer(program, plan, context, rendered) for plan in program.users]
        # All people first: a message may be another's.
        for person in made:
            person.add_user()
        for person in made:
            person.add_chats()
    return rendered


@dataclass(slots=True)
class _Placed:
    """A chat with the time of its beginning and of each of its parts."""

    plan: ChatPlan
    started: datetime
    times: list[datetime]


class _PersonRenderer:
    """Makes the rows of one person."""

    def __init__(self, program: Said, plan: UserPlan, context: FactoryContext, rendered: Rendered) -> None:
        self.program, self.plan, self.context, self.rendered = program, plan, context, rendered
        self.graph = rendered.graph
        self.placed = [self._place(chat, number) for number, chat in enumerate(plan.chats)]

    def add_user(self) -> None:
        """Make the person."""
        plan = self.plan
        first = min((chat.started for chat in self.placed), default=None)
        if plan.joined is not None:
            joined = self.context.clock.at(plan.joined)
            if first is not None and first < joined:
                self._refuse(
                    f"a chat of {plan.handle} begins at {first}, before they joined at {joined}", plan.source
                )
        else:
            joined = defaults.joined(self.context.clock.now, () if first is None else (first,))
        columns = dict(plan.columns)
        if "email" in columns and self.rendered.name != self.program.name:
            columns["email"] = add_to_email(columns["email"], self.rendered.name)
        user = UserFactory.build(handle=plan.handle, created_at=joined, **columns)
        self._add(user, plan.handle, plan.source)
        self.rendered.sign_in.append({"handle": plan.handle, "username": user.username, "email": user.email})

    def add_chats(self) -> None:
        """Make the person's chats and what is in them."""
        user = self.rendered.handles[self.plan.handle]
        for placed in self.placed:
            plan, started = placed.plan, placed.started
            # Foreign keys instead of relationships: an object would bring its parents along with each row.
            chat = Chat(
                id=self.context.id(plan.handle), user_id=user.id, created_at=started, updated_at=started
            )
            self._add(chat, plan.handle, plan.source)
            for part, at in zip(plan.parts, placed.times, strict=True):
                if isinstance(part, GeneratedBlockPlan):
                    self._stretch(part, chat, user, at)
                elif isinstance(part, LogPlan):
                    actor = user if part.user is None else self.rendered.handles[part.user]
                    self._log(part.handle, part.action, part.details, chat, actor, at, part.source)
                else:
                    self._message(part, chat, user, at)

    # -- times -------------------------------------------------------------------------------------------

    def _place(self, plan: ChatPlan, number: int) -> _Placed:
        clock = self.context.clock
        offsets: list[timedelta] = []
        fixed: datetime | None = None
        at = timedelta()
        for part in plan.parts:
            if part.at is not None:
                moment = clock.at(part.at)
                if fixed is None:
                    # What came before without a time of its own is laid out backwards from here.
                    fixed = moment - at
                at = moment - fixed
            elif offsets:
                at += self._gap(part)
            offsets.append(at)
            if isinstance(part, GeneratedBlockPlan):
                at += part.every * (part.messages - 1)
        if plan.started is not None:
            started = clock.at(plan.started)
            first = started + BEFORE_FIRST if fixed is None else fixed
        else:
            first = fixed if fixed is not None else clock.now - timedelta(hours=1) - at - self._days(number)
            started = first - BEFORE_FIRST
        times = [first + offset for offset in offsets]
        for part, time in zip(plan.parts, times, strict=True):
            if time < started:
                self._refuse(
                    f"{part.handle} happens at {time}, before its chat begins at {started}", part.source
                )
        return _Placed(plan, started, times)

    def _days(self, number: int) -> timedelta:
        # The chat that was said last is the latest.
        return timedelta(days=len(self.plan.chats) - 1 - number)

    def _gap(self, part: MessagePlan | GeneratedBlockPlan | LogPlan) -> timedelta:
        if isinstance(part, LogPlan):
            return LOG_DELAY
        reply = isinstance(part, MessagePlan) and part.reply
        return self.context.row(part.handle).duration(
            "gap", *(defaults.REPLY if reply else defaults.QUESTION)
        )

    # -- rows --------------------------------------------------------------------------------------------

    def _message(self, part: MessagePlan, chat: Chat, user: User, at: datetime) -> None:
        sender = user if part.sender is None else self.rendered.handles[part.sender]
        message = Message(
            id=self.context.id(part.handle),
            chat_id=chat.id,
            sender_id=sender.id,
            content=part.content,
            sent_at=at,
            created_at=at,
            updated_at=at,
        )
        self._add(message, part.handle, part.source)
        if part.log:
            details = sent_details(part.content)
            self._log(f"{part.handle}.log", SEND_MESSAGE, details, chat, sender, at + LOG_DELAY, part.source)

    def _log(
        self,
        handle: str,
        action: str,
        details: object,
        chat: Chat,
        user: User,
        at: datetime,
        source: Source | None,
    ) -> None:
        log = Log(
            id=self.context.id(handle),
            user_id=user.id,
            chat_id=chat.id,
            action=action,
            details=details,
            logged_at=at,
            created_at=at,
            updated_at=at,
        )
        self._add(log, handle, source)

    def _stretch(self, part: GeneratedBlockPlan, chat: Chat, user: User, start: datetime) -> None:
        row = self.context.row(part.handle)
        said = list(_turns(row, part.messages))
        ids = [self.context.id(f"{part.handle}.{number}") for number in range(part.messages)]
        times = [start + number * part.every for number in range(part.messages)]
        self.graph.add_rows(
            Message,
            _MESSAGES,
            [(id, chat.id, user.id, text, at, at, at) for id, text, at in zip(ids, said, times, strict=True)],
            source=part.source,
        )
        if part.log:
            self.graph.add_rows(
                Log, _LOGS, list(self._trail(part, chat, user, said, times)), source=part.source
            )

    def _trail(
        self, part: GeneratedBlockPlan, chat: Chat, user: User, said: list[str], times: list[datetime]
    ) -> Iterator[tuple[UUID, UUID, UUID, str, dict[str, object], datetime, datetime, datetime]]:
        delay = min(LOG_DELAY, part.every / 2)
        for number in range(0, part.messages, 2):
            at = times[number] + delay
            id = self.context.id(f"{part.handle}.{number}.log")
            yield (id, user.id, chat.id, SEND_MESSAGE, sent_details(said[number]), at, at, at)

    def _add(self, row: User | Chat | Message | Log, handle: str, source: Source | None) -> None:
        self.graph.add(row, handle=handle, source=source)
        self.rendered.handles[handle] = row

    def _refuse(self, what: str, source: Source | None) -> None:
        raise BuilderError(
            what,
            where=f"{source[0]}:{source[1]}" if source else None,
            hint="move it with at=, started= or joined=",
        )


def _turns(row: Row, count: int) -> Iterator[str]:
    """Yield what is said: the person first, although the scripts begin with the coach."""
    turns = conversation(row, "CHAT", count + 1, system="coach_bot", identities=("you",))
    next(turns)
    for turn in turns:
        yield turn.content
