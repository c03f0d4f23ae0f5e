"""What each phase of Dev Coach implies for everything else a person has.

Without one table of it a factory trait, a builder default and a validator would each have an idea of what
IDENTITY_REFINEMENT means, and a scenario made by one would be refused by another. The rules are those of the
coaching programme: topics are asked in order, descriptions come with the creation of identities, entering
refinement accepts what was proposed, and nothing unfinished is taken into integration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from scenarios.domains.dev_coach.enums import (
    ActionType,
    CoachingPhase,
    GetToKnowYouQuestion,
    IdentityCategory,
    IdentityState,
)

QUESTIONS: tuple[GetToKnowYouQuestion, ...] = tuple(GetToKnowYouQuestion)
"""The topics of the first phase, in asking order."""

CATEGORIES: tuple[IdentityCategory, ...] = tuple(IdentityCategory)
"""The areas of life, in the order in which a coach asks for them."""

STATES_IN: Mapping[CoachingPhase, frozenset[IdentityState]] = MappingProxyType(
    {
        CoachingPhase.GET_TO_KNOW_YOU: frozenset(),
        CoachingPhase.IDENTITY_CREATION: frozenset({IdentityState.PROPOSED}),
        CoachingPhase.IDENTITY_REFINEMENT: frozenset(IdentityState),
        CoachingPhase.INTEGRATION: frozenset({IdentityState.REFINEMENT_COMPLETE}),
        CoachingPhase.COMPLETED: frozenset({IdentityState.REFINEMENT_COMPLETE}),
    }
)
"""The states an identity can be in while its person is in a phase."""

STATE_BY_DEFAULT: Mapping[CoachingPhase, IdentityState] = MappingProxyType(
    {
        CoachingPhase.GET_TO_KNOW_YOU: IdentityState.PROPOSED,
        CoachingPhase.IDENTITY_CREATION: IdentityState.PROPOSED,
        CoachingPhase.IDENTITY_REFINEMENT: IdentityState.ACCEPTED,
        CoachingPhase.INTEGRATION: IdentityState.REFINEMENT_COMPLETE,
        CoachingPhase.COMPLETED: IdentityState.REFINEMENT_COMPLETE,
    }
)
"""The state of an identity nobody said anything about."""

TURNS_BY_DEFAULT: Mapping[CoachingPhase, int] = MappingProxyType(
    {
        CoachingPhase.GET_TO_KNOW_YOU: 9,
        CoachingPhase.IDENTITY_CREATION: 21,
        CoachingPhase.IDENTITY_REFINEMENT: 31,
        CoachingPhase.INTEGRATION: 41,
        CoachingPhase.COMPLETED: 51,
    }
)
"""How many turns a whole conversation has had by a phase; odd, since it begins and ends with the coach."""

DAYS_BY_DEFAULT: Mapping[CoachingPhase, int] = MappingProxyType(
    {
        CoachingPhase.GET_TO_KNOW_YOU: 2,
        CoachingPhase.IDENTITY_CREATION: 7,
        CoachingPhase.IDENTITY_REFINEMENT: 16,
        CoachingPhase.INTEGRATION: 30,
        CoachingPhase.COMPLETED: 60,
    }
)
"""How many days ago someone in a phase joined."""

WORKING_ACTION: Mapping[CoachingPhase, ActionType] = MappingProxyType(
    {
        CoachingPhase.GET_TO_KNOW_YOU: ActionType.UPDATE_ASKED_QUESTIONS,
        CoachingPhase.IDENTITY_CREATION: ActionType.CREATE_IDENTITY,
        CoachingPhase.IDENTITY_REFINEMENT: ActionType.ACCEPT_IDENTITY_REFINEMENT,
        CoachingPhase.INTEGRATION: ActionType.UPDATE_IDENTITY_AFFIRMATION,
        CoachingPhase.COMPLETED: ActionType.UPDATE_IDENTITY_VISUALIZATION,
    }
)
"""What the coach mostly does in a phase."""


def has_identities(phase: CoachingPhase) -> bool:
    """Return whether a person in *phase* can have identities."""
    return phase.number >= CoachingPhase.IDENTITY_CREATION.number


def is_brainstormed(phase: CoachingPhase) -> bool:
    """Return whether every category has an identity or was skipped by *phase*."""
    return phase.number >= CoachingPhase.IDENTITY_REFINEMENT.number


def asked_by(phase: CoachingPhase, asked: int | None = None) -> list[str]:
    """Return the topics asked by *phase*: all after the first phase, *asked* of them (by default two) in
    it."""
    if phase is not CoachingPhase.GET_TO_KNOW_YOU:
        return [question.value for question in QUESTIONS]
    return [question.value for question in QUESTIONS[: 2 if asked is None else asked]]


def skipped_by(
    phase: CoachingPhase, used: Iterable[IdentityCategory], said: Iterable[IdentityCategory] = ()
) -> list[str]:
    """Return the categories skipped by *phase*: those *said*, and after brainstorming all without an
    identity."""
    taken, wanted = set(used), set(said)
    if is_brainstormed(phase):
        wanted |= set(CATEGORIES) - taken
    return [category.value for category in CATEGORIES if category in wanted]
