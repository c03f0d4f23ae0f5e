"""What a person said of an EssayCoach scenario, before any row is made of it.

Rows made while a scenario is being said could be loaded once, under one name; a record can be rendered as
often as wanted, for any instance and any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scenarios.builders.base import Program, Source, When, did_you_mean
from scenarios.domain import Domain
from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.enums import EssayStatus, LogLevel, Role
from scenarios.factories.essay_coach.texts import TYPES


@dataclass(slots=True)
class Said:
    """A row that was said by itself: a version, an answer, a token, an event.

    Attributes:
        handle: its full handle; empty for one that is counted when it is made.
        columns: what was said of it, by attribute.
        at: when it was made.
        kind: the side of the essay it is about, for answers and feedback.
        session: the login session it belongs to, for tokens.
        replaced_by: the handle of the token that took its place.
    """

    handle: str
    columns: dict[str, Any]
    at: When | None = None
    kind: str = ""
    session: str = ""
    replaced_by: str | None = None
    source: Source | None = None


@dataclass(slots=True)
class EssayPlan:
    """One essay as it was said; versions, answers and feedback said by themselves are not made up."""

    handle: str
    status: EssayStatus = EssayStatus.DRAFT
    columns: dict[str, Any] = field(default_factory=dict)
    versions: int = 1
    at: When | None = None
    quality: int | None = None
    confidence: float | None = None
    kinds: tuple[str, ...] = tuple(TYPES)
    why: str = ""
    number: int = 0
    explicit_versions: list[Said] = field(default_factory=list)
    explicit_answers: list[Said] = field(default_factory=list)
    explicit_feedback: list[Said] = field(default_factory=list)
    source: Source | None = None


@dataclass(slots=True)
class PersonPlan:
    """One person as they were said."""

    handle: str
    role: Role
    institution: str
    columns: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] | None = field(default_factory=dict)
    essays: list[EssayPlan] = field(default_factory=list)
    measured: list[tuple[str, float, When, dict[str, Any]]] = field(default_factory=list)
    reports: list[tuple[str, dict[str, Any], When, Source | None]] = field(default_factory=list)
    sessions: list[tuple[str, int, When, bool]] = field(default_factory=list)
    tokens: list[Said] = field(default_factory=list)
    logs: list[tuple[dict[str, Any], When]] = field(default_factory=list)
    source: Source | None = None

    @property
    def full_handle(self) -> str:
        """The handle with the school's before it, from which the person's values follow."""
        return f"{self.institution}.{self.handle}"


class Told(Program):
    """What was said of a scenario: its institutions and people, in order.

    Args:
        name: the scenario's name.
        as_given: rows are made exactly as said; nothing is filled in but what can be counted.
        options: as for `Program`.
    """

    def __init__(self, name: str, *, as_given: bool = False, **options: Any) -> None:
        super().__init__(name, **options)
        self.as_given = as_given
        self.system_logs: list[tuple[dict[str, Any], When]] = []
        self.institutions: list[tuple[str, dict[str, Any], Source | None]] = []
        self.people: list[PersonPlan] = []

    @property
    def domain(self) -> Domain:
        """EssayCoach."""
        return DOMAIN


def event_of(
    program: Told,
    event: str,
    level: str,
    source: str,
    message: str,
    context: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the columns of an event.

    Raises:
        BuilderError: there is no such level.
    """
    if level not in set(LogLevel):
        program.refuse(f"there is no log level {level!r}", hint=did_you_mean(level, list(LogLevel)))
    columns: dict[str, Any] = {
        "event": event,
        "level": str(level),
        "source": source,
        "message": message,
    }
    if context is not None:
        columns["context"] = dict(context)
    return columns
