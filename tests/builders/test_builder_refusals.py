"""Each call that makes no sense is refused there and then, at its line, with what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from scenarios.builders.dev_coach import ScenarioStep, a_scenario
from scenarios.domains.dev_coach import (
    ActionType,
    CoachingPhase,
    IdentityCategory,
    IdentityState,
    MessageRole,
)
from scenarios.errors import BuilderError

Phase, State, Category = CoachingPhase, IdentityState, IdentityCategory

REFUSED: dict[str, tuple[Callable[[ScenarioStep], object], str]] = {
    "a handle twice": (lambda s: s.user("maya").user("maya"), "taken by a user"),
    "a malformed handle": (lambda s: s.user("Maya Lou"), "cannot be a handle"),
    "a bad address": (lambda s: s.user("maya", email="maya@localhost"), "not an address"),
    "an unreadable time": (lambda s: s.user("maya", joined="last week"), "cannot read the offset"),
    "an identity before its phase": (
        lambda s: s.user("maya").in_phase(Phase.GET_TO_KNOW_YOU).identity("maker"),
        "cannot exist while",
    ),
    "a state before its phase": (
        lambda s: s.user("maya").in_phase(Phase.IDENTITY_CREATION).identity("maker", state=State.ACCEPTED),
        "cannot be ACCEPTED",
    ),
    "an unfinished identity after refinement": (
        lambda s: s.user("maya").identity("maker", state=State.PROPOSED).in_phase(Phase.INTEGRATION),
        "cannot be PROPOSED",
    ),
    "a phase twice": (
        lambda s: s.user("maya").in_phase(Phase.COMPLETED).in_phase(Phase.INTEGRATION),
        "is in COMPLETED already",
    ),
    "a name twice": (
        lambda s: s.user("maya").identity("a", name="Maker").identity("b", name="maker"),
        "is named 'Maker' already",
    ),
    "an identity in a skipped category": (
        lambda s: (
            s.user("maya")
            .in_phase(Phase.IDENTITY_CREATION, skipped=[Category.SPIRITUAL])
            .identity("maker", category=Category.SPIRITUAL)
        ),
        "skipped SPIRITUAL",
    ),
    "skipping a category that is used": (
        lambda s: (
            s.user("maya")
            .identity("maker", category=Category.SPIRITUAL)
            .in_phase(Phase.IDENTITY_CREATION, skipped=[Category.SPIRITUAL])
        ),
        "cannot have skipped SPIRITUAL",
    ),
    "a current identity too early": (
        lambda s: s.user("maya").in_phase(Phase.IDENTITY_CREATION).identity("maker").as_current(),
        "has no current identity",
    ),
    "a current identity that is done": (
        lambda s: s.user("maya").identity("maker", state=State.REFINEMENT_COMPLETE).as_current(),
        "cannot be the current one",
    ),
    "a current identity with an older unfinished one": (
        lambda s: s.user("maya").identity("a", state=State.ACCEPTED).identity("b").as_current(),
        "is older and ACCEPTED",
    ),
    "two current identities": (
        lambda s: s.user("maya").identity("a").as_current().identity("b").as_current(),
        "is the current identity already",
    ),
    "two proposed identities": (
        lambda s: s.user("maya").identity("a").as_proposed().identity("b").as_proposed(),
        "is the proposed identity already",
    ),
    "no identities": (lambda s: s.user("maya").identities(0), "cannot be added"),
    "the person first": (lambda s: s.user("maya").says("hello"), "cannot speak first"),
    "an empty message": (lambda s: s.user("maya").coach("  "), "cannot be empty"),
    "a NUL": (lambda s: s.user("maya").coach("a\0b"), "NUL"),
    "no turns": (lambda s: s.user("maya").conversation(0), "cannot have 0 turns"),
    "an earlier time": (
        lambda s: s.user("maya").coach("later", at="-1h").says("earlier", at="-2h"),
        "not later than",
    ),
    "a later phase's talk": (
        lambda s: s.user("maya").in_phase(Phase.GET_TO_KNOW_YOU).conversation(3, phase=Phase.COMPLETED),
        "cannot talk about COMPLETED",
    ),
    "an action without a message": (
        lambda s: s.user("maya").action(ActionType.CREATE_IDENTITY),
        "nothing the coach said",
    ),
    "an action by the person": (
        lambda s: (
            s.user("maya").coach("a").says("b", handle="b").action(ActionType.CREATE_IDENTITY, message="b")
        ),
        "was said by maya",
    ),
    "two actions of a type": (
        lambda s: (
            s.user("maya")
            .coach("a")
            .triggers(ActionType.CREATE_IDENTITY)
            .triggers(ActionType.CREATE_IDENTITY)
        ),
        "triggers CREATE_IDENTITY already",
    ),
    "a transition to nowhere": (
        lambda s: s.user("maya").coach("a").triggers(ActionType.TRANSITION_PHASE),
        "needs a phase",
    ),
    "a note from the coach's words": (
        lambda s: s.user("maya").coach("a", handle="a").note("x", source="a"),
        "was said by the coach",
    ),
    "a note from nothing": (
        lambda s: s.user("maya").coach("hello", handle="hello").note("x", source="helo"),
        "did you mean 'hello'",
    ),
    "a note twice": (lambda s: s.user("maya").note("x").note("x"), "has the note 'x' already"),
    "a prompt twice": (
        lambda s: s.prompt(Phase.COMPLETED, version=1).prompt(Phase.COMPLETED, version=1),
        "is there already",
    ),
    "version 0": (lambda s: s.prompt(Phase.COMPLETED, version=0), "cannot have version 0"),
    "an unknown creator": (lambda s: s.user("maya").created_by("mya"), "did you mean 'maya'"),
    "a session that ends first": (
        lambda s: s.user("maya").session(started="-1h", ended="-2h"),
        "ends before it starts",
    ),
    "two profiles": (lambda s: s.user("maya").profile().profile(), "has a profile already"),
    "an unknown column": (lambda s: s.user("maya").profile(time_zone="UTC"), "did you mean 'timezone'"),
    "too few topics": (
        lambda s: s.user("maya").in_phase(Phase.COMPLETED, asked=2),
        "with 2 topics asked",
    ),
    "a phase without a current identity": (
        lambda s: s.user("maya").identity("a").as_current().in_phase(Phase.IDENTITY_CREATION),
        "has no current identity in",
    ),
    "all categories skipped": (
        lambda s: s.user("maya").in_phase(Phase.IDENTITY_CREATION, skipped=list(Category)).identity("a"),
        "skipped every category",
    ),
    "a transition beyond the phase": (
        lambda s: (
            s.user("maya")
            .in_phase(Phase.IDENTITY_CREATION)
            .coach("a")
            .triggers(ActionType.TRANSITION_PHASE, parameters={"to_phase": Phase.COMPLETED})
        ),
        "cannot have gone on to COMPLETED",
    ),
    "a last transition elsewhere": (
        lambda s: (
            s.user("maya")
            .identities(1)
            .coach("a")
            .triggers(ActionType.TRANSITION_PHASE, parameters={"to_phase": Phase.GET_TO_KNOW_YOU})
            .build()
        ),
        "leads to GET_TO_KNOW_YOU, and maya is in IDENTITY_CREATION",
    ),
    "transitions out of order": (
        lambda s: (
            s.user("maya")
            .in_phase(Phase.COMPLETED)
            .coach("a")
            .triggers(ActionType.TRANSITION_PHASE, parameters={"to_phase": Phase.IDENTITY_CREATION})
            .coach("b")
            .triggers(ActionType.TRANSITION_PHASE, parameters={"to_phase": Phase.COMPLETED})
            .build()
        ),
        "cannot have gone from IDENTITY_CREATION to COMPLETED",
    ),
    "a current identity with an older proposed one": (
        lambda s: (
            s.user("maya")
            .in_phase(Phase.IDENTITY_REFINEMENT)
            .identity("a")
            .as_proposed()
            .identity("b")
            .as_current()
            .build()
        ),
        "maya.b cannot be the current identity",
    ),
    "an identity older than its person": (
        lambda s: s.user("maya", joined="-1d").identity("a", created="-2d").build(),
        "maya.a is older than maya",
    ),
    "identities out of order": (
        lambda s: s.user("maya").identity("a", created="-1d").identity("b", created="-2d").build(),
        "maya.b is created before",
    ),
    "a note before the first word": (
        lambda s: s.user("maya").coach("a").says("b", at="-1h").note("x", at="-2h").build(),
        "is older than the first thing maya said",
    ),
    "a session that misses its messages": (
        lambda s: s.user("maya").session(started="-2h", ended="-1h").coach("a", at="-30m").build(),
        "does not last while its messages are said",
    ),
    "an action nothing is left to trigger": (
        lambda s: (
            s.user("maya")
            .conversation(1, actions=False)
            .action(ActionType.ADD_USER_NOTE)
            .action(ActionType.ADD_USER_NOTE)
            .build()
        ),
        "could have triggered ADD_USER_NOTE",
    ),
    "an action before its message": (
        lambda s: s.user("maya").coach("a", at="-1h").triggers(ActionType.ADD_USER_NOTE, at="-2h").build(),
        "before the message that triggers it",
    ),
    "a note before its source": (
        lambda s: (
            s.user("maya")
            .coach("a")
            .says("b", at="-2h")
            .says("c", at="-1h", handle="c")
            .note("x", source="c", at="-90m")
            .build()
        ),
        "older than the message it was learned from",
    ),
    "the person first, generated": (
        lambda s: s.user("maya").conversation(3, begins_with=MessageRole.USER),
        "cannot speak first",
    ),
    "self-descriptions too early": (
        lambda s: s.user("maya").in_phase(Phase.GET_TO_KNOW_YOU, who_you_are=["father"]),
        "cannot have described themselves",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_at_its_line(case):
    call, message = REFUSED[case]
    with pytest.raises(BuilderError) as refused:
        call(a_scenario("refused"))
    assert message in str(refused.value)
    assert "test_builder_refusals.py:" in (refused.value.where or "")
    assert refused.value.hint


@pytest.mark.parametrize("name", ["", "Has Spaces", "x" * 201])
def test_a_scenario_needs_a_name(name):
    with pytest.raises(BuilderError, match="cannot be named"):
        a_scenario(name)


def test_the_clock_needs_a_time_zone():
    with pytest.raises(BuilderError, match="time zone"):
        a_scenario("naive", now=datetime(2026, 1, 1))
