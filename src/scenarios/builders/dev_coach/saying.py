"""What the sentences about a person share: naming, and the checks that are made at once.

Without one place for them ``.note(...)`` and ``.noted(...)`` would refuse different things.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from scenarios.builders.base import Step, When, calling_line, did_you_mean, given
from scenarios.builders.dev_coach.plans import (
    ActionPlan,
    GeneratedBlockPlan,
    MessagePlan,
    NotePlan,
    TalkPlan,
    UserPlan,
)
from scenarios.builders.dev_coach.program import DevCoachProgram
from scenarios.domains.dev_coach import (
    ActionType,
    CoachingPhase,
    MessageRole,
)

EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\Z")


def require_columns(program: DevCoachProgram, table: str, columns: Iterable[str]) -> None:
    known = {
        "metadata_" if column.name == "metadata" else column.name
        for column in program.domain.table(table).columns
    }
    for name in columns:
        if name not in known:
            program.refuse(f"{table} has no column {name!r}", hint=did_you_mean(name, sorted(known)))


def other_role(role: MessageRole) -> MessageRole:
    return MessageRole.USER if role is MessageRole.COACH else MessageRole.COACH


class Saying(Step[DevCoachProgram]):
    """The base of `UserStep`: what its calls are made of."""

    plan: UserPlan

    def _named(self, handle: str | None, kind: str) -> str:
        prefix = self.plan.handle
        if handle is None:
            return self.program.claim(self.program.free_name(f"{prefix}.{kind}"), kind)
        return self.program.claim(f"{prefix}.{handle}", kind)

    def _require_later(self, at: When | None) -> None:
        if at is None:
            return
        moment = self.program.moment(at)
        for block in reversed(self.plan.blocks):
            times = (
                [block.at]
                if isinstance(block, GeneratedBlockPlan)
                else [turn.at for turn in reversed(block.turns)]
            )
            known = next((time for time in times if time is not None), None)
            if known is not None:
                if moment <= self.program.moment(known):
                    self.program.refuse(
                        f"{at!r} is not later than what was said before, at {known!r}",
                        hint="say things in the order in which they happened",
                    )
                return

    def _last_role(self) -> MessageRole | None:
        if not self.plan.blocks:
            return None
        last = self.plan.blocks[-1]
        if isinstance(last, TalkPlan):
            return last.turns[-1].role
        return last.begins_with if last.turns % 2 else other_role(last.begins_with)

    def _say(
        self,
        role: MessageRole,
        content: str,
        handle: str | None,
        at: When | None,
        metadata: Mapping[str, Any] | None,
    ) -> MessagePlan:
        program, plan = self.program, self.plan
        if not program.as_given:
            if not content.strip():
                program.refuse("a message cannot be empty", hint="give it a text")
            if not plan.blocks and role is MessageRole.USER:
                program.refuse(
                    f"{plan.handle} cannot speak first",
                    hint="a conversation begins with the coach: .coach(...)",
                )
        if "\0" in content:
            program.refuse("PostgreSQL stores no NUL character", hint="take it out of the text")
        self._require_later(at)
        said = MessagePlan(
            handle=self._named(handle, "message"),
            role=role,
            content=content,
            at=at,
            metadata=metadata,
            session=plan.open_session,
            source=calling_line(),
        )
        if plan.blocks and isinstance(plan.blocks[-1], TalkPlan) and at is None:
            plan.blocks[-1].turns.append(said)
        else:
            plan.blocks.append(TalkPlan([said]))
        return said

    def _note(self, text: str, source: str | None, at: When | None, handle: str | None) -> None:
        program, plan = self.program, self.plan
        message = None if source is None else self._message(source)
        if not program.as_given:
            if message is not None and message.role is MessageRole.COACH:
                program.refuse(
                    f"{message.handle} was said by the coach",
                    hint="a note is learned from what the person says",
                )
            if any(note.text == text for note in plan.notes):
                program.refuse(f"{plan.handle} has the note {text!r} already", hint="say it once")
        if at is not None:
            program.moment(at)
        plan.notes.append(
            NotePlan(
                self._named(handle, "note"),
                text,
                None if message is None else message.handle,
                at,
                calling_line(),
            )
        )

    def _act(
        self,
        type: ActionType,
        message: str | None,
        parameters: Mapping[str, Any] | None,
        summary: str | None,
        succeeded: bool | None,
        error: str | None,
        result: Mapping[str, Any] | None,
        at: When | None,
        handle: str | None,
    ) -> None:
        program, plan = self.program, self.plan
        if message is not None:
            trigger = self._message(message)
            if trigger.role is not MessageRole.COACH and not program.as_given:
                program.refuse(
                    f"{trigger.handle} was said by {plan.handle}",
                    hint="an action is triggered by a message of the coach",
                )
            by: str | None = trigger.handle
            if not program.as_given:
                self._require_new(type, trigger.handle)
        else:
            spoken = [turn for turn in plan.turns() if turn.role is MessageRole.COACH]
            by = spoken[-1].handle if spoken else None
            if by is not None and not program.as_given:
                self._require_new(type, by)
            if by is None and not any(isinstance(block, GeneratedBlockPlan) for block in plan.blocks):
                program.refuse(
                    f"nothing the coach said to {plan.handle} could have triggered {type}",
                    hint="say .coach(...) or .conversation(...) before it",
                )
        arguments = dict(parameters or {})
        if type is ActionType.TRANSITION_PHASE and not program.as_given:
            to_phase = arguments.get("to_phase")
            if to_phase not in list(CoachingPhase):
                program.refuse(
                    "TRANSITION_PHASE needs a phase to go to",
                    hint=f"parameters={{'to_phase': one of {', '.join(CoachingPhase)}}}",
                )
            target = CoachingPhase(str(to_phase))
            if plan.phase is not None and target.number > plan.phase.number:
                program.refuse(
                    f"{plan.handle} cannot have gone on to {target}",
                    why=f"{plan.handle} is in {plan.phase}",
                    hint=f"say .in_phase({target})",
                )
            arguments["to_phase"] = target.value
        outcome: dict[str, Any] | None = None
        if succeeded is not None or error is not None or result is not None:
            outcome = {**given(success=succeeded, error=error), **(result or {})}
            require_columns(program, "actions_actionresult", outcome)
            outcome.setdefault("success", error is None)
        plan.actions.append(
            ActionPlan(
                self._named(handle, "action"),
                ActionType(type),
                arguments,
                summary,
                by,
                at,
                outcome,
                calling_line(),
            )
        )

    def _require_new(self, type: ActionType, message: str) -> None:
        if any(action.message == message and action.type is type for action in self.plan.actions):
            self.program.refuse(
                f"{message} triggers {type} already",
                hint="one message has one action of a type; let the coach say something else before",
            )

    def _message(self, handle: str) -> MessagePlan:
        plan = self.plan
        full = handle if handle.startswith(f"{plan.handle}.") else f"{plan.handle}.{handle}"
        found = plan.turn(full)
        if found is None:
            known = [turn.handle.partition(".")[2] for turn in plan.turns()]
            self.program.refuse(f"{plan.handle} has no message {handle!r}", hint=did_you_mean(handle, known))
        return found
