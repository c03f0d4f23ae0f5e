"""What of a person fits what: phase, identities and their states, checked at the call that says it.

The rules of the programme (`scenarios.domains.dev_coach.phases`) bind a phase to identities and the other
way round, and a person may be said in either order. Here each order is refused alike.
"""

from __future__ import annotations

from scenarios.builders.base import Step
from scenarios.builders.dev_coach.plans import IdentityPlan, UserPlan
from scenarios.builders.dev_coach.program import DevCoachProgram
from scenarios.domains.dev_coach import CoachingPhase, IdentityCategory, IdentityState
from scenarios.domains.dev_coach.phases import CATEGORIES, QUESTIONS, STATES_IN, has_identities


class Validation(Step[DevCoachProgram]):
    """A base of `UserStep`: what its calls must agree with."""

    plan: UserPlan

    def _require_fit(self, handle: str, state: IdentityState | None, phase: CoachingPhase) -> None:
        allowed = STATES_IN[phase]
        if not allowed:
            self.program.refuse(
                f"{handle} cannot exist while {self.plan.handle} is in {phase}",
                hint=f"identities come with {CoachingPhase.IDENTITY_CREATION}; say a later phase",
            )
        if state is not None and state not in allowed:
            self.program.refuse(
                f"{handle} cannot be {state} while {self.plan.handle} is in {phase}",
                hint=f"possible there: {', '.join(sorted(allowed))}",
            )

    def _require_phase(
        self,
        phase: CoachingPhase,
        asked: int | None,
        described: bool,
        wanted: tuple[IdentityCategory, ...] | None,
    ) -> None:
        """Refuse a phase that does not fit what was said about the person, or with it."""
        plan, program = self.plan, self.program
        if asked is not None and not 0 <= asked <= len(QUESTIONS):
            program.refuse(f"{asked} topics cannot have been asked", hint=f"there are {len(QUESTIONS)}")
        if not program.as_given:
            for identity in plan.identities:
                self._require_fit(identity.handle, identity.state if identity.state_explicit else None, phase)
            if plan.current_explicit and phase.number < CoachingPhase.IDENTITY_REFINEMENT.number:
                program.refuse(
                    f"{plan.handle} has no current identity in {phase}",
                    why=f"{plan.current} is said to be it",
                    hint=f"say {CoachingPhase.IDENTITY_REFINEMENT} or a later phase",
                )
            if asked is not None and phase is not CoachingPhase.GET_TO_KNOW_YOU and asked < len(QUESTIONS):
                program.refuse(
                    f"{plan.handle} cannot be in {phase} with {asked} topics asked",
                    hint="leave asked= out; all were asked by then",
                )
            if described and not has_identities(phase):
                program.refuse(
                    f"{plan.handle} cannot have described themselves in {phase}",
                    hint=f"that comes in {CoachingPhase.IDENTITY_CREATION}",
                )
        for identity in plan.identities:
            if not program.as_given and wanted and identity.category in wanted:
                program.refuse(
                    f"{plan.handle} cannot have skipped {identity.category}",
                    why=f"{identity.handle} is in it",
                    hint="take it out of skipped=, or give the identity another category",
                )

    def _require_identity(
        self,
        handle: str,
        state: IdentityState | None,
        category: IdentityCategory | None,
        name: str | None,
    ) -> None:
        """Refuse an identity that does not fit the person's phase, categories and other identities."""
        plan, program = self.plan, self.program
        if plan.phase is not None:
            self._require_fit(f"{plan.handle}.{handle}", state, plan.phase)
        if category is not None and plan.skipped and category in plan.skipped:
            program.refuse(
                f"{plan.handle} skipped {category}",
                hint="take it out of skipped=, or choose another one",
            )
        if category is None and plan.skipped and set(plan.skipped) == set(CATEGORIES):
            program.refuse(
                f"{plan.handle} skipped every category",
                hint="leave one out of skipped=, for the identity",
            )
        for other in plan.identities:
            if name is not None and str(other.columns.get("name", "")).lower() == name.lower():
                program.refuse(
                    f"{other.handle} is named {other.columns['name']!r} already",
                    hint="a person's identities have different names",
                )

    def _require_current(self, identity: IdentityPlan) -> None:
        """Refuse to make *identity* the current one where it cannot be the oldest unfinished one."""
        plan, program = self.plan, self.program
        if plan.phase is not None and plan.phase.number < CoachingPhase.IDENTITY_REFINEMENT.number:
            program.refuse(
                f"{plan.handle} has no current identity in {plan.phase}",
                hint=f"say .in_phase({CoachingPhase.IDENTITY_REFINEMENT}) or a later one",
            )
        refining = plan.phase in (None, CoachingPhase.IDENTITY_REFINEMENT)
        if refining and identity.state is IdentityState.REFINEMENT_COMPLETE:
            program.refuse(
                f"{identity.handle} is {identity.state} and cannot be the current one",
                hint="the current identity is the oldest one that is not complete",
            )
        older = plan.identities[: plan.identities.index(identity)]
        pending = [o for o in older if o.state_explicit and o.state is not IdentityState.REFINEMENT_COMPLETE]
        if refining and pending:
            program.refuse(
                f"{identity.handle} cannot be the current identity",
                why=f"{pending[0].handle} is older and {pending[0].state}",
                hint="the current identity is the oldest one that is not complete",
            )
