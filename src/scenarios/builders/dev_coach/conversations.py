"""What was said: the messages of one person, and the sittings that group them.

Generated stretches go to the graph as rows (`scenarios.builders.dev_coach.generated_blocks`); what was
written out becomes objects that can be asked for by handle.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from scenarios.builders.base import Rendered, Source
from scenarios.builders.dev_coach.generated_blocks import LINKS, MESSAGES, GeneratedBlock, GeneratedBlockIds
from scenarios.builders.dev_coach.plans import (
    GeneratedBlockPlan,
    Said,
    TalkPlan,
    UserPlan,
)
from scenarios.builders.dev_coach.timeline import Placed
from scenarios.domains.dev_coach import (
    ActionType,
    ChatMessage,
    CoachingPhase,
    CoachingSession,
    CoachingSessionMessage,
    CoachState,
    Identity,
    MessageRole,
    TestScenario,
    TestScenarioChatMessage,
    User,
)
from scenarios.errors import BuilderError
from scenarios.factories.context import FactoryContext

_SESSIONS = ("id", "user_id", "coach_state_id", "phase", "started_at", "ended_at", "test_scenario_id")


class ConversationRenderer:
    """Makes what one person and the coach said to each other; the person is made by `render`'s subclass."""

    def __init__(
        self,
        program: Said,
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
        self.stretches: list[GeneratedBlockIds] = []
        self.identities: dict[str, Identity] = {}
        self.state: CoachState

    def add(self, row: Any, handle: str, source: Source | None) -> None:
        """Put a row into the graph and under its handle."""
        self.graph.add(row, handle=handle, source=source)
        self.rendered.handles[handle] = row

    def refuse(self, what: str, source: Source | None, *, hint: str | None = None) -> NoReturn:
        """Raise a `BuilderError` about the call at *source*."""
        raise BuilderError(what, where=f"{source[0]}:{source[1]}" if source else None, hint=hint)

    # -- conversations ---------------------------------------------------------------------------------

    def _talk(self, user: User, placed: list[Placed]) -> None:
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

    def _heard(self, role: MessageRole, moment: datetime, message: UUID) -> None:
        (self.spoken if role is MessageRole.COACH else self.heard).append((moment, message))

    def _stretch(self, user: User, placed: Placed, block: GeneratedBlockPlan) -> list[tuple[datetime, UUID]]:
        way = list(CoachingPhase)[: self.phase.number + 1] if block.phase is None else [block.phase]
        named = [identity.name for identity in self.identities.values() if identity.name]
        stretch = GeneratedBlockIds(block, placed, way, self.context, user, named)
        said = list(zip(stretch.times, stretch.ids, strict=True))
        self.graph.add_rows(ChatMessage, MESSAGES, stretch.messages())
        self.spoken += [said[place] for place in stretch.spoken()]
        self.heard += [said[place] for place in stretch.heard()]
        self.stretches.append(stretch)
        if block.sessions and block.session is None:
            self._sittings(user, stretch)
        self.rendered.handles[block.handle] = GeneratedBlock(block.handle, tuple(stretch.ids))
        return said

    def _sittings(self, user: User, stretch: GeneratedBlockIds) -> None:
        rows = [
            (
                self.context.id(f"{stretch.block.handle}.session_{number}"),
                user.id,
                self.state.id,
                stretch.phases[last],
                stretch.times[first],
                stretch.times[last],
                self.scope,
            )
            for number, (first, last) in enumerate(stretch.sittings(), 1)
        ]
        self.graph.add_rows(CoachingSession, _SESSIONS, rows)
        self.graph.add_rows(CoachingSessionMessage, LINKS, stretch.links([row[0] for row in rows]))

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
                    hint="leave started= and ended= out, or give the messages times within",
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
            links = [
                (self.context.id(f"{plan.handle}#{message}"), user.id, session.id, message, self.scope)
                for _, message in messages
            ]
            self.graph.add_rows(CoachingSessionMessage, LINKS, links)
