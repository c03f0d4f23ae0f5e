"""What a person said of an EssayCoach scenario, before any row is made of it.

Rows made while a scenario is being said could be loaded once, under one name; a record can be rendered as
often as wanted, for any instance and any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from scenarios.builders.base import Program, Source
from scenarios.domain import Domain
from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.enums import EssayStatus, Role
from scenarios.errors import ValuesError
from scenarios.factories.essay_coach.texts import TYPES
from scenarios.values.clock import Clock

When = str | timedelta | datetime
"""A time: an offset from the scenario's now (``"-3d @18:00"``), or a moment."""


@dataclass(slots=True)
class EssayPlan:
    """One essay as it was said."""

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
    measured: list[tuple[str, float, When]] = field(default_factory=list)
    reports: list[tuple[str, dict[str, Any], When, Source | None]] = field(default_factory=list)
    sessions: list[tuple[str, int, When, bool]] = field(default_factory=list)
    logs: list[tuple[dict[str, Any], When]] = field(default_factory=list)
    source: Source | None = None


class Said(Program):
    """What was said of a scenario: its institutions and people, in order."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.institutions: list[tuple[str, dict[str, Any], Source | None]] = []
        self.people: list[PersonPlan] = []

    @property
    def domain(self) -> Domain:
        """EssayCoach."""
        return DOMAIN

    def moment(self, when: When) -> None:
        """Refuse a time that cannot be read."""
        try:
            Clock().at(when)
        except ValuesError as error:
            self.refuse(f"the time {when!r} cannot be read", why=error.why, remedy=error.remedy)
