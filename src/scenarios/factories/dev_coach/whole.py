"""A person made whole for a phase: everything a real one in that phase would have.

Without it ``UserFactory(phase=INTEGRATION)`` would be a row that says INTEGRATION and nothing that led there,
and every test would add its own half of a history.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from scenarios.domains.dev_coach import (
    ActionType,
    ChatMessage,
    CoachingPhase,
    CoachState,
    Identity,
    IdentityState,
    MessageRole,
    User,
    phases,
)
from scenarios.factories.context import current_context
from scenarios.factories.dev_coach import rows, texts
from scenarios.values import conversation

if TYPE_CHECKING:
    from factory.builder import BuildStep

    from scenarios.factories.base import RowFactory

M = TypeVar("M")

_SITTING = 10
_IDENTITIES = {
    CoachingPhase.GET_TO_KNOW_YOU: 0,
    CoachingPhase.IDENTITY_CREATION: 3,
    CoachingPhase.IDENTITY_REFINEMENT: 5,
    CoachingPhase.INTEGRATION: 5,
    CoachingPhase.COMPLETED: 6,
}


class _Whole:
    def __init__(self, user: User, phase: CoachingPhase, step: BuildStep[User]) -> None:
        self.user = user
        self.phase = phase
        self.step = step
        self.context = current_context()
        self.handle: str = step.attributes["handle"]
        self.row = self.context.row(self.handle)
        self.messages: list[ChatMessage] = []

    def make(self, made_by: type[RowFactory[M]], suffix: str, **given: Any) -> M:
        """Make a row of the person, built or created as the person is."""
        arguments = {"handle": f"{self.handle}.{suffix}", "user": self.user, **given}
        return self.step.recurse(made_by, arguments)  # type: ignore[arg-type,return-value]  # the stubs want a set

    def times(self, count: int) -> list[datetime]:
        """Return *count* increasing times in sittings between the person's first day and an hour ago."""
        first = self.user.created_at + timedelta(hours=2)
        last = max(self.context.clock.now - timedelta(hours=2), first + timedelta(minutes=5) * count)
        sittings = (count + _SITTING - 1) // _SITTING
        found: list[datetime] = []
        for sitting in range(sittings):
            moment = first + (last - first) * sitting / max(1, sittings - 1) if sittings > 1 else last
            # The last sitting ends where the others begin, so that nothing is said in the future.
            if sitting == sittings - 1:
                moment = last - timedelta(minutes=4) * _SITTING
            moment = max(moment, found[-1] + timedelta(minutes=5)) if found else moment
            for place in range(min(_SITTING, count - sitting * _SITTING)):
                if place:
                    moment += self.row.duration(
                        f"gap{len(found)}", timedelta(seconds=20), timedelta(seconds=220)
                    )
                found.append(moment)
        return found


def complete_user(user: User, phase: CoachingPhase, step: BuildStep[User]) -> None:
    """Make identities, coach state, conversation, sessions, actions and notes that fit *phase*."""
    whole = _Whole(user, phase, step)
    count = phases.TURNS_BY_DEFAULT[phase]
    times = whole.times(count)
    identities = _identities(whole, times)
    state = _state(whole, identities)
    _conversation(whole, state, identities, times)
    _actions(whole, state, identities)
    said = [message for message in whole.messages if message.role is MessageRole.USER]
    facts = whole.row.texts("dev_coach.texts.notes", 2, "notes")
    for number, (message, fact) in enumerate(zip(said[1::2], facts, strict=False), 1):
        whole.make(rows.UserNoteFactory, f"note_{number}", source_message=message, note=fact)
    whole.context.not_before(user.id, times[-1])
    whole.context.use(user)


def _identities(whole: _Whole, times: list[datetime]) -> list[Identity]:
    made: list[Identity] = []
    count = _IDENTITIES[whole.phase]
    finished = whole.phase is CoachingPhase.COMPLETED
    for number in range(1, count + 1):
        state = phases.STATE_BY_DEFAULT[whole.phase]
        if whole.phase is CoachingPhase.IDENTITY_REFINEMENT and number == 1:
            state = IdentityState.REFINEMENT_COMPLETE
        made.append(
            whole.make(
                rows.IdentityFactory,
                f"identity_{number}",
                state=state,
                created_at=times[len(times) * number // (count + 2)],
                affirmed=finished or (whole.phase is CoachingPhase.INTEGRATION and number <= 2),
                visualized=finished,
            )
        )
    return made


def _state(whole: _Whole, identities: list[Identity]) -> CoachState:
    current = None
    if whole.phase is CoachingPhase.IDENTITY_REFINEMENT:
        current = next(i for i in identities if i.state is not IdentityState.REFINEMENT_COMPLETE)
    given: dict[str, Any] = {"current_identity": current} if current is not None else {}
    return whole.make(
        rows.CoachStateFactory,
        "coach_state",
        current_phase=whole.phase,
        current_identity_id=None if current is None else current.id,
        **given,
    )


def _conversation(
    whole: _Whole, state: CoachState, identities: list[Identity], times: list[datetime]
) -> None:
    way = list(CoachingPhase)[: whole.phase.number + 1]
    names = [identity.name for identity in identities if identity.name]
    turns = conversation(
        whole.row, way, len(times), name=whole.user.first_name, identities=names, system="dev_coach"
    )
    session = None
    for number, (turn, moment) in enumerate(zip(turns, times, strict=True), 1):
        message = whole.make(
            rows.ChatMessageFactory,
            f"message_{number}",
            role=MessageRole(turn.role),
            content=turn.content,
            timestamp=moment,
            phase=CoachingPhase(turn.phase),
        )
        whole.messages.append(message)
        if number % _SITTING == 1:
            last = times[min(number + _SITTING - 2, len(times) - 1)]
            session = whole.make(
                rows.CoachingSessionFactory,
                f"session_{number // _SITTING + 1}",
                coach_state=state,
                phase=CoachingPhase(turn.phase),
                started_at=moment,
                ended_at=last,
            )
        whole.make(
            rows.CoachingSessionMessageFactory, f"message_{number}.link", session=session, message=message
        )


def _actions(whole: _Whole, state: CoachState, identities: list[Identity]) -> None:
    spoken = [message for message in whole.messages if message.role is MessageRole.COACH]
    planned: list[tuple[ActionType, dict[str, Any], str]] = []
    for phase in list(CoachingPhase)[: whole.phase.number + 1]:
        if phase is not CoachingPhase.GET_TO_KNOW_YOU:
            planned.append((ActionType.TRANSITION_PHASE, {"to_phase": phase.value}, ""))
        if phase is CoachingPhase.IDENTITY_CREATION:
            planned += [
                (
                    ActionType.CREATE_IDENTITY,
                    {"name": each.name, "note": each.notes[0], "category": each.category.value},
                    each.name or "",
                )
                for each in identities
            ]
        elif phase is CoachingPhase.IDENTITY_REFINEMENT:
            planned += [
                (ActionType.ACCEPT_IDENTITY_REFINEMENT, {"id": str(each.id)}, each.name or "")
                for each in identities
                if each.state is IdentityState.REFINEMENT_COMPLETE
            ]
        elif phase is CoachingPhase.GET_TO_KNOW_YOU:
            planned += [
                (ActionType.UPDATE_ASKED_QUESTIONS, {"asked_question": question}, "")
                for question in state.asked_questions
            ]
    # Each by a message of its own as long as there are enough; the last ones share, being of different types.
    for number, (type_, parameters, identity) in enumerate(planned, 1):
        message = spoken[min(len(spoken) * number // (len(planned) + 1), len(spoken) - 1)]
        whole.make(
            rows.ActionFactory,
            f"action_{number}",
            coach_message=message,
            action_type=type_,
            parameters=parameters,
            timestamp=message.timestamp + timedelta(milliseconds=350 + number),
            result_summary=texts.result_summary(
                type_,
                whole.row,
                identity=identity or "the identity",
                phase=str(parameters.get("to_phase", "")),
            ),
        )
