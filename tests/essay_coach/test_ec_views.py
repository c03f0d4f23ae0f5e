"""Materialized views: what they hold, who refreshes them, and that no institution sees another's numbers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import psycopg
import pytest
from ec_sample import ADA, ADA_DONE, ADMIN_N, ADMIN_S, BEN, CAI, EDUCATOR_N, NORTH, SOUTH

# 70, 80, 90 and 100 of 100, weighted 0.25, 0.30, 0.35 and 0.10.
OVERALL = Decimal("83.00")


def test_progress_is_weighted_and_counts_each_essay_once(world):
    assert world.conn.execute(
        "SELECT user_id, institution_id, total_essays, completed_essays, avg_overall FROM mv_student_progress"
        " ORDER BY user_id"
    ).fetchall() == [
        (ADA, NORTH, 2, 1, OVERALL),
        (BEN, NORTH, 1, 0, None),
        (CAI, SOUTH, 1, 1, OVERALL),
    ]


def test_daily_submissions_are_days_of_utc(world):
    assert world.conn.execute("SELECT * FROM mv_daily_submissions ORDER BY 2").fetchall() == [
        (date(2026, 3, 3), NORTH, 2),
        (date(2026, 3, 3), SOUTH, 1),
    ]


def test_scores_do_not_depend_on_the_maximum(world):
    world.conn.execute(
        "UPDATE feedback SET score = score / 10, max_score = 10 WHERE essay_id = %s", [ADA_DONE]
    )
    assert world.values("SELECT DISTINCT overall FROM essay_scores") == [OVERALL]


def test_a_view_is_stale_until_it_is_refreshed(world):
    world.conn.execute("DELETE FROM essays WHERE id = %s", [ADA_DONE])
    stale = "SELECT total_essays FROM mv_student_progress WHERE user_id = %s"
    assert world.value(stale, ADA) == 2
    assert world.value("SELECT refresh_views()") == 3
    assert world.value(stale, ADA) == 1
    assert world.values("SELECT row_count FROM view_refreshes WHERE view_name = 'mv_student_progress'") == [3]


@pytest.mark.parametrize(
    ("role", "user", "institution", "seen"),
    [
        ("student", ADA, NORTH, {ADA}),
        ("student", ADA, SOUTH, set()),
        ("educator", EDUCATOR_N, NORTH, {ADA, BEN}),
        ("admin", ADMIN_S, SOUTH, {CAI}),
        ("admin", ADMIN_S, None, set()),
    ],
)
def test_each_sees_their_institutions_progress(world, role, user, institution, seen):
    with world.acting(role, user, institution):
        assert set(world.values("SELECT user_id FROM student_progress")) == seen


def test_the_other_views_are_confined_too(world):
    with world.acting("educator", EDUCATOR_N, NORTH):
        assert world.values("SELECT submissions FROM daily_submissions") == [2]
        assert set(world.values("SELECT institution_id FROM feedback_type_stats")) == {NORTH}
    with world.acting("student", ADA, NORTH):
        for view in ("daily_submissions", "feedback_type_stats"):
            with world.refused():
                world.conn.execute(psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(view)))


@pytest.mark.parametrize("view", ["mv_student_progress", "mv_daily_submissions", "mv_feedback_type_stats"])
@pytest.mark.parametrize("role", ["student", "educator", "admin", "monitor"])
def test_what_lies_below_is_nobodys(world, role, view):
    with world.acting(role, ADMIN_N, NORTH), world.refused():
        world.conn.execute(psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(view)))


def test_a_leaky_function_sees_no_rows_of_others(world):
    world.conn.execute(
        "CREATE FUNCTION leak(bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0001"
        " AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$"
    )
    heard: list[str] = []
    world.conn.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
    with world.acting("educator", EDUCATOR_N, NORTH):
        world.conn.execute("SELECT * FROM student_progress WHERE leak(user_id)").fetchall()
    assert set(heard) == {f"saw {ADA}", f"saw {BEN}"}


def test_an_admin_refreshes_without_seeing_less(world):
    with world.acting("admin", ADMIN_N, NORTH):
        assert world.value("SELECT refresh_views()") == 3
    assert world.value("SELECT count(*) FROM mv_student_progress") == 3, "all institutions' students"


def test_an_owner_confined_by_policies_would_have_emptied_it(world):
    """The reason for the owner: this is what a refresh by the wrong one does, without any error."""
    world.conn.execute("GRANT CREATE ON SCHEMA public TO ec_owner")
    world.conn.execute("ALTER MATERIALIZED VIEW mv_student_progress OWNER TO ec_owner")
    world.conn.execute("REFRESH MATERIALIZED VIEW mv_student_progress")
    assert world.value("SELECT count(*) FROM mv_student_progress") == 0


def test_refreshing_does_not_block_readers(ec_db):
    with ec_db.connect(autocommit=False) as refreshing, ec_db.connect() as reading:
        refreshing.execute("SELECT refresh_views()")
        reading.execute("SET lock_timeout = '500ms'")
        assert reading.execute("SELECT count(*) FROM mv_student_progress").fetchone() == (3,)
        refreshing.rollback()


def test_scores_of_an_essay_follow_the_readers_rights(world):
    with world.acting("student", BEN, NORTH):
        assert world.values("SELECT essay_id FROM essay_scores") == []
    with world.acting("student", ADA, NORTH):
        assert world.values("SELECT overall FROM essay_scores") == [OVERALL]
