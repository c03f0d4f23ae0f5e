"""``scenarios doctor --system dev_coach``: what it says of a healthy database and of one that is not."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from scenarios.cli.main import run
from scenarios.domains.dev_coach.health import health
from scenarios.domains.dev_coach.maintenance import RECENT_INDEX, rebuild_recent_messages_index
from scenarios.library import Library
from scenarios.resources import resource


def by_item(conn, **options):
    return {each.item: each for each in health(conn, **options)}


def examine(db, *more: str) -> int:
    with pytest.raises(SystemExit) as end:
        run(["doctor", "--system", "dev_coach", "--in", db.dsn, *more])
    return int(end.value.code or 0)


def test_a_healthy_dev_coach_database(dev_coach, conn, capsys):
    rebuild_recent_messages_index(conn)
    assert examine(dev_coach, "--json") == 0
    found = {each["item"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["connections"]["value"] >= 1
    assert found["disk"]["value"] > 1_000_000
    assert found["replication"]["status"] == "not applicable"
    assert found["data quality"]["status"] == "ok"
    assert {each["status"] for each in found.values()} == {"ok", "not applicable"}


def test_a_slow_query_is_seen(dev_coach, conn):
    started = threading.Event()
    running: list[psycopg.Connection] = []

    def sleep() -> None:
        with dev_coach.connect() as other:
            running.append(other)
            started.set()
            with suppress(psycopg.errors.QueryCanceled):
                other.execute("SELECT pg_sleep(60)")

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    try:
        started.wait()
        found = []
        while sleeper.is_alive() and not found:
            seen = by_item(conn, slow_after=timedelta(milliseconds=50))["slow queries"]
            found = [seen] if seen.status == "warning" else []
    finally:
        while sleeper.is_alive():
            running[0].cancel_safe()
            sleeper.join(0.2)
    assert found[0].value == 1
    assert by_item(conn, slow_after=timedelta(milliseconds=50))["slow queries"].status == "ok"


def test_a_missing_and_a_stale_index_of_recent_messages(dev_coach, conn):
    rebuild_recent_messages_index(conn, now=datetime.now(UTC) - timedelta(days=90))
    assert by_item(conn)["index of recent messages"].status == "warning"
    conn.execute(f"DROP INDEX {RECENT_INDEX}")
    assert by_item(conn)["index of recent messages"].status == "problem"
    assert examine(dev_coach) == 1


def test_dead_rows_and_invalid_indexes_are_seen(dev_coach, conn):
    conn.execute(
        "INSERT INTO prompts_prompt (body, version) SELECT 'x', n FROM generate_series(1, 3000) AS n"
    )
    conn.execute("DELETE FROM prompts_prompt")
    conn.execute("SELECT pg_stat_force_next_flush()")
    conn.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_user_created_at_idx'::regclass"
    )
    found = by_item(conn)
    assert found["vacuum and analyze"].status == "warning"
    assert found["indexes"].status == "problem"


def test_rows_that_break_a_rule_are_counted(dev_coach, conn):
    Library(resource("scenario_library"))["refinement_in_progress"].load(dev_coach)
    assert by_item(conn)["data quality"].status == "ok"
    conn.execute("UPDATE identities_identity SET state = 'REFINEMENT_COMPLETE'")
    conn.execute("UPDATE coach_states_coachstate SET current_phase = 'GET_TO_KNOW_YOU'")
    broken = [each for each in health(conn) if each.item.startswith("data: ")]
    assert broken
    assert all(each.status == "warning" and each.value >= 1 for each in broken)
