"""The application's session is its own: nothing it can see of it shows that its writes are recorded."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from scenarios import journal

pytestmark = pytest.mark.postgres_matrix

SCHEMA = """
    CREATE TABLE t (id serial PRIMARY KEY, a integer);
    CREATE TABLE tree (id serial, a integer) PARTITION BY RANGE (a);
    CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (10);
    CREATE TABLE tree_2 PARTITION OF tree DEFAULT;
    CREATE TABLE parent (id serial PRIMARY KEY, a integer); CREATE TABLE child () INHERITS (parent);
"""
WRITES = """
    INSERT INTO $t (a) VALUES (1), (2); UPDATE $t SET a = a + 9; DELETE FROM $t WHERE a = 10; TRUNCATE $t
"""
STATE = {
    "settings": "SELECT name, setting, source FROM pg_settings ORDER BY 1",
    "custom": "SELECT current_setting('scenarios_journal.restoring', true)",
    "temporary": "SELECT relname FROM pg_class WHERE relpersistence = 't'",
    "prepared": "SELECT name FROM pg_prepared_statements ORDER BY 1",
    "cursors": "SELECT name FROM pg_cursors",
    "listening": "SELECT pg_listening_channels()",
    "advisory": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
}


@pytest.fixture
def app(any_bench):
    any_bench.ddl(SCHEMA)
    journal.install(any_bench.control)
    with any_bench.database.connect() as conn:
        conn.prepare_threshold = None
        conn.execute("DO $$ BEGIN END $$")  # The language of the recorders has settings once it is loaded.
        yield conn


def state_of(conn: psycopg.Connection[Any]) -> dict[str, Any]:
    return {name: conn.execute(query.encode()).fetchall() for name, query in STATE.items()}


@pytest.mark.parametrize("recorded", [False, True], ids=["before a snapshot", "after one"])
@pytest.mark.parametrize("table", ["t", "tree", "parent"])
def test_lastval_is_the_applications(any_bench, app, table, recorded):
    if recorded:
        journal.snapshot(any_bench.control)
    app.execute("UPDATE $t SET a = 2".replace("$t", table))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        app.execute("SELECT lastval()")
    app.execute("INSERT INTO $t (a) VALUES (1)".replace("$t", table))
    app.execute("UPDATE $t SET a = 15; DELETE FROM $t WHERE a = 99; TRUNCATE t".replace("$t", table))
    assert app.execute("SELECT lastval()").fetchone() == (1,)
    taken = journal.snapshot(app)
    app.execute("UPDATE $t SET a = 3".replace("$t", table))
    journal.restore(app, taken)
    assert app.execute("SELECT lastval()").fetchone() == (1,)
    # Nor does DDL that is noticed move anything.
    app.execute("CREATE TABLE more (); ALTER TABLE t ADD COLUMN b text; DROP TABLE more")
    assert app.execute("SELECT lastval()").fetchone() == (1,)


def test_nothing_is_said_set_or_left(any_bench, app):
    notices: list[str | None] = []
    app.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    journal.snapshot(any_bench.control)
    before = state_of(app)
    for table in ("t", "tree", "parent"):
        app.execute(WRITES.replace("$t", table))
    assert state_of(app) == before
    # Recording stops when a table is altered or dropped, and nobody hears of it.
    app.execute(
        "ALTER TABLE t ADD COLUMN b text; ALTER TABLE tree ADD COLUMN b text; DROP TABLE tree, parent, child"
    )
    assert {**state_of(app), "custom": None} == {**before, "custom": None}
    assert notices == []


def test_counts_are_those_of_the_applications_statement(any_bench, app):
    journal.snapshot(any_bench.control)
    assert app.execute("INSERT INTO tree (a) SELECT generate_series(1, 12)").statusmessage == "INSERT 0 12"
    assert app.execute("UPDATE tree SET a = a + 1 WHERE a < 4").statusmessage == "UPDATE 3"
    assert app.execute("UPDATE t SET a = 1").statusmessage == "UPDATE 0"
    app.execute(
        "DO $$ DECLARE n bigint; BEGIN"
        " INSERT INTO t (a) VALUES (1), (2), (3); GET DIAGNOSTICS n = ROW_COUNT;"
        " ASSERT FOUND AND n = 3;"
        " UPDATE tree SET a = 0 WHERE a = 777; GET DIAGNOSTICS n = ROW_COUNT;"
        " ASSERT NOT FOUND AND n = 0;"
        " DELETE FROM parent; ASSERT NOT FOUND;"
        " END $$"
    )
