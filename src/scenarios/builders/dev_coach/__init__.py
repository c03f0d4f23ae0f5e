"""Dev Coach scenarios, said in Python.

Start with `a_scenario`; what can be said next is in `scenarios.builders.dev_coach.steps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scenarios.builders.base import BuiltScenario, Loaded, When
from scenarios.builders.dev_coach.program import DevCoachProgram
from scenarios.builders.dev_coach.steps import (
    CoachMessageStep,
    ConversationStep,
    IdentityStep,
    ScenarioStep,
    UserMessageStep,
    UserStep,
)

__all__ = [
    "BuiltScenario",
    "CoachMessageStep",
    "ConversationStep",
    "DevCoachProgram",
    "IdentityStep",
    "Loaded",
    "ScenarioStep",
    "UserMessageStep",
    "UserStep",
    "When",
    "a_scenario",
]


def a_scenario(
    name: str,
    *,
    description: str = "",
    seed: str | None = None,
    locale: str | None = None,
    now: datetime | None = None,
    as_given: bool = False,
    template: Mapping[str, Any] | None = None,
) -> ScenarioStep:
    """Begin a Dev Coach scenario.

    Args:
        name: its name, and that of the instance when none is given on loading.
        description: for people.
        seed: the seed of all values, by default the setting ``seed``.
        locale: the Faker locale of names and places, by default the setting ``locale``.
        now: what relative times refer to, by default the clock's own anchor.
        as_given: make the rows exactly as said: nothing is filled in and the rules of the coaching programme
            are not checked. For states that were taken from life.
        template: what the instance's row keeps as its template, by default a summary.

    Raises:
        BuilderError: the name cannot be one.
    """
    return ScenarioStep(
        DevCoachProgram(
            name,
            description=description,
            seed=seed,
            locale=locale,
            now=now,
            as_given=as_given,
            template=template,
        )
    )
