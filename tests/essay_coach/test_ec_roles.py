"""Row-level security and grants, seen by each role; a superuser would see everything and prove nothing."""

from __future__ import annotations

import psycopg
import pytest
from ec_sample import (
    ADA,
    ADA_DONE,
    ADA_DRAFT,
    ADMIN_N,
    BEN,
    BEN_SUBMITTED,
    CAI,
    CAI_DONE,
    EDUCATOR_N,
    NORTH,
    SOUTH,
    TEXT,
)

PROTECTED = (
    "institutions", "users", "user_profiles", "refresh_tokens", "essays", "submissions", "feedback",
    "ai_responses", "analytics", "reports", "logs", "audit_log",
)  # fmt: skip


def test_row_level_security_is_enabled_and_forced(world):
    secured = world.values(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relkind IN ('r', 'p')"
        " AND relnamespace = 'public'::regnamespace"
    )
    assert set(PROTECTED) == set(secured)


def test_a_student_sees_what_is_theirs(world):
    with world.acting("student", ADA, NORTH):
        assert set(world.values("SELECT id FROM essays")) == {ADA_DONE, ADA_DRAFT}
        assert world.values("SELECT id FROM users") == [ADA]
        assert world.values("SELECT DISTINCT essay_id FROM feedback") == [ADA_DONE]
        assert world.values("SELECT essay_id FROM submissions") == [ADA_DONE]
        assert set(world.values("SELECT user_id FROM analytics")) == {ADA}
        assert world.values("SELECT id FROM institutions") == [NORTH]
        assert world.values("SELECT title FROM reports") == ["Whole class"]
        assert world.values("SELECT user_id FROM user_profiles") == [ADA]


def test_a_student_sees_all_reference_tables(world):
    with world.acting("student", ADA, NORTH):
        assert len(world.values("SELECT code FROM roles")) == 3
        assert world.values('SELECT name FROM feedback_types ORDER BY "order"') == [
            "grammar", "structure", "content", "style",
        ]  # fmt: skip
        assert world.values("SELECT count(*) FROM categories") == [6]


def test_an_educator_sees_the_institution(world):
    with world.acting("educator", EDUCATOR_N, NORTH):
        assert set(world.values("SELECT id FROM essays")) == {ADA_DONE, ADA_DRAFT, BEN_SUBMITTED}
        assert set(world.values("SELECT id FROM users")) == {ADMIN_N, EDUCATOR_N, ADA, BEN}
        assert set(world.values("SELECT user_id FROM analytics")) == {ADA, BEN}
        assert set(world.values("SELECT title FROM reports")) == {"Whole class", "Only for me"}


def test_an_admin_sees_the_institution_and_its_history(world):
    world.conn.execute("UPDATE essays SET title = 'Renamed' WHERE id IN (%s, %s)", [ADA_DONE, CAI_DONE])
    with world.acting("admin", ADMIN_N, NORTH):
        assert set(world.values("SELECT id FROM essays")) == {ADA_DONE, ADA_DRAFT, BEN_SUBMITTED}
        assert set(world.values("SELECT DISTINCT essay_id FROM ai_responses")) == {ADA_DONE}
        assert world.values("SELECT row_pk FROM audit_log") == [str(ADA_DONE)]
        assert world.values("SELECT user_id FROM logs") == [ADA]


@pytest.mark.parametrize("role", ["student", "educator", "admin"])
@pytest.mark.parametrize(
    "institution", [None, "", "0", "north", "1; DROP TABLE essays", "99999999999999999999"]
)
def test_without_a_valid_tenant_nobody_sees_anything(world, role, institution):
    with world.acting(role, ADA, institution):
        for table in ("institutions", "users", "essays", "submissions", "feedback", "analytics", "reports"):
            columns = "id" if table == "users" else "*"
            query = psycopg.sql.SQL("SELECT count(*) FROM (SELECT {} FROM {}) x").format(
                psycopg.sql.SQL(columns), psycopg.sql.Identifier(table)
            )
            assert world.value(query) == 0, table


def test_variables_of_an_ended_transaction_are_read_as_nobody(ec_shared):
    with ec_shared.connect() as conn:
        with conn.transaction():
            conn.execute(
                "SELECT set_config('app.institution_id', '1', true), set_config('app.user_id', '13', true)"
            )
            assert conn.execute("SELECT app_user_id(), app_institution_id()").fetchone() == (13, 1)
        assert conn.execute("SELECT current_setting('app.user_id', true)").fetchone() == ("",)
        assert conn.execute("SELECT app_user_id(), app_institution_id()").fetchone() == (None, None)


def test_an_educator_of_the_other_institution_cannot_be_had_by_naming_ours(world):
    with world.acting("educator", EDUCATOR_N, SOUTH):
        assert world.values("SELECT id FROM essays") == [CAI_DONE]
        # The application must not let a request name its tenant; what it names here is all it gets.
        assert NORTH not in world.values("SELECT institution_id FROM users")


def test_a_student_writes_an_essay(world):
    with world.acting("student", ADA, NORTH):
        key = world.value(
            "INSERT INTO essays (institution_id, user_id, title, content) VALUES (%s, %s, 'New',"
            " 'Text') RETURNING id",
            NORTH, ADA,
        )  # fmt: skip
        world.conn.execute(
            "INSERT INTO submissions (essay_id, version_number, content) VALUES (%s, 1, 'Text')", [key]
        )
        world.conn.execute(
            "UPDATE essays SET content = %s, word_count = 70, status = 'submitted', submitted_at = now(),"
            " updated_at = now() WHERE id = %s",
            [TEXT, key],
        )
        assert world.value("SELECT status FROM essays WHERE id = %s", key) == "submitted"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO essays (institution_id, user_id, title, content) VALUES (1, 14, 'x', 'x')",
        "INSERT INTO essays (institution_id, user_id, title, content) VALUES (2, 13, 'x', 'x')",
        "UPDATE essays SET title = 'After the fact' WHERE id = 101",
        "UPDATE essays SET user_id = 14 WHERE id = 102",
        "UPDATE essays SET ai_processing_status = 'succeeded' WHERE id = 102",
        "UPDATE users SET role = 'admin', is_staff = true WHERE id = 13",
        "UPDATE users SET institution_id = 2 WHERE id = 13",
        "SELECT password FROM users",
        "SELECT * FROM ai_responses",
        "SELECT * FROM logs",
        "SELECT * FROM audit_log",
        "SELECT token_hash FROM refresh_tokens",
        "SELECT * FROM mv_student_progress",
        "SELECT refresh_views()",
        "UPDATE feedback SET score = 100",
        "DELETE FROM feedback",
        "INSERT INTO submissions (essay_id, version_number, content) VALUES (101, 2, 'x')",
        "INSERT INTO reports (user_id, report_type, title) VALUES (13, 'student_progress', 'x')",
        "UPDATE roles SET permissions = '[\"*\"]'",
        "TRUNCATE essays CASCADE",
        "CREATE TABLE mine (id int)",
    ],
)
def test_a_student_is_refused(world, statement):
    with world.acting("student", ADA, NORTH), world.refused():
        world.conn.execute(statement)


def test_a_student_drops_a_draft_and_nothing_else(world):
    with world.acting("student", ADA, NORTH):
        assert world.conn.execute("DELETE FROM essays").rowcount == 1
    assert set(world.values("SELECT id FROM essays")) == {ADA_DONE, BEN_SUBMITTED, CAI_DONE}


def test_rows_of_others_are_not_found_rather_than_refused(world):
    with world.acting("student", ADA, NORTH):
        assert (
            world.conn.execute("UPDATE essays SET title = 'x' WHERE id = %s", [BEN_SUBMITTED]).rowcount == 0
        )
        assert world.conn.execute("DELETE FROM essays WHERE id = %s", [CAI_DONE]).rowcount == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE essays SET title = 'x'",
        "DELETE FROM essays",
        "UPDATE feedback SET score = 1",
        "SELECT * FROM ai_responses",
        "SELECT * FROM audit_log",
        "DELETE FROM users",
        "SELECT password FROM users",
        "INSERT INTO reports (user_id, report_type, title) VALUES (22, 'class_performance', 'In a"
        " name not mine')",
    ],
)
def test_an_educator_is_refused(world, statement):
    with world.acting("educator", EDUCATOR_N, NORTH), world.refused():
        world.conn.execute(statement)


def test_an_educator_makes_and_withdraws_a_report(world):
    with world.acting("educator", EDUCATOR_N, NORTH):
        key = world.value(
            "INSERT INTO reports (user_id, report_type, title) VALUES (%s, 'class_performance',"
            " 'Term') RETURNING id",
            EDUCATOR_N,
        )
        world.conn.execute("UPDATE reports SET is_public = true WHERE id = %s", [key])
    with world.acting("student", BEN, NORTH):
        assert "Term" in world.values("SELECT title FROM reports")
    with world.acting("student", CAI, SOUTH):
        assert world.values("SELECT title FROM reports") == ["South class"]
    with world.acting("educator", EDUCATOR_N, NORTH):
        assert world.conn.execute("DELETE FROM reports WHERE id = %s", [key]).rowcount == 1


def test_an_admin_writes_inside_the_institution_only(world):
    with world.acting("admin", ADMIN_N, NORTH):
        assert world.conn.execute("UPDATE users SET is_active = false WHERE id = %s", [BEN]).rowcount == 1
        assert world.conn.execute("UPDATE users SET is_active = false WHERE id = %s", [CAI]).rowcount == 0
        assert world.conn.execute("DELETE FROM essays WHERE id = %s", [CAI_DONE]).rowcount == 0
        with world.refused():
            world.conn.execute("UPDATE users SET institution_id = %s WHERE id = %s", [SOUTH, BEN])
        with world.refused():
            world.conn.execute("UPDATE audit_log SET op = 'DELETE'")
        with world.refused():
            world.conn.execute("DELETE FROM audit_log")


def test_the_owner_of_the_tables_is_confined_too(world):
    with world.acting("owner", ADMIN_N, NORTH):
        assert world.values("SELECT id FROM essays") == []
        with world.refused():
            world.conn.execute(
                "INSERT INTO essays (institution_id, user_id, title, content) VALUES (1, 13, 'x', 'x')"
            )


def test_row_security_off_turns_filtering_into_an_error(world):
    with world.acting("student", ADA, NORTH):
        world.conn.execute("SET LOCAL row_security = off")
        with world.refused():
            world.conn.execute("SELECT id FROM essays")
        world.conn.execute("SET LOCAL row_security = on")


def test_foreign_key_cascades_see_every_row(world):
    with world.acting("admin", ADMIN_N, NORTH):
        assert world.conn.execute("DELETE FROM users WHERE id = %s", [ADA]).rowcount == 1
    assert world.values("SELECT id FROM essays WHERE user_id = %s", ADA) == []
    assert world.value("SELECT count(*) FROM feedback WHERE essay_id = %s", ADA_DONE) == 0
    assert world.value("SELECT count(*) FROM analytics WHERE user_id = %s", ADA) == 0
    assert world.value("SELECT count(*) FROM logs WHERE user_id IS NULL") == 2, "the log outlives the user"
    assert world.value("SELECT count(*) FROM essays") == 2


def test_the_application_logs_in_and_switches_for_each_request(ec_shared):
    with ec_shared.connect() as conn:
        conn.execute("SET SESSION AUTHORIZATION ec_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT * FROM essays")
        found = conn.execute(
            "SELECT user_id, institution_id, role FROM find_login('USER13@example.org')"
        ).fetchone()
        assert found == (ADA, NORTH, "student")
        with conn.transaction():
            conn.execute("SET LOCAL ROLE ec_student")
            conn.execute(
                "SELECT set_config('app.user_id', '13', true), set_config('app.institution_id', '1', true)"
            )
            assert conn.execute("SELECT count(*) FROM essays").fetchone() == (2,)
        for forbidden in ("ec_owner", "ec_etl", "ec_audit_writer", "ec_auth"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(forbidden)))


def test_copy_out_is_filtered_and_copy_in_refused(world):
    with world.acting("student", ADA, NORTH):
        with (
            world.conn.cursor() as cursor,
            cursor.copy("COPY (SELECT id FROM essays ORDER BY id) TO STDOUT") as out,
        ):
            assert [int(row[0]) for row in out.rows()] == [ADA_DONE, ADA_DRAFT]
        with (
            world.refused(psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported),
            world.conn.cursor() as cursor,
            cursor.copy("COPY submissions FROM STDIN") as into,
        ):
            into.write_row((1, 1, 1, "x", 0, "", "now"))
