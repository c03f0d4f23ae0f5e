"""``scenarios doctor --system essay_coach`` says what is wrong with a database, and fails if something is."""

from __future__ import annotations

import json

import pytest

from scenarios.cli.main import run


def examine(db, *more: str) -> int:
    with pytest.raises(SystemExit) as end:
        run(["doctor", "--system", "essay_coach", "--in", db.dsn, *more])
    return int(end.value.code or 0)


def test_a_healthy_database(ec_db, capsys):
    assert examine(ec_db) == 0
    shown = capsys.readouterr().out
    for item in ("connections", "slow queries", "disk", "indexes", "partitions: audit_log", "data quality"):
        assert item in shown


def test_a_database_with_a_problem(ec_db, capsys):
    with ec_db.connect() as conn:
        conn.execute("SELECT retire_months('analytics', '2099-01-01')")
    assert examine(ec_db, "--json") == 1
    found = {each["item"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["partitions: analytics"]["status"] == "problem"
    assert found["replication"]["status"] == "not applicable"


def test_a_system_without_health_checks(ec_db, capsys):
    with pytest.raises(SystemExit) as end:
        run(["doctor", "--system", "coach_bot", "--in", ec_db.dsn])
    assert end.value.code == 1
    assert "has no health" in capsys.readouterr().err
