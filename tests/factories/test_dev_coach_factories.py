"""The Dev Coach factories: whole people, fitting rows, shared parents, and no state on any class."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import factory
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scenarios.domains.dev_coach import (
    DOMAIN,
    ActionType,
    ChatMessage,
    CoachingPhase,
    IdentityState,
    MessageRole,
    TestScenario,
    User,
)
from scenarios.errors import FactoryError
from scenarios.factories import FactoryContext, Value, current_context, dev_coach, factory_context
from scenarios.factories.dev_coach import (
    ActionFactory,
    ActionResultFactory,
    ChatMessageFactory,
    CoachingSessionFactory,
    CoachingSessionMessageFactory,
    CoachStateFactory,
    IdentityFactory,
    PromptFactory,
    TestScenarioChatMessageFactory,
    TestScenarioFactory,
    TestScenarioUserFactory,
    UserFactory,
    UserNoteFactory,
    UserProfileFactory,
    VerificationFactory,
)
from scenarios.graph import Graph, write
from scenarios.validation import validate
from scenarios.values import TEST_PASSWORD, password_hash

TRAITS = {
    CoachingPhase.GET_TO_KNOW_YOU: "getting_known",
    CoachingPhase.IDENTITY_CREATION: "creating_identities",
    CoachingPhase.IDENTITY_REFINEMENT: "in_refinement",
    CoachingPhase.INTEGRATION: "integrating",
    CoachingPhase.COMPLETED: "completed",
}


@pytest.mark.parametrize("phase", CoachingPhase)
def test_a_person_made_whole_passes_every_check(dev_coach_db, phase):
    with factory_context(f"whole {phase}"):
        people = [UserFactory.build(phase=phase), UserFactory.build(**{TRAITS[phase]: True})]
    graph = Graph()
    for person in people:
        graph.add(person)
        state = person.coach_state
        assert state is not None
        assert state.current_phase is phase
        assert len(person.chat_messages) % 2 == 1
        assert person.chat_messages[-1].role is MessageRole.COACH
        assert len(person.user_notes) == 2
        assert bool(person.identities) == (phase is not CoachingPhase.GET_TO_KNOW_YOU)
        transitions = [a for a in person.actions if a.action_type is ActionType.TRANSITION_PHASE]
        assert len(transitions) == phase.number
    with dev_coach_db.connect() as connection:
        write(connection, graph)
        assert validate(connection, DOMAIN) == []


def test_one_factory_a_table_and_each_row_is_accepted(dev_coach_db):
    graph = Graph()
    with factory_context("rows", graph=graph):
        instance = TestScenarioFactory.create()
        UserFactory.create(test_scenario=instance, staff=True, unverified=True)
        for made_by in (
            UserProfileFactory,
            VerificationFactory,
            IdentityFactory,
            ChatMessageFactory,
            CoachingSessionFactory,
            CoachingSessionMessageFactory,
            ActionFactory,
            ActionResultFactory,
            UserNoteFactory,
            PromptFactory,
            TestScenarioUserFactory,
            TestScenarioChatMessageFactory,
        ):
            made_by.create()
        VerificationFactory.create(expired=True, used=True, password_reset=True)
        VerificationFactory.create(email_change=True)
        UserNoteFactory.create(learned=True)
        ActionResultFactory.create(failed=True)
        PromptFactory.create(system=True, inactive=True)
        ChatMessageFactory.create(archived_conversation=True)
        CoachingSessionFactory.create(archived_conversation=True)
        CoachingSessionFactory.create(ended=True)
        for state in ("proposed", "accepted", "refinement_complete", "integrated", "stateless"):
            IdentityFactory.create(**{state: True})
    with dev_coach_db.connect() as connection:
        written = write(connection, graph)
        scoped = connection.execute(
            "SELECT count(*), count(test_scenario_id), count(*) - count(state) FROM identities_identity"
        ).fetchone()
    assert set(written.tables) == set(DOMAIN.metadata.tables)
    assert scoped == (6, 6, 1)
    assert len(dev_coach.__all__) == len(DOMAIN.metadata.tables)


def test_traits_say_what_they_mean():
    with factory_context("traits"):
        assert IdentityFactory.build(proposed=True).state is IdentityState.PROPOSED
        integrated = IdentityFactory.build(integrated=True)
        assert integrated.state is IdentityState.REFINEMENT_COMPLETE
        assert integrated.affirmation
        assert integrated.visualization
        assert ChatMessageFactory.build(by_user=True).role is MessageRole.USER
        old = ChatMessageFactory.build(archived_conversation=True)
        assert old.timestamp < datetime(2025, 2, 1, tzinfo=UTC)
        assert UserFactory.build(bare=True).coach_state is None
        assert UserFactory.build(never_signed_in=True).last_login is None
        assert len(UserFactory.build(unverified=True).verification_token) == 64
        assert CoachStateFactory.build(in_refinement=True).who_you_are


def test_siblings_share_their_parent_and_extra_parents_are_counted():
    with factory_context("parents") as context:
        messages = ChatMessageFactory.build_batch(90)
        assert len({id(message.user) for message in messages}) == 1
        assert context.cascade == {"UserFactory": 1}
        omar = UserFactory.build(handle="omar")
        assert ChatMessageFactory.build().user is omar
        assert ChatMessageFactory.build(user=messages[0].user).user is messages[0].user
        assert ChatMessageFactory.build(user__first_name="Zoe").user.first_name == "Zoe"
        context.use(omar)
        assert ActionFactory.build().coach_message.user is omar
        spoken = messages[0]
        action = ActionFactory.build(coach_message=spoken)
        assert action.user is spoken.user
        assert ActionResultFactory.build(action=action).user is spoken.user


def test_a_conversation_alternates_and_its_times_increase():
    with factory_context("talk"):
        messages = ChatMessageFactory.build_batch(6)
    assert [message.role for message in messages] == [MessageRole.COACH, MessageRole.USER] * 3
    times = [message.timestamp for message in messages]
    assert times == sorted(set(times))


def test_contexts_repeat_and_do_not_leak():
    def build() -> list[object]:
        with factory_context("repeat"):
            users = UserFactory.build_batch(3)
            return [(user.id, user.email, user.first_name) for user in users]

    first = build()
    UserFactory.build_batch(5)
    assert build() == first
    with factory_context("repeat", instance="other"):
        other = UserFactory.build_batch(3)
    assert [user.first_name for user in other] == [name for _, _, name in first]
    assert not {user.id for user in other} & {key for key, _, _ in first}
    assert not {user.email for user in other} & {email for _, email, _ in first}


def test_sequences_count_within_their_context():
    class NumberedFactory(UserFactory):
        username = factory.Sequence(lambda n: f"user{n}")

    for _ in range(2):
        with factory_context("numbered"):
            assert [NumberedFactory.build(bare=True).username for _ in range(2)] == ["user0", "user1"]


def test_without_a_context_each_test_has_its_own():
    assert current_context() is current_context()
    assert "test_without_a_context_each_test_has_its_own" in current_context().scenario
    assert UserFactory.build().email != UserFactory.build().email
    with factory_context("inner") as inner:
        assert current_context() is inner
    assert current_context() is not inner


def test_create_adds_to_the_session_of_the_context(dev_coach_db):
    with Session(dev_coach_db.engine) as session, factory_context("session", session=session):
        maya = UserFactory.create(in_refinement=True)
        assert maya in session
        assert session.scalar(select(func.count()).select_from(ChatMessage)) == len(maya.chat_messages)
        UserFactory.create_batch(2)
        assert session.scalar(select(func.count()).select_from(User)) == 3
        assert session.scalar(select(func.count()).select_from(TestScenario)) == 0
        session.rollback()


def test_create_without_a_place_says_so():
    with factory_context("nowhere"), pytest.raises(FactoryError, match="nowhere to put the User"):
        UserFactory.create()


def test_the_password_is_hashed_once_and_known():
    before = password_hash.cache_info().misses
    with factory_context("hash"):
        hashes = {user.password for user in UserFactory.build_batch(20)}
    assert len(hashes) == 1
    assert password_hash.cache_info().misses <= before + 1
    assert hashes == {password_hash(TEST_PASSWORD)}


def test_adding_a_column_changes_only_that_column():
    class WiderFactory(UserFactory):
        username = Value(lambda row: row.username())
        is_staff = Value(lambda row: row.chance("is_staff", 0.5))

    def columns(made_by: type[UserFactory]) -> list[dict[str, object]]:
        with factory_context("wider"):
            users = made_by.build_batch(10, handle=factory.Sequence(lambda n: f"u{n}"))
        names = [column.key for column in User.__table__.columns]
        return [{name: getattr(user, name) for name in names} for user in users]

    plain, wider = columns(UserFactory), columns(WiderFactory)
    changed = {
        name
        for before, after in zip(plain, wider, strict=True)
        for name in before
        if before[name] != after[name]
    }
    assert changed == {"username", "is_staff"}


def test_an_existing_factory_is_used_as_it_is(dev_coach_db):
    class TheirUserFactory(factory.Factory):
        class Meta:
            model = User

        email = factory.Sequence(lambda n: f"their{n}@example.com")
        password = "x"

    graph = Graph()
    graph.add_all(TheirUserFactory.build_batch(3))
    with dev_coach_db.connect() as connection:
        assert write(connection, graph).rows == 3


def test_a_context_takes_seed_locale_and_clock():
    moment = datetime(2026, 1, 5, 9, tzinfo=UTC)
    german = FactoryContext("de", seed="s", locale="de_DE", now=moment)
    assert german.clock.now == moment
    assert german.row("x").seeded.locale == "de_DE"
    with factory_context("de", seed="s", now=moment):
        user = UserFactory.build()
        assert user.created_at < moment
        assert UserFactory.build(handle="x").id == german.id("x")


def test_prompts_count_their_versions_by_phase():
    with factory_context("prompts"):
        versions = [PromptFactory.build().version, PromptFactory.build().version]
        other = PromptFactory.build(coaching_phase=CoachingPhase.COMPLETED)
    assert versions == [1, 2]
    assert other.version == 1
    assert other.name == "completed v1"


def test_seed_and_locale_come_from_the_settings():
    show = "from scenarios.factories import FactoryContext as C; c = C('x'); print(c.seed, c.locale)"
    environ = {**os.environ, "SCENARIOS_SEED": "mine", "SCENARIOS_LOCALE": "de_DE"}
    said = subprocess.run(
        [sys.executable, "-c", show], env=environ, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["mine", "de_DE"]
