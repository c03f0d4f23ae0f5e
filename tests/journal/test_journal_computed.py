"""What the database computes from rows comes back as it was, or the restore says that it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from scenarios import journal
from scenarios.errors import JournalError
from scenarios.journal import CannotRestoreInPlace
from scenarios.postgres import Server, embedded, start_server
from scenarios.settings import Settings

DAY = "CREATE FUNCTION day(t timestamptz) RETURNS date LANGUAGE sql IMMUTABLE AS 'SELECT t::date';"
FILL = """
    SET timezone = 'Europe/Paris'; INSERT INTO v VALUES (1, '2026-03-01 00:30'), (2, '2026-03-01 12:00')
"""
KEYS = {"by key": "id integer PRIMARY KEY", "by content": "id integer"}


def everything(conn: psycopg.Connection[Any], table: str) -> set[str]:
    return {row for (row,) in conn.execute(f"SELECT t::text FROM {table} t").fetchall()}  # noqa: S608 - of this file


@pytest.mark.postgres_matrix
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_generated_column_that_depends_on_the_session(any_bench, key):
    bench = any_bench
    bench.ddl(DAY)
    bench.ddl(
        f"CREATE TABLE v ({key}, at timestamptz, note text, d date GENERATED ALWAYS AS (day(at)) STORED)"
    )
    bench.ddl(FILL)
    before = everything(bench.app, "v")
    for harm in (
        "DELETE FROM v WHERE id = 1",
        "UPDATE v SET note = 'x'",
        "UPDATE v SET at = at + interval '9 d'",
    ):
        taken = journal.snapshot(bench.control)
        with bench.database.connect() as other:  # whose zone is another one
            other.execute("BEGIN")
            other.execute(harm)
            other.execute("COMMIT")
        with pytest.raises(CannotRestoreInPlace, match=r"generated column of public\.v"):
            journal.restore(bench.control, taken)
        bench.ddl("TRUNCATE v")
        bench.ddl(FILL)
        assert everything(bench.app, "v") == before
    # What would be computed alike comes back in place, whatever the session of the restore has set.
    taken = journal.snapshot(bench.control)
    bench.control.execute("SET timezone = 'Pacific/Kiritimati'")
    bench.ddl(
        "DELETE FROM v WHERE id = 2; INSERT INTO v VALUES (3, '2026-03-01 00:30');"
        "UPDATE v SET id = 7 WHERE id = 3"
    )
    assert journal.restore(bench.control, taken).in_place
    assert everything(bench.app, "v") == before


@pytest.mark.postgres_matrix
def test_a_generated_column_whose_function_was_replaced_or_reads_a_table(any_bench):
    bench = any_bench
    bench.ddl(
        "CREATE TABLE rate (n integer); INSERT INTO rate VALUES (2);"
        "CREATE FUNCTION f(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n';"
        "CREATE FUNCTION g(x integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT x * n FROM rate';"
        "CREATE TABLE t (id integer PRIMARY KEY, n integer, a integer GENERATED ALWAYS AS (f(n)) STORED);"
        "CREATE TABLE u (id integer, n integer, a integer GENERATED ALWAYS AS (g(n)) STORED);"
        "INSERT INTO t VALUES (1, 5), (2, 5); INSERT INTO u VALUES (1, 5), (2, 5);"
        "CREATE OR REPLACE FUNCTION f(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n + 1'"
    )
    bench.cycle("INSERT INTO t VALUES (3, 5); INSERT INTO u VALUES (3, 3)", "DELETE FROM t WHERE id = 3")
    bench.cycle("DELETE FROM u WHERE id = 2", "INSERT INTO u VALUES (2, 5), (2, 6)")
    taken = journal.snapshot(bench.control)
    bench.ddl("UPDATE t SET n = 6 WHERE id = 1")
    with pytest.raises(CannotRestoreInPlace, match=r"generated column of public\.t"):
        journal.restore(bench.control, taken)
    bench.ddl("UPDATE rate SET n = 3")
    taken = journal.snapshot(bench.control)
    bench.ddl("UPDATE u SET n = 6 WHERE id = 1; UPDATE u SET n = 5 WHERE id = 1")
    with pytest.raises(CannotRestoreInPlace, match=r"generated column of public\.u"):
        journal.restore(bench.control, taken)


TWO_SCHEMAS = """
    CREATE SCHEMA app; CREATE SCHEMA aaa;
    CREATE FUNCTION app.inner_one(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'app ' || $1 $$;
    CREATE FUNCTION aaa.inner_one(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'aaa ' || $1 $$;
    CREATE FUNCTION app.outer_one(x text) RETURNS text LANGUAGE plpgsql IMMUTABLE
        AS $$ BEGIN RETURN inner_one(x); END $$;
    SET search_path = app;
    CREATE TABLE app.t (id integer PRIMARY KEY, v text, g text GENERATED ALWAYS AS (app.outer_one(v)) STORED);
    CREATE INDEX by_function ON app.t (inner_one(v));
    INSERT INTO app.t SELECT g, 'v' || g FROM generate_series(1, 50) g;
"""


@pytest.mark.postgres_matrix
@pytest.mark.parametrize("left", ["SELECT set_config('search_path', '', false)", "SET search_path = aaa"])
def test_the_search_path_a_script_leaves_decides_nothing(any_bench, left):
    bench = any_bench
    bench.ddl(TWO_SCHEMAS)
    bench.ddl(f'ALTER DATABASE "{bench.database.name}" SET search_path = app, public')
    with bench.database.connect() as other:
        other.execute(left)
        journal.install(other)
        before = everything(bench.app, "app.t")
        taken = journal.snapshot(other)
        bench.ddl("UPDATE app.t SET v = 'x' WHERE id = 3; DELETE FROM app.t WHERE id = 5")
        other.execute(left)
        assert journal.restore(other, taken).in_place
    assert everything(bench.app, "app.t") == before
    bench.ddl("SET enable_seqscan = off")
    assert bench.app.execute("SELECT id FROM app.t WHERE inner_one(v) = 'app v5'").fetchall() == [(5,)]


@pytest.mark.postgres_matrix
def test_an_index_is_computed_in_the_zone_of_the_database(any_bench):
    bench = any_bench
    bench.ddl(f"ALTER DATABASE \"{bench.database.name}\" SET timezone = 'Europe/Paris'")
    bench.control.close()
    bench.control = bench.database.connect()
    bench.ddl(DAY)
    bench.ddl(
        "SET timezone = 'Europe/Paris'; CREATE TABLE v (id integer PRIMARY KEY, at timestamptz);"
        "CREATE INDEX ON v (day(at)); INSERT INTO v VALUES (1, '2026-03-01 00:30')"
    )
    bench.control.execute("SET timezone = 'Pacific/Kiritimati'")
    bench.cycle("DELETE FROM v")
    bench.ddl("SET enable_seqscan = off")
    assert bench.app.execute("SELECT id FROM v WHERE day(at) = '2026-03-01'").fetchall() == [(1,)]


@pytest.mark.postgres_matrix
def test_a_restore_that_fails_leaves_sequences_alone(any_bench):
    bench = any_bench
    bench.ddl(
        "CREATE TABLE t (id serial PRIMARY KEY, n integer); CREATE SEQUENCE a CACHE 5; CREATE SEQUENCE z;"
        "INSERT INTO t (n) VALUES (1)"
    )
    taken = journal.snapshot(bench.control)
    bench.ddl("INSERT INTO t (n) VALUES (2); SELECT nextval('a'), nextval('z')")
    moved = journal.contents(bench.control)
    with bench.database.connect(autocommit=False) as other:
        # A change that is not committed, and is not noticed before it is.
        other.execute("ALTER SEQUENCE z OWNED BY t.n")
        with pytest.raises(JournalError, match=str(other.info.backend_pid)):
            journal.restore(bench.control, taken, wait=0.1)
        other.rollback()
    assert journal.contents(bench.control) == moved
    bench.ddl("INSERT INTO t (n) VALUES (3)")  # The number is free.
    assert journal.restore(bench.control, taken).rows == 2


@pytest.mark.postgres_matrix
@pytest.mark.parametrize("what", ["u_1", "touched"])
def test_somebody_who_reads_the_journal_does_not_hinder_tidying(any_bench, what):
    """A dump, say: tables are emptied in a way that need not wait for it."""
    bench = any_bench
    bench.ddl("CREATE TABLE t (id serial PRIMARY KEY)")
    taken = journal.snapshot(bench.control)
    with bench.database.connect(autocommit=False) as reader:
        reader.execute(f"SELECT FROM scenarios_journal.{what}")
        for _ in range(3):
            bench.ddl("INSERT INTO t DEFAULT VALUES")
            assert journal.restore(bench.control, taken, wait=0.05, tidy_every=1).rows == 1
        assert bench.control.execute("SELECT count(*) FROM scenarios_journal.u_1").fetchone() == (0,)
    bench.cycle("INSERT INTO t DEFAULT VALUES")


def test_a_reader_that_is_in_the_way_is_named(bench):
    bench.ddl(
        "CREATE TABLE t (id integer PRIMARY KEY); CREATE RULE nothing AS ON UPDATE TO t DO ALSO NOTHING;"
        "ALTER TABLE t ENABLE ALWAYS RULE nothing"
    )
    taken = journal.snapshot(bench.control)
    bench.ddl("INSERT INTO t VALUES (1)")
    with bench.database.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM t")
        with pytest.raises(JournalError, match=f"pid {reader.info.backend_pid}.*SELECT FROM t"):
            journal.restore(bench.control, taken, wait=0.05)
    assert journal.restore(bench.control, taken).rows == 1


@pytest.fixture
def publishing(own_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server others can subscribe to, and that can subscribe to itself."""
    more = {"wal_level": "logical", "max_wal_senders": "3", "max_replication_slots": "3"}
    monkeypatch.setattr(embedded, "THROWAWAY", {**embedded.THROWAWAY, **more})
    with start_server("embedded", settings=own_settings) as running:
        yield running


def test_rows_a_subscription_brings_are_recorded(publishing):
    """They fire triggers for rows only, and no statement."""
    tables = (
        b"CREATE TABLE t (id int PRIMARY KEY, a int);"
        b"CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);"
    )
    parts = b"CREATE TABLE p_1 PARTITION OF p DEFAULT"
    with (
        publishing.database() as source,
        publishing.database() as target,
        source.connect() as there,
        target.connect() as here,
    ):
        for conn in (there, here):
            conn.execute(tables + parts)
        there.execute("CREATE PUBLICATION p FOR TABLE t, p")
        there.execute("SELECT pg_create_logical_replication_slot('slot', 'pgoutput')")
        target.snapshot()  # The tables are fitted once more when they are subscribed to.
        here.execute(
            psycopg.sql.SQL(
                "CREATE SUBSCRIPTION s CONNECTION {} PUBLICATION p"
                " WITH (create_slot = false, slot_name = 'slot', copy_data = false)"
            ).format(source.dsn)
        )
        try:
            before, state = target.snapshot(), target.checksum()
            there.execute("INSERT INTO t VALUES (1, 1); UPDATE t SET a = 2; INSERT INTO p VALUES (5)")
            arrived = threading.Event()
            for _ in range(600):
                if here.execute(
                    "SELECT (SELECT count(a = 2) FROM t) + (SELECT count(*) FROM p)"
                ).fetchone() == (2,):
                    break
                arrived.wait(0.05)
            assert target.changes(before).counts["public.t"]["inserted"] == 1
            assert target.restore(before).tables == {"public.t": 1, "public.p": 1}
            assert target.checksum() == state
        finally:
            here.execute("ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE)")
            here.execute("DROP SUBSCRIPTION s")
            for _ in range(100):
                try:
                    there.execute("SELECT pg_drop_replication_slot('slot')")
                    break
                except psycopg.errors.ObjectInUse:
                    arrived.wait(0.05)
