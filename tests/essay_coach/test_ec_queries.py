"""The document's queries give the right rows, and use the intended index on 200,000 of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from ec_sample import ADA, ADA_DONE, ADA_DRAFT, CAI, START
from psycopg.types.json import Jsonb

from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.queries import QUERIES, query

ROWS = 200_000
LOAD = (
    "SELECT ensure_months('analytics', '2025-01-01+00', '2025-12-31+00')",
    """
    INSERT INTO institutions (id, name, created_at)
    SELECT n, 'School ' || n, '2024-01-01' FROM generate_series(1, 20) n
    """,
    """
    INSERT INTO users (id, institution_id, username, email, password, date_joined, created_at, updated_at)
    SELECT n, 1 + n % 20, 'u' || n, 'u' || n || '@example.org', 'x', '2024-01-01', '2024-01-01', '2024-01-01'
    FROM generate_series(1, 4000) n
    """,
    """
    INSERT INTO essays (
        id, institution_id, user_id, category_id, title, content, word_count, created_at, updated_at, status,
        ai_processing_status, submitted_at, processing_started_at, processing_completed_at
    )
    SELECT
        n, 1 + (1 + n % 4000) % 20,
        1 + n % 4000, 1 + n % 6, 'Essay ' || n, 'text', 60, at, at + '1 day'::interval,
        CASE n % 5 WHEN 0 THEN 'draft' WHEN 1 THEN 'submitted' ELSE 'completed' END,
        CASE WHEN n % 5 < 2 THEN 'pending' ELSE 'succeeded' END,
        CASE WHEN n % 5 > 0 THEN at END, CASE WHEN n % 5 > 1 THEN at END, CASE WHEN n % 5 > 1 THEN at END
    FROM generate_series(1, 200000) n
    CROSS JOIN LATERAL (SELECT timestamptz '2025-01-01+00' + n * interval '2 minutes' AS at) begun
    """,
    """
    INSERT INTO feedback (essay_id, type_id, score, confidence, feedback, ai_model_version)
    SELECT n, 1 + n % 4, 50 + n % 50, 0.5 + (n % 50) / 100.0, 'x', '3.1' FROM generate_series(1, 200000) n
    """,
    """
    INSERT INTO analytics (user_id, metric_type_id, value, created_at)
    SELECT 1 + n % 4000, 1 + n % 6, n % 100, timestamptz '2025-01-01+00' + n * interval '150 seconds'
    FROM generate_series(1, 200000) n
    """,
    """
    INSERT INTO audit_log (at, table_name, row_pk, op, new_row)
    SELECT now(), 'essays', n::text, 'INSERT', '{}' FROM generate_series(1, 50000) n
    """,
    "ANALYZE",
)
GIVEN = {
    "essays_with_feedback_count": {"user_id": 77},
    "essays_by_day": {"first": datetime(2025, 3, 1, tzinfo=UTC), "last": datetime(2025, 3, 3, tzinfo=UTC)},
    "submissions_by_day": {"first_day": date(2025, 3, 1), "day_after": date(2025, 3, 3)},
    "completed_essays_plan": {"user_id": 77},
    "user_analytics": {
        "user_id": 77,
        "first": datetime(2025, 3, 1, tzinfo=UTC),
        "end": datetime(2025, 4, 1, tzinfo=UTC),
    },
    "user_by_email": {"email": "u77@example.org"},
    "essay_overall": {"user_id": 77},
    "history_of_a_row": {"table_name": "essays", "row_pk": "77"},
}


def load(conn) -> None:
    # Neither counters nor the audit nor row by row checks of foreign keys: a third of the time.
    conn.execute("SET session_replication_role = replica")
    for statement in LOAD:
        conn.execute(statement.encode())
    conn.execute("RESET session_replication_role")


@pytest.fixture(scope="session")
def ec_large(server):
    """Yield a database with 200,000 essays, pieces of feedback and measurements."""
    template = server.template(DOMAIN, populate=load, key="essay-coach-large")
    with server.database(template=template) as db:
        yield db


def indexes_and_scans(plan: dict) -> tuple[set[str], set[str]]:
    """Return the indexes a plan uses, and the tables it reads from end to end."""
    used, scanned = set(), set()
    if "Index Name" in plan:
        used.add(plan["Index Name"])
    if plan["Node Type"] == "Seq Scan":
        scanned.add(plan["Relation Name"])
    for child in plan.get("Plans", ()):
        more_used, more_scanned = indexes_and_scans(child)
        used |= more_used
        scanned |= more_scanned
    return used, scanned


def missed(conn, name: str) -> list[str]:
    """Return what the plan of the query *name* lacks: an intended index, or restraint from reading all."""
    asked = query(name)
    statement = asked.sql.strip().removeprefix("EXPLAIN ANALYZE ")
    ((plan,),) = conn.execute(f"EXPLAIN (FORMAT JSON) {statement}", GIVEN[name]).fetchall()
    # An index of a partition has a name of its own; the catalogue knows whose child it is.
    parents = dict(
        conn.execute(
            "SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits"
            " JOIN pg_class ON oid = inhrelid WHERE relkind = 'i'"
        ).fetchall()
    )
    large = {name for (name,) in conn.execute("SELECT relname FROM pg_class WHERE reltuples > 1000")}
    used, scanned = indexes_and_scans(plan[0]["Plan"])
    used = {parents.get(index, index) for index in used}
    found = [
        f"{name}: {table} by one of {wanted}, not by {used}"
        for table, wanted in asked.indexes.items()
        if not used & set(wanted)
    ]
    return found + [f"{name}: {table} is read from end to end" for table in sorted(scanned & large)]


@pytest.mark.thorough("a database of many rows is filled")
@pytest.mark.parametrize("name", sorted(GIVEN))
def test_the_intended_index_is_used_on_many_rows(ec_large, name):
    with ec_large.connect() as conn:
        assert conn.execute("SELECT count(*) FROM essays").fetchone() == (ROWS,)
        assert missed(conn, name) == []


@pytest.mark.postgres_matrix
@pytest.mark.parametrize("any_server", [15, 17], indirect=True, ids=lambda major: f"pg{major}")
def test_older_versions_use_the_intended_indexes_too(any_server):
    template = any_server.template(DOMAIN, populate=load, key="essay-coach-large")
    with any_server.database(template=template) as db, db.connect() as conn:
        assert conn.execute("SELECT count(*) FROM feedback").fetchone() == (ROWS,)
        assert [line for name in sorted(GIVEN) for line in missed(conn, name)] == []
        # The same question without an index has to be noticed.
        conn.execute("DROP INDEX idx_essays_user_id, idx_essays_user_status, idx_essays_user_created")
        assert missed(conn, "completed_essays_plan") != []


def test_every_query_with_an_intended_index_is_tried():
    assert {name for name, asked in QUERIES.items() if asked.indexes} == set(GIVEN)


def test_essays_come_with_their_feedback_count(world):
    with world.conn.cursor() as cursor:
        rows = cursor.execute(query("essays_with_feedback_count").sql, {"user_id": ADA}).fetchall()
        names = [column.name for column in cursor.description]
    found = {row[names.index("id")]: row[names.index("feedback_count")] for row in rows}
    assert found == {ADA_DONE: 4, ADA_DRAFT: 0}


def test_a_date_as_upper_bound_loses_the_last_day_and_the_half_open_form_does_not(world):
    world.conn.execute("SET LOCAL timezone = 'UTC'")
    day = (START + timedelta(days=1)).date()
    assert query("essays_by_day").run(world.conn, first=day - timedelta(days=1), last=day) == []
    assert query("essays_by_day").run(world.conn, first=day, last=day + timedelta(days=1)) == [(day, 4)]
    half_open = query("submissions_by_day")
    assert half_open.run(world.conn, first_day=day, day_after=day + timedelta(days=1)) == [(day, 4)]
    assert (
        half_open.run(world.conn, first_day=day + timedelta(days=1), day_after=day + timedelta(days=9)) == []
    )


def test_the_day_of_the_half_open_form_is_not_the_sessions(world):
    world.conn.execute("UPDATE essays SET created_at = '2026-03-03 23:30+00', submitted_at = NULL,"
                       " updated_at = '2026-03-04+00' WHERE id = %s", [ADA_DRAFT])  # fmt: skip
    for zone in ("UTC", "Asia/Tokyo"):
        world.conn.execute("SELECT set_config('timezone', %s, true)", [zone])
        found = query("submissions_by_day").run(
            world.conn, first_day=date(2026, 3, 3), day_after=date(2026, 3, 4)
        )
        assert found == [(date(2026, 3, 3), 4)]


def test_a_plan_is_made_and_run(world):
    plan = "\n".join(row[0] for row in query("completed_essays_plan").run(world.conn, user_id=ADA))
    assert "actual" in plan
    assert "Execution Time" in plan


@pytest.mark.thorough("a database of many rows is filled")
def test_column_statistics_and_index_usage(ec_large):
    with ec_large.connect() as conn:
        columns = {row[2] for row in query("essay_column_statistics").run(conn)}
        assert {"user_id", "status", "created_at"} <= columns
        assert "idx_essays_user_id" in {row[1] for row in query("index_usage").run(conn)}


def test_scores_measurements_accounts_and_history(world):
    conn = world.conn
    assert [row[3] for row in query("essay_overall").run(conn, user_id=ADA)] == [83]
    assert (
        len(query("user_analytics").run(conn, user_id=CAI, first=START, end=START + timedelta(days=90))) == 2
    )
    assert query("user_by_email").run(conn, email="user13@example.org") == [(ADA, 1, "student")]
    conn.execute("UPDATE feedback SET confidence = 0.41 WHERE essay_id = %s AND type_id = 2", [ADA_DONE])
    assert [row[2] for row in query("low_confidence_feedback").run(conn, threshold=0.6)] == ["structure"]
    conn.execute("UPDATE reports SET data = %s WHERE title = 'Whole class'", [Jsonb({"n": 1})])
    key = world.value("SELECT id FROM reports WHERE title = 'Whole class'")
    history = query("history_of_a_row").run(conn, table_name="reports", row_pk=str(key))
    assert [(row[1], row[5]) for row in history] == [("UPDATE", ["data"])]


def test_wrong_parameters_and_names_are_said(world):
    with pytest.raises(TypeError, match="essays_with_feedback_count takes user_id; given were author"):
        query("essays_with_feedback_count").run(world.conn, author=1)
    with pytest.raises(KeyError, match="there are essays_with_feedback_count"):
        query("essays")
