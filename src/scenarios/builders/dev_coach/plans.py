"""What was said about a Dev Coach scenario, as plain data: no rows, no ids, no times.

A builder that made rows while it was spoken to could be loaded once, under one name, at one time. These plans
are rendered as often as wanted (`scenarios.builders.dev_coach.program`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scenarios.builders.base import Program, Source, When
from scenarios.domain import Domain
from scenarios.domains.dev_coach import (
    DOMAIN,
    ActionType,
    CoachingPhase,
    IdentityCategory,
    IdentityState,
    MessageRole,
)


@dataclass(slots=True)
class MessagePlan:
    """One message that was written out."""

    handle: str
    role: MessageRole
    content: str
    at: When | None
    metadata: Mapping[str, Any] | None
    session: str | None
    source: Source | None


@dataclass(slots=True)
class GeneratedBlockPlan:
    """A generated part of a conversation."""

    handle: str
    turns: int
    phase: CoachingPhase | None
    at: When | None
    begins_with: MessageRole
    sessions: bool
    actions: bool
    session: str | None
    source: Source | None


@dataclass(slots=True)
class TalkPlan:
    """Messages written out one after the other."""

    turns: list[MessagePlan] = field(default_factory=list)

    @property
    def at(self) -> When | None:
        """When it begins, None where nobody said."""
        return self.turns[0].at


Block = TalkPlan | GeneratedBlockPlan


@dataclass(slots=True)
class IdentityPlan:
    """One identity; ``columns`` has what was said, the rest is filled in."""

    handle: str
    category: IdentityCategory | None
    state: IdentityState | None
    state_explicit: bool
    created: When | None
    columns: dict[str, Any]
    source: Source | None


@dataclass(slots=True)
class NotePlan:
    """A fact about a person."""

    handle: str
    text: str
    message: str | None
    at: When | None
    source: Source | None


@dataclass(slots=True)
class ActionPlan:
    """An executed action and the message that triggered it."""

    handle: str
    type: ActionType
    parameters: Mapping[str, Any]
    summary: str | None
    message: str | None
    at: When | None
    result: Mapping[str, Any] | None
    source: Source | None


@dataclass(slots=True)
class SessionPlan:
    """A sitting that groups messages."""

    handle: str
    phase: CoachingPhase | None
    started: When | None
    ended: When | None
    open: bool
    source: Source | None


@dataclass(slots=True)
class PromptPlan:
    """A version of a prompt."""

    phase: CoachingPhase | None
    version: int
    columns: dict[str, Any]
    source: Source | None


@dataclass(slots=True)
class UserPlan:
    """One person and all that is theirs."""

    handle: str
    columns: dict[str, Any]
    joined: When | None
    source: Source | None
    phase: CoachingPhase | None = None
    state_columns: dict[str, Any] = field(default_factory=dict)
    skipped: tuple[IdentityCategory, ...] | None = None
    asked: int | None = None
    current: str | None = None
    current_explicit: bool = False
    proposed: str | None = None
    identities: list[IdentityPlan] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    notes: list[NotePlan] = field(default_factory=list)
    actions: list[ActionPlan] = field(default_factory=list)
    sessions: dict[str, SessionPlan] = field(default_factory=dict)
    open_session: str | None = None
    profile: dict[str, Any] | None = None
    verifications: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def implied_phase(self) -> CoachingPhase:
        """The phase that was said, else the earliest one in which this person is possible."""
        if self.phase is not None:
            return self.phase
        if not self.identities:
            return CoachingPhase.GET_TO_KNOW_YOU
        states = {identity.state for identity in self.identities if identity.state_explicit}
        if self.current is not None or states - {IdentityState.PROPOSED, None}:
            return CoachingPhase.IDENTITY_REFINEMENT
        return CoachingPhase.IDENTITY_CREATION

    def turns(self) -> Iterator[MessagePlan]:
        """Yield the messages that were written out, in order."""
        for block in self.blocks:
            if isinstance(block, TalkPlan):
                yield from block.turns

    def turn(self, handle: str) -> MessagePlan | None:
        """Return the message *handle*, None where it is not one that was written out."""
        return next((turn for turn in self.turns() if turn.handle == handle), None)

    def identity(self, handle: str) -> IdentityPlan:
        """Return the identity *handle*."""
        return next(identity for identity in self.identities if identity.handle == handle)


class Said(Program):
    """A Dev Coach scenario as it was said; `scenarios.builders.dev_coach.program` makes rows of it.

    Args:
        as_given: rows are made exactly as said; nothing is filled in and the rules of the coaching programme
            are not checked. For states that were taken from life.
        template: what the instance's row keeps as its template, by default a summary of what was said.
    """

    def __init__(
        self,
        name: str,
        *,
        description: str = "",
        seed: str | None = None,
        locale: str | None = None,
        now: datetime | None = None,
        as_given: bool = False,
        template: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, description=description, seed=seed, locale=locale, now=now)
        self.as_given = as_given
        self.template = template
        self.users: list[UserPlan] = []
        self.prompts: list[PromptPlan] = []
        self.created_by: str | None = None

    @property
    def domain(self) -> Domain:
        """Dev Coach."""
        return DOMAIN

    def user(self, handle: str) -> UserPlan:
        """Return the person *handle*."""
        return next(user for user in self.users if user.handle == handle)
