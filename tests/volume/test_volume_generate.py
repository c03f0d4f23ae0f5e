"""Volume: the same data however it is split, valid, resumable, with its indexes at the end."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from scenarios.domains.dev_coach import DOMAIN
from scenarios.errors import DomainError, GraphError, SafetyError, ValuesError
from scenarios.postgres import Database, Server
from scenarios.validation import validate
from scenarios.values import DEFAULT_ANCHOR
from scenarios.volume import Part, generate, recipe
from scenarios.volume.indexes import rebuild
from scenarios.volume.parts import parts

INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


@pytest.fixture
def coach(server: Server) -> Iterator[Database]:
    with server.database(DOMAIN) as database:
        yield database


def contents(db: Database) -> dict[str, list[str]]:
    every_row = sql.SQL("SELECT t::text FROM {} t ORDER BY id")
    with db.connect() as conn:
        return {
            name: [row[0] for row in conn.execute(every_row.format(sql.Identifier(name)))]
            for name in DOMAIN.metadata.tables
        }


def run(db: Database, users: int = 30, **options):
    return generate("dev_coach", users, db.dsn, **{"users_per_part": 8, "seed": "s", **options})


@pytest.fixture(scope="module")
def whole(server: Server) -> Iterator[dict[str, list[str]]]:
    """What one plain run of thirty users gives."""
    with server.database(DOMAIN) as database:
        run(database)
        yield contents(database)


def test_the_data_keeps_every_rule(coach):
    done = run(coach, users=60)
    assert done.parts == 8
    with coach.connect() as conn:
        assert validate(conn, DOMAIN) == []
        stored = dict(
            conn.execute("SELECT current_phase, count(*) FROM coach_states_coachstate GROUP BY 1").fetchall()
        )
        assert set(stored) == {
            "GET_TO_KNOW_YOU", "IDENTITY_CREATION", "IDENTITY_REFINEMENT", "INTEGRATION", "COMPLETED"
        }  # fmt: skip
        assert conn.execute("SELECT count(*) FROM chat_messages_chatmessage").fetchone() == (
            done.tables["chat_messages_chatmessage"],
        )
        assert conn.execute(
            "SELECT count(*) FROM chat_messages_chatmessage WHERE timestamp > %s", [DEFAULT_ANCHOR]
        ).fetchone() == (0,)


def test_indexes_are_those_of_the_schema_afterwards(coach):
    with coach.connect() as conn:
        before = conn.execute(INDEXES).fetchall()
        run(coach)
        assert conn.execute(INDEXES).fetchall() == before
        assert conn.execute("SELECT to_regnamespace('scenarios_volume')").fetchone() == (None,)


def test_a_run_killed_between_dropping_and_building_loses_no_index(coach):
    with coach.connect() as conn:
        before = conn.execute(INDEXES).fetchall()
        result = subprocess.run([sys.executable, "-c", KILLED, coach.dsn], timeout=120)
        assert result.returncode == 9
        assert len(conn.execute(INDEXES).fetchall()) < len(before)
        done = run(coach)
        assert done.skipped == 1
        assert conn.execute(INDEXES).fetchall() == before
        assert rebuild(conn) == 0


KILLED = (
    "import os, sys\n"
    "from scenarios.volume import generate\n"
    "generate('dev_coach', 30, sys.argv[1], users_per_part=8, seed='s',"
    " progress=lambda done, parts: os._exit(9))\n"
)


@pytest.mark.parametrize(
    ("harm", "rule"),
    [
        ("UPDATE chat_messages_chatmessage SET user_id = gen_random_uuid()", "chatmessage_user_id_fkey"),
        ("UPDATE user_notes_usernote SET source_message_id = gen_random_uuid()", "source_message_id_user_id"),
        ("UPDATE identities_identity SET test_scenario_id = NULL", "test_scenario_id of identities_identity"),
    ],
)  # fmt: skip
def test_rules_that_rested_in_a_killed_run_are_checked_by_the_next(coach, harm, rule):
    assert subprocess.run([sys.executable, "-c", KILLED, coach.dsn], timeout=120).returncode == 9
    with coach.connect() as conn:
        assert conn.execute("SELECT count(*) > 20 FROM scenarios_volume.unchecked").fetchone() == (True,)
        # As a row that a foreign key or trigger would have refused.
        with conn.transaction():
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute(harm)
        for _ in range(2):
            with pytest.raises(GraphError, match=rule):
                run(coach)
        assert conn.execute("SELECT count(*) FROM scenarios_volume.dropped_index").fetchone() == (0,)


def test_rules_of_a_finished_run_are_in_force_again(coach):
    run(coach)
    with coach.connect() as conn:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            conn.execute("UPDATE chat_messages_chatmessage SET user_id = gen_random_uuid()")
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute("UPDATE chat_messages_chatmessage SET test_scenario_id = NULL")


def test_a_trigger_nobody_can_stand_in_for_fires_for_each_row(coach):
    with coach.connect() as conn:
        conn.execute("CREATE TABLE seen (id uuid)")
        conn.execute(
            "CREATE FUNCTION note_user() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END $$"
        )
        conn.execute(
            "CREATE TRIGGER note_user AFTER INSERT ON users_user FOR EACH ROW EXECUTE FUNCTION note_user()"
        )
        run(coach)
        assert conn.execute("SELECT count(*) FROM seen").fetchone() == (30,)


def test_what_the_journal_records_of_a_load_is_every_row(coach):
    before = coach.snapshot("before")
    done = run(coach)
    # One more: the instance the rows belong to.
    assert len(coach.changes(before).rows) == done.rows + 1


def test_an_interrupted_run_is_continued(coach, whole):
    class Interrupted(Exception):
        pass

    def stop(done, parts):
        if done.parts == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(coach, progress=stop)
    done = run(coach)
    assert (done.skipped, done.parts) == (2, 2)
    assert contents(coach) == whole
    assert run(coach).rows == 0


def test_a_larger_run_continues_a_smaller_one(coach, whole):
    run(coach, users=13)
    run(coach, users=30)
    assert contents(coach) == whole


def test_shards_together_are_one_run(coach, whole):
    for number in (3, 1, 2):
        run(coach, shard=(number, 3))
    assert contents(coach) == whole


def test_how_the_work_is_cut_does_not_matter(coach, whole):
    run(coach, users_per_part=5, indexes_after=False)
    assert contents(coach) == whole


@pytest.mark.thorough("the same bytes however the work is cut")
@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_any_executor_gives_the_same(coach, whole, kind):
    pool = (
        ThreadPoolExecutor(2)
        if kind == "threads"
        else ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    )
    with pool:
        assert run(coach, executor=pool).parts == 4
    assert contents(coach) == whole


@pytest.mark.thorough("the same bytes however the work is cut")
def test_a_local_dask_cluster_gives_the_same(coach, whole):
    script = (
        "import sys\n"
        "from distributed import Client, LocalCluster\n"
        "from scenarios.volume import generate\n"
        "if __name__ == '__main__':\n"
        "    options = {'n_workers': 2, 'threads_per_worker': 1, 'dashboard_address': None}\n"
        "    with LocalCluster(processes=True, **options) as cluster:\n"
        "        with Client(cluster) as client:\n"
        "            done = generate('dev_coach', 30, sys.argv[1], users_per_part=8, seed='s',"
        " executor=client.get_executor())\n"
        "    sys.exit(0 if done.parts == 4 else 1)\n"
    )
    # A process of its own: the cluster's threads and warnings stay out of this one.
    result = subprocess.run(
        [sys.executable, "-c", script, coach.dsn], capture_output=True, text=True, timeout=180
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert contents(coach) == whole


def test_the_present_can_be_moved(coach):
    now = datetime(2031, 1, 1, tzinfo=UTC)
    run(coach, users=8, now=now)
    with coach.connect() as conn:
        row = conn.execute("SELECT min(timestamp), max(timestamp) FROM chat_messages_chatmessage").fetchone()
    assert row is not None
    assert datetime(2028, 1, 1, tzinfo=UTC) < row[0] < row[1] < now


def test_indexes_of_a_database_that_is_not_ours_stay(server, coach):
    foreign = f"{coach.name}_foreign"
    with server.connect() as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(foreign), sql.Identifier(coach.name)
            )
        )
    try:
        dsn = coach.dsn.replace(coach.name, foreign)
        with pytest.raises(SafetyError):
            generate("dev_coach", 10, dsn, indexes_after=True)
        assert generate("dev_coach", 10, dsn, users_per_part=2).parts == 5
        with psycopg.connect(dsn) as conn, coach.connect() as own:
            assert conn.execute(INDEXES).fetchall() == own.execute(INDEXES).fetchall()
    finally:
        with server.connect() as admin:
            admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(foreign)))


def test_a_snapshot_taken_before_is_restored_after(coach):
    before = coach.checksum()
    snapshot = coach.snapshot("empty")
    assert run(coach, users=24).parts == 3
    coach.restore(snapshot)
    assert coach.checksum() == before


def test_a_refused_part_is_named_and_earlier_ones_stay(coach):
    run(coach, users=16)
    seeded = recipe("dev_coach")
    third = seeded.make(Part("s", 2, 16, 8, DEFAULT_ANCHOR))[0].data.decode().split("\t")[1]
    with coach.connect() as conn:
        conn.execute(
            "INSERT INTO users_user (email, password, first_name, last_name) VALUES (%s, 'x', 'a', 'b')",
            [third],
        )
        with pytest.raises(GraphError, match=r"refused part 2 of the run 's'") as caught:
            run(coach)
        assert "users_user_email" in str(caught.value)
        assert conn.execute("SELECT count(*) FROM users_user").fetchone() == (17,)


def test_parts_and_shards_that_do_not_exist_are_refused():
    anchor = DEFAULT_ANCHOR
    assert [part.users for part in parts("s", 17, anchor, size=8)] == [8, 8, 1]
    with pytest.raises(ValuesError, match="no shard 9/8"):
        parts("s", 10, anchor, "en_US", (9, 8))
    with pytest.raises(DomainError, match="there is no system 'bank'"):
        recipe("bank")


def test_the_command_generates_and_reports(coach):
    script = "from scenarios.cli.main import run; run()"
    command = [sys.executable, "-c", script, "generate", "dev_coach", "--users", "20", "--to", coach.url]
    result = subprocess.run([*command, "--json", "--seed", "s"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["tables"]["users_user"] == 20
    again = subprocess.run([*command, "--seed", "s"], capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert "Everything was there already" in again.stdout
    assert again.stderr == ""
    wrong = subprocess.run([*command, "--shard", "9/8"], capture_output=True, text=True, timeout=120)
    assert wrong.returncode == 1
    assert "9/8" in wrong.stderr
