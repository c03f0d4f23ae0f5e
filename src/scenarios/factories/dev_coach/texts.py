"""The texts and small choices of Dev Coach rows, each seeded by its row.

The corpora know no rules. Here a name fits its category and differs from the person's other names, a turn
fits its speaker and phase, and an action's parameters have the keys its type takes.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scenarios.domains.dev_coach import (
    ActionType,
    CoachingPhase,
    IdentityCategory,
    MessageRole,
    User,
)
from scenarios.domains.dev_coach.phases import CATEGORIES, QUESTIONS
from scenarios.values import corpus
from scenarios.values.corpora import corpus_file, find_corpus

if TYPE_CHECKING:
    from collections.abc import Collection

    from scenarios.values import Row

TIMEZONES = (
    "Europe/Lisbon",
    "Europe/Berlin",
    "America/Chicago",
    "America/Bogota",
    "Africa/Lagos",
    "Asia/Tokyo",
)


def identity_name(taken: Collection[str], category: IdentityCategory, row: Row) -> str:
    """Return a name that fits *category* and is not *taken*, whatever its case."""
    used = {name.lower() for name in taken}
    names = row.shuffle("name", corpus(f"dev_coach.identity_names.{category.value}"))
    for name in (*names, *row.shuffle("name.other", corpus("dev_coach.identity_names.OTHER"))):
        if name.lower() not in used:
            return name
    number = 2
    while f"{names[0]} {number}".lower() in used:
        number += 1
    return f"{names[0]} {number}"


def next_category(
    used: Collection[IdentityCategory], skipped: Collection[IdentityCategory], row: Row
) -> IdentityCategory:
    """Return the first category in the coach's order that is neither used nor skipped; then any that is not
    skipped."""
    for category in CATEGORIES:
        if category not in used and category not in skipped:
            return category
    return row.choice(
        "category", [category for category in CATEGORIES if category not in skipped] or CATEGORIES
    )


def identity_note(row: Row) -> str:
    """Return why an identity was made."""
    return row.text("dev_coach.texts.notes", "identity_note")


def affirmation(row: Row) -> str:
    """Return a sentence that begins with I."""
    return row.text("dev_coach.texts.affirmations", "affirmation")


def visualization(row: Row) -> str:
    """Return a scene."""
    return row.text("dev_coach.texts.visualizations", "visualization")


def who_you_are(row: Row) -> list[str]:
    """Return two to five words for who a person is."""
    return row.texts("dev_coach.texts.self_descriptions", row.integer("who_you_are.n", 2, 5), "who_you_are")


def who_you_want_to_be(row: Row) -> list[str]:
    """Return two to four words for who a person wants to be."""
    return row.texts("dev_coach.texts.aspirations", row.integer("who.n", 2, 4), "who_you_want_to_be")


def note(row: Row) -> str:
    """Return a fact in the third person."""
    return row.text("dev_coach.texts.notes", "note")


def bio(row: Row) -> str:
    """Return a sentence or two for a profile, at most 500 characters."""
    return f"{row.job('bio.job')} in {row.city('bio.city')}. {note(row)}"[:500]


def date_of_birth(row: Row) -> date:
    """Return the birthday of an adult."""
    return date(1960, 1, 1) + timedelta(days=row.integer("date_of_birth", 0, 45 * 365))


def coaching_goals(row: Row) -> dict[str, str]:
    """Return one to three goals by area of life."""
    areas = row.sample("goals", CATEGORIES, row.integer("goals.n", 1, 3))
    goals = row.texts("dev_coach.texts.aspirations", len(areas), "goals.texts")
    return {area.value: goal for area, goal in zip(areas, goals, strict=True)}


def next_role(user: User) -> MessageRole:
    """Return who speaks next in a conversation that begins with the coach."""
    return MessageRole.COACH if len(user.chat_messages) % 2 == 0 else MessageRole.USER


@lru_cache(maxsize=32)
def _lines(phase: CoachingPhase, role: MessageRole) -> tuple[str, ...]:
    """Return what *role* can say in *phase* wherever in the conversation it is said."""
    exchanges = corpus_file("dev_coach")["conversation"][phase.value]["exchanges"]
    return tuple(text for each in exchanges for text in each["ask" if role is MessageRole.COACH else "say"])


def turn(row: Row, role: MessageRole, phase: CoachingPhase, name: str = "") -> str:
    """Return what *role* says at some point of *phase*; a whole dialogue is
    `scenarios.values.conversation`'s."""
    line = row.choice("content", _lines(phase, role))
    if "{" in line:
        names = corpus("dev_coach.identity_names.OTHER")
        line = line.replace("{name}", name or "you").replace("{identity}", row.choice("identity", names))
    return line


def parameters(action: ActionType, row: Row) -> dict[str, Any]:
    """Return parameters with the keys an action of this type takes, of those that name no other row."""
    made: dict[ActionType, Any] = {
        ActionType.CREATE_IDENTITY: lambda: {
            "name": identity_name((), category := row.choice("category", CATEGORIES), row),
            "note": identity_note(row),
            "category": category.value,
        },
        ActionType.TRANSITION_PHASE: lambda: {"to_phase": CoachingPhase.IDENTITY_CREATION.value},
        ActionType.SELECT_IDENTITY_FOCUS: lambda: {"new_focus": row.choice("focus", CATEGORIES).value},
        ActionType.SKIP_IDENTITY_CATEGORY: lambda: {"category": row.choice("category", CATEGORIES).value},
        ActionType.UNSKIP_IDENTITY_CATEGORY: lambda: {"category": row.choice("category", CATEGORIES).value},
        ActionType.UPDATE_WHO_YOU_ARE: lambda: {"who_you_are": who_you_are(row)},
        ActionType.UPDATE_WHO_YOU_WANT_TO_BE: lambda: {"who_you_want_to_be": who_you_want_to_be(row)},
        ActionType.UPDATE_ASKED_QUESTIONS: lambda: {
            "asked_question": row.choice("question", QUESTIONS).value
        },
        ActionType.ADD_USER_NOTE: lambda: {"notes": [note(row)]},
    }
    return made[action]() if action in made else {}


def result_summary(
    action: ActionType, row: Row, *, identity: str = "the identity", phase: str = "", focus: str = ""
) -> str:
    """Return one sentence about what an action did."""
    own = f"dev_coach.results.{action.value}"
    text = row.text(own if find_corpus(own) else "dev_coach.results.OTHER", "result_summary")
    words = {
        "{identity}": identity,
        "{phase}": phase or "the next phase",
        "{focus}": focus or "the next area",
    }
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text


def prompt_body(phase: CoachingPhase | None) -> str:
    """Return a prompt with placeholders."""
    if phase is None:
        return "You are a patient coach. You are talking to {USER_NAME}, who is in {CURRENT_PHASE}."
    words = phase.value.replace("_", " ").lower()
    return (
        f"You lead {{USER_NAME}} through the phase '{words}' ({{CURRENT_PHASE}}). Ask one question at a time."
    )


_ALWAYS = (ActionType.TRANSITION_PHASE,)
_ALLOWED: dict[CoachingPhase, tuple[ActionType, ...]] = {
    CoachingPhase.GET_TO_KNOW_YOU: (ActionType.UPDATE_ASKED_QUESTIONS,),
    CoachingPhase.IDENTITY_CREATION: (
        ActionType.UPDATE_WHO_YOU_ARE,
        ActionType.UPDATE_WHO_YOU_WANT_TO_BE,
        ActionType.CREATE_IDENTITY,
        ActionType.SELECT_IDENTITY_FOCUS,
        ActionType.SKIP_IDENTITY_CATEGORY,
    ),
    CoachingPhase.IDENTITY_REFINEMENT: (
        ActionType.UPDATE_IDENTITY_NAME,
        ActionType.ADD_IDENTITY_NOTE,
        ActionType.ACCEPT_IDENTITY_REFINEMENT,
    ),
    CoachingPhase.INTEGRATION: (
        ActionType.UPDATE_IDENTITY_AFFIRMATION,
        ActionType.UPDATE_IDENTITY_VISUALIZATION,
    ),
    CoachingPhase.COMPLETED: (),
}


def allowed_actions(phase: CoachingPhase | None) -> list[str]:
    """Return the actions a phase's prompt allows."""
    if phase is None:
        return []
    return [action.value for action in (*_ALLOWED[phase], *_ALWAYS)]
