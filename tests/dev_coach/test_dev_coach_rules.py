"""The rules that live in the database: scope, phases, updated_at, and who goes with whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from dev_coach_rows import START, Rows
from psycopg import errors, sql

from scenarios.domains.dev_coach import DOMAIN, CoachingPhase
from scenarios.domains.dev_coach.rules import owned_tables

Conn = psycopg.Connection[Any]


def _scope(rows: Rows, table: str, row: UUID) -> UUID | None:
    query = sql.SQL("SELECT test_scenario_id FROM {} WHERE id = %s").format(sql.Identifier(table))
    return rows.value(query.as_string(None), row)


# --- scope


def test_every_row_inserted_without_a_scope_inherits_that_of_its_user(rows: Rows, conn: Conn) -> None:
    scope = rows.scenario()
    rows.person(test_scenario_id=scope)
    rows.person()
    for table in owned_tables():
        found = conn.execute(
            sql.SQL("SELECT count(*) FILTER (WHERE test_scenario_id = %s), count(*) FROM {}").format(
                sql.Identifier(table.name)
            ),
            [scope],
        ).fetchone()
        real = 0 if table.name.startswith("test_scenario_") else 1
        assert found == (1, 1 + real), table.name


def test_the_inherited_scope_is_returned_by_the_insert(rows: Rows, conn: Conn) -> None:
    scope = rows.scenario()
    user = rows.user(test_scenario_id=scope)
    row = conn.execute(
        "INSERT INTO chat_messages_chatmessage (user_id, role, content) VALUES (%s, 'USER', 'hi')"
        " RETURNING test_scenario_id",
        [user],
    ).fetchone()
    assert row == (scope,)


def test_another_scenarios_row_is_refused_naming_both(rows: Rows) -> None:
    mine, other = rows.scenario(), rows.scenario()
    user = rows.user(test_scenario_id=mine)
    with pytest.raises(errors.CheckViolation) as refused:
        rows.message(user, test_scenario_id=other)
    message = refused.value.diag.message_primary or ""
    assert str(mine) in message
    assert str(other) in message
    assert refused.value.diag.constraint_name == "chat_messages_chatmessage_scope"
    assert refused.value.diag.table_name == "chat_messages_chatmessage"


def test_a_real_users_row_cannot_be_put_into_a_scenario(rows: Rows) -> None:
    scope, user = rows.scenario(), rows.user()
    with pytest.raises(errors.CheckViolation, match="no test scenario"):
        rows.note(user, test_scenario_id=scope)


@pytest.mark.parametrize("table", [table.name for table in owned_tables()])
def test_no_table_lets_a_row_move_to_another_scope(rows: Rows, conn: Conn, table: str) -> None:
    scope, other = rows.scenario(), rows.scenario()
    rows.person(test_scenario_id=scope)
    with pytest.raises(errors.CheckViolation) as refused:
        conn.execute(sql.SQL("UPDATE {} SET test_scenario_id = %s").format(sql.Identifier(table)), [other])
    assert refused.value.diag.constraint_name == f"{table}_scope"


def test_one_stray_row_among_many_copied_ones_is_found(rows: Rows, conn: Conn) -> None:
    scope, other = rows.scenario(), rows.scenario()
    user = rows.user(test_scenario_id=scope)
    command = "COPY chat_messages_chatmessage (user_id, role, content, test_scenario_id) FROM STDIN"

    def copy() -> None:
        with conn.cursor().copy(command) as stream:
            for number in range(500):
                stream.write_row((user, "USER", "hello", other if number == 321 else scope))

    with pytest.raises(errors.CheckViolation, match=str(other)):
        copy()
    assert rows.value("SELECT count(*) FROM chat_messages_chatmessage") == 0


def test_what_a_user_owns_follows_the_user_into_a_scenario_and_out_again(rows: Rows, conn: Conn) -> None:
    bystander = rows.person()
    user = rows.person()
    scope = rows.scenario()
    conn.execute("UPDATE users_user SET test_scenario_id = %s WHERE id = %s", [scope, user])
    counts = rows.counts()
    for table in owned_tables():
        if not table.name.startswith("test_scenario_"):
            owned = sql.SQL("SELECT user_id, test_scenario_id FROM {}").format(sql.Identifier(table.name))
            assert set(conn.execute(owned)) == {(user, scope), (bystander, None)}, table.name
    rows.insert("test_scenario_testscenariouser", test_scenario_id=scope, handle="maya", user_id=user)
    conn.execute("UPDATE users_user SET test_scenario_id = NULL WHERE id = %s", [user])
    # The handle ended with the membership; nothing else was lost.
    assert rows.counts() == counts
    assert rows.value("SELECT count(*) FROM chat_messages_chatmessage WHERE test_scenario_id IS NULL") == 2


def test_restoring_rows_as_a_replica_keeps_what_was_there(rows: Rows, conn: Conn) -> None:
    """As the journal does: no rule fires, so a row comes back as it was, dates and phase included."""
    user = rows.user()
    state = rows.state(user, current_phase="INTEGRATION", updated_at=START)
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute(
            "UPDATE coach_states_coachstate SET current_phase = 'IDENTITY_CREATION', asked_questions = '{}'"
            " WHERE id = %s",
            [state],
        )
    found = conn.execute("SELECT current_phase, updated_at FROM coach_states_coachstate").fetchone()
    assert found == ("IDENTITY_CREATION", START)


def test_rules_work_whatever_the_search_path_is(rows: Rows, conn: Conn) -> None:
    scope = rows.scenario()
    user = rows.user(test_scenario_id=scope)
    conn.execute("SET search_path = ''")
    row = conn.execute(
        "INSERT INTO public.user_notes_usernote (user_id, note) VALUES (%s, 'n') RETURNING test_scenario_id",
        [user],
    ).fetchone()
    assert row == (scope,)


# --- phases


@pytest.mark.parametrize("before", CoachingPhase)
@pytest.mark.parametrize("after", CoachingPhase)
def test_phase_transitions(rows: Rows, conn: Conn, before: CoachingPhase, after: CoachingPhase) -> None:
    order = list(CoachingPhase)
    allowed = after in (order[0], before) or order.index(after) == order.index(before) + 1
    assert before.may_become(after) is allowed
    rows.state(rows.user(), current_phase=before.value)
    change = "UPDATE coach_states_coachstate SET current_phase = %s"
    if allowed:
        conn.execute(change, [after.value])
        assert rows.value("SELECT current_phase FROM coach_states_coachstate") == after
    else:
        with pytest.raises(errors.CheckViolation) as refused:
            conn.execute(change, [after.value])
        assert f"from {before} to {after}" in str(refused.value)
        assert refused.value.diag.constraint_name == "coach_states_coachstate_phase_transition"


def test_a_phase_that_does_not_exist_is_the_checks_business(rows: Rows, conn: Conn) -> None:
    rows.state(rows.user())
    with pytest.raises(errors.CheckViolation) as refused:
        conn.execute("UPDATE coach_states_coachstate SET current_phase = 'LATER'")
    assert refused.value.diag.constraint_name == "coach_states_coachstate_current_phase_check"


def test_a_scenario_may_begin_in_any_phase(rows: Rows) -> None:
    for phase in CoachingPhase:
        rows.state(rows.user(), current_phase=phase.value)
    assert rows.value("SELECT count(*) FROM coach_states_coachstate") == len(CoachingPhase)


# --- updated_at


TOUCHED = sorted(name for name, table in DOMAIN.metadata.tables.items() if "updated_at" in table.columns)


@pytest.mark.parametrize("table", TOUCHED)
def test_updated_at_moves_when_something_changes(rows: Rows, conn: Conn, table: str) -> None:
    user = rows.person(test_scenario_id=rows.scenario())
    rows.prompt()
    old = datetime(2020, 1, 1, tzinfo=UTC)
    dates = "updated_at = %(old)s" + (
        ", created_at = %(old)s" if "created_at" in DOMAIN.table(table).columns else ""
    )
    quoted = sql.Identifier(table)
    conn.execute(sql.SQL("UPDATE {} SET {}").format(quoted, sql.SQL(dates)), {"old": old})
    read = sql.SQL("SELECT updated_at FROM {}").format(quoted).as_string(None)
    assert rows.value(read) == old, "an explicit time is kept"
    conn.execute(sql.SQL("UPDATE {} SET id = id").format(quoted))
    assert rows.value(read) == old, "a change that changes nothing is none"
    column = next(
        column.name
        for column in DOMAIN.table(table).columns
        if column.name in {"first_name", "bio", "name", "who_you_are", "description"}
    )
    value = ["a", "b"] if column == "who_you_are" else "changed"
    conn.execute(sql.SQL("UPDATE {} SET {} = %s").format(quoted, sql.Identifier(column)), [value])
    assert rows.value(read) > old
    assert user


def test_updated_at_is_never_before_created_at(rows: Rows, conn: Conn) -> None:
    """A scenario may be dated after today; its rows can still be changed."""
    later = datetime.now(UTC) + timedelta(days=400)
    rows.user(created_at=later, updated_at=later)
    conn.execute("UPDATE users_user SET first_name = 'Maya'")
    assert rows.value("SELECT updated_at FROM users_user") == later


# --- deletes


def test_removing_a_scenario_removes_all_it_owns_and_nothing_else(rows: Rows, conn: Conn) -> None:
    rows.prompt()
    rows.person()
    other = rows.scenario("other")
    rows.person(test_scenario_id=other)
    before = rows.counts()
    scope = rows.scenario("mine")
    for _ in range(3):
        user = rows.user(test_scenario_id=scope)
        for _ in range(100):
            rows.message(user)
    rows.person(test_scenario_id=scope)
    assert all(rows.counts()[name] > count for name, count in before.items() if name != "prompts_prompt")
    conn.execute("DELETE FROM test_scenario_testscenario WHERE name = 'mine'")
    assert rows.counts() == before


def test_removing_a_large_scenario_uses_indexes(rows: Rows, conn: Conn) -> None:
    """Every foreign key that a delete follows starts with an indexed column."""
    missing = conn.execute(
        """
        SELECT k.conname FROM pg_constraint k
         WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
           AND NOT EXISTS (SELECT FROM pg_index i
                            WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1]
                              AND i.indpred IS NULL)
        """
    ).fetchall()
    assert missing == []


def test_removing_a_user_removes_theirs(rows: Rows, conn: Conn) -> None:
    rows.person()
    before = rows.counts()
    scope = rows.scenario()
    user = rows.person(test_scenario_id=scope)
    conn.execute("UPDATE test_scenario_testscenario SET created_by_id = %s", [user])
    conn.execute("DELETE FROM users_user WHERE id = %s", [user])
    # The scenario stays, without the one who made it.
    assert rows.counts() == {**before, "test_scenario_testscenario": 1}
    assert rows.value("SELECT created_by_id FROM test_scenario_testscenario") is None


def test_a_scenario_whose_creator_is_its_own_user_can_be_removed(rows: Rows, conn: Conn) -> None:
    scope = rows.scenario()
    user = rows.person(test_scenario_id=scope)
    conn.execute("UPDATE test_scenario_testscenario SET created_by_id = %s", [user])
    conn.execute("DELETE FROM test_scenario_testscenario")
    assert set(rows.counts().values()) == {0}


def test_a_removed_identity_empties_only_its_own_column(rows: Rows, conn: Conn) -> None:
    user = rows.user()
    current, proposed = rows.identity(user), rows.identity(user)
    rows.state(user, current_identity_id=current, proposed_identity_id=proposed)
    conn.execute("DELETE FROM identities_identity WHERE id = %s", [current])
    found = conn.execute(
        "SELECT user_id, current_identity_id, proposed_identity_id FROM coach_states_coachstate"
    ).fetchone()
    assert found == (user, None, proposed)


def test_a_removed_message_takes_its_actions_and_leaves_its_notes(rows: Rows, conn: Conn) -> None:
    user = rows.user()
    message = rows.message(user)
    rows.result(user, rows.action(user, message))
    rows.note(user, source_message_id=message)
    rows.link(user, rows.session(user, rows.state(user)), message)
    conn.execute("DELETE FROM chat_messages_chatmessage")
    counts = rows.counts()
    assert counts["actions_action"] == counts["actions_actionresult"] == 0
    assert counts["coach_states_coachingsessionmessage"] == 0
    assert counts["coach_states_coachingsession"] == 1
    assert conn.execute("SELECT user_id, source_message_id FROM user_notes_usernote").fetchone() == (
        user,
        None,
    )


def test_rows_written_one_after_the_other_are_in_order(rows: Rows, conn: Conn) -> None:
    """The clock's default differs for rows of one transaction, unlike now()."""
    user = rows.user()
    with conn.transaction():
        for number in range(20):
            conn.execute(
                "INSERT INTO chat_messages_chatmessage (user_id, role, content) VALUES (%s, 'USER', %s)",
                [user, f"{number:02}"],
            )
    said = [
        text for (text,) in conn.execute("SELECT content FROM chat_messages_chatmessage ORDER BY timestamp")
    ]
    assert said == sorted(said)
    assert rows.value("SELECT count(DISTINCT timestamp) FROM chat_messages_chatmessage") == 20


def test_every_owned_table_has_its_triggers(conn: Conn) -> None:
    found = {
        (table, name)
        for table, name in conn.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE NOT tgisinternal AND p.pronamespace = 'public'::regnamespace"
        )
    }
    expected = {
        (table.name, f"{table.name}_{suffix}")
        for table in owned_tables()
        for suffix in ("inherit_scope", "scope_of_inserted", "scope_of_updated")
    }
    expected |= {(name, f"{name}_touch") for name in TOUCHED}
    expected |= {
        ("users_user", "users_user_pass_scope_on"),
        ("coach_states_coachstate", "coach_states_coachstate_phase_transition"),
    }
    assert found == expected
    assert len(owned_tables()) == 12
