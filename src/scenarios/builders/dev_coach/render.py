"""From what was said to rows: ids from handles, times from the clock, and everything nobody said filled in.

Without one place for it the defaults would be spread over the steps, and an instance loaded under another
name or at another time would not be the same scenario. Rows a person can name are objects; generated
stretches go to the graph as plain tuples, since they are most of the rows and an object costs twenty times
as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from scenarios.builders.base import Rendered, Source
from scenarios.builders.dev_coach.actions import ActionRenderer
from scenarios.builders.dev_coach.plans import (
    GeneratedBlockPlan,
    IdentityPlan,
    Said,
)
from scenarios.builders.dev_coach.timeline import Placed, lay_out
from scenarios.domains.dev_coach import (
    CoachingPhase,
    CoachState,
    Identity,
    IdentityCategory,
    IdentityState,
    TestScenario,
    TestScenarioUser,
    User,
    defaults,
    phases,
)
from scenarios.factories.context import FactoryContext, entered
from scenarios.factories.dev_coach import texts
from scenarios.factories.dev_coach.rows import (
    PromptFactory,
    UserFactory,
    UserProfileFactory,
    VerificationFactory,
)
from scenarios.graph import Graph
from scenarios.values import TEST_PASSWORD, add_to_email, add_to_word, password_hash


def render(program: Said, context: FactoryContext, instance: str) -> Rendered:
    """Make the rows of *instance* of the scenario *program*."""
    graph = Graph()
    scenario_id = context.row("").uuid("instance")
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


def summary(program: Said, context: FactoryContext) -> dict[str, Any]:
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
                    block.turns if isinstance(block, GeneratedBlockPlan) else len(block.turns)
                    for block in plan.blocks
                ),
                "notes": len(plan.notes),
                "actions": len(plan.actions),
            }
            for plan in program.users
        },
    }


class _UserRenderer(ActionRenderer):
    """Makes the rows of one person."""

    def render(self) -> None:
        """Make all rows, parents before children."""
        placed, joined = self._times()
        user = self._user(joined, placed)
        self.identities = self._identities(user, placed, joined)
        self.state = self._state(user)
        self._talk(user, placed)
        self._actions(user)
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

    # -- the person ------------------------------------------------------------------------------------

    def _times(self) -> tuple[list[Placed], datetime]:
        plan, clock = self.plan, self.context.clock
        said = None if plan.joined is None else clock.at(plan.joined)
        placed, complaint = lay_out(plan.blocks, self.row, clock, said)
        if complaint is not None:
            self.refuse(
                f"the conversation of {plan.handle} does not fit: {complaint}",
                plan.source,
                hint="give the person more time with joined=, or the conversation other times with at=",
            )
        if said is not None:
            return placed, said
        known = [each.times[0] for each in placed]
        known += [clock.at(identity.created) for identity in plan.identities if identity.created is not None]
        known += [clock.at(when) for when in (plan.columns.get("last_login"),) if when is not None]
        known += [clock.at(note.at) for note in plan.notes if note.at is not None]
        known += [
            clock.at(session.started) for session in plan.sessions.values() if session.started is not None
        ]
        return placed, defaults.joined(clock.now, self.phase, known)

    def _user(self, joined: datetime, placed: list[Placed]) -> User:
        plan, clock = self.plan, self.context.clock
        columns = dict(plan.columns)
        password = columns.pop("password_text", None)
        if "email" in columns and self.rendered.name != self.program.name:
            columns["email"] = add_to_email(columns["email"], self.rendered.name)
        if columns.get("username") is not None and self.rendered.name != self.program.name:
            columns["username"] = add_to_word(columns["username"], self.rendered.name)
        if "last_login" in columns:
            columns["last_login"] = clock.at(columns["last_login"])
        elif not self.program.as_given:
            columns["last_login"] = defaults.last_login(joined, placed[-1].times[-1] if placed else None)
        else:
            columns["last_login"] = None
        if password is not None:
            columns["password"] = password_hash(password)
        if plan.verifications and not plan.verifications[0][1] and "verification_token" not in columns:
            columns["unverified"] = True
        columns.setdefault("created_at", joined)
        columns.setdefault("updated_at", defaults.updated(columns["created_at"], columns["last_login"]))
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
                    hint="log the transitions in the order of the phases",
                )
            at, first = target, False
        if self.transitions and at is not self.phase:
            self.refuse(
                f"the last transition of {plan.handle} leads to {at}, and {plan.handle} is in {self.phase}",
                max(self.transitions, key=lambda each: each[0])[2],
                hint=f"say .in_phase({at}), or log the transition to {self.phase} last",
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
                    hint=f"in {self.phase} it is the oldest one that is not complete: {oldest.name}",
                )
        for moment, what, source in self._moments(user):
            if moment < user.created_at:
                self.refuse(
                    f"{what} is older than {plan.handle}, who joined at {user.created_at.isoformat()}",
                    source,
                    hint="give it a later time, or the person an earlier joined=",
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
                        hint="say identities in the order of their creation, or leave created= out",
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
        if not plan.state_explicit:
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
            "asked_questions": phases.asked_by(
                self.phase, defaults.asked(plan.phase) if plan.asked is None else plan.asked
            )
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
            id=self.context.id(f"{plan.handle}.state"),
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
