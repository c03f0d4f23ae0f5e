"""From what was said to rows: ids from handles, times from the clock, and everything nobody said filled in.

Without one place for it the defaults would be spread over the steps, and an instance loaded under another
name or at another time would not be the same scenario. Rows a person can name are objects; generated
stretches go to the graph as plain tuples, since they are most of the rows and an object costs twenty times
as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from scenarios.builders.base import Rendered, Source, with_suffix
from scenarios.builders.dev_coach.plans import (
    ActionPlan,
    DevCoachProgram,
    IdentityPlan,
    StretchPlan,
    TalkPlan,
    UserPlan,
)
from scenarios.builders.dev_coach.timeline import Placed, lay_out
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
    IdentityCategory,
    IdentityState,
    MessageRole,
    TestScenario,
    TestScenarioChatMessage,
    TestScenarioUser,
    User,
    UserNote,
)
from scenarios.errors import BuilderError
from scenarios.factories.context import FactoryContext, entered
from scenarios.factories.dev_coach import phases, texts
from scenarios.factories.dev_coach.rows import (
    PromptFactory,
    UserFactory,
    UserProfileFactory,
    VerificationFactory,
)
from scenarios.graph import Graph
from scenarios.values import TEST_PASSWORD, conversation, password_hash

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


def render(program: DevCoachProgram, context: FactoryContext, instance: str) -> Rendered:
    """Make the rows of *instance* of the scenario *program*."""
    graph = Graph()
    scenario_id = context.id("")
    rendered = Rendered(graph, scenario_id, instance)
    now = context.clock.now
    scenario = TestScenario(
        id=scenario_id,
        name=instance,
        description=program.description,
        template=dict(program.template) if program.template is not None else summary(program, context),
        created_at=now,
        updated_at=now,
    )
    graph.add(scenario, handle="scenario", source=program.source)
    with entered(context):
        for prompt in program.prompts:
            handle = f"prompt.{prompt.phase or 'system'}.{prompt.version}"
            row = PromptFactory.build(
                handle=handle.lower(), coaching_phase=prompt.phase, version=prompt.version, **prompt.columns
            )
            graph.add(row, handle=handle.lower(), source=prompt.source)
            rendered.handles[handle.lower()] = row
        for plan in program.users:
            _UserRenderer(program, plan, context, rendered, scenario).render()
    if program.created_by is not None:
        scenario.created_by_id = rendered.handles[program.created_by].id
    return rendered


def summary(program: DevCoachProgram, context: FactoryContext) -> dict[str, Any]:
    """Return what an instance keeps as its template: enough to see what it is, and to make it again."""
    return {
        "scenario": program.name,
        "seed": context.seed,
        "locale": context.locale,
        "now": context.clock.now.isoformat(),
        "users": {
            plan.handle: {
                "phase": plan.implied_phase.value,
                "identities": [identity.handle for identity in plan.identities],
                "messages": sum(
                    block.turns if isinstance(block, StretchPlan) else len(block.turns)
                    for block in plan.blocks
                ),
                "notes": len(plan.notes),
                "actions": len(plan.actions),
            }
            for plan in program.users
        },
    }


class _UserRenderer:
    """Makes the rows of one person."""

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

    def render(self) -> None:
        """Make all rows, parents before children."""
        placed, joined = self._times()
        user = self._user(joined, placed)
        self.identities = self._identities(user, placed, joined)
        self.state = self._state(user)
        self._talk(user, placed)
        for action in self.plan.actions:
            self._action(user, action)
        self._notes(user)
        if not self.program.as_given:
            self._require_coherence(user)
        self.graph.add(
            TestScenarioUser(
                id=self.context.id(f"{self.plan.handle}#handle"),
                test_scenario_id=self.scope,
                handle=self.plan.handle,
                user_id=user.id,
                created_at=self.scenario.created_at,
            ),
            handle=f"{self.plan.handle}#handle",
            source=self.plan.source,
        )

    def add(self, row: Any, handle: str, source: Source | None) -> None:
        """Put a row into the graph and under its handle."""
        self.graph.add(row, handle=handle, source=source)
        self.rendered.handles[handle] = row

    def refuse(self, what: str, source: Source | None, *, remedy: str | None = None) -> NoReturn:
        """Raise a `BuilderError` about the call at *source*."""
        raise BuilderError(what, where=f"{source[0]}:{source[1]}" if source else None, remedy=remedy)

    # -- the person ------------------------------------------------------------------------------------

    def _times(self) -> tuple[list[Placed], datetime]:
        plan, clock = self.plan, self.context.clock
        said = None if plan.joined is None else clock.at(plan.joined)
        placed, complaint = lay_out(plan.blocks, self.row, clock, said)
        if complaint is not None:
            self.refuse(
                f"the conversation of {plan.handle} does not fit: {complaint}",
                plan.source,
                remedy="give the person more time with joined=, or the conversation other times with at=",
            )
        if said is not None:
            return placed, said
        usual = clock.now - timedelta(days=phases.DAYS_BY_DEFAULT[self.phase])
        known = [each.times[0] for each in placed]
        known += [clock.at(identity.created) for identity in plan.identities if identity.created is not None]
        known += [clock.at(when) for when in (plan.columns.get("last_login"),) if when is not None]
        known += [clock.at(note.at) for note in plan.notes if note.at is not None]
        known += [
            clock.at(session.started) for session in plan.sessions.values() if session.started is not None
        ]
        return placed, min([usual, *(moment - timedelta(hours=2) for moment in known)])

    def _user(self, joined: datetime, placed: list[Placed]) -> User:
        plan, clock = self.plan, self.context.clock
        columns = dict(plan.columns)
        password = columns.pop("password_text", None)
        if "email" in columns and self.rendered.name != self.program.name:
            columns["email"] = with_suffix(columns["email"], self.rendered.name)
        if columns.get("username") is not None and self.rendered.name != self.program.name:
            columns["username"] = f"{columns['username']}-{self.context.suffix}"
        if "last_login" in columns:
            columns["last_login"] = clock.at(columns["last_login"])
        elif not self.program.as_given:
            last = placed[-1].times[-1] if placed else None
            columns["last_login"] = max(joined, last or joined)
        else:
            columns["last_login"] = None
        if password is not None:
            columns["password"] = password_hash(password)
        if plan.verifications and not plan.verifications[0][1] and "verification_token" not in columns:
            columns["unverified"] = True
        columns.setdefault("created_at", joined)
        columns.setdefault(
            "updated_at", max(columns["created_at"], columns["last_login"] or columns["created_at"])
        )
        user = UserFactory.build(handle=plan.handle, bare=True, test_scenario_id=self.scope, **columns)
        self.add(user, plan.handle, plan.source)
        self.rendered.sign_in.append(
            {
                "handle": plan.handle,
                "email": user.email,
                "password": password or TEST_PASSWORD,
                "phase": self.phase.value,
            }
        )
        if plan.profile is not None:
            handle = f"{plan.handle}.profile"
            self.add(UserProfileFactory.build(handle=handle, user=user, **plan.profile), handle, plan.source)
        for handle, given in plan.verifications:
            self.add(VerificationFactory.build(handle=handle, user=user, **given), handle, plan.source)
        return user

    def _require_coherence(self, user: User) -> None:
        """Refuse what only all that was said together shows."""
        plan = self.plan
        at = CoachingPhase.GET_TO_KNOW_YOU
        first = True
        for _, target, source in sorted(self.transitions, key=lambda each: each[0]):
            if not first and not at.may_become(target):
                self.refuse(
                    f"{plan.handle} cannot have gone from {at} to {target}",
                    source,
                    remedy="log the transitions in the order of the phases",
                )
            at, first = target, False
        if self.transitions and at is not self.phase:
            self.refuse(
                f"the last transition of {plan.handle} leads to {at}, and {plan.handle} is in {self.phase}",
                max(self.transitions, key=lambda each: each[0])[2],
                remedy=f"say .in_phase({at}), or log the transition to {self.phase} last",
            )
        if self.phase is CoachingPhase.IDENTITY_REFINEMENT:
            unfinished = [
                i for i in self.identities.values() if i.state is not IdentityState.REFINEMENT_COMPLETE
            ]
            oldest = min(unfinished, key=lambda each: each.created_at, default=None)
            if self.state.current_identity is not oldest and oldest is not None:
                self.refuse(
                    f"{plan.current} cannot be the current identity of {plan.handle}",
                    plan.source,
                    remedy=f"in {self.phase} it is the oldest one that is not complete: {oldest.name}",
                )
        for moment, what, source in self._moments(user):
            if moment < user.created_at:
                self.refuse(
                    f"{what} is older than {plan.handle}, who joined at {user.created_at.isoformat()}",
                    source,
                    remedy="give it a later time, or the person an earlier joined=",
                )

    def _moments(self, user: User) -> Iterator[tuple[datetime, str, Source | None]]:
        plan = self.plan
        for identity in plan.identities:
            yield self.identities[identity.handle].created_at, identity.handle, identity.source
        for note in plan.notes:
            yield self.rendered.handles[note.handle].created_at, note.handle, note.source
        for session in plan.sessions.values():
            yield self.rendered.handles[session.handle].started_at, session.handle, session.source
        if user.last_login is not None:
            yield user.last_login, "the last login", plan.source

    # -- identities and state --------------------------------------------------------------------------

    def _identities(self, user: User, placed: list[Placed], joined: datetime) -> dict[str, Identity]:
        plan, clock = self.plan, self.context.clock
        made: dict[str, Identity] = {}
        if not plan.identities:
            return made
        begin = placed[0].times[0] if placed else joined + timedelta(hours=1)
        end = (
            placed[-1].times[-1]
            if placed
            else max(clock.now - timedelta(hours=1), begin + timedelta(hours=1))
        )
        last = joined
        used = {identity.category for identity in plan.identities if identity.category is not None}
        names = {str(i.columns["name"]) for i in plan.identities if i.columns.get("name") is not None}
        current = plan.current
        older = True
        for number, identity in enumerate(plan.identities, 1):
            row = self.context.row(identity.handle)
            if identity.handle == current:
                older = False
            if identity.created is not None:
                created = clock.at(identity.created)
                if created <= last and number > 1 and not self.program.as_given:
                    self.refuse(
                        f"{identity.handle} is created before the identity said before it",
                        identity.source,
                        remedy="say identities in the order of their creation, or leave created= out",
                    )
            else:
                created = max(
                    begin + (end - begin) * number / (len(plan.identities) + 1), last + timedelta(seconds=1)
                )
            last = created
            category = identity.category or texts.next_category(used, plan.skipped or (), row)
            used.add(category)
            name = identity.columns.get("name")
            if "name" not in identity.columns and not self.program.as_given:
                name = texts.identity_name(names, category, row)
                names.add(name)
            made[identity.handle] = self._identity(
                user, identity, category, name, created, older and current is not None
            )
        return made

    def _identity(
        self,
        user: User,
        plan: IdentityPlan,
        category: IdentityCategory,
        name: str | None,
        created: datetime,
        before_current: bool,
    ) -> Identity:
        row = self.context.row(plan.handle)
        state = plan.state
        if not plan.state_said:
            state = phases.STATE_BY_DEFAULT[self.phase]
            if before_current and self.phase is CoachingPhase.IDENTITY_REFINEMENT:
                state = IdentityState.REFINEMENT_COMPLETE
            if plan.handle == self.plan.proposed and self.phase is not CoachingPhase.IDENTITY_CREATION:
                state = IdentityState.PROPOSED
        columns: dict[str, Any] = {
            "affirmation": None,
            "visualization": None,
            "notes": [] if self.program.as_given else [texts.identity_note(row)],
            "created_at": created,
            "updated_at": created,
            "state": state,
        }
        if self.phase is CoachingPhase.COMPLETED and not self.program.as_given:
            columns["affirmation"] = texts.affirmation(row)
            columns["visualization"] = texts.visualization(row)
        elif (
            self.phase is CoachingPhase.INTEGRATION
            and not self.program.as_given
            and row.chance("affirmed", 0.5)
        ):
            columns["affirmation"] = texts.affirmation(row)
        columns.update(plan.columns)
        columns["name"] = name
        identity = Identity(
            id=self.context.id(plan.handle),
            user=user,
            user_id=user.id,
            category=category,
            test_scenario_id=self.scope,
            **columns,
        )
        if identity.state is None:
            self.rendered.nulls.append((identity, "state"))
        self.add(identity, plan.handle, plan.source)
        return identity

    def _state(self, user: User) -> CoachState:
        plan, row = self.plan, self.row
        current = None if plan.current is None else self.identities[plan.current]
        if (
            plan.current is None
            and self.phase is CoachingPhase.IDENTITY_REFINEMENT
            and not self.program.as_given
        ):
            unfinished = [
                i for i in self.identities.values() if i.state is not IdentityState.REFINEMENT_COMPLETE
            ]
            current = unfinished[0] if unfinished else None
        proposed = None if plan.proposed is None else self.identities[plan.proposed]
        described = phases.has_identities(self.phase) and not self.program.as_given
        columns: dict[str, Any] = {
            "identity_focus": current.category
            if current is not None
            else IdentityCategory.PASSIONS_AND_TALENTS,
            "who_you_are": texts.who_you_are(row) if described else [],
            "who_you_want_to_be": texts.who_you_want_to_be(row) if described else [],
            "asked_questions": phases.asked_by(self.phase, plan.asked)
            if not self.program.as_given or plan.asked is not None
            else [],
            "skipped_identity_categories": [category.value for category in plan.skipped or ()]
            if self.program.as_given
            else phases.skipped_by(
                self.phase, {identity.category for identity in self.identities.values()}, plan.skipped or ()
            ),
            "metadata_": {},
            "updated_at": user.updated_at,
        }
        columns.update(plan.state_columns)
        state = CoachState(
            id=self.context.id(f"{plan.handle}.coach_state"),
            user=user,
            user_id=user.id,
            current_phase=self.phase,
            current_identity=current,
            current_identity_id=None if current is None else current.id,
            proposed_identity=proposed,
            proposed_identity_id=None if proposed is None else proposed.id,
            test_scenario_id=self.scope,
            **columns,
        )
        self.add(state, f"{plan.handle}.coach_state", plan.source)
        return state

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
                created_at=moment + timedelta(milliseconds=50),
                test_scenario_id=self.scope,
                **{"summary": summary_text, "payload": None, "error": None, **plan.result},
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
