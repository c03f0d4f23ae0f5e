"""EssayCoach's volume: keys, months, counters, views and the audit come out right however it is split."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from psycopg import sql

from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.enums import EssayStatus
from scenarios.domains.essay_coach.validators import violations
from scenarios.domains.essay_coach.volume.recipe import STRETCH, STRETCHES, stretch
from scenarios.errors import GraphError, ValuesError
from scenarios.validation import validate
from scenarios.values import DEFAULT_ANCHOR
from scenarios.volume import generate

INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"
MONTHS = "SELECT relname FROM pg_class WHERE relname ~ '^(analytics|logs)_[0-9]{4}_[0-9]{2}$' ORDER BY 1"
VIEWS = (
    "SELECT v::text FROM mv_student_progress v UNION ALL SELECT v::text FROM mv_daily_submissions v"
    " UNION ALL SELECT v::text FROM mv_feedback_type_stats v ORDER BY 1"
)


@pytest.fixture
def school(server):
    with server.database(DOMAIN) as database:
        yield database


def run(db, users=30, **options):
    return generate("essay_coach", users, db.dsn, **{"users_per_part": 8, "seed": "s", **options})


@pytest.fixture(scope="session")
def everything(every_row):
    """Return a function that reads the rows, the views, the months and the sequences."""

    def read(db):
        rows = every_row(db, DOMAIN)
        # When a view was refreshed is not data.
        del rows["view_refreshes"]
        with db.connect() as conn:
            rest = {query: conn.execute(query).fetchall() for query in (VIEWS, MONTHS, SEQUENCES, INDEXES)}
        return rows | rest

    return read


@pytest.fixture(scope="module")
def whole(server, everything):
    """What one plain run of thirty users gives."""
    with server.database(DOMAIN) as database:
        run(database)
        yield everything(database)


@pytest.fixture(scope="module")
def many(server):
    """A database of a hundred and fifty users."""
    with server.database(DOMAIN) as database:
        assert run(database, users=150, users_per_part=40).tables["users"] == 150
        yield database


def test_the_data_keeps_every_rule(many):
    with many.connect() as conn:
        assert violations(conn) == []
        assert validate(conn, DOMAIN) == []
        for query in (
            "SELECT max(updated_at) <= %s FROM essays",
            "SELECT max(created_at) <= %s FROM feedback",
            "SELECT max(created_at) <= %s FROM logs",
            "SELECT max(created_at) <= %s FROM analytics",
            "SELECT max(issued_at) <= %s AND max(revoked_at) <= max(%s) FROM refresh_tokens",
        ):
            given = [DEFAULT_ANCHOR] * query.count("%s")
            assert conn.execute(query.encode(), given).fetchone() == (True,), query


def test_there_is_something_of_everything(many):
    with many.connect() as conn:
        statuses = {status for (status,) in conn.execute("SELECT DISTINCT status FROM essays")}
        assert statuses == {status.value for status in EssayStatus}
        any_row = sql.SQL("SELECT EXISTS (SELECT FROM {})")
        for table in set(DOMAIN.metadata.tables) - {"audit_log", "data_quality_findings"}:
            assert conn.execute(any_row.format(sql.Identifier(table))).fetchone() == (True,), table
        retried = conn.execute("SELECT count(*) FROM ai_responses WHERE response ? 'error'").fetchone()
        assert retried > (0,)
        low = conn.execute(
            "SELECT count(*), count(*) FILTER (WHERE confidence < 0.6) FROM feedback"
        ).fetchone()
        assert 0 < low[1] < low[0] / 5
        essays = [n for (n,) in conn.execute("SELECT count(*) FROM essays GROUP BY user_id ORDER BY 1")]
        assert essays[-1] > 4 * essays[len(essays) // 2]


def test_the_audit_trail_holds_what_people_did_not_what_was_generated(many):
    with many.connect() as conn:
        assert conn.execute("SELECT count(*) FROM audit_log").fetchone() == (0,)
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE essays SET title = 'Mine' WHERE id = (SELECT min(id) FROM essays)")
            assert conn.execute("SELECT count(*) FROM audit_log").fetchone() == (1,)


def test_keys_go_on_behind_the_runs(many):
    with many.connect() as conn, conn.transaction(force_rollback=True):
        key = conn.execute(
            "INSERT INTO users (institution_id, username, email, password)"
            " SELECT min(id), 'new', 'new@example.com', 'x' FROM institutions RETURNING id"
        ).fetchone()
        assert key == (stretch("s") + STRETCH,)
    assert (STRETCHES + 1) * STRETCH < 2**53


@pytest.mark.thorough("the same bytes however the work is cut")
@pytest.mark.parametrize("how", ["shards", "shards at once", "continued", "other parts", "processes"])
def test_how_the_work_is_cut_does_not_matter(school, whole, everything, how):
    if how == "shards":
        for number in (3, 1, 2):
            run(school, shard=(number, 3))
    elif how == "shards at once":
        # They prepare, count and refresh at the same time, and wait for each other at the schools' counters.
        with ThreadPoolExecutor(3) as pool:
            done = list(pool.map(lambda number: run(school, shard=(number, 3), users_per_part=3), (1, 2, 3)))
        assert sum(each.tables["users"] for each in done) == 30
    elif how == "continued":
        run(school, users=13)
        assert run(school).skipped == 1
    elif how == "other parts":
        run(school, users_per_part=7, indexes_after=False)
    else:
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            run(school, executor=pool, indexes_after=False)
    assert everything(school) == whole


@pytest.mark.thorough("the same bytes however the work is cut")
def test_a_killed_run_is_continued(school, whole, everything):
    script = (
        "import os, sys\n"
        "from scenarios.volume import generate\n"
        "def stop(done, parts):\n"
        "    if done.parts == int(sys.argv[2]): os._exit(9)\n"
        "generate('essay_coach', 30, sys.argv[1], users_per_part=8, seed='s', progress=stop)\n"
    )
    # After the second part; and then after the last, before counters, sequences and views were set right.
    for parts, done in (("2", 2), ("2", 4)):
        command = [sys.executable, "-c", script, school.dsn, parts]
        assert subprocess.run(command, timeout=120).returncode == 9
        with school.connect() as conn:
            assert conn.execute("SELECT count(*) FROM users").fetchone() == (min(done * 8, 30),)
    assert run(school).rows == 0
    assert everything(school) == whole


@pytest.mark.postgres_matrix
def test_every_version_takes_it(any_server):
    with any_server.database(DOMAIN) as db:
        assert run(db, users=25).tables["users"] == 25
        with db.connect() as conn:
            assert violations(conn) == []
            assert conn.execute(INVALID).fetchall() == []


def test_indexes_of_partitions_stay_valid(many):
    with many.connect() as conn:
        assert conn.execute(INVALID).fetchall() == []


def test_two_seeds_share_a_database_and_one_stretch_is_not_shared(school):
    run(school, users=10, seed="one")
    run(school, users=10, seed="two")
    with school.connect() as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (20,)
        assert violations(conn) == []
    taken: dict[int, str] = {stretch("one"): "one"}
    other = next(seed for seed in map(str, range(10**6)) if stretch(seed) in taken)
    with pytest.raises(ValuesError, match=r"the keys of the run .* are taken"):
        run(school, users=20, seed=other)


def test_a_refused_preparation_says_so(school):
    with school.connect() as conn:
        conn.execute("ALTER TABLE institutions ADD CONSTRAINT closed CHECK (name = 'x') NOT VALID")
        with pytest.raises(GraphError, match="refused to prepare the run"):
            run(school)
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_the_command_generates(school):
    script = "from scenarios.cli.main import run; run()"
    command = [sys.executable, "-c", script, "generate", "essay_coach", "--users", "9", "--to", school.url]
    result = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["tables"]["users"] == 9
