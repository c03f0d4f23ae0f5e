"""The sentences of a Dev Coach scenario: what can be said, what may follow, and what is refused at once.

Without steps of their own types an editor offers everything everywhere, and a mistake in line 3 is reported
by a constraint when the scenario is loaded. Each step class has the methods that make sense there; it
inherits those of the steps it may return to, so ``.as_current()`` follows an identity and ``.user(...)``
anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scenarios.builders.base import Step, When, calling_line, did_you_mean, given
from scenarios.builders.dev_coach.plans import (
    GeneratedBlockPlan,
    IdentityPlan,
    MessagePlan,
    PromptPlan,
    SessionPlan,
    UserPlan,
)
from scenarios.builders.dev_coach.program import DevCoachProgram
from scenarios.builders.dev_coach.saying import EMAIL, Saying, require_columns
from scenarios.builders.dev_coach.validation import Validation
from scenarios.domains.dev_coach import (
    ActionType,
    CoachingPhase,
    IdentityCategory,
    IdentityState,
    MessageRole,
    PromptType,
)


class ScenarioStep(Step[DevCoachProgram]):
    """A scenario: add people and prompts, then build or load it."""

    def user(
        self,
        handle: str,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        email: str | None = None,
        username: str | None = None,
        password: str | None = None,
        is_staff: bool | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        verified: bool = True,
        joined: When | None = None,
        last_login: When | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> UserStep:
        """Add a person.

        Args:
            handle: their name in the scenario.
            email: kept as it is in the instance that bears the scenario's name; others add their suffix.
            password: the clear text; by default all people share the run's test password.
            verified: False leaves an e-mail verification open.
            joined: when the account was made, by default before everything that is said about them.
            columns: any other column of ``users_user``, exactly.

        Raises:
            BuilderError: the handle is taken or malformed, the address cannot be one, a time cannot be read.
        """
        program = self.program
        if email is not None and not EMAIL.match(email):
            program.refuse(
                f"{email!r} is not an address the schema accepts",
                hint="use letters, digits and ._%+- before the @, and a domain with a dot",
            )
        for when in (joined, last_login):
            if when is not None:
                program.moment(when)
        said = given(
            first_name=first_name,
            last_name=last_name,
            email=email,
            username=username,
            is_staff=is_staff,
            is_active=is_active,
            is_superuser=is_superuser,
            last_login=last_login,
            password_text=password,
        )
        plan = UserPlan(
            handle=program.claim(handle, "user"),
            columns={**said, **(columns or {})},
            joined=joined,
            source=calling_line(),
        )
        if not verified:
            plan.verifications.append((program.claim(f"{handle}.verification", "verification"), {}))
        program.users.append(plan)
        return UserStep(program, plan)

    def prompt(
        self,
        phase: CoachingPhase | None,
        *,
        version: int | None = None,
        name: str | None = None,
        body: str | None = None,
        description: str | None = None,
        required_context_keys: Iterable[str] | None = None,
        allowed_actions: Iterable[ActionType] | None = None,
        prompt_type: PromptType | None = None,
        is_active: bool | None = None,
    ) -> ScenarioStep:
        """Add a version of a phase's prompt (None: of the whole system's).

        Prompts belong to no instance. One that is in the database already, by phase and version, is used.

        Args:
            version: by default the next one of the phase.

        Raises:
            BuilderError: the scenario has this version already, or it is not positive.
        """
        versions = [plan.version for plan in self.program.prompts if plan.phase == phase]
        number = version if version is not None else max(versions, default=0) + 1
        if number < 1:
            self.program.refuse(f"a prompt cannot have version {number}", hint="versions count from 1")
        if number in versions:
            self.program.refuse(
                f"version {number} of the prompt of {phase or 'the system'} is there already",
                hint="leave version= out and the next one is taken",
            )
        columns = given(
            name=name,
            body=body,
            description=description,
            required_context_keys=None if required_context_keys is None else list(required_context_keys),
            allowed_actions=None if allowed_actions is None else [str(action) for action in allowed_actions],
            prompt_type=prompt_type,
            is_active=is_active,
        )
        self.program.prompts.append(PromptPlan(phase, number, columns, calling_line()))
        return ScenarioStep(self.program)

    def created_by(self, handle: str) -> ScenarioStep:
        """Make one of the scenario's people the one who created it.

        Raises:
            BuilderError: nobody has that handle.
        """
        people = [user.handle for user in self.program.users]
        if handle not in people:
            self.program.refuse(f"there is no user {handle!r}", hint=did_you_mean(handle, people))
        self.program.created_by = handle
        return ScenarioStep(self.program)


class UserStep(ScenarioStep, Validation, Saying):
    """A person: their phase, identities, conversations, notes, actions; or another person."""

    def __init__(self, program: DevCoachProgram, plan: UserPlan) -> None:
        super().__init__(program)
        self.plan = plan

    def in_phase(
        self,
        phase: CoachingPhase,
        *,
        asked: int | None = None,
        who_you_are: Iterable[str] | None = None,
        who_you_want_to_be: Iterable[str] | None = None,
        skipped: Iterable[IdentityCategory] | None = None,
        focus: IdentityCategory | None = None,
        metadata: Mapping[str, Any] | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> UserStep:
        """Say where the person is in the programme; the rest of the coach state fits it by default.

        Args:
            asked: how many of the five topics were asked, in the first phase.
            skipped: categories the person skipped. From refinement on, those without an identity are, too.
            columns: any other column of the coach state, exactly.

        Raises:
            BuilderError: the phase was said before, or does not fit what was said about the person.
        """
        plan, program = self.plan, self.program
        phase = CoachingPhase(phase)
        if plan.phase is not None:
            program.refuse(f"{plan.handle} is in {plan.phase} already", hint="say the phase once")
        wanted = None if skipped is None else tuple(IdentityCategory(category) for category in skipped)
        self._require_phase(phase, asked, bool(who_you_are or who_you_want_to_be), wanted)
        plan.phase = phase
        plan.asked = asked
        plan.skipped = wanted
        plan.state_columns.update(
            given(
                who_you_are=None if who_you_are is None else list(who_you_are),
                who_you_want_to_be=None if who_you_want_to_be is None else list(who_you_want_to_be),
                identity_focus=focus,
                metadata_=None if metadata is None else dict(metadata),
            )
        )
        plan.state_columns.update(columns or {})
        return UserStep(program, plan)

    def profile(self, **columns: Any) -> UserStep:
        """Give the person a profile; columns of ``users_userprofile`` that are not given are filled in.

        Raises:
            BuilderError: they have one already, or a column does not exist.
        """
        if self.plan.profile is not None:
            self.program.refuse(
                f"{self.plan.handle} has a profile already", hint="give all columns in one call"
            )
        require_columns(self.program, "users_userprofile", columns)
        self.program.claim(f"{self.plan.handle}.profile", "profile")
        self.plan.profile = dict(columns)
        return UserStep(self.program, self.plan)

    def verification(self, handle: str | None = None, **columns: Any) -> UserStep:
        """Send the person a token; columns of ``authentication_verification`` that are not given are filled
        in.

        Raises:
            BuilderError: the handle is taken, or a column does not exist.
        """
        require_columns(self.program, "authentication_verification", columns)
        self.plan.verifications.append((self._named(handle, "verification"), dict(columns)))
        return UserStep(self.program, self.plan)

    def identity(
        self,
        handle: str,
        *,
        category: IdentityCategory | None = None,
        state: IdentityState | None = None,
        name: str | None = None,
        affirmation: str | None = None,
        visualization: str | None = None,
        notes: Iterable[str] | None = None,
        created: When | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> IdentityStep:
        """Add an identity, the youngest so far.

        Args:
            handle: its name below the person's: ``"maker"`` becomes ``maya.maker``.
            category: by default the next one in the coach's order that is free.
            state: by default what fits the phase.
            created: when, by default in the course of the conversation.
            columns: any other column of ``identities_identity``, exactly.

        Raises:
            BuilderError: it does not fit the phase, its category was skipped, or its name is used.
        """
        plan, program = self.plan, self.program
        if not program.as_given:
            self._require_identity(handle, state, category, name)
        if created is not None:
            program.moment(created)
        said = given(
            name=name,
            affirmation=affirmation,
            visualization=visualization,
            notes=None if notes is None else list(notes),
        )
        added = IdentityPlan(
            handle=self._named(handle, "identity"),
            category=None if category is None else IdentityCategory(category),
            state=None if state is None else IdentityState(state),
            state_explicit=state is not None or bool(columns and "state" in columns),
            created=created,
            columns={**said, **(columns or {})},
            source=calling_line(),
        )
        plan.identities.append(added)
        return IdentityStep(program, plan, added)

    def identities(
        self, count: int, *, state: IdentityState | None = None, category: IdentityCategory | None = None
    ) -> UserStep:
        """Add *count* more identities with names and categories of their own.

        Raises:
            BuilderError: the count is not positive, or the state does not fit the phase.
        """
        if count < 1:
            self.program.refuse(f"{count} identities cannot be added", hint="give 1 or more")
        step: UserStep = self
        for _ in range(count):
            handle = self.program.free_name(f"{self.plan.handle}.identity")
            step = step.identity(handle.rpartition(".")[2], state=state, category=category)
        return UserStep(self.program, self.plan)

    def session(
        self,
        handle: str | None = None,
        *,
        phase: CoachingPhase | None = None,
        started: When | None = None,
        ended: When | None = None,
        open: bool = False,
    ) -> UserStep:
        """Begin a sitting: what is said from here on belongs to it, until the next one begins.

        Args:
            open: it has no end yet.

        Raises:
            BuilderError: the handle is taken, or it ends before it starts.
        """
        program = self.program
        if started is not None and ended is not None and program.moment(started) > program.moment(ended):
            program.refuse("the session ends before it starts", hint="give ended= a later time")
        if open and ended is not None:
            program.refuse("an open session has no end", hint="leave ended= or open= out")
        name = self._named(handle, "session")
        self.plan.sessions[name] = SessionPlan(name, phase, started, ended, open, calling_line())
        self.plan.open_session = name
        return UserStep(program, self.plan)

    def conversation(
        self,
        turns: int,
        *,
        phase: CoachingPhase | None = None,
        at: When | None = None,
        handle: str | None = None,
        begins_with: MessageRole | None = None,
        sessions: bool = True,
        actions: bool | None = None,
    ) -> ConversationStep:
        """Add a generated stretch of conversation.

        Args:
            turns: how many messages.
            phase: what they talk about; by default the way from the first phase to the person's.
            at: when it begins; by default it ends an hour ago, or a day before what follows.
            begins_with: who speaks first, by default the coach, or whoever did not speak last.
            sessions: group it into sittings.
            actions: record what the coach did on the way: phases, topics, identities. By default for the
                person's first stretch, unless actions were said.

        Raises:
            BuilderError: there are no turns, or the time is before what was said last.
        """
        program, plan = self.program, self.plan
        if turns < 1:
            program.refuse(f"a conversation cannot have {turns} turns", hint="give 1 or more")
        if (
            phase is not None
            and plan.phase is not None
            and not program.as_given
            and phase.number > plan.phase.number
        ):
            program.refuse(
                f"{plan.handle} cannot talk about {phase} in {plan.phase}", hint="give an earlier phase"
            )
        self._require_later(at)
        last = self._last_role()
        first = begins_with or (MessageRole.USER if last is MessageRole.COACH else MessageRole.COACH)
        if first is MessageRole.USER and last is None and not program.as_given:
            program.refuse(f"{plan.handle} cannot speak first", hint="a conversation begins with the coach")
        stretches = any(isinstance(block, GeneratedBlockPlan) for block in plan.blocks)
        plan.blocks.append(
            GeneratedBlockPlan(
                handle=self._named(handle, "conversation"),
                turns=turns,
                phase=None if phase is None else CoachingPhase(phase),
                at=at,
                begins_with=first,
                sessions=sessions and not program.as_given,
                actions=(not stretches and phase is None and not program.as_given)
                if actions is None
                else actions,
                session=plan.open_session,
                source=calling_line(),
            )
        )
        return ConversationStep(program, plan)

    def coach(
        self,
        content: str,
        *,
        handle: str | None = None,
        at: When | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> CoachMessageStep:
        """Let the coach say something.

        Args:
            handle: the message's name below the person's, by default ``message_1``, ``message_2`` ....
            at: when, by default a little after what was said before.

        Raises:
            BuilderError: the time is before what was said last, or the text is empty.
        """
        return CoachMessageStep(
            self.program, self.plan, self._say(MessageRole.COACH, content, handle, at, metadata)
        )

    def says(
        self,
        content: str,
        *,
        handle: str | None = None,
        at: When | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> UserMessageStep:
        """Let the person say something; the arguments are those of `coach`."""
        return UserMessageStep(
            self.program, self.plan, self._say(MessageRole.USER, content, handle, at, metadata)
        )

    def note(
        self, text: str, *, source: str | None = None, at: When | None = None, handle: str | None = None
    ) -> UserStep:
        """Keep a fact about the person.

        Args:
            source: the handle of the message it was learned from.

        Raises:
            BuilderError: there is no such message, the coach said it, or the note is there already.
        """
        self._note(text, source, at, handle)
        return UserStep(self.program, self.plan)

    def action(
        self,
        type: ActionType,
        *,
        message: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        summary: str | None = None,
        succeeded: bool | None = None,
        error: str | None = None,
        result: Mapping[str, Any] | None = None,
        at: When | None = None,
        handle: str | None = None,
    ) -> UserStep:
        """Record an action of the coach.

        Args:
            message: the handle of the message that triggered it, by default the coach's last one.
            parameters: its arguments; a value ``"@maya.maker"`` becomes that row's id.
            succeeded: also record how it ended.
            result: any column of that record, exactly.

        Raises:
            BuilderError: no message of the coach is there to have triggered it.
        """
        self._act(type, message, parameters, summary, succeeded, error, result, at, handle)
        return UserStep(self.program, self.plan)


class IdentityStep(UserStep):
    """An identity that was just added."""

    def __init__(self, program: DevCoachProgram, plan: UserPlan, identity: IdentityPlan) -> None:
        super().__init__(program, plan)
        self._identity = identity

    def as_current(self) -> IdentityStep:
        """Make it the one being worked on; those before it count as done.

        Raises:
            BuilderError: another one is, the phase has none yet, or it cannot be the oldest unfinished one.
        """
        program, plan, identity = self.program, self.plan, self._identity
        if plan.current_explicit:
            program.refuse(f"{plan.current} is the current identity already", hint="say .as_current() once")
        if not program.as_given:
            self._require_current(identity)
        plan.current, plan.current_explicit = identity.handle, True
        return self

    def as_proposed(self) -> IdentityStep:
        """Make it the one the coach has just proposed.

        Raises:
            BuilderError: another one is.
        """
        if self.plan.proposed is not None:
            self.program.refuse(
                f"{self.plan.proposed} is the proposed identity already", hint="say .as_proposed() once"
            )
        self.plan.proposed = self._identity.handle
        return self


class ConversationStep(UserStep):
    """A generated stretch that was just added."""


class CoachMessageStep(UserStep):
    """A message of the coach that was just said."""

    def __init__(self, program: DevCoachProgram, plan: UserPlan, turn: MessagePlan) -> None:
        super().__init__(program, plan)
        self._turn = turn

    def triggers(
        self,
        type: ActionType,
        *,
        parameters: Mapping[str, Any] | None = None,
        summary: str | None = None,
        succeeded: bool | None = None,
        error: str | None = None,
        result: Mapping[str, Any] | None = None,
        at: When | None = None,
        handle: str | None = None,
    ) -> CoachMessageStep:
        """Let the message trigger an action; the arguments are those of `UserStep.action`.

        Raises:
            BuilderError: it triggers one of this type already.
        """
        self._act(type, self._turn.handle, parameters, summary, succeeded, error, result, at, handle)
        return self


class UserMessageStep(UserStep):
    """A message of the person that was just said."""

    def __init__(self, program: DevCoachProgram, plan: UserPlan, turn: MessagePlan) -> None:
        super().__init__(program, plan)
        self._turn = turn

    def noted(self, text: str, *, at: When | None = None, handle: str | None = None) -> UserMessageStep:
        """Keep a fact that was learned from the message.

        Raises:
            BuilderError: the note is there already.
        """
        self._note(text, self._turn.handle, at, handle)
        return self
