"""The audit trail: who, in which role, did what, with the row before and after; and nobody can change it."""

from __future__ import annotations

import hashlib
import json

import pytest
from ec_sample import ADA, ADA_DRAFT, ADMIN_N, BEN_SUBMITTED, CAI, EDUCATOR_N, NORTH, SOUTH

LAST = (
    "SELECT op, table_name, row_pk, actor_id, institution_id, db_role, acting_role, changed, old_row, new_row"
    " FROM audit_log ORDER BY id DESC LIMIT 1"
)


def last(world):
    names = ("op", "table", "pk", "actor", "institution", "db_role", "acting_role", "changed", "old", "new")
    return dict(zip(names, world.conn.execute(LAST).fetchone(), strict=True))


def test_an_update_is_recorded_with_both_images(world):
    with world.acting("student", ADA, NORTH):
        world.conn.execute("UPDATE essays SET title = 'Second thoughts' WHERE id = %s", [ADA_DRAFT])
    entry = last(world)
    assert (entry["op"], entry["table"], entry["pk"]) == ("UPDATE", "essays", str(ADA_DRAFT))
    assert (entry["actor"], entry["institution"]) == (ADA, NORTH)
    assert entry["acting_role"] == "ec_student"
    assert entry["db_role"] == world.value("SELECT session_user::text")
    assert entry["changed"] == ["title"]
    assert (entry["old"]["title"], entry["new"]["title"]) == (f"Essay {ADA_DRAFT}", "Second thoughts")


def test_insert_and_delete_have_one_image_each(world):
    with world.acting("educator", EDUCATOR_N, NORTH):
        key = world.value(
            "INSERT INTO reports (user_id, report_type, title) VALUES (%s, 'class_performance',"
            " 'R') RETURNING id",
            EDUCATOR_N,
        )
        world.conn.execute("DELETE FROM reports WHERE id = %s", [key])
    images = world.conn.execute(
        "SELECT op, old_row IS NULL, new_row IS NULL, institution_id FROM audit_log"
        " WHERE table_name = 'reports' ORDER BY id"
    ).fetchall()
    assert images == [("INSERT", True, False, NORTH), ("DELETE", False, True, NORTH)]


def test_an_update_that_changes_nothing_leaves_no_trace(world):
    world.conn.execute("UPDATE essays SET title = title")
    assert world.value("SELECT count(*) FROM audit_log") == 0


def test_secrets_are_not_kept_but_their_change_is(world):
    world.conn.execute("UPDATE users SET password = 'another-hash' WHERE id = %s", [ADA])
    entry = last(world)
    assert entry["changed"] == ["password"]
    assert "password" not in entry["old"]
    assert "hash" not in json.dumps([entry["old"], entry["new"]])


def test_the_hash_is_of_the_new_row(world):
    world.conn.execute("UPDATE roles SET label = 'Pupil' WHERE code = 'student'")
    text, stored = world.conn.execute("SELECT new_row::text, payload_hash FROM audit_log").fetchone()
    assert hashlib.sha256(text.encode()).digest() == stored
    assert last(world)["pk"] == "student"


def test_feedback_is_filed_under_its_essays_institution(world):
    world.conn.execute(
        "INSERT INTO feedback (essay_id, type_id, score, feedback, ai_model_version)"
        " VALUES (%s, 1, 50, 'x', '3.1')",
        [BEN_SUBMITTED],
    )
    assert last(world)["institution"] == NORTH


def test_one_transaction_can_be_told_from_another(world):
    world.conn.execute("UPDATE essays SET title = 'a' || title")
    assert len(world.values("SELECT DISTINCT tx_id FROM audit_log")) == 1
    assert world.value("SELECT count(*) FROM audit_log") == 4


def test_a_cascade_is_recorded_row_by_row(world):
    with world.acting("admin", ADMIN_N, NORTH):
        world.conn.execute("DELETE FROM users WHERE id = %s", [ADA])
    found = dict(
        world.conn.execute(
            "SELECT table_name, count(*) FROM audit_log WHERE op = 'DELETE' GROUP BY 1"
        ).fetchall()
    )
    assert found == {"users": 1, "essays": 2, "feedback": 4}
    assert set(world.values("SELECT institution_id FROM audit_log")) == {NORTH}


def test_truncate_is_recorded(world):
    world.conn.execute("TRUNCATE reports")
    entry = last(world)
    assert (entry["op"], entry["table"], entry["pk"], entry["old"], entry["new"]) == (
        "TRUNCATE", "reports", "*", None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor_id = 1",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "TRUNCATE audit_log_default",
        "UPDATE ONLY audit_log_default SET actor_id = 1",
    ],
)
@pytest.mark.parametrize("role", [None, "owner", "admin", "etl", "audit_writer", "monitor"])
def test_nobody_changes_it(world, role, statement):
    world.conn.execute("UPDATE essays SET title = 'x'")
    world.conn.execute(
        "INSERT INTO audit_log (at, table_name, row_pk, op, new_row)"
        " VALUES ('1999-01-01+00', 'essays', '1', 'INSERT', '{}')"
    )
    before = world.value("SELECT count(*) FROM audit_log")
    if role is None:
        with world.refused():
            world.conn.execute(statement)
    elif role == "owner" and statement.startswith(("UPDATE audit_log", "DELETE")):
        # Forced row-level security hides every row from the owner: there is nothing to change.
        with world.acting(role, ADMIN_N, NORTH):
            assert world.conn.execute(statement).rowcount == 0
    else:
        with world.acting(role, ADMIN_N, NORTH), world.refused():
            world.conn.execute(statement)
    assert world.value("SELECT count(*) FROM audit_log") == before


def test_only_who_owns_the_schema_can_silence_it(world):
    with world.acting("student", ADA, NORTH):
        world.conn.execute("SELECT set_config('app.audit', 'off', true)")
        world.conn.execute("UPDATE essays SET title = 'Quietly' WHERE id = %s", [ADA_DRAFT])
    # The session belongs to a superuser, who may; the application's login may not.
    assert world.value("SELECT count(*) FROM audit_log") == 0


def test_the_applications_variable_does_not_silence_it(ec_db):
    with ec_db.connect() as conn:
        conn.execute("SET SESSION AUTHORIZATION ec_app")
        with conn.transaction():
            conn.execute("SET LOCAL ROLE ec_student")
            conn.execute(
                "SELECT set_config('app.user_id', '13', true), set_config('app.institution_id', '1', true),"
                " set_config('app.audit', 'off', true)"
            )
            conn.execute("UPDATE essays SET title = 'Quietly' WHERE id = %s", [ADA_DRAFT])
        conn.execute("RESET SESSION AUTHORIZATION")
        entry = conn.execute("SELECT actor_id, db_role, acting_role FROM audit_log").fetchall()
    assert entry == [(ADA, "ec_app", "ec_student")]


def test_a_rolled_back_change_leaves_no_entry(world):
    with world.conn.transaction(force_rollback=True):
        world.conn.execute("UPDATE essays SET title = 'x'")
        assert world.value("SELECT count(*) FROM audit_log") == 4
    assert world.value("SELECT count(*) FROM audit_log") == 0


def test_history_outlives_its_subject(world):
    with world.acting("admin", 21, SOUTH):
        world.conn.execute("DELETE FROM users WHERE id = %s", [CAI])
        assert world.values("SELECT old_row ->> 'username' FROM audit_log WHERE table_name = 'users'") == [
            "user23"
        ]
