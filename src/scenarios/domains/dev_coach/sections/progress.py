"""Where a person of Dev Coach is in the programme: state, identities, sittings, notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios.domains.dev_coach import (
    CoachingPhase,
    IdentityCategory,
    IdentityState,
    defaults,
    phases,
)
from scenarios.domains.dev_coach.sections.moments import (
    changed,
    created,
    identity_created,
    note_created,
    phase_of,
    session_start,
    state_of,
)
from scenarios.factories.dev_coach import texts
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Situation
from scenarios.values import corpus


def first_name_of(row: Row, situation: Situation) -> str:
    return situation.values(row).given_name()


def _state_of(row: Row, _: Situation) -> Any:
    return state_of(row)


def phase_by_default(row: Row, _: Situation) -> str:
    return _phase(row).value


def _phase(row: Row) -> CoachingPhase:
    return phase_of(row) or CoachingPhase.GET_TO_KNOW_YOU


def _identities(state: Row) -> list[Row]:
    return [row for row in state.root.children if row.section.key == "identities"]


def _asked(row: Row, _: Situation) -> list[str]:
    return phases.asked_by(_phase(row), defaults.asked(phase_of(row)))


def _skipped(row: Row, _: Situation) -> list[str]:
    words = [other.given.get("category") for other in _identities(row)]
    return phases.skipped_by(_phase(row), {IdentityCategory(word) for word in words if isinstance(word, str)})


def _who_you_are(row: Row, situation: Situation) -> list[str]:
    return texts.who_you_are(situation.values(row.root)) if phases.has_identities(_phase(row)) else []


def _who_you_want_to_be(row: Row, situation: Situation) -> list[str]:
    return texts.who_you_want_to_be(situation.values(row.root)) if phases.has_identities(_phase(row)) else []


def _some_identities(
    options: Mapping[str, Any], user: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert user is not None
    wanted = options.get("count", 0) or max(0, options.get("up_to", 0) - len(own))
    values = situation.values(user)
    taken = {str(row.given.get("name")).casefold() for row in own}
    used = [row.given.get("category") for row in own]
    state_row = state_of(user)
    skipped = (state_row.given.get("skipped_identity_categories") if state_row else None) or []
    open_ones = [category.value for category in IdentityCategory if category.value not in skipped]
    free = [category for category in open_ones if category not in used]
    categories = (free + (open_ones or list(IdentityCategory)) * (wanted + 1))[:wanted]
    found: list[Mapping[str, Any]] = []
    state = options.get("state", IdentityState.ACCEPTED.value)
    for number, category in enumerate(categories):
        names = [*corpus(f"dev_coach.identity_names.{category}"), *corpus("dev_coach.identity_names.OTHER")]
        shuffled = values.shuffle(f"identity.{number}.name", names)
        name = next((each for each in shuffled if each.casefold() not in taken), None)
        if name is None:
            name = next(
                f"{each} {lap}"
                for lap in range(2, 9999)
                for each in shuffled
                if f"{each} {lap}".casefold() not in taken
            )
        taken.add(name.casefold())
        item: dict[str, Any] = {
            "as": f"more_{len(own) + number + 1}",
            "name": name,
            "category": category,
            "state": state,
            "notes": [values.text("dev_coach.texts.notes", f"identity.{number}.note")],
        }
        if state == IdentityState.REFINEMENT_COMPLETE.value:
            item["affirmation"] = values.text(
                "dev_coach.texts.affirmations", f"identity.{number}.affirmation"
            )
            item["visualization"] = values.text(
                "dev_coach.texts.visualizations", f"identity.{number}.visualization"
            )
        found.append(item)
    return found


def facts_of(person: Row) -> dict[str, str]:
    """Return how far *person* is, and who they want to be, for the sign-in sheet."""
    state = next((child for child in person.children if child.section.key == "state"), None)
    if state is None:
        return {}
    current = state.values.get("current_identity_id")
    identities = (child for child in person.children if child.section.key == "identities")
    chosen = next((each for each in identities if current is not None and each.values["id"] == current), None)
    return {
        "phase": str(state.values.get("current_phase")),
        "current_identity": str(chosen.values.get("name")) if chosen else "",
    }


STATE = Section(
    key="state",
    table="coach_states_coachstate",
    form="one",
    title="Where the person is in the programme; null for a person who has no state yet.",
    links={"user_id": 1},
    names={"current_phase": "phase", "identity_focus": "focus", "skipped_identity_categories": "skipped"},
    unit="state",
    always=True,
    defaults={
        "asked_questions": _asked,
        "skipped_identity_categories": _skipped,
        "who_you_are": _who_you_are,
        "who_you_want_to_be": _who_you_want_to_be,
        "updated_at": changed,
    },
)
IDENTITIES = Section(
    key="identities",
    table="identities_identity",
    form="named",
    title="Who the person wants to be, by handle.",
    links={"user_id": 1},
    unit="identity",
    order=("created_at",),
    defaults={"created_at": identity_created, "updated_at": created},
    derived=frozenset({"updated_at"}),
    generate=_some_identities,
    options={
        "count": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "up_to": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "state": {"enum": [state.value for state in IdentityState]},
    },
)
SESSIONS = Section(
    key="sessions",
    table="coach_states_coachingsession",
    form="named",
    title="Sittings with the coach, by handle; messages name the sessions they belong to.",
    links={"user_id": 1},
    hidden=frozenset({"coach_state_id"}),
    unit="session",
    order=("started_at",),
    defaults={"coach_state_id": _state_of, "phase": phase_by_default, "started_at": session_start},
)
NOTES = Section(
    key="notes",
    table="user_notes_usernote",
    form="list",
    title="Notes that come from no message of this person.",
    links={"user_id": 1},
    names={"created_at": "at"},
    short="note",
    unit="note",
    order=("created_at",),
    defaults={"created_at": note_created},
)
