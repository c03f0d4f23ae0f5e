"""What the builder makes of what was said, and that a database takes it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy.orm import Session

from scenarios.builders.dev_coach import BuiltScenario, UserStep, a_scenario
from scenarios.domains.dev_coach import (
    DOMAIN,
    ActionType,
    CoachingPhase,
    IdentityCategory,
    IdentityState,
    MessageRole,
    TestScenario,
    User,
)
from scenarios.errors import BuilderError, GraphError
from scenarios.validation import validate


def refinement() -> BuiltScenario:
    return (
        a_scenario("refinement_in_progress")
        .user("maya", first_name="Maya")
        .in_phase(CoachingPhase.IDENTITY_REFINEMENT)
        .identity("maker", category=IdentityCategory.MAKER_OF_MONEY, state=IdentityState.ACCEPTED)
        .as_current()
        .identities(3)
        .conversation(turns=12)
        .note("Prefers mornings")
        .coach("What do you love?", handle="love")
        .triggers(
            ActionType.ADD_IDENTITY_NOTE, parameters={"id": "@maya.maker", "note": "trains"}, succeeded=True
        )
        .says("i love trains", handle="trains")
        .noted("Loves trains", handle="loves_trains")
        .user("omar")
        .in_phase(CoachingPhase.GET_TO_KNOW_YOU)
        .prompt(CoachingPhase.INTEGRATION)
        .created_by("omar")
        .build()
    )


def test_a_scenario_is_complete_without_a_database():
    scenario = refinement()
    maya = scenario["maya"]
    assert maya.first_name == "Maya"
    assert maya.coach_state.current_phase is CoachingPhase.IDENTITY_REFINEMENT
    assert maya.coach_state.current_identity is scenario["maya.maker"]
    assert [identity.state for identity in maya.identities] == [IdentityState.ACCEPTED] * 4
    assert len({identity.name for identity in maya.identities}) == 4
    assert maya.coach_state.who_you_are
    assert scenario["maya.loves_trains"].source_message is scenario["maya.trains"]
    action = scenario["maya.action_1"]
    assert action.coach_message is scenario["maya.love"]
    assert action.parameters == {"id": str(scenario["maya.maker"].id), "note": "trains"}
    assert len(scenario["maya.conversation_1"].message_ids) == 12
    omar = scenario["omar"]
    assert omar.identities == []
    assert omar.coach_state.who_you_are == []


def test_what_is_loaded_passes_every_check(dev_coach_db):
    scenario = refinement()
    loaded = scenario.load(dev_coach_db)
    with dev_coach_db.connect() as connection:
        assert validate(connection, DOMAIN) == []
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM users_user), (SELECT count(*) FROM chat_messages_chatmessage),"
            " (SELECT count(*) FROM identities_identity), (SELECT count(*) FROM user_notes_usernote)"
        ).fetchone()
    assert counts == (2, 14, 4, 2)
    assert loaded["maya"].email.startswith("maya.")
    assert [person["handle"] for person in loaded.sign_in] == ["maya", "omar"]


def test_objects_of_a_loaded_scenario_are_usable_in_a_session(dev_coach_db):
    loaded = refinement().load(dev_coach_db)
    with Session(dev_coach_db.engine) as session:
        instance = session.get_one(TestScenario, loaded.id)
        assert instance.created_by_id == loaded["omar"].id
        maya = session.get_one(User, loaded["maya"].id)
        assert [message.role for message in maya.chat_messages[:3]] == [
            MessageRole.COACH,
            MessageRole.USER,
            MessageRole.COACH,
        ]
        assert {handle.handle for handle in instance.user_handles} == {"maya", "omar"}
        assert {handle.handle for handle in instance.message_handles} == {"maya.love", "maya.trains"}
        assert instance.template["users"]["maya"]["phase"] == "IDENTITY_REFINEMENT"
        assert len(maya.coaching_sessions[0].messages) == 12


def test_instances_of_one_scenario_stand_side_by_side(dev_coach_db):
    scenario = refinement()
    first = scenario.load(dev_coach_db)
    second = scenario.load(dev_coach_db, as_name="for-qa")
    assert first.id != second.id
    assert first["maya"].id != second["maya"].id
    assert first["maya"].email != second["maya"].email
    assert first["maya"].last_name == second["maya"].last_name
    assert first["maya.maker"].name == second["maya.maker"].name
    assert second.name == "for-qa"
    with dev_coach_db.connect() as connection:
        assert validate(connection, DOMAIN) == []
        connection.execute("DELETE FROM test_scenario_testscenario WHERE id = %s", [first.id])
        assert connection.execute("SELECT count(*) FROM users_user").fetchone() == (2,)


def test_an_address_that_was_said_is_kept_in_the_instance_of_the_scenarios_name(dev_coach_db):
    scenario = a_scenario("named").user("maya", email="Maya@acme.example", username="maya").build()
    assert scenario.load(dev_coach_db)["maya"].email == "Maya@acme.example"
    other = scenario.load(dev_coach_db, as_name="named-2")["maya"]
    assert other.email != "Maya@acme.example"
    assert other.email.startswith("Maya+")
    assert other.username != "maya"


def test_loading_under_a_name_that_is_taken_leaves_nothing(dev_coach_db):
    scenario = refinement()
    scenario.load(dev_coach_db)
    with dev_coach_db.connect() as connection:
        before = connection.execute("SELECT count(*) FROM chat_messages_chatmessage").fetchone()
        with pytest.raises(GraphError, match="refused"):
            scenario.load(dev_coach_db)
        assert connection.execute("SELECT count(*) FROM chat_messages_chatmessage").fetchone() == before


def test_async_loads_write_what_the_sync_one_does(dev_coach_db):
    asyncpg = pytest.importorskip("asyncpg")
    scenario = refinement()
    scenario.load(dev_coach_db)

    async def load() -> None:
        await scenario.load_async(dev_coach_db, as_name="by-psycopg")
        connection = await asyncpg.connect(dev_coach_db.dsn)
        try:
            await scenario.load_async(connection, as_name="by-asyncpg")
        finally:
            await connection.close()

    asyncio.run(load())
    with dev_coach_db.connect() as connection:
        per_instance = connection.execute(
            "SELECT count(*), sum(length(content)), min(timestamp), max(timestamp)"
            " FROM chat_messages_chatmessage GROUP BY test_scenario_id"
        ).fetchall()
        assert validate(connection, DOMAIN) == []
    assert len(per_instance) == 3
    assert len(set(per_instance)) == 1


def test_a_session_keeps_its_transaction(dev_coach_db):
    scenario = refinement()
    with Session(dev_coach_db.engine) as session:
        loaded = scenario.load(session)
        assert session.get(User, loaded["maya"].id) is not None
        session.rollback()
    with dev_coach_db.connect() as connection:
        assert connection.execute("SELECT count(*) FROM users_user").fetchone() == (0,)


def test_a_connection_and_an_engine_will_do(dev_coach_db):
    scenario = a_scenario("small").user("maya").build()
    scenario.load(dev_coach_db.engine)
    with psycopg.connect(dev_coach_db.dsn) as connection:
        scenario.load(connection, as_name="small-2")
    with dev_coach_db.connect() as connection:
        assert connection.execute("SELECT count(*) FROM users_user").fetchone() == (2,)
    with pytest.raises(BuilderError, match="cannot load into a str"):
        scenario.load("postgresql://")


def test_prompts_are_shared_by_instances(dev_coach_db):
    scenario = (
        a_scenario("prompted").prompt(CoachingPhase.INTEGRATION).prompt(CoachingPhase.INTEGRATION).build()
    )
    first = scenario.load(dev_coach_db)
    second = scenario.load(dev_coach_db, as_name="prompted-2")
    asyncio.run(scenario.load_async(dev_coach_db, as_name="prompted-3"))
    assert first["prompt.integration.2"].id == second["prompt.integration.2"].id
    with dev_coach_db.connect() as connection:
        versions = connection.execute("SELECT version FROM prompts_prompt ORDER BY 1").fetchall()
        assert validate(connection, DOMAIN) == []
    assert versions == [(1,), (2,)]


def test_times_are_relative_to_the_clock_and_move_with_it():
    scenario = (
        a_scenario("clocked", now=datetime(2026, 1, 5, 9, tzinfo=UTC))
        .user("maya", joined="-10d")
        .coach("Hello", at="-3d 2h", handle="hello")
        .says("hi")
        .build()
    )
    assert scenario["maya"].created_at == datetime(2025, 12, 26, 9, tzinfo=UTC)
    assert scenario["maya.hello"].timestamp == datetime(2026, 1, 2, 7, tzinfo=UTC)
    later = scenario.render(now=datetime(2026, 2, 5, 9, tzinfo=UTC))
    assert later.handles["maya.hello"].timestamp == datetime(2026, 2, 2, 7, tzinfo=UTC)
    assert later.handles["maya"].id == scenario["maya"].id


def test_turns_strictly_increase_and_end_before_now():
    scenario = (
        a_scenario("long")
        .user("maya")
        .in_phase(CoachingPhase.COMPLETED)
        .identities(9)
        .conversation(turns=301)
        .says("one more thing", handle="more")
        .coach("Yes?")
        .conversation(turns=3)
        .build()
    )
    stretch = [
        row
        for part in scenario.graph.stretches
        if part.table.name == "chat_messages_chatmessage"
        for row in part.rows
    ]
    times = [row[4] for row in stretch[:301]]
    times += [scenario["maya.more"].timestamp, scenario["maya.message_1"].timestamp]
    times += [row[4] for row in stretch[301:]]
    assert times == sorted(set(times))
    assert times[-1] < datetime(2026, 3, 4, 16, tzinfo=UTC)
    assert scenario["maya"].created_at < times[0]


def test_a_crowded_time_is_shared_and_one_without_room_refused():
    crowded = (
        a_scenario("crowded")
        .user("maya", joined="-2h")
        .conversation(turns=40)
        .coach("So", at="-30m", handle="so")
        .conversation(turns=9)
        .build()
    )
    rows = [
        row
        for part in crowded.graph.stretches
        if part.table.name == "chat_messages_chatmessage"
        for row in part.rows
    ]
    times = [row[4] for row in rows[:40]] + [crowded["maya.so"].timestamp] + [row[4] for row in rows[40:]]
    assert times == sorted(set(times))
    assert crowded["maya"].created_at < times[0]
    tight = a_scenario("tight").user("maya", joined="-10ms").coach("Hello", at="-11ms")
    with pytest.raises(BuilderError, match="does not fit"):
        tight.build()


def test_sessions_group_what_was_said_in_them(dev_coach_db):
    scenario = (
        a_scenario("sessions")
        .user("maya")
        .session("first")
        .coach("Welcome")
        .says("hi")
        .session("second", open=True)
        .conversation(turns=5)
        .build()
    )
    loaded = scenario.load(dev_coach_db)
    with Session(dev_coach_db.engine) as session:
        maya = session.get_one(User, loaded["maya"].id)
        first, second = maya.coaching_sessions
        assert [message.content for message in first.messages] == ["Welcome", "hi"]
        assert first.ended_at == first.messages[-1].timestamp
        assert len(second.messages) == 5
        assert second.ended_at is None


def test_pieces_are_plain_functions():
    def a_refined_maker(user: UserStep) -> UserStep:
        return user.identity("maker", state=IdentityState.REFINEMENT_COMPLETE, name="Maker")

    scenario = (
        a_scenario("pieces")
        .user("maya")
        .in_phase(CoachingPhase.IDENTITY_REFINEMENT)
        .apply(a_refined_maker)
        .user("omar")
        .in_phase(CoachingPhase.INTEGRATION)
        .apply(a_refined_maker)
        .build()
    )
    assert scenario["maya.maker"].name == scenario["omar.maker"].name == "Maker"
    assert scenario["maya.maker"].id != scenario["omar.maker"].id


def test_as_given_adds_nothing():
    scenario = (
        a_scenario("life", as_given=True)
        .user("maya", first_name="Maya", columns={"created_at": datetime(2026, 1, 1, tzinfo=UTC)})
        .in_phase(CoachingPhase.COMPLETED)
        .identity("nameless", state=IdentityState.PROPOSED, category=IdentityCategory.SPIRITUAL)
        .says("first", handle="first")
        .build()
    )
    state = scenario["maya"].coach_state
    assert state.who_you_are == []
    assert state.skipped_identity_categories == []
    assert state.asked_questions == []
    assert scenario["maya.nameless"].name is None
    assert scenario["maya.nameless"].notes == []
    assert scenario["maya"].last_login is None
    assert scenario["maya"].created_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_phase_fills_the_coach_state():
    for phase in CoachingPhase:
        step = a_scenario("filled").user("maya").in_phase(phase)
        built = (step.identities(2) if phase is not CoachingPhase.GET_TO_KNOW_YOU else step).build()
        state = built["maya"].coach_state
        brainstormed = phase.number >= CoachingPhase.IDENTITY_REFINEMENT.number
        assert len(state.skipped_identity_categories) == (7 if brainstormed else 0)
        assert len(state.asked_questions) == (2 if phase is CoachingPhase.GET_TO_KNOW_YOU else 5)
        assert (state.current_identity_id is not None) == (phase is CoachingPhase.IDENTITY_REFINEMENT)


def test_a_missing_handle_says_what_was_meant():
    scenario = refinement()
    with pytest.raises(BuilderError, match=r"did you mean 'maya\.maker'"):
        scenario["maya.makr"]


def test_last_login_is_not_before_the_last_message():
    maya = refinement()["maya"]
    assert maya.last_login >= maya.chat_messages[-1].timestamp - timedelta(seconds=1)


def test_a_state_that_is_null_stays_null(dev_coach_db):
    scenario = (
        a_scenario("stateless")
        .user("maya")
        .in_phase(CoachingPhase.IDENTITY_CREATION)
        .identity("a", columns={"state": None})
        .build()
    )
    assert scenario["maya.a"].state is None
    loaded = scenario.load(dev_coach_db)
    assert loaded["maya.a"].state is None
    with dev_coach_db.connect() as connection:
        assert connection.execute("SELECT state FROM identities_identity").fetchone() == (None,)
