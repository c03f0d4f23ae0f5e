"""What was said about a Coach Bot scenario, as plain data: no rows, no keys, no times.

A builder that made rows while it was spoken to could be loaded once, under one name, at one time. These plans
are rendered as often as wanted (`scenarios.builders.coach_bot.render`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from scenarios.builders.base import Program, Source, When
from scenarios.domain import Domain
from scenarios.domains.coach_bot import DOMAIN


@dataclass(slots=True)
class LogPlan:
    """One line of the audit trail; without a time of its own it follows what was said before it."""

    handle: str
    action: str
    details: Mapping[str, Any] | None
    at: When | None
    user: str | None
    source: Source | None


@dataclass(slots=True)
class MessagePlan:
    """One message that was written out.

    Attributes:
        reply: whether the coach says it.
        sender: the handle of who says it, where that is not the chat's user.
        log: whether the audit trail tells of it.
    """

    handle: str
    content: str
    reply: bool
    at: When | None
    sender: str | None
    log: bool
    source: Source | None


@dataclass(slots=True)
class GeneratedBlockPlan:
    """A generated part of a conversation: questions and replies in turns."""

    handle: str
    messages: int
    at: When | None
    every: timedelta
    log: bool
    source: Source | None


@dataclass(slots=True)
class ChatPlan:
    """A conversation."""

    handle: str
    started: When | None
    source: Source | None
    parts: list[MessagePlan | GeneratedBlockPlan | LogPlan] = field(default_factory=list)

    @property
    def spoken(self) -> bool:
        """Whether anything was said yet."""
        return any(not isinstance(part, LogPlan) for part in self.parts)


@dataclass(slots=True)
class UserPlan:
    """A person; ``columns`` has what was said, the rest is filled in."""

    handle: str
    columns: dict[str, Any]
    joined: When | None
    source: Source | None
    chats: list[ChatPlan] = field(default_factory=list)


class Said(Program):
    """Everything said about one Coach Bot scenario; the arguments are those of `Program`."""

    def __init__(
        self,
        name: str,
        *,
        description: str = "",
        seed: str | None = None,
        locale: str | None = None,
        now: datetime | None = None,
    ) -> None:
        super().__init__(name, description=description, seed=seed, locale=locale, now=now)
        self.users: list[UserPlan] = []

    @property
    def domain(self) -> Domain:
        return DOMAIN
