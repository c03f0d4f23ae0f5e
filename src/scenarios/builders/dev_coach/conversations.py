"""What was said and done: messages, sittings, actions and notes of one person.

Generated stretches go to the graph as plain tuples, since they are most of the rows and an object costs
twenty times as much; what was written out becomes objects that can be asked for by handle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from scenarios.builders.base import Rendered, Source
from scenarios.builders.dev_coach.plans import (
    ActionPlan,
    DevCoachProgram,
    StretchPlan,
    TalkPlan,
    UserPlan,
)
from scenarios.builders.dev_coach.timeline import Placed
from scenarios.domains.dev_coach import (
    Action,
    ActionResult,
    ActionType,
    ChatMessage,
    CoachingPhase,
    CoachingSession,
    CoachingSessionMessage,
    CoachState,
    Identity,
    IdentityState,
    MessageRole,
    TestScenario,
    TestScenarioChatMessage,
    User,
    UserNote,
)
from scenarios.errors import BuilderError
from scenarios.factories.context import FactoryContext
from scenarios.factories.dev_coach import texts
from scenarios.values import conversation

_MESSAGES = ("id", "user_id", "role", "content", "timestamp", "test_scenario_id")
_ACTIONS = (
    "id",
    "user_id",
    "action_type",
    "parameters",
    "result_summary",
    "timestamp",
    "coach_message_id",
    "test_scenario_id",
)
_SESSIONS = ("id", "user_id", "coach_state_id", "phase", "started_at", "ended_at", "test_scenario_id")
_LINKS = ("id", "user_id", "session_id", "message_id", "test_scenario_id")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the handle of a generated stretch stands for: its messages' ids, in order."""

    handle: str
    message_ids: tuple[UUID, ...]


class ConversationRenderer:
    """Makes what was said and done of one person's rows; the person is made by `render`'s subclass."""

    def __init__(
        self,
        program: DevCoachProgram,
        plan: UserPlan,
        context: FactoryContext,
        rendered: Rendered,
        scenario: TestScenario,
    ) -> None:
        self.program = program
        self.plan = plan
        self.context = context
        self.rendered = rendered
        self.graph = rendered.graph
        self.scenario = scenario
        self.scope = rendered.id
        self.phase = plan.implied_phase
        self.row = context.row(plan.handle)
        self.messages: dict[str, ChatMessage] = {}
        self.spoken: list[tuple[datetime, UUID]] = []
        self.heard: list[tuple[datetime, UUID]] = []
        self.triggered: set[tuple[UUID, ActionType]] = set()
        self.transitions: list[tuple[datetime, CoachingPhase, Source | None]] = []
        self.identities: dict[str, Identity] = {}
        self.state: CoachState

    def add(self, row: Any, handle: str, source: Source | None) -> None:
        """Put a row into the graph and under its handle."""
        self.graph.add(row, handle=handle, source=source)
        self.rendered.handles[handle] = row

    def refuse(self, what: str, source: Source | None, *, remedy: str | None = None) -> NoReturn:
        """Raise a `BuilderError` about the call at *source*."""
        raise BuilderError(what, where=f"{source[0]}:{source[1]}" if source else None, remedy=remedy)

    # -- conversations ---------------------------------------------------------------------------------

    def _talk(self, user: User, placed: list[Placed]) -> None:
        self._links: list[tuple[Any, ...]] = []
        spans: dict[str, list[tuple[datetime, UUID]]] = {}
        for each in placed:
            if isinstance(each.block, TalkPlan):
                for turn, moment in zip(each.block.turns, each.times, strict=True):
                    message = ChatMessage(
                        id=self.context.id(turn.handle),
                        user=user,
                        user_id=user.id,
                        role=turn.role,
                        content=turn.content,
                        timestamp=moment,
                        metadata_=None if turn.metadata is None else dict(turn.metadata),
                        test_scenario_id=self.scope,
                    )
                    self.messages[turn.handle] = message
                    self.add(message, turn.handle, turn.source)
                    self._heard(turn.role, moment, message.id)
                    if turn.session is not None:
                        spans.setdefault(turn.session, []).append((moment, message.id))
                    self.graph.add(
                        TestScenarioChatMessage(
                            id=self.context.id(f"{turn.handle}#handle"),
                            test_scenario_id=self.scope,
                            handle=turn.handle,
                            user_id=user.id,
                            message_id=message.id,
                            created_at=self.scenario.created_at,
                        ),
                        handle=f"{turn.handle}#handle",
                        source=turn.source,
                    )
            else:
                rows = self._stretch(user, each, each.block)
                if each.block.session is not None:
                    spans.setdefault(each.block.session, []).extend(rows)
        self._sessions(user, spans)
        if self._links:
            self.graph.add_rows(CoachingSessionMessage, _LINKS, self._links)

    def _heard(self, role: MessageRole, moment: datetime, message: UUID) -> None:
        (self.spoken if role is MessageRole.COACH else self.heard).append((moment, message))

    def _stretch(self, user: User, placed: Placed, block: StretchPlan) -> list[tuple[datetime, UUID]]:
        row = self.context.row(block.handle)
        way = list(CoachingPhase)[: self.phase.number + 1] if block.phase is None else [block.phase]
        # A stretch that begins with the user is one that begins with the coach without its first turn.
        skipped = 0 if block.begins_with is MessageRole.COACH else 1
        turns = list(
            conversation(
                row,
                way,
                block.turns + skipped,
                name=user.first_name,
                identities=[identity.name for identity in self.identities.values() if identity.name],
            )
        )[skipped:]
        ids = [self.context.id(f"{block.handle}#{number}") for number in range(1, len(turns) + 1)]
        owner, scope = user.id, self.scope
        self.graph.add_rows(
            ChatMessage,
            _MESSAGES,
            [
                (key, owner, turn.role, turn.content, moment, scope)
                for key, turn, moment in zip(ids, turns, placed.times, strict=True)
            ],
        )
        for key, turn, moment in zip(ids, turns, placed.times, strict=True):
            self._heard(MessageRole(turn.role), moment, key)
        if block.actions:
            self._journey(user, block, ids, turns, placed.times)
        if block.sessions and block.session is None:
            self._sittings(user, block, placed, ids, [turn.phase for turn in turns])
        self.rendered.handles[block.handle] = Stretch(block.handle, tuple(ids))
        return list(zip(placed.times, ids, strict=True))

    def _sittings(
        self, user: User, block: StretchPlan, placed: Placed, ids: list[UUID], phase_of: list[str]
    ) -> None:
        rows = []
        for number, first in enumerate(placed.breaks, 1):
            last = placed.breaks[number] - 1 if number < len(placed.breaks) else len(ids) - 1
            key = self.context.id(f"{block.handle}.session_{number}")
            rows.append(
                (
                    key,
                    user.id,
                    self.state.id,
                    phase_of[last],
                    placed.times[first],
                    placed.times[last],
                    self.scope,
                )
            )
            self._links.extend(
                (self.context.id(f"{block.handle}#{place + 1}#link"), user.id, key, ids[place], self.scope)
                for place in range(first, last + 1)
            )
        self.graph.add_rows(CoachingSession, _SESSIONS, rows)

    def _sessions(self, user: User, spans: Mapping[str, list[tuple[datetime, UUID]]]) -> None:
        clock = self.context.clock
        for plan in self.plan.sessions.values():
            messages = spans.get(plan.handle, [])
            first = messages[0][0] if messages else None
            started = clock.at(plan.started) if plan.started is not None else first
            if started is None:
                started = max(user.created_at, clock.now - timedelta(hours=2))
            ended: datetime | None = None
            if plan.ended is not None:
                ended = clock.at(plan.ended)
            elif not plan.open:
                ended = max(started, messages[-1][0]) if messages else started + timedelta(minutes=40)
            outside = [m for m, _ in messages if m < started or (ended is not None and m > ended)]
            if outside and not self.program.as_given:
                self.refuse(
                    f"{plan.handle} does not last while its messages are said",
                    plan.source,
                    remedy="leave started= and ended= out, or give the messages times within",
                )
            session = CoachingSession(
                id=self.context.id(plan.handle),
                user=user,
                user_id=user.id,
                coach_state=self.state,
                coach_state_id=self.state.id,
                phase=plan.phase or self.phase,
                started_at=started,
                ended_at=ended,
                test_scenario_id=self.scope,
            )
            self.add(session, plan.handle, plan.source)
            for _, message in messages:
                key = self.context.id(f"{plan.handle}#{message}")
                self._links.append((key, user.id, session.id, message, self.scope))

    # -- what the coach did ----------------------------------------------------------------------------

    def _journey(
        self, user: User, block: StretchPlan, ids: list[UUID], turns: list[Any], times: list[datetime]
    ) -> None:
        """Record on the way what brought the person to where they are."""
        rows: list[tuple[Any, ...]] = []
        coach = [place for place, turn in enumerate(turns) if turn.role == MessageRole.COACH.value]

        def act(place: int, type_: ActionType, parameters: dict[str, Any], **words: str) -> None:
            number = len(rows) + 1
            self.triggered.add((ids[place], type_))
            moment = times[place] + timedelta(milliseconds=350 + len(rows) % 40)
            if type_ is ActionType.TRANSITION_PHASE:
                self.transitions.append((moment, CoachingPhase(parameters["to_phase"]), block.source))
            handle = f"{block.handle}.action_{number}"
            rows.append(
                (
                    self.context.id(handle),
                    user.id,
                    type_.value,
                    parameters,
                    texts.result_summary(type_, self.context.row(handle), **words),
                    moment,
                    ids[place],
                    self.scope,
                )
            )

        in_phase: dict[str, list[int]] = {}
        for place in coach:
            in_phase.setdefault(turns[place].phase, []).append(place)
        reached = [phase for phase in CoachingPhase if phase.value in in_phase]
        for phase in reached:
            places = in_phase[phase.value]
            if phase is not reached[0]:
                act(places[0], ActionType.TRANSITION_PHASE, {"to_phase": phase.value}, phase=phase.value)
            if phase is CoachingPhase.GET_TO_KNOW_YOU:
                for place, question in zip(places[1:], self.state.asked_questions, strict=False):
                    act(place, ActionType.UPDATE_ASKED_QUESTIONS, {"asked_question": question})
            elif phase is CoachingPhase.IDENTITY_CREATION:
                act(places[0], ActionType.UPDATE_WHO_YOU_ARE, {"who_you_are": list(self.state.who_you_are)})
                for place, identity in zip(places[1:], self.identities.values(), strict=False):
                    act(
                        place,
                        ActionType.CREATE_IDENTITY,
                        {
                            "name": identity.name,
                            "note": identity.notes[0] if identity.notes else "",
                            "category": identity.category.value,
                        },
                        identity=identity.name or "the identity",
                    )
            elif phase is CoachingPhase.IDENTITY_REFINEMENT:
                done = [i for i in self.identities.values() if i.state is IdentityState.REFINEMENT_COMPLETE]
                for place, identity in zip(places[1:], done, strict=False):
                    act(
                        place,
                        ActionType.ACCEPT_IDENTITY_REFINEMENT,
                        {"id": str(identity.id)},
                        identity=identity.name or "the identity",
                    )
        if rows:
            self.graph.add_rows(Action, _ACTIONS, rows)

    def _action(self, user: User, plan: ActionPlan) -> None:
        row = self.context.row(plan.handle)
        message = None if plan.message is None else self.messages[plan.message]
        if message is not None:
            message_id, said_at = message.id, message.timestamp
        else:
            free = [each for each in self.spoken if (each[1], plan.type) not in self.triggered]
            if not free:
                self.refuse(
                    f"nothing the coach said to {self.plan.handle} could have triggered {plan.type}",
                    plan.source,
                    remedy="say .coach(...) before it: one message has one action of a type",
                )
            said_at, message_id = free[-1]
        self.triggered.add((message_id, plan.type))
        parameters = self._with_ids(plan.parameters) or (
            {} if self.program.as_given else texts.parameters(plan.type, row)
        )
        moment = said_at + timedelta(milliseconds=350) if plan.at is None else self.context.clock.at(plan.at)
        if moment < said_at and not self.program.as_given:
            self.refuse(
                f"{plan.handle} happens before the message that triggers it",
                plan.source,
                remedy="give it a later at=, or none",
            )
        if plan.type is ActionType.TRANSITION_PHASE and parameters.get("to_phase") in list(CoachingPhase):
            self.transitions.append((moment, CoachingPhase(parameters["to_phase"]), plan.source))
        summary_text = plan.summary
        if summary_text is None and not self.program.as_given:
            summary_text = texts.result_summary(plan.type, row, phase=str(parameters.get("to_phase", "")))
        action = Action(
            id=self.context.id(plan.handle),
            user=user,
            user_id=user.id,
            action_type=plan.type,
            parameters=parameters,
            result_summary=summary_text,
            timestamp=moment,
            coach_message_id=message_id,
            test_scenario_id=self.scope,
        )
        if message is not None:
            action.coach_message = message
        self.add(action, plan.handle, plan.source)
        if plan.result is not None:
            result = ActionResult(
                id=self.context.id(f"{plan.handle}.result"),
                user=user,
                user_id=user.id,
                action=action,
                action_id=action.id,
                test_scenario_id=self.scope,
                **{
                    "summary": summary_text,
                    "payload": None,
                    "error": None,
                    "created_at": moment + timedelta(milliseconds=50),
                    **plan.result,
                },
            )
            self.add(result, f"{plan.handle}.result", plan.source)

    def _with_ids(self, value: Any) -> Any:
        """Return *value* with every text ``"@handle"`` replaced by that row's id."""
        if isinstance(value, Mapping):
            return {key: self._with_ids(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._with_ids(each) for each in value]
        if isinstance(value, str) and value.startswith("@") and value[1:] in self.program.handles:
            return str(self.context.id(value[1:]))
        return value

    def _notes(self, user: User) -> None:
        clock = self.context.clock
        last = max(
            (moment for moment, _ in (*self.spoken, *self.heard)),
            default=user.created_at + timedelta(hours=1),
        )
        for plan in self.plan.notes:
            source = None if plan.message is None else self.messages[plan.message]
            if plan.at is not None:
                created = clock.at(plan.at)
            elif source is not None:
                created = source.timestamp + timedelta(seconds=2)
            else:
                last += timedelta(seconds=3)
                created = last
            first_word = min((moment for moment, _ in self.heard), default=created)
            if created < first_word and not self.program.as_given:
                self.refuse(
                    f"{plan.handle} is older than the first thing {self.plan.handle} said",
                    plan.source,
                    remedy="give it a later at=, or none",
                )
            if source is not None and created < source.timestamp and not self.program.as_given:
                self.refuse(
                    f"{plan.handle} is older than the message it was learned from",
                    plan.source,
                    remedy="give it a later at=, or none",
                )
            note = UserNote(
                id=self.context.id(plan.handle),
                user=user,
                user_id=user.id,
                note=plan.text,
                source_message=source,
                source_message_id=None if source is None else source.id,
                created_at=created,
                test_scenario_id=self.scope,
            )
            self.add(note, plan.handle, plan.source)
