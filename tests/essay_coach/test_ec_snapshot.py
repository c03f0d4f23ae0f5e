"""Snapshot and restore on all this schema has: the counter, views, partitions, audit trail and tokens."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from ec_sample import ADA, ADA_DONE, ADA_DRAFT, ADMIN_N, BEN, BEN_SUBMITTED, EDUCATOR_N, NORTH, TEXT

STATE = {
    "counter": "SELECT id, student_count FROM institutions ORDER BY id",
    "users": "SELECT * FROM users ORDER BY id",
    "essays": "SELECT * FROM essays ORDER BY id",
    "feedback": "SELECT * FROM feedback ORDER BY id",
    "analytics": "SELECT tableoid::regclass::text, * FROM analytics ORDER BY id",
    "logs": "SELECT tableoid::regclass::text, * FROM logs ORDER BY id",
    "audit": "SELECT tableoid::regclass::text, * FROM audit_log ORDER BY id",
    "tokens": "SELECT * FROM refresh_tokens ORDER BY id",
    "reports": "SELECT * FROM reports ORDER BY id",
    "refreshes": "SELECT * FROM view_refreshes ORDER BY view_name",
    "progress": "SELECT * FROM mv_student_progress ORDER BY user_id",
    "daily": "SELECT * FROM mv_daily_submissions ORDER BY day, institution_id",
    "types": "SELECT * FROM mv_feedback_type_stats ORDER BY type_id, institution_id",
    "violations": "SELECT * FROM data_quality_breaches",
    "orphans": "SELECT * FROM cleanup_orphans()",
}


def state(db) -> dict[str, list]:
    with db.connect() as conn:
        return {name: conn.execute(query.encode()).fetchall() for name, query in STATE.items()}


def act(conn: psycopg.Connection, role: str, user: int, institution: int) -> None:
    conn.execute("SELECT set_config('app.user_id', %s, true)", [str(user)])
    conn.execute("SELECT set_config('app.institution_id', %s, true)", [str(institution)])
    conn.execute(psycopg.sql.SQL("SET LOCAL ROLE {}").format(psycopg.sql.Identifier(f"ec_{role}")))


def as_student_educator_and_admin(conn: psycopg.Connection) -> None:
    """Do a day's work over the application's login, each person in their role, and commit it."""
    conn.execute("SET SESSION AUTHORIZATION ec_app")
    with conn.transaction():
        act(conn, "student", ADA, NORTH)
        conn.execute(
            "INSERT INTO essays (institution_id, user_id, title, content) VALUES (%s, %s, 'New', 'Text')",
            [NORTH, ADA],
        )
        conn.execute(
            "UPDATE essays SET content = %s, word_count = 70, status = 'submitted', submitted_at = now(),"
            " updated_at = now() WHERE id = %s",
            [TEXT, ADA_DRAFT],
        )
    with conn.transaction():
        act(conn, "educator", EDUCATOR_N, NORTH)
        conn.execute(
            "INSERT INTO reports (user_id, report_type, title) VALUES (%s, 'class_performance', 'Today')",
            [EDUCATOR_N],
        )
    with conn.transaction():
        act(conn, "admin", ADMIN_N, NORTH)
        conn.execute("DELETE FROM users WHERE id = %s", [BEN])
        conn.execute("DELETE FROM feedback WHERE essay_id = %s", [ADA_DONE])
        conn.execute("SELECT refresh_views()")
    with conn.transaction():
        conn.execute("SELECT issue_refresh_token(%s, sha256('a'), %s)", [ADA, uuid.uuid4()])
        conn.execute("SELECT rotate_refresh_token(sha256('a'), sha256('b'), %s)", [uuid.uuid4()])
        conn.execute("SELECT rotate_refresh_token(sha256('a'), sha256('c'), %s)", [uuid.uuid4()])
    conn.execute("RESET SESSION AUTHORIZATION")


def test_what_every_role_did_is_undone(ec_db):
    before, checksum = state(ec_db), ec_db.checksum()
    mark = ec_db.snapshot()
    for _ in range(2):
        with ec_db.connect() as conn:
            as_student_educator_and_admin(conn)
        changed = state(ec_db)
        for name in (
            "counter",
            "users",
            "essays",
            "feedback",
            "logs",
            "audit",
            "tokens",
            "reports",
            "progress",
        ):
            assert changed[name] != before[name], name
        restored = ec_db.restore(mark)
        assert restored.in_place, restored.why
        assert state(ec_db) == before
        assert ec_db.checksum() == checksum


def test_restoring_students_does_not_count_them_twice(ec_db):
    mark = ec_db.snapshot()
    with ec_db.connect() as conn:
        conn.execute("DELETE FROM users WHERE role = 'student'")
        assert conn.execute("SELECT sum(student_count) FROM institutions").fetchone() == (0,)
        conn.execute("INSERT INTO institutions (name) VALUES ('East School')")
        conn.execute(
            "INSERT INTO users (institution_id, username, email, password)"
            " SELECT id, 'x' || n, n || '@example.org', 'x' FROM institutions, generate_series(1, 40) n"
            " WHERE name = 'East School'"
        )
    ec_db.restore(mark)
    with ec_db.connect() as conn:
        assert conn.execute("SELECT id, student_count FROM institutions ORDER BY id").fetchall() == [
            (1, 2),
            (2, 1),
        ]
        assert conn.execute("SELECT * FROM data_quality_breaches").fetchall() == []


def test_changes_name_the_partitioned_tables_and_the_audit_trail(ec_db):
    mark = ec_db.snapshot()
    with ec_db.connect() as conn:
        conn.execute("INSERT INTO analytics (user_id, metric_type_id, value) VALUES (%s, 1, 5)", [ADA])
        conn.execute(
            "INSERT INTO analytics_2026_03 (id, user_id, metric_type_id, value, created_at)"
            " VALUES (9000, %s, 1, 6, '2026-03-20')",
            [ADA],
        )
        conn.execute("UPDATE essays SET title = 'Other' WHERE id = %s", [BEN_SUBMITTED])
    told = ec_db.changes(mark)
    assert told
    text = str(told.as_dict())
    for table in ("analytics", "essays", "audit_log"):
        assert table in text
    before = state(ec_db)["analytics"]
    ec_db.restore(mark)
    assert len(state(ec_db)["analytics"]) == len(before) - 2
    assert state(ec_db)["audit"] == []


def test_an_update_that_moves_a_row_between_months_is_undone(ec_db):
    before = state(ec_db)
    mark = ec_db.snapshot()
    with ec_db.connect() as conn:
        conn.execute("UPDATE analytics SET created_at = created_at + interval '31 days'")
        conn.execute("DELETE FROM logs_2026_03")
    ec_db.restore(mark)
    assert state(ec_db) == before


def test_views_are_as_fresh_as_they_were(ec_db):
    """Stale at the snapshot means nothing: they show what the restored rows say."""
    mark = ec_db.snapshot()
    before = state(ec_db)
    with ec_db.connect() as conn:
        conn.execute("DELETE FROM essays")
        conn.execute("SELECT refresh_views()")
        assert conn.execute("SELECT sum(total_essays) FROM mv_student_progress").fetchone() == (0,)
    ec_db.restore(mark)
    after = state(ec_db)
    for view in ("progress", "daily", "types", "refreshes"):
        assert after[view] == before[view], view


def test_a_truncated_database_comes_back(ec_db):
    before = state(ec_db)
    mark = ec_db.snapshot()
    with ec_db.connect() as conn:
        conn.execute("TRUNCATE users, essays, reports, analytics CASCADE")
        assert conn.execute("SELECT sum(student_count) FROM institutions").fetchone() == (0,)
    ec_db.restore(mark)
    assert state(ec_db) == before


def test_the_trail_stays_append_only_after_a_restore(ec_db):
    mark = ec_db.snapshot()
    with ec_db.connect() as conn:
        conn.execute("UPDATE essays SET title = 'x' WHERE id = %s", [ADA_DONE])
    ec_db.restore(mark)
    with ec_db.connect() as conn:
        conn.execute("UPDATE essays SET title = 'x' WHERE id = %s", [ADA_DONE])
        assert conn.execute("SELECT count(*) FROM audit_log").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            conn.execute("DELETE FROM audit_log")


def test_policies_hold_after_a_restore(ec_db):
    mark = ec_db.snapshot()
    with ec_db.connect() as conn:
        conn.execute("DELETE FROM essays")
    ec_db.restore(mark)
    with ec_db.connect() as conn, conn.transaction():
        act(conn, "student", ADA, NORTH)
        assert conn.execute("SELECT id FROM essays ORDER BY id").fetchall() == [(ADA_DONE,), (ADA_DRAFT,)]


def test_no_role_sees_the_undo_log(ec_db):
    mark = ec_db.snapshot()
    with ec_db.connect() as conn:
        conn.execute("UPDATE essays SET title = 'x'")
        schemas = [
            row[0]
            for row in conn.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN"
                " ('public', 'information_schema')"
            )
        ]
        assert schemas
        for role in ("student", "educator", "admin", "app"):
            for schema in schemas:
                found = conn.execute(
                    "SELECT bool_or(has_table_privilege(%s, c.oid, 'SELECT')) FROM pg_class c"
                    " WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r'"
                    "   AND has_schema_privilege(%s, c.relnamespace, 'USAGE')",
                    [f"ec_{role}", schema, f"ec_{role}"],
                ).fetchone()
                assert found in ((None,), (False,)), (role, schema)
    ec_db.restore(mark)


def test_a_new_month_is_handled(ec_db):
    """DDL cannot be undone row by row: the next strategy, a fresh clone, brings the state back."""
    before = state(ec_db)
    mark = ec_db.snapshot()
    with ec_db.connect() as conn:
        conn.execute("SELECT ensure_month('analytics', '2031-05-01')")
        conn.execute(
            "INSERT INTO analytics (user_id, metric_type_id, value, created_at) VALUES (%s, 1, 1,"
            " '2031-05-05')",
            [ADA],
        )
    ec_db.restore(mark)
    assert state(ec_db) == before


@pytest.mark.postgres_matrix
def test_the_same_on_every_version(any_server):
    from ec_sample import fill

    from scenarios.domains.essay_coach import DOMAIN

    template = any_server.template(DOMAIN, populate=fill, key="essay-coach-sample")
    with any_server.database(template=template) as db:
        before = state(db)
        mark = db.snapshot()
        with db.connect() as conn:
            as_student_educator_and_admin(conn)
        db.restore(mark)
        assert state(db) == before
