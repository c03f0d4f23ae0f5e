"""The models: relations read off the attributes, in-place changes, the cycle, the classification."""

from __future__ import annotations

import subprocess
import sys
import warnings
from enum import StrEnum
from typing import Any

import pytest
from dev_coach_rows import START, Rows
from sqlalchemy import DateTime, Engine, Enum, String, create_engine, func, inspect, pool, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session, configure_mappers
from sqlalchemy.orm.relationships import RelationshipProperty

from scenarios.domain import PERSONAL, get_domain
from scenarios.domains.dev_coach import (
    DOMAIN,
    Action,
    ActionResult,
    ActionType,
    Base,
    ChatMessage,
    CoachingPhase,
    CoachingSession,
    CoachingSessionMessage,
    CoachState,
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
)
from scenarios.postgres import Database

KINDS = {
    "email",
    "first_name",
    "last_name",
    "username",
    "phone",
    "secret",
    "text",
    "date_of_birth",
    "address",
    None,
}

TABLES = {
    "users_user",
    "users_userprofile",
    "authentication_verification",
    "coach_states_coachstate",
    "chat_messages_chatmessage",
    "identities_identity",
    "user_notes_usernote",
    "prompts_prompt",
    "actions_action",
    "actions_actionresult",
    "test_scenario_testscenario",
    "test_scenario_testscenariouser",
    "test_scenario_testscenariochatmessage",
    # Sessions, which group messages.
    "coach_states_coachingsession",
    "coach_states_coachingsessionmessage",
}


def _relations() -> list[RelationshipProperty[Any]]:
    configure_mappers()
    return [relation for mapper in Base.registry.mappers for relation in mapper.relationships]


def _full(email: str = "maya@example.com", scenario: TestScenario | None = None) -> User:
    """A user with something on every relationship."""
    user = User(email=email, password="!", created_at=START, updated_at=START, test_scenario=scenario)
    identity = Identity(name="Maker", category=IdentityCategory.MAKER_OF_MONEY, user=user)
    user.coach_state = CoachState(current_identity=identity, proposed_identity=identity)
    message = ChatMessage(user=user, role=MessageRole.COACH, content="What else?", timestamp=START)
    action = Action(user=user, coach_message=message, action_type=ActionType.CREATE_IDENTITY)
    action.result = ActionResult(user=user, summary="Created Maker.")
    user.user_notes.append(UserNote(note="Works with wood", source_message=message))
    sitting = CoachingSession(user=user, coach_state=user.coach_state, phase=CoachingPhase.GET_TO_KNOW_YOU)
    sitting.message_links.append(CoachingSessionMessage(user=user, message=message))
    user.profile = UserProfile(timezone="Europe/Zurich")
    user.verifications.append(
        Verification(
            token=f"token of {email}",
            email=email,
            verification_type=VerificationType.EMAIL_CHANGE,
            created_at=START,
            expires_at=START.replace(day=2),
        )
    )
    if scenario is not None:
        scenario.user_handles.append(TestScenarioUser(handle="maya", user=user))
        scenario.message_handles.append(TestScenarioChatMessage(handle="hi", user=user, message=message))
    return user


def test_all_tables_of_the_overview_and_the_sessions_are_there() -> None:
    assert set(DOMAIN.metadata.tables) == TABLES
    assert get_domain("dev_coach") is DOMAIN


def test_every_relation_has_its_other_side_and_leaves_deleting_to_the_database() -> None:
    relations = _relations()
    assert len(relations) > 50
    for relation in relations:
        assert relation.back_populates, str(relation)
        other = relation.mapper.relationships[relation.back_populates]
        assert other.back_populates == relation.key, str(relation)
        assert other.mapper is relation.parent, str(relation)
        if relation.direction.name == "ONETOMANY":
            assert relation.passive_deletes, str(relation)


def test_every_foreign_key_has_a_relation() -> None:
    covered = {
        (column.table.name, column.name)
        for relation in _relations()
        if relation.direction.name == "MANYTOONE"
        for column in relation.local_columns
    }
    keys = {
        (table.name, key.columns.keys()[0])
        for table in DOMAIN.metadata.tables.values()
        for key in table.foreign_key_constraints
    }
    assert covered == keys


def test_the_diagram_of_the_overview_can_be_read_off_the_attributes(session: Session) -> None:
    session.add(_full())
    session.commit()
    user = session.scalars(select(User)).one()
    assert user.coach_state is not None
    assert user.coach_state.current_identity is user.identities[0]
    assert user.coach_state.proposed_identity is user.identities[0]
    assert user.identities[0].current_in == user.identities[0].proposed_in == [user.coach_state]
    (message,) = user.chat_messages
    assert message.triggered_actions == user.actions
    assert message.source_notes == user.user_notes
    assert user.actions[0].coach_message is message
    assert user.user_notes[0].source_message is message
    assert message.sessions == user.coach_state.sessions == user.coaching_sessions
    assert user.coaching_sessions[0].messages == [message]
    assert user.actions[0].result is not None
    assert user.profile is not None
    assert user.profile.user is user
    assert user.verifications[0].user is user
    assert user.test_scenario is None


def test_a_scenario_knows_everything_it_owns(session: Session) -> None:
    scenario = TestScenario(name="one", template={})
    user = _full(scenario=scenario)
    session.add(user)
    session.commit()
    session.expire_all()
    assert scenario.users == [user]
    for relation in inspect(TestScenario).relationships:
        if relation.key != "created_by":
            assert len(getattr(scenario, relation.key)) == 1, relation.key
    session.delete(scenario)
    session.commit()
    for mapper in Base.registry.mappers:
        assert session.scalar(select(func.count()).select_from(mapper)) == 0, mapper


def test_the_cycle_of_user_and_scenario_is_created_loaded_and_dropped_without_warnings(
    fresh_db: Database,
) -> None:
    engine: Engine = create_engine(fresh_db.url, poolclass=pool.NullPool)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(Base.metadata.sorted_tables) == len(TABLES)
        Base.metadata.create_all(engine)
        Base.metadata.create_all(engine)  # again, where everything is there
        with Session(engine) as session:
            scenario = TestScenario(name="cycle", template={"user": {}})
            user = _full(scenario=scenario)
            scenario.created_by = user
            session.add(scenario)
            session.commit()
            session.expire_all()
            assert scenario.created_by is user
            assert user.created_scenarios == [scenario]
            assert user.test_scenario is scenario
            session.delete(user)
            session.commit()
            session.expire_all()
            assert scenario.created_by is None
        Base.metadata.drop_all(engine)
    with fresh_db.connect() as conn:
        left = conn.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
    assert left == []


def test_some_tables_alone_can_be_created(fresh_db: Database) -> None:
    engine = create_engine(fresh_db.url, poolclass=pool.NullPool)
    with engine.begin() as connection:
        Base.metadata.create_all(connection, tables=[Prompt.__table__])
    with Session(engine) as session:
        session.add(Prompt(body="Be kind."))
        session.commit()
        assert session.scalars(select(Prompt)).one().version == 1


def test_arrays_and_json_notice_changes_in_place(session: Session) -> None:
    user = _full()
    session.add(user)
    session.commit()
    # Loaded first, since loading would flush.
    identity, action = user.identities[0], user.actions[0]
    assert user.coach_state is not None
    user.coach_state.who_you_are.append("a maker")
    user.coach_state.metadata_["mood"] = "bright"  # type: ignore[index]  # written as an empty object
    identity.notes.extend(["first", "second"])
    action.parameters["name"] = "Maker"
    assert len(session.dirty) == 3
    session.commit()
    session.expire_all()
    assert user.coach_state.who_you_are == ["a maker"]
    assert user.coach_state.metadata_ == {"mood": "bright"}
    assert identity.notes == ["first", "second"]
    assert action.parameters == {"name": "Maker"}


def test_every_array_and_json_column_is_mutable() -> None:
    for mapper in Base.registry.mappers:
        for attribute in mapper.column_attrs:
            (column,) = attribute.columns
            if isinstance(column.type, ARRAY | JSONB):
                value: Any = [] if isinstance(column.type, ARRAY) else {}
                row = mapper.class_(**{attribute.key: value})
                assert type(getattr(row, attribute.key)).__name__ in {"MutableList", "MutableDict"}, attribute


def test_enum_columns_give_members_and_refuse_others(session: Session) -> None:
    session.add(_full())
    session.commit()
    session.expire_all()
    identity = session.scalars(select(Identity)).one()
    assert identity.state is IdentityState.ACCEPTED
    assert identity.category is IdentityCategory.MAKER_OF_MONEY
    identity.state = "WRONG"  # type: ignore[assignment]  # what is tried
    with pytest.raises(Exception, match="WRONG"):
        session.flush()


def test_every_vocabulary_of_a_column_is_its_check() -> None:
    for table in DOMAIN.metadata.tables.values():
        checks = {str(constraint.name): constraint for constraint in table.constraints}
        for column in table.columns:
            if isinstance(column.type, Enum):
                enum = column.type.enum_class
                assert enum is not None
                assert issubclass(enum, StrEnum)
                text = str(checks[f"{table.name}_{column.name}_check"].sqltext)  # type: ignore[attr-defined]
                assert all(f"'{member.value}'" in text for member in enum)
                assert text.count("'") == 2 * len(enum)
                assert max(len(member) for member in enum) <= (column.type.length or 0)


def test_every_column_that_can_hold_a_persons_words_is_classified() -> None:
    for table in DOMAIN.metadata.tables.values():
        for column in table.columns:
            kind = column.type.item_type if isinstance(column.type, ARRAY) else column.type
            if isinstance(kind, String | JSONB) or column.name == "date_of_birth":
                assert PERSONAL in column.info, f"{column} is not classified"
                assert column.info[PERSONAL] in KINDS, str(column)


def test_every_time_has_a_zone() -> None:
    for table in DOMAIN.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, DateTime):
                assert column.type.timezone, str(column)


def test_models_are_not_taken_for_tests() -> None:
    assert not any(model.__test__ for model in (TestScenario, TestScenarioUser, TestScenarioChatMessage))


def test_the_ddl_is_the_same_in_every_process() -> None:
    """Templates are named by its hash."""
    program = "from scenarios.domain import get_domain; print(get_domain('dev_coach').ddl(), end='')"
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        )
        assert run.stdout == DOMAIN.ddl()


def test_one_row_of_everything_has_a_scope_or_none(rows: Rows) -> None:
    rows.person(test_scenario_id=rows.scenario())
    rows.prompt()
    assert set(rows.counts().values()) == {1}
