"""Data quality: every rule notices its violation, the audit keeps it, the clean-up takes only what it
should.
"""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from ec_sample import ADA, ADA_DONE, ADA_DRAFT, BEN_SUBMITTED, START, TEXT

from scenarios.domains.essay_coach import health as health_module
from scenarios.domains.essay_coach import validators
from scenarios.domains.essay_coach.ddl import sql
from scenarios.errors import ValidationError

BREACHES = {
    "completed_has_all_feedback": "DELETE FROM feedback WHERE essay_id = 101 AND type_id = 2",
    "unfinished_has_no_full_feedback": "INSERT INTO feedback (essay_id, type_id, score, feedback,"
    " ai_model_version)"
    " VALUES (103, 1, 50, 'x', '3.1')",
    "feedback_has_response": "DELETE FROM ai_responses WHERE essay_id = 101 AND feedback_type_id = 3",
    "no_response_before_processing": "INSERT INTO ai_responses (essay_id, feedback_type_id, prompt, response,"
    " model_name, model_version, tokens_used, processing_time_seconds, cost_usd, created_at)"
    " VALUES (103, 1, 'x', '{}', 'm', '3.1', 1, 1, 0, '2026-03-04')",
    "submitted_has_version": "DELETE FROM submissions WHERE essay_id = 103",
    "versions_without_gap": "UPDATE submissions SET version_number = 2 WHERE essay_id = 103",
    "versions_in_order": "INSERT INTO submissions (essay_id, version_number, content, created_at)"
    " SELECT essay_id, 2, content, created_at FROM submissions WHERE essay_id = 103",
    "latest_version_is_the_text": "UPDATE submissions SET content = 'Another text' WHERE essay_id = 103",
    "word_count_counts_words": "UPDATE essays SET word_count = word_count + 1 WHERE id = 101",
    "character_count_is_length": "UPDATE essays SET character_count = 1 WHERE id = 101",
    "reading_time_follows_words": "UPDATE essays SET reading_time_minutes = 9 WHERE id = 101",
    "highlight_is_in_the_text": "UPDATE feedback SET start_index = 0, end_index = 2, highlighted_text = 'No'"
    " WHERE essay_id = 101 AND type_id = 1",
    "feedback_within_processing": "UPDATE feedback SET created_at = '2026-06-01' WHERE essay_id ="
    " 101 AND type_id = 1",
    "response_within_processing": "UPDATE ai_responses SET created_at = '2026-01-01'"
    " WHERE essay_id = 101 AND feedback_type_id = 1",
    "essay_after_joining": "UPDATE users SET date_joined = '2026-06-01' WHERE id = 13",
    "failed_has_error_log": "UPDATE essays SET status = 'processing', processing_started_at = submitted_at,"
    " ai_processing_status = 'running' WHERE id = 103;"
    " UPDATE essays SET status = 'failed', ai_processing_status = 'failed' WHERE id = 103",
    "analytics_is_the_authors": "UPDATE analytics SET essay_id = 101 WHERE user_id = 14",
    "report_owner_may_report": "UPDATE reports SET user_id = 13 WHERE title = 'Whole class'",
    "weights_sum_to_one": "UPDATE feedback_types SET weight = 0.5 WHERE name = 'style'",
    "student_count_is_right": "UPDATE institutions SET student_count = 99 WHERE id = 1",
    "user_has_profile": "DELETE FROM user_profiles WHERE user_id = 13",
    "suspended_has_no_live_token": "INSERT INTO refresh_tokens (user_id, family_id, jti,"
    " token_hash, expires_at)"
    " VALUES (13, gen_random_uuid(), gen_random_uuid(), sha256('x'), now() + interval '7 days');"
    " UPDATE users SET is_active = false WHERE id = 13",
    "rotation_moves_forward": "INSERT INTO refresh_tokens (id, user_id, family_id, jti, token_hash,"
    " issued_at,"
    " expires_at, revoked_at, revoke_reason) SELECT gen_random_uuid(), 13, gen_random_uuid(),"
    " gen_random_uuid(),"
    " sha256(n::text::bytea), '2026-03-05', '2026-03-12', '2026-03-06', 'rotated' FROM"
    " generate_series(1, 2) n;"
    " UPDATE refresh_tokens SET replaced_by = (SELECT id FROM refresh_tokens WHERE token_hash = sha256('2'))"
    " WHERE token_hash = sha256('1')",
    "text_handed_in_twice": "INSERT INTO essays (institution_id, user_id, title, content, status, word_count,"
    " character_count, reading_time_minutes, submitted_at, created_at) SELECT institution_id,"
    " user_id, 'Again',"
    " content, 'submitted', word_count, character_count, 1, submitted_at, created_at FROM essays"
    " WHERE id = 101",
    "nothing_from_the_future": "UPDATE essays SET updated_at = now() + interval '1 year' WHERE id = 102",
    "default_partition_is_empty": "INSERT INTO logs (level, source, event, created_at)"
    " VALUES ('INFO', 'x', 'y', '1999-01-01')",
    "confidence_stuck_at_default": None,
    "scores_all_alike": None,
}


def rules(world) -> set[str]:
    return {violation.rule for violation in validators.violations(world.conn)}


def test_every_rule_of_the_view_is_tried():
    import re

    named = set(re.findall(r"SELECT '(\w+)'(?: AS rule)?, ", sql("quality")))
    named -= {"refresh_tokens", "reports", "feedback", "users", "logs", "audit_log", "essays", "analytics"}
    assert named == set(BREACHES) == set(validators.RULES)


@pytest.mark.parametrize("rule", [rule for rule, statement in BREACHES.items() if statement])
def test_each_rule_notices_its_breach(world, rule):
    assert rules(world) == set()
    world.conn.execute(BREACHES[rule].encode())
    assert rule in rules(world)


@pytest.mark.parametrize(
    ("rule", "change"),
    [("confidence_stuck_at_default", "confidence = 0.8"), ("scores_all_alike", "score = 70")],
)
def test_a_model_that_is_stuck_is_noticed(world, rule, change):
    world.conn.execute(
        "INSERT INTO essays (id, institution_id, user_id, title, content, created_at, updated_at)"
        " SELECT 1000 + n, 1, 13, 'x', 'x', %s, %s FROM generate_series(1, 20) n", [START, START],
    )  # fmt: skip
    world.conn.execute(
        "INSERT INTO feedback (essay_id, type_id, score, confidence, feedback, ai_model_version)"
        " SELECT 1000 + n, 1, 50 + n, 0.5 + n / 100.0, 'x', '3.1' FROM generate_series(1, 20) n"
    )
    assert rule not in rules(world)
    world.conn.execute(psycopg.sql.SQL("UPDATE feedback SET {}").format(psycopg.sql.SQL(change)))
    assert rule in rules(world)


def test_validate_says_what_is_wrong_and_can_be_told_to_overlook_it(world):
    validators.validate(world.conn)
    world.conn.execute("DELETE FROM feedback WHERE essay_id = 101 AND type_id = 2")
    with pytest.raises(ValidationError, match=r"essays 101: completed_has_all_feedback .*structure"):
        validators.validate(world.conn)
    validators.validate(world.conn, ignore=frozenset({"completed_has_all_feedback"}))


def test_the_rules_are_checks_of_the_framework(world):
    from scenarios.domains.essay_coach import DOMAIN
    from scenarios.validation import require_valid

    require_valid(world.conn, DOMAIN)
    world.conn.execute("UPDATE essays SET word_count = 60 WHERE id = %s", [BEN_SUBMITTED])
    with pytest.raises(ValidationError, match=r"word-count-counts-words: essays 103: stored 60, counted \d+"):
        require_valid(world.conn, DOMAIN)


def test_the_audit_keeps_its_findings(world):
    world.conn.execute("DELETE FROM user_profiles")
    run = world.value("SELECT run_data_quality_audit()")
    found = world.conn.execute(
        "SELECT rule, severity, count(*) FROM data_quality_findings WHERE run_id = %s GROUP BY 1, 2", [run]
    ).fetchall()
    assert found == [("user_has_profile", "warning", 7)]
    with world.acting("monitor"):
        assert world.value("SELECT count(*) FROM data_quality_findings") == 7
    with world.acting("admin", 11, 1), world.refused():
        world.conn.execute("SELECT * FROM data_quality_breaches")


def test_nothing_to_clean_up(world):
    assert world.conn.execute("SELECT * FROM cleanup_orphans()").fetchall() == []


def test_orphans_are_found_and_removed(world):
    conn = world.conn
    conn.execute("SET LOCAL session_replication_role = replica")
    conn.execute("DELETE FROM essays WHERE id = %s", [ADA_DONE])
    conn.execute("DELETE FROM users WHERE id = %s", [ADA])
    conn.execute("DELETE FROM categories WHERE id = 1")
    conn.execute("DELETE FROM institutions WHERE id = 2")
    conn.execute("SET LOCAL session_replication_role = origin")
    expected = {
        ("essays", "broken essays_author_fkey", "delete", 1),
        ("essays", "broken essays_category_id_fkey", "clear", 3),
        ("submissions", "broken submissions_essay_id_fkey", "delete", 1),
        ("feedback", "broken feedback_essay_id_fkey", "delete", 4),
        ("ai_responses", "broken ai_responses_essay_id_fkey", "delete", 4),
        ("analytics", "broken analytics_user_id_fkey", "delete", 2),
        ("analytics", "broken analytics_essay_id_fkey", "delete", 2),
        ("logs", "broken logs_user_id_fkey", "clear", 1),
        ("user_profiles", "broken user_profiles_user_id_fkey", "delete", 1),
        ("users", "broken users_institution_id_fkey", "report", 3),
    }
    assert set(conn.execute("SELECT * FROM cleanup_orphans(true)").fetchall()) == expected
    assert set(conn.execute("SELECT * FROM cleanup_orphans()").fetchall()) == expected, (
        "a dry run changes nothing"
    )
    conn.execute("SELECT * FROM cleanup_orphans(false)")
    left = conn.execute("SELECT * FROM cleanup_orphans()").fetchall()
    assert left == [("users", "broken users_institution_id_fkey", "report", 3)]
    assert "essays" in world.values("SELECT DISTINCT table_name FROM audit_log WHERE op = 'DELETE'")


def test_expired_tokens_and_reports_are_cleaned_up(world):
    conn = world.conn
    conn.execute("UPDATE reports SET expires_at = created_at + interval '1 day' WHERE title = 'Only for me'")
    conn.execute(
        "INSERT INTO refresh_tokens (user_id, family_id, jti, token_hash, issued_at, expires_at)"
        " VALUES (13, gen_random_uuid(), gen_random_uuid(), sha256('x'), %s, %s)",
        [START, START + timedelta(days=7)],
    )
    clean = "SELECT * FROM cleanup_orphans(false, '30 days', %s)"
    assert conn.execute(clean, [START + timedelta(days=20)]).fetchall() == []
    assert set(conn.execute(clean, [START + timedelta(days=40)]).fetchall()) == {
        ("refresh_tokens", "expired", "delete", 1),
        ("reports", "expired", "delete", 1),
    }


def test_health_of_a_well_kept_database(ec_db):
    with ec_db.connect() as conn:
        found = {check.item: check for check in health_module.health(conn)}
    trouble = [check for check in found.values() if check.status not in ("ok", "not applicable")]
    assert trouble == []
    assert found["replication"].status == "not applicable"
    assert found["connections"].value >= 1
    assert found["disk"].value > 1_000_000
    assert "data quality" in found
    assert {"slow queries", "indexes", "vacuum and analyze"} <= set(found)


def test_health_notices_trouble(world):
    world.conn.execute("SELECT retire_months('analytics', '2099-01-01')")
    world.conn.execute("UPDATE view_refreshes SET refreshed_at = now() - interval '3 days'")
    world.conn.execute("REFRESH MATERIALIZED VIEW mv_daily_submissions WITH NO DATA")
    world.conn.execute("UPDATE essays SET word_count = 60 WHERE id = %s", [BEN_SUBMITTED])
    found = {check.item: check for check in health_module.health(world.conn)}
    assert found["partitions: analytics"].status == "problem"
    assert found["partitions: logs"].status == "ok"
    assert found["view: mv_student_progress"].status == "warning"
    assert found["view: mv_daily_submissions"].status == "problem"
    assert found["data: word_count_counts_words"].status == "problem"
    assert "essays" in found["data: word_count_counts_words"].detail


def test_a_long_running_statement_is_seen(ec_db):
    with ec_db.connect() as busy, ec_db.connect() as looking:
        looking.execute("SET app.slow_after = '100ms'")
        busy.pgconn.send_query(b"SELECT pg_sleep(30)")
        status = "ok"
        while status == "ok" and busy.pgconn.is_busy():
            status, count, detail = looking.execute(
                "SELECT status, value, detail FROM health_slow_queries"
            ).fetchone()
        busy.cancel_safe()
        results = iter(busy.pgconn.get_result, None)
        assert [result.error_message != b"" for result in results] == [True]
    assert (status, count) == ("warning", 1)
    assert "longer than 00:00:00.1, the longest for" in detail


def test_the_monitor_role_reads_all_of_it(world):
    with world.acting("monitor"):
        assert len(health_module.health(world.conn)) > 10
    with world.acting("educator", 12, 1), world.refused():
        world.conn.execute("SELECT * FROM health")


def test_drafts_may_be_short(world):
    assert world.value("SELECT status FROM essays WHERE id = %s", ADA_DRAFT) == "draft"
    world.conn.execute(
        "UPDATE essays SET content = 'Two words', word_count = 2, character_count = 9 WHERE id = %s",
        [ADA_DRAFT],
    )
    assert rules(world) == set()
    assert len(TEXT.split()) > 50
