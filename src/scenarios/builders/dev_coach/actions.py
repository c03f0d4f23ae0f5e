"""What came of what was said: the actions of the coach, generated or named, and notes about the person.

An action belongs to a message of the coach and a note is no older than what was heard, so both come after the
conversation; kept apart from it, each rule of theirs stands in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from scenarios.builders.dev_coach.conversations import ConversationRenderer
from scenarios.builders.dev_coach.generated_blocks import GeneratedBlockIds
from scenarios.builders.dev_coach.plans import ActionPlan
from scenarios.domains.dev_coach import (
    Action,
    ActionResult,
    ActionType,
    CoachingPhase,
    IdentityState,
    User,
    UserNote,
)
from scenarios.factories.dev_coach import texts

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


class ActionRenderer(ConversationRenderer):
    """Makes what came of one person's conversations; the person is made by `render`'s subclass."""

    def _actions(self, user: User) -> None:
        """Make the actions and notes, those of the generated stretches first."""
        for stretch in self.stretches:
            if stretch.block.actions:
                self._journey(user, stretch)
        for action in self.plan.actions:
            self._action(user, action)
        self._notes(user)

    def _journey(self, user: User, stretch: GeneratedBlockIds) -> None:
        """Record on the way what brought the person to where they are."""
        rows: list[tuple[Any, ...]] = []
        block, ids, times = stretch.block, stretch.ids, stretch.times

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
        for place in stretch.spoken():
            in_phase.setdefault(stretch.phases[place], []).append(place)
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
            message_id, explicit_at = message.id, message.timestamp
        else:
            free = [each for each in self.spoken if (each[1], plan.type) not in self.triggered]
            if not free:
                self.refuse(
                    f"nothing the coach said to {self.plan.handle} could have triggered {plan.type}",
                    plan.source,
                    hint="say .coach(...) before it: one message has one action of a type",
                )
            explicit_at, message_id = free[-1]
        self.triggered.add((message_id, plan.type))
        parameters = self._with_ids(plan.parameters) or (
            {} if self.program.as_given else texts.parameters(plan.type, row)
        )
        moment = (
            explicit_at + timedelta(milliseconds=350) if plan.at is None else self.context.clock.at(plan.at)
        )
        if moment < explicit_at and not self.program.as_given:
            self.refuse(
                f"{plan.handle} happens before the message that triggers it",
                plan.source,
                hint="give it a later at=, or none",
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
                    hint="give it a later at=, or none",
                )
            if source is not None and created < source.timestamp and not self.program.as_given:
                self.refuse(
                    f"{plan.handle} is older than the message it was learned from",
                    plan.source,
                    hint="give it a later at=, or none",
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
