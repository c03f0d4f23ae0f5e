"""The fluent builder of EssayCoach: schools, their people and what they write, said in sentences.

An essay at a status is five tables' rows that have to agree. ``.completed(quality=82)`` says it, and
versions, raw answers, feedback, times and counts follow; what cannot be true is refused at the call::

    scenario = (
        a_scenario("one_good_essay")
        .institution("north", name="North School")
        .educator("ruth").report("term", title="The class this term", public=True)
        .student("lena", first_name="Lena")
        .essay("lamp", title="The Lamp in the Window").with_versions(3).completed(quality=82)
        .essay("draft")
        .measured("essay_score", 82)
        .build()
    )
"""

from __future__ import annotations

from datetime import datetime

from scenarios.builders.base import When
from scenarios.builders.essay_coach.program import EssayCoachProgram
from scenarios.builders.essay_coach.steps import (
    EssayStep,
    InstitutionStep,
    ScenarioStep,
    StaffStep,
    StudentStep,
)

__all__ = [
    "EssayCoachProgram",
    "EssayStep",
    "InstitutionStep",
    "ScenarioStep",
    "StaffStep",
    "StudentStep",
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
) -> ScenarioStep:
    """Begin an EssayCoach scenario.

    Args:
        name: its name, and that of the instance when none is given on loading.
        description: for people.
        seed: the seed of all values, by default the setting ``seed``.
        locale: the Faker locale of names and places, by default the setting ``locale``.
        now: what relative times refer to, by default the clock's own anchor.
        as_given: make the rows exactly as said: nothing is made up but names and addresses that nobody said,
            and nothing is filled in but what can be counted. For states taken from life.

    Raises:
        BuilderError: the name cannot be one.
    """
    program = EssayCoachProgram(
        name, description=description, seed=seed, locale=locale, now=now, as_given=as_given
    )
    return ScenarioStep(program)
