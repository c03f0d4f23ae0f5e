"""One factory for each table of Dev Coach, with traits for its states.

Without them every test module writes its own ``_make_user`` and ``_make_message`` helpers, which drift apart
and break rules nobody remembers (two coach states for one user, a message older than its author). Here a row
fits its parents by default: same user, same scenario, later than what it follows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import null

from scenarios.domains.dev_coach import (
    Action,
    ActionResult,
    ActionType,
    ChatMessage,
    CoachingPhase,
    CoachingSession,
    CoachingSessionMessage,
    CoachingStyle,
    CoachState,
    Frequency,
    Identity,
    IdentityCategory,
    IdentityState,
    MessageRole,
    Prompt,
    TestScenario,
    TestScenarioChatMessage,
    TestScenarioUser,
    User,
    UserNote,
    UserProfile,
    Verification,
    VerificationType,
    defaults,
    phases,
)
from scenarios.factories.base import (
    Ago,
    Declaration,
    LazyAttribute,
    LazyFunction,
    OwnerOf,
    Parent,
    RowFactory,
    RowId,
    Trait,
    Value,
)
from scenarios.factories.context import current_context
from scenarios.factories.dev_coach import texts
from scenarios.values import password_hash

if TYPE_CHECKING:
    from factory.builder import BuildStep, Resolver

Phase = CoachingPhase


class Moment(Declaration[datetime]):
    """The next moment of the row's user: strictly later than everything built for them before."""

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> datetime:
        user: User = instance.user
        return current_context().moment(user.id, user.created_at + timedelta(hours=1), instance.handle)


def scope() -> LazyAttribute:
    """Return the declaration of a scope that is the user's."""
    return LazyAttribute(lambda o: o.user.test_scenario_id if o.user is not None else None)


def owner_id() -> LazyAttribute:
    """Return the declaration of the user's id."""
    return LazyAttribute(lambda o: o.user.id)


class TestScenarioFactory(RowFactory[TestScenario]):
    """An instance of a scenario."""

    __test__ = False

    class Meta:
        model = TestScenario

    id = RowId()
    name = LazyAttribute(lambda o: o.handle)
    description = ""
    template = LazyFunction(dict)
    created_at = Ago(days=90)
    updated_at = LazyAttribute(lambda o: o.created_at)


class UserFactory(RowFactory[User]):
    """A person, with the coach state every person has.

    ``UserFactory(phase=CoachingPhase.INTEGRATION)`` (or the trait ``integrating``) makes the person whole:
    identities, a conversation, actions, notes and times that fit the phase. ``UserFactory(bare=True)`` makes
    the account alone.
    """

    class Meta:
        model = User

    class Params:
        phase = None
        bare = False
        getting_known = Trait(phase=Phase.GET_TO_KNOW_YOU)
        creating_identities = Trait(phase=Phase.IDENTITY_CREATION)
        in_refinement = Trait(phase=Phase.IDENTITY_REFINEMENT)
        integrating = Trait(phase=Phase.INTEGRATION)
        completed = Trait(phase=Phase.COMPLETED)
        staff = Trait(is_staff=True)
        inactive = Trait(is_active=False)
        unverified = Trait(
            verification_token=Value(lambda row: row.token("verification_token")),
            email_verification_sent_at=LazyAttribute(lambda o: o.created_at),
        )
        never_signed_in = Trait(last_login=None)

    id = RowId()
    first_name = Value(lambda row: row.given_name())
    last_name = Value(lambda row: row.last_name())
    email = LazyAttribute(
        lambda o: defaults.email(current_context().row(o.handle), o.last_name, current_context().instance)
    )
    username = None
    password = LazyFunction(password_hash)
    is_staff = False
    is_active = True
    is_superuser = False
    verification_token = ""
    email_verification_sent_at = None
    created_at = LazyAttribute(lambda o: defaults.joined(current_context().clock.now, o.phase))
    date_joined = LazyAttribute(lambda o: o.created_at)
    # Whoever is made whole speaks until two hours ago.
    last_login = LazyAttribute(
        lambda o: defaults.last_login(
            o.created_at, None if o.phase is None else current_context().clock.now - timedelta(hours=2)
        )
    )
    updated_at = LazyAttribute(lambda o: defaults.updated(o.created_at, o.last_login))
    test_scenario = None
    test_scenario_id = LazyAttribute(lambda o: o.test_scenario.id if o.test_scenario is not None else None)

    @classmethod
    def complete(cls, made: User, step: BuildStep[User]) -> None:
        """Give the person a coach state, and the whole of a phase when one was asked for."""
        if step.attributes["bare"]:
            return
        phase: CoachingPhase | None = step.attributes["phase"]
        if phase is None:
            state = {"handle": f"{step.attributes['handle']}.state", "user": made, "fresh": True}
            step.recurse(CoachStateFactory, state)  # type: ignore[arg-type]  # a mapping is taken too
        else:
            from scenarios.factories.dev_coach.whole import complete_user

            complete_user(made, phase, step)


class UserProfileFactory(RowFactory[UserProfile]):
    """What a person tells about themselves; at most one each."""

    class Meta:
        model = UserProfile

    class Params:
        silent = Trait(email_notifications=False, push_notifications=False)

    id = RowId()
    user = Parent(UserFactory, fits=lambda user, o: user.profile is None)
    user_id = owner_id()
    bio = Value(texts.bio)
    timezone = Value(lambda row: row.choice("timezone", texts.TIMEZONES))
    date_of_birth = Value(texts.date_of_birth)
    coaching_goals = Value(texts.coaching_goals)
    preferred_coaching_style = Value(lambda row: row.choice("preferred_coaching_style", list(CoachingStyle)))
    session_frequency = Value(lambda row: row.choice("session_frequency", list(Frequency)))
    email_notifications = True
    push_notifications = True
    notification_frequency = Frequency.DAILY
    language = "en"
    created_at = LazyAttribute(lambda o: o.user.created_at)
    updated_at = LazyAttribute(lambda o: o.created_at)
    test_scenario_id = scope()


class VerificationFactory(RowFactory[Verification]):
    """A token sent to prove an address; open and valid for a day by default."""

    class Meta:
        model = Verification

    class Params:
        used = Trait(is_used=True)
        expired = Trait(created_at=LazyAttribute(lambda o: o.user.created_at))
        password_reset = Trait(verification_type=VerificationType.PASSWORD_RESET)
        email_change = Trait(verification_type=VerificationType.EMAIL_CHANGE)

    id = RowId()
    user = Parent(UserFactory)
    user_id = owner_id()
    token = LazyAttribute(
        lambda o: current_context().row(f"{current_context().instance}/{o.handle}").token("token")
    )
    email = LazyAttribute(lambda o: o.user.email)
    verification_type = VerificationType.EMAIL_VERIFICATION
    is_used = False
    created_at = LazyAttribute(
        lambda o: max(o.user.created_at, current_context().clock.now - timedelta(hours=1))
    )
    expires_at = LazyAttribute(lambda o: o.created_at + defaults.TOKEN_LIFE)
    test_scenario_id = scope()


class CoachStateFactory(RowFactory[CoachState]):
    """Where a person is in the programme; exactly one each."""

    class Meta:
        model = CoachState

    class Params:
        asked = None
        fresh = Trait(asked=0, current_phase=Phase.GET_TO_KNOW_YOU)
        creating_identities = Trait(current_phase=Phase.IDENTITY_CREATION)
        in_refinement = Trait(current_phase=Phase.IDENTITY_REFINEMENT)
        integrating = Trait(current_phase=Phase.INTEGRATION)
        completed = Trait(current_phase=Phase.COMPLETED)

    id = RowId()
    user = Parent(UserFactory, fits=lambda user, o: user.coach_state is None, bare=True)
    user_id = owner_id()
    current_phase = Phase.GET_TO_KNOW_YOU
    current_identity_id = LazyAttribute(lambda o: None)
    proposed_identity_id = LazyAttribute(lambda o: None)
    identity_focus = IdentityCategory.PASSIONS_AND_TALENTS
    skipped_identity_categories = LazyAttribute(
        lambda o: phases.skipped_by(o.current_phase, {i.category for i in o.user.identities})
    )
    who_you_are = LazyAttribute(
        lambda o: (
            texts.who_you_are(current_context().row(o.handle))
            if phases.has_identities(o.current_phase)
            else []
        )
    )
    who_you_want_to_be = LazyAttribute(
        lambda o: (
            texts.who_you_want_to_be(current_context().row(o.handle))
            if phases.has_identities(o.current_phase)
            else []
        )
    )
    asked_questions = LazyAttribute(lambda o: phases.asked_by(o.current_phase, o.asked))
    metadata_ = LazyFunction(dict)
    updated_at = LazyAttribute(lambda o: o.user.updated_at)
    test_scenario_id = scope()


class IdentityFactory(RowFactory[Identity]):
    """Who a person wants to be in one area of life; accepted by default, as in the database."""

    class Meta:
        model = Identity

    class Params:
        proposed = Trait(state=IdentityState.PROPOSED)
        accepted = Trait(state=IdentityState.ACCEPTED)
        refinement_complete = Trait(state=IdentityState.REFINEMENT_COMPLETE)
        # SQLAlchemy takes None for "the database's default"; this says NULL.
        stateless = Trait(state=null())
        affirmed = Trait(affirmation=Value(texts.affirmation))
        visualized = Trait(visualization=Value(texts.visualization))
        integrated = Trait(refinement_complete=True, affirmed=True, visualized=True)

    id = RowId()
    user = Parent(UserFactory)
    user_id = owner_id()
    category = LazyAttribute(
        lambda o: texts.next_category(
            {i.category for i in o.user.identities}, (), current_context().row(o.handle)
        )
    )
    name = LazyAttribute(
        lambda o: texts.identity_name(
            {i.name or "" for i in o.user.identities}, o.category, current_context().row(o.handle)
        )
    )
    affirmation = None
    visualization = None
    state = IdentityState.ACCEPTED
    notes = LazyAttribute(lambda o: [texts.identity_note(current_context().row(o.handle))])
    created_at = Moment()
    updated_at = LazyAttribute(lambda o: o.created_at)
    test_scenario_id = scope()


class ChatMessageFactory(RowFactory[ChatMessage]):
    """One turn: the coach begins, then both take turns, each later than the one before."""

    class Meta:
        model = ChatMessage

    class Params:
        phase = Phase.GET_TO_KNOW_YOU
        by_user = Trait(role=MessageRole.USER)
        by_coach = Trait(role=MessageRole.COACH)
        archived_conversation = Trait(
            timestamp=LazyAttribute(
                lambda o: current_context().moment(
                    o.user.id, current_context().clock.now - timedelta(days=400), o.handle, lane="archive"
                )
            )
        )

    id = RowId()
    user = Parent(UserFactory)
    user_id = owner_id()
    role = LazyAttribute(lambda o: texts.next_role(o.user))
    content = LazyAttribute(lambda o: texts.turn(current_context().row(o.handle), o.role, o.phase))
    timestamp = Moment()
    # No metadata: an explicit None would be written as JSON's null by a session.
    test_scenario_id = scope()


class CoachingSessionFactory(RowFactory[CoachingSession]):
    """A sitting with the coach; open by default."""

    class Meta:
        model = CoachingSession

    class Params:
        ended = Trait(ended_at=LazyAttribute(lambda o: o.started_at + timedelta(minutes=40)))
        archived_conversation = Trait(
            started_at=LazyAttribute(lambda o: o.user.created_at),
            ended_at=LazyAttribute(lambda o: o.started_at + timedelta(minutes=40)),
        )

    id = RowId()
    user = Parent(UserFactory)
    user_id = owner_id()
    coach_state = LazyAttribute(lambda o: o.user.coach_state)
    coach_state_id = LazyAttribute(lambda o: o.coach_state.id)
    phase = LazyAttribute(lambda o: o.coach_state.current_phase)
    started_at = Moment()
    ended_at = None
    test_scenario_id = scope()


class CoachingSessionMessageFactory(RowFactory[CoachingSessionMessage]):
    """That a message belongs to a session of the same person."""

    class Meta:
        model = CoachingSessionMessage

    id = RowId()
    user = OwnerOf("message", UserFactory)
    user_id = owner_id()
    session = Parent(
        CoachingSessionFactory, fits=lambda session, o: session.user_id == o.user.id, user=lambda o: o.user
    )
    session_id = LazyAttribute(lambda o: o.session.id)
    message = Parent(
        ChatMessageFactory, fits=lambda message, o: message.user_id == o.user.id, user=lambda o: o.user
    )
    message_id = LazyAttribute(lambda o: o.message.id)
    test_scenario_id = scope()


class ActionFactory(RowFactory[Action]):
    """What the coach did, by a message of the coach to the same person."""

    class Meta:
        model = Action

    class Params:
        transition = Trait(
            action_type=ActionType.TRANSITION_PHASE,
            parameters=LazyAttribute(lambda o: {"to_phase": o.user.coach_state.current_phase.value}),
        )

    id = RowId()
    user = OwnerOf("coach_message", UserFactory)
    user_id = owner_id()
    coach_message = Parent(
        ChatMessageFactory,
        fits=lambda message, o: message.user_id == o.user.id and message.role is MessageRole.COACH,
        user=lambda o: o.user,
        role=MessageRole.COACH,
    )
    coach_message_id = LazyAttribute(lambda o: o.coach_message.id)
    action_type = ActionType.UPDATE_ASKED_QUESTIONS
    parameters = LazyAttribute(lambda o: texts.parameters(o.action_type, current_context().row(o.handle)))
    result_summary = LazyAttribute(
        lambda o: texts.result_summary(o.action_type, current_context().row(o.handle))
    )
    timestamp = LazyAttribute(lambda o: o.coach_message.timestamp + timedelta(milliseconds=350))
    test_scenario_id = scope()


class ActionResultFactory(RowFactory[ActionResult]):
    """How an action ended; successful by default."""

    class Meta:
        model = ActionResult

    class Params:
        failed = Trait(success=False, error="the identity was changed by another request")

    id = RowId()
    user = OwnerOf("action", UserFactory)
    user_id = owner_id()
    action = Parent(
        ActionFactory,
        fits=lambda action, o: action.user_id == o.user.id and action.result is None,
        user=lambda o: o.user,
    )
    action_id = LazyAttribute(lambda o: o.action.id)
    success = True
    summary = LazyAttribute(lambda o: o.action.result_summary)
    error = None
    created_at = LazyAttribute(lambda o: o.action.timestamp + timedelta(milliseconds=50))
    test_scenario_id = scope()


class UserNoteFactory(RowFactory[UserNote]):
    """A fact about a person, with the message it was learned from when one is given."""

    class Meta:
        model = UserNote

    class Params:
        learned = Trait(
            source_message=Parent(
                ChatMessageFactory,
                fits=lambda message, o: message.user_id == o.user.id and message.role is MessageRole.USER,
                user=lambda o: o.user,
                role=MessageRole.USER,
            )
        )

    id = RowId()
    user = OwnerOf("source_message", UserFactory)
    user_id = owner_id()
    note = Value(texts.note)
    source_message = None
    source_message_id = LazyAttribute(lambda o: o.source_message.id if o.source_message is not None else None)
    created_at = LazyAttribute(
        lambda o: (
            o.source_message.timestamp + timedelta(seconds=2)
            if o.source_message is not None
            else current_context().moment(o.user.id, o.user.created_at + timedelta(hours=1), o.handle)
        )
    )
    test_scenario_id = scope()


class PromptFactory(RowFactory[Prompt]):
    """A version of the prompt of a phase; versions count up within a context."""

    class Meta:
        model = Prompt

    class Params:
        inactive = Trait(is_active=False)
        system = Trait(coaching_phase=None)

    id = RowId()
    coaching_phase = Phase.GET_TO_KNOW_YOU
    version = LazyAttribute(lambda o: current_context().count(f"prompt {o.coaching_phase}"))
    name = LazyAttribute(lambda o: f"{(o.coaching_phase or 'system').replace('_', ' ').lower()} v{o.version}")
    description = None
    body = LazyAttribute(lambda o: texts.prompt_body(o.coaching_phase))
    required_context_keys = LazyAttribute(lambda o: ["USER_NAME", "CURRENT_PHASE"])
    allowed_actions = LazyAttribute(lambda o: texts.allowed_actions(o.coaching_phase))
    is_active = True
    created_at = Ago(days=120)
    updated_at = LazyAttribute(lambda o: o.created_at)


class TestScenarioUserFactory(RowFactory[TestScenarioUser]):
    """That a handle became a user."""

    __test__ = False

    class Meta:
        model = TestScenarioUser

    id = RowId()
    test_scenario = Parent(TestScenarioFactory)
    test_scenario_id = LazyAttribute(lambda o: o.test_scenario.id)
    user = Parent(
        UserFactory,
        fits=lambda user, o: user.test_scenario_id == o.test_scenario.id and not user.scenario_handles,
        test_scenario=lambda o: o.test_scenario,
    )
    user_id = owner_id()
    created_at = LazyAttribute(lambda o: o.test_scenario.created_at)


class TestScenarioChatMessageFactory(RowFactory[TestScenarioChatMessage]):
    """That a handle became a message."""

    __test__ = False

    class Meta:
        model = TestScenarioChatMessage

    id = RowId()
    user = OwnerOf("message", UserFactory)
    user_id = owner_id()
    test_scenario = LazyAttribute(lambda o: o.user.test_scenario)
    test_scenario_id = LazyAttribute(lambda o: o.test_scenario.id)
    message = Parent(
        ChatMessageFactory,
        fits=lambda message, o: message.user_id == o.user.id and not message.scenario_handles,
        user=lambda o: o.user,
    )
    message_id = LazyAttribute(lambda o: o.message.id)
    created_at = LazyAttribute(lambda o: o.test_scenario.created_at)
