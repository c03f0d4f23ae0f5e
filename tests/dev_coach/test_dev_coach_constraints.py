"""Each constraint refuses what it forbids, and says its own name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from dev_coach_rows import START, Rows
from psycopg import errors, sql

from scenarios.domains.dev_coach import DOMAIN

Violation = Callable[[Rows], Any]


def _twice(make: Callable[..., UUID], **values: Any) -> None:
    make(**values)
    make(**values)


def _two(rows: Rows) -> tuple[UUID, UUID]:
    return rows.user(), rows.user()


def _handle(rows: Rows, handle: str, scope: UUID, user: UUID) -> None:
    rows.insert("test_scenario_testscenariouser", test_scenario_id=scope, handle=handle, user_id=user)


def _message_handle(rows: Rows, handle: str, scope: UUID, user: UUID, message: UUID) -> None:
    rows.insert(
        "test_scenario_testscenariochatmessage",
        test_scenario_id=scope,
        handle=handle,
        user_id=user,
        message_id=message,
    )


def _scoped(rows: Rows) -> tuple[UUID, UUID]:
    scope = rows.scenario()
    return scope, rows.user(test_scenario_id=scope)


def _same_message_twice(rows: Rows) -> None:
    scope, user = _scoped(rows)
    message = rows.message(user)
    _message_handle(rows, "a", scope, user, message)
    _message_handle(rows, "b", scope, user, message)


def _same_message_handle(rows: Rows) -> None:
    scope, user = _scoped(rows)
    _message_handle(rows, "a", scope, user, rows.message(user))
    _message_handle(rows, "a", scope, user, rows.message(user))


def _same_user_handle(rows: Rows) -> None:
    scope, user = _scoped(rows)
    _handle(rows, "maya", scope, user)
    _handle(rows, "maya", scope, rows.user(test_scenario_id=scope))


def _same_user_twice(rows: Rows) -> None:
    scope, user = _scoped(rows)
    _handle(rows, "maya", scope, user)
    _handle(rows, "omar", scope, user)


def _handle_of_anothers_message(rows: Rows) -> None:
    scope, user = _scoped(rows)
    _message_handle(rows, "a", scope, user, rows.message(rows.user(test_scenario_id=scope)))


def _linked_twice(rows: Rows) -> None:
    user = rows.user()
    session, message = rows.session(user, rows.state(user)), rows.message(user)
    rows.link(user, session, message)
    rows.link(user, session, message)


def _anothers_session(rows: Rows) -> None:
    one, two = _two(rows)
    rows.link(two, rows.session(one, rows.state(one)), rows.message(two))


def _anothers_message_in_session(rows: Rows) -> None:
    one, two = _two(rows)
    rows.link(one, rows.session(one, rows.state(one)), rows.message(two))


def _session_of_anothers_state(rows: Rows) -> None:
    one, two = _two(rows)
    rows.session(two, rows.state(one))


def _two_results(rows: Rows) -> None:
    user = rows.user()
    action = rows.action(user, rows.message(user))
    rows.result(user, action)
    rows.result(user, action)


def _anothers_result(rows: Rows) -> None:
    one, two = _two(rows)
    rows.result(two, rows.action(one, rows.message(one)))


def _anothers_action(rows: Rows) -> None:
    one, two = _two(rows)
    rows.action(two, rows.message(one))


def _two_states(rows: Rows) -> None:
    user = rows.user()
    rows.state(user)
    rows.state(user)


def _two_profiles(rows: Rows) -> None:
    user = rows.user()
    rows.profile(user)
    rows.profile(user)


def _state(**values: Any) -> Violation:
    return lambda rows: rows.state(rows.user(), **values)


def _identity(**values: Any) -> Violation:
    return lambda rows: rows.identity(rows.user(), **values)


def _profile(**values: Any) -> Violation:
    return lambda rows: rows.profile(rows.user(), **values)


def _prompt(**values: Any) -> Violation:
    return lambda rows: rows.prompt(**values)


_BACKWARDS = {"created_at": START, "updated_at": START - timedelta(microseconds=1)}

CHECKS: dict[str, Violation] = {
    "users_user_email_check": lambda rows: rows.user(email="nobody@localhost"),
    "users_user_created_at_updated_at_check": lambda rows: rows.user(**_BACKWARDS),
    "users_userprofile_bio_check": _profile(bio="x" * 501),
    "users_userprofile_preferred_coaching_style_check": _profile(preferred_coaching_style="STERN"),
    "users_userprofile_session_frequency_check": _profile(session_frequency="HOURLY"),
    "users_userprofile_notification_frequency_check": _profile(notification_frequency="HOURLY"),
    "users_userprofile_theme_check": _profile(theme="PINK"),
    "users_userprofile_coaching_goals_check": lambda rows: rows.conn.execute(
        "INSERT INTO users_userprofile (user_id, coaching_goals) VALUES (%s, '[]')", [rows.user()]
    ),
    "users_userprofile_created_at_updated_at_check": _profile(**_BACKWARDS),
    "authentication_verification_verification_type_check": lambda rows: rows.verification(
        rows.user(), verification_type="PHONE"
    ),
    "authentication_verification_created_at_expires_at_check": lambda rows: rows.verification(
        rows.user(), expires_at=START
    ),
    "coach_states_coachstate_current_phase_check": _state(current_phase="introduction"),
    "coach_states_coachstate_identity_focus_check": _state(identity_focus="HEALTH"),
    "coach_states_coachstate_skipped_identity_categories_check": _state(
        skipped_identity_categories=["SPIRITUAL", "HEALTH"]
    ),
    "coach_states_coachstate_asked_questions_check": _state(asked_questions=["WORK_LIVING", None]),
    "coach_states_coachstate_metadata_check": lambda rows: rows.conn.execute(
        "INSERT INTO coach_states_coachstate (user_id, metadata) VALUES (%s, '3')", [rows.user()]
    ),
    "coach_states_coachingsession_phase_check": lambda rows: rows.session(
        user := rows.user(), rows.state(user), phase="LATER"
    ),
    "coach_states_coachingsession_started_at_ended_at_check": lambda rows: rows.session(
        user := rows.user(), rows.state(user), started_at=START, ended_at=START - timedelta(seconds=1)
    ),
    "chat_messages_chatmessage_role_check": lambda rows: rows.message(rows.user(), role="user"),
    "chat_messages_chatmessage_metadata_check": lambda rows: rows.conn.execute(
        "INSERT INTO chat_messages_chatmessage (user_id, role, content, metadata)"
        " VALUES (%s, 'USER', '', '\"text\"')",
        [rows.user()],
    ),
    "identities_identity_state_check": _identity(state="ARCHIVED"),
    "identities_identity_category_check": _identity(category="HEALTH"),
    "identities_identity_created_at_updated_at_check": _identity(**_BACKWARDS),
    "actions_action_action_type_check": lambda rows: rows.action(
        user := rows.user(), rows.message(user), action_type="SING"
    ),
    "actions_action_parameters_check": lambda rows: rows.conn.execute(
        "INSERT INTO actions_action (user_id, coach_message_id, action_type, parameters)"
        " VALUES (%s, %s, 'SET_CURRENT_IDENTITY', 'null')",
        [user := rows.user(), rows.message(user)],
    ),
    "prompts_prompt_version_check": _prompt(version=0),
    "prompts_prompt_coaching_phase_check": _prompt(coaching_phase="SYSTEM_CONTEXT"),
    "prompts_prompt_prompt_type_check": _prompt(prompt_type="VIDEO"),
    "prompts_prompt_required_context_keys_check": _prompt(required_context_keys=["WEATHER"]),
    "prompts_prompt_allowed_actions_check": _prompt(allowed_actions=["SING"]),
    "prompts_prompt_created_at_updated_at_check": _prompt(**_BACKWARDS),
    "test_scenario_testscenario_template_check": lambda rows: rows.conn.execute(
        "INSERT INTO test_scenario_testscenario (name, template) VALUES ('list', '[]')"
    ),
    "test_scenario_testscenario_created_at_updated_at_check": lambda rows: rows.scenario(**_BACKWARDS),
}

UNIQUES: dict[str, Violation] = {
    "users_user_email_key": lambda rows: _twice(rows.user, email="a@example.com"),
    "users_user_email_lower_key": lambda rows: (
        rows.user(email="a+b@example.com"),
        rows.user(email="A+B@EXAMPLE.COM"),
    ),
    "users_user_username_key": lambda rows: _twice(rows.user, username="maya"),
    "users_userprofile_user_id_key": _two_profiles,
    "authentication_verification_token_key": lambda rows: (
        rows.verification(rows.user(), token="t"),
        rows.verification(rows.user(), token="t"),
    ),
    "coach_states_coachstate_user_id_key": _two_states,
    "coach_states_coachingsessionmessage_session_id_message_id_key": _linked_twice,
    "actions_actionresult_action_id_key": _two_results,
    "prompts_prompt_coaching_phase_version_key": lambda rows: _twice(rows.prompt, version=3),
    "test_scenario_testscenario_name_key": lambda rows: _twice(rows.scenario, name="twice"),
    "test_scenario_testscenariouser_handle_key": _same_user_handle,
    "test_scenario_testscenariouser_user_id_key": _same_user_twice,
    "test_scenario_testscenariochatmessage_handle_key": _same_message_handle,
    "test_scenario_testscenariochatmessage_message_id_key": _same_message_twice,
}

SAME_USER: dict[str, Violation] = {
    "coach_states_coachstate_current_identity_id_user_id_fkey": lambda rows: rows.state(
        rows.user(), current_identity_id=rows.identity(rows.user())
    ),
    "coach_states_coachstate_proposed_identity_id_user_id_fkey": lambda rows: rows.state(
        rows.user(), proposed_identity_id=rows.identity(rows.user())
    ),
    "coach_states_coachingsession_coach_state_id_user_id_fkey": _session_of_anothers_state,
    "coach_states_coachingsessionmessage_session_id_user_id_fkey": _anothers_session,
    "coach_states_coachingsessionmessage_message_id_user_id_fkey": _anothers_message_in_session,
    "actions_action_coach_message_id_user_id_fkey": _anothers_action,
    "actions_actionresult_action_id_user_id_fkey": _anothers_result,
    "user_notes_usernote_source_message_id_user_id_fkey": lambda rows: rows.note(
        rows.user(), source_message_id=rows.message(rows.user())
    ),
    "test_scenario_testscenariochatmessage_message_id_user_id_fkey": _handle_of_anothers_message,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_refuses_with_its_name(rows: Rows, name: str) -> None:
    with pytest.raises(errors.CheckViolation) as refused:
        CHECKS[name](rows)
    assert refused.value.diag.constraint_name == name


@pytest.mark.parametrize("name", UNIQUES)
def test_a_unique_constraint_refuses_with_its_name(rows: Rows, name: str) -> None:
    with pytest.raises(errors.UniqueViolation) as refused:
        UNIQUES[name](rows)
    assert refused.value.diag.constraint_name == name


@pytest.mark.parametrize("name", SAME_USER)
def test_what_belongs_to_another_user_is_refused(rows: Rows, name: str) -> None:
    with pytest.raises(errors.ForeignKeyViolation) as refused:
        SAME_USER[name](rows)
    assert refused.value.diag.constraint_name == name


def test_every_foreign_key_refuses_what_does_not_exist(rows: Rows, conn: psycopg.Connection[Any]) -> None:
    """Each is tried alone: the row is complete, and only the one key points nowhere."""
    scope = rows.scenario()
    rows.person(test_scenario_id=scope)
    # Without the scope rules, which would refuse an unknown user or scenario before the foreign key could.
    conn.execute("SET session_replication_role = replica")
    keys = conn.execute(
        "SELECT conrelid::regclass::text, conname, a.attname FROM pg_constraint k"
        " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]"
        " WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    ).fetchall()
    assert len(keys) == sum(len(table.foreign_key_constraints) for table in DOMAIN.metadata.tables.values())
    for table, name, column in keys:
        names = {
            "table": sql.SQL(table),
            "name": sql.Identifier(name),
            "column": sql.Identifier(column),
            "definition": sql.SQL(
                rows.value("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", name)
            ),
        }
        conn.execute("SET session_replication_role = replica")
        stray = sql.SQL("UPDATE {table} SET {column} = gen_random_uuid()").format(**names)
        assert conn.execute(stray).rowcount > 0, f"{table} has no row to try {name} on"
        conn.execute("RESET session_replication_role")
        # Made anew, the constraint looks at every row.
        anew = "ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {definition}"
        with pytest.raises(errors.ForeignKeyViolation) as refused:
            conn.execute(sql.SQL(anew).format(**names))
        assert refused.value.diag.constraint_name == name


def test_every_constraint_of_the_schema_is_tried_here(conn: psycopg.Connection[Any]) -> None:
    found = {
        name
        for (name,) in conn.execute(
            "SELECT conname FROM pg_constraint"
            " WHERE contype IN ('c', 'u') AND connamespace = 'public'::regnamespace"
        )
    }
    composite_targets = {name for name in found if name.endswith("_id_user_id_key")}
    assert found - composite_targets == {*CHECKS, *UNIQUES} - {"users_user_email_lower_key"}
    # What composite foreign keys refer to cannot be violated without violating the primary key first.
    assert len(composite_targets) == 5


def test_the_email_check_at_its_edges(rows: Rows) -> None:
    for refused in ("o'neil@example.com", "jörg@example.com", "a@b", "a@example.c0m", "a@x.com\n"):
        with pytest.raises(errors.CheckViolation):
            rows.user(email=refused)
    for value in ("a..b@x.com", "a@-x.com", "A.B+c_d%e-f@Sub.Example.ORG"):
        rows.user(email=value)
    assert rows.value("SELECT count(*) FROM users_user") == 3


def test_many_users_without_a_user_name_and_prompts_of_different_phases(rows: Rows) -> None:
    rows.user()
    rows.user()
    for phase in ("GET_TO_KNOW_YOU", "INTEGRATION", None):
        rows.prompt(coaching_phase=phase, version=1)
    assert rows.value("SELECT count(*) FROM prompts_prompt") == 3


def test_a_text_too_large_for_its_full_text_index_is_refused(rows: Rows) -> None:
    """PostgreSQL's own limit (1 MiB of lexemes) shows through the index as the page writes it."""
    distinct = " ".join(f"word{number}" for number in range(130_000))
    with pytest.raises(errors.ProgramLimitExceeded, match="too long for tsvector"):
        rows.message(rows.user(), content=distinct)
    rows.message(rows.user(), content="word " * 300_000)
