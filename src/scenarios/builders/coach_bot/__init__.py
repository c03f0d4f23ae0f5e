"""Coach Bot scenarios, said in Python.

Start with `a_scenario`; what can be said next is in `scenarios.builders.coach_bot.steps`::

    a_scenario("ai_outage")
        .user("maya")
            .chat("evening")
                .says("Are you there?")
                .says("Hello?")
        .build()
"""

from __future__ import annotations

from datetime import datetime

from scenarios.builders.base import BuiltScenario, Loaded, When
from scenarios.builders.coach_bot.program import CoachBotProgram
from scenarios.builders.coach_bot.steps import ChatStep, ScenarioStep, UserStep

__all__ = [
    "BuiltScenario",
    "ChatStep",
    "CoachBotProgram",
    "Loaded",
    "ScenarioStep",
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
) -> ScenarioStep:
    """Begin a Coach Bot scenario.

    Args:
        name: its name, and that of the instance when none is given on loading.
        description: for people.
        seed: the seed of all values, by default the setting ``seed``.
        locale: the Faker locale of names, by default the setting ``locale``.
        now: what relative times refer to, by default the clock's own anchor.

    Raises:
        BuilderError: the name cannot be one.
    """
    return ScenarioStep(CoachBotProgram(name, description=description, seed=seed, locale=locale, now=now))
