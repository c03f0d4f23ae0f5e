"""Migrations arrive where the models are, and neither up nor down loses a row of production-like data."""

from __future__ import annotations

import psycopg
import pytest
from ec_sample import ADA, EDUCATOR_N, NORTH, fill
from sqlalchemy import create_engine, pool

from scenarios.domains.essay_coach import DOMAIN
from scenarios.schema import drift, migrations

BUSINESS = (
    "institutions", "roles", "users", "user_profiles", "refresh_tokens", "categories", "feedback_types",
    "essays", "submissions", "ai_responses", "feedback", "metric_types", "analytics", "reports", "logs",
    "audit_log",
)  # fmt: skip


def migrate(db, revision: str, direction=migrations.upgrade) -> None:
    engine = create_engine(db.url, poolclass=pool.NullPool)
    with engine.begin() as connection:
        direction("essay_coach", connection, revision)
    engine.dispose()


def counts(conn: psycopg.Connection) -> dict[str, int]:
    count = psycopg.sql.SQL("SELECT count(*) FROM {}")
    return {name: conn.execute(count.format(psycopg.sql.Identifier(name))).fetchone()[0] for name in BUSINESS}


@pytest.mark.postgres_matrix
def test_models_migrations_and_kept_files_agree(any_server):
    report = drift.check(DOMAIN, any_server)
    assert not report, report.as_dict()
    assert {"create_all", "migrations", "schema.sql", "alembic check", "kept files"} <= set(report.compared)


def test_up_and_down_one_step_at_a_time(fresh_db):
    steps = migrations.revisions("essay_coach")
    after = {}
    for revision in steps:
        migrate(fresh_db, revision)
        after[revision] = drift.catalogue_of(fresh_db.url)
    for revision in reversed(steps[:-1]):
        migrate(fresh_db, revision, migrations.downgrade)
        found = after[revision].differences(drift.catalogue_of(fresh_db.url))
        # Months are data: they stay, with their rows, until their table goes.
        assert [str(difference) for difference in found if "_20" not in difference.name] == [], revision
    migrate(fresh_db, "base", migrations.downgrade)
    assert drift.catalogue_of(fresh_db.url).names("table") == set()


def test_everything_survives_a_rollback_to_before_access_control(fresh_db):
    migrate(fresh_db, "head")
    with fresh_db.connect() as conn:
        fill(conn)
        conn.execute("UPDATE essays SET title = 'On record' WHERE user_id = %s", [ADA])
        before = counts(conn)
        roles = conn.execute("SELECT id, role FROM users ORDER BY id").fetchall()
        students = conn.execute("SELECT id, student_count FROM institutions ORDER BY id").fetchall()
    assert before["audit_log"] == 2
    for target in ("0006", "0005", "0004", "0003"):
        migrate(fresh_db, target, migrations.downgrade)
        with fresh_db.connect() as conn:
            assert counts(conn) == before, target
            expected = "lecturer" if target < "0005" else "educator"
            assert conn.execute("SELECT role FROM users WHERE id = %s", [EDUCATOR_N]).fetchone() == (
                expected,
            )
    with fresh_db.connect() as conn:
        # What happened while the newer code was away must be counted when it comes back.
        conn.execute("UPDATE users SET role = 'lecturer' WHERE id = %s", [ADA])
    migrate(fresh_db, "head")
    with fresh_db.connect() as conn:
        assert counts(conn) == before
        conn.execute("UPDATE users SET role = 'student' WHERE id = %s", [ADA])
        assert conn.execute("SELECT id, role FROM users ORDER BY id").fetchall() == roles
        assert conn.execute("SELECT id, student_count FROM institutions ORDER BY id").fetchall() == students
        assert conn.execute("SELECT * FROM data_quality_breaches").fetchall() == []
        conn.execute("SELECT set_config('app.institution_id', %s, false)", [str(NORTH)])
        conn.execute("SELECT set_config('app.user_id', %s, false)", [str(ADA)])
        conn.execute("SET ROLE ec_student")
        assert conn.execute("SELECT count(*) FROM essays").fetchone() == (2,)


def test_a_failed_migration_changes_nothing(fresh_db):
    migrate(fresh_db, "0004")
    with fresh_db.connect() as conn:
        # A name in the way of the next step's new role code.
        conn.execute("INSERT INTO roles (code, label) VALUES ('educator', 'Educator')")
    with pytest.raises(Exception, match="roles_pkey"):
        migrate(fresh_db, "head")
    with fresh_db.connect() as conn:
        assert conn.execute("SELECT version_num FROM alembic_version").fetchone() == ("0004",)
        columns = conn.execute(
            "SELECT count(*) FROM information_schema.columns WHERE column_name = 'student_count'"
        ).fetchone()
        assert columns == (0,)


def test_migrations_commit_when_given_only_a_url(fresh_db):
    from alembic import command

    command.upgrade(migrations.alembic_config("essay_coach", url=fresh_db.url), "head")
    with fresh_db.connect() as conn:
        assert conn.execute("SELECT version_num FROM alembic_version").fetchone() == ("0007",)
