"""What switches the recorder off is noticed, whoever does it and whoever looks: never "nothing, in place"."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import sql

from scenarios import journal
from scenarios.journal import CannotRestoreInPlace

SCHEMA = """
    CREATE TABLE t (id integer PRIMARY KEY, a integer); INSERT INTO t VALUES (1, 1);
    CREATE TABLE tree (id integer PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE tree_1 PARTITION OF tree DEFAULT; INSERT INTO tree VALUES (1);
    CREATE TABLE u (id integer PRIMARY KEY, a integer);
"""
DROPPED = """DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT tgname FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON t', r.tgname);
    END LOOP; END $$; UPDATE t SET a = 9"""
OFF = "ALTER TABLE t DISABLE TRIGGER USER; UPDATE t SET a = 9;"
EVENTS_OFF = "ALTER EVENT TRIGGER scenarios_journal_ddl DISABLE;"
DISARMING = {
    "around a load": OFF + "ALTER TABLE t ENABLE TRIGGER USER",
    "for good": OFF,
    "and on again as it was": OFF + "ALTER TABLE t ENABLE ALWAYS TRIGGER scenarios_journal_insert,"
    " ENABLE ALWAYS TRIGGER scenarios_journal_update, ENABLE ALWAYS TRIGGER scenarios_journal_delete,"
    " ENABLE ALWAYS TRIGGER scenarios_journal_truncate",
    "dropped": DROPPED,
    "no longer always": "ALTER TABLE t ENABLE TRIGGER USER; SET session_replication_role = replica;"
    "UPDATE t SET a = 9; RESET session_replication_role",
    "of a partition": "ALTER TABLE tree_1 DISABLE TRIGGER ALL; DELETE FROM tree",
}


def test_without_event_triggers(bench, role):
    for conn in (bench.app, bench.control):
        conn.execute(sql.SQL("SET ROLE {}").format(role))
    bench.ddl(SCHEMA)
    bench.cycle("UPDATE t SET a = 2", "DELETE FROM tree")
    for program in [*DISARMING.values(), "ALTER TABLE t SET UNLOGGED", "ALTER TABLE u SET UNLOGGED"]:
        first = journal.snapshot(bench.control, "first")
        bench.ddl(program)
        assert journal.changes(bench.control, first).notes, program
        with pytest.raises(CannotRestoreInPlace, match="changed"):
            journal.restore(bench.control, first)
        # The next snapshot has every trigger in force again, which the one before is not deceived by.
        bench.cycle("UPDATE t SET a = a + 2", "INSERT INTO tree VALUES (2)")
        with pytest.raises(CannotRestoreInPlace, match="noticed later"):
            journal.restore(bench.control, first)


@pytest.mark.postgres_matrix
def test_with_event_triggers_that_are_switched_off(any_server, any_bench):
    bench = any_bench
    bench.ddl(SCHEMA)
    if any_server.version >= 170000:  # Before, no session can.
        for program in DISARMING.values():
            first = journal.snapshot(bench.control)
            bench.ddl(f"SET event_triggers = off; {program}; RESET event_triggers")
            assert journal.changes(bench.control, first).notes, program
            with pytest.raises(CannotRestoreInPlace, match="triggers of the journal"):
                journal.restore(bench.control, first)
            journal.install(bench.control)
            bench.cycle("UPDATE t SET a = a + 2", "INSERT INTO tree VALUES (2)")
    for program in (
        EVENTS_OFF + OFF,
        EVENTS_OFF + "ALTER TABLE t ADD COLUMN extra integer;"
        "ALTER EVENT TRIGGER scenarios_journal_ddl ENABLE ALWAYS",
        "DROP EVENT TRIGGER scenarios_journal_ddl; DROP EVENT TRIGGER scenarios_journal_drop;"
        "ALTER TABLE t DROP COLUMN extra",
    ):
        first = journal.snapshot(bench.control)
        bench.ddl(program)
        with pytest.raises(CannotRestoreInPlace, match="triggers of the journal"):
            journal.restore(bench.control, first)
        journal.install(bench.control)
        bench.cycle("UPDATE t SET a = a + 2", "INSERT INTO tree VALUES (2)")
    # The event triggers are there again.
    first = journal.snapshot(bench.control)
    bench.ddl("CREATE TABLE another ()")
    assert journal.restore(bench.control, first).dropped == ("table public.another",)


def test_what_is_disarmed_while_a_restore_waits(server):
    """The state of the triggers is remembered by the session; it may not be the one from before the wait."""
    with (
        server.database() as database,
        database.connect() as control,
        database.connect() as writer,
        database.connect() as other,
        ThreadPoolExecutor(1) as pool,
    ):
        writer.execute(SCHEMA)
        first = journal.snapshot(control)
        writer.execute("UPDATE t SET a = 2")
        journal.restore(control, first)
        writer.execute("BEGIN; UPDATE t SET a = 2")
        restoring = pool.submit(journal.restore, control, first)
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = %s)"
        while other.execute(waits, [control.info.backend_pid]).fetchone() == (False,):
            time.sleep(0.01)
        other.execute(
            "SET event_triggers = off; ALTER TABLE u DISABLE TRIGGER USER; INSERT INTO u VALUES (1)"
        )
        writer.execute("COMMIT")
        with pytest.raises(CannotRestoreInPlace, match="triggers of the journal"):
            restoring.result()


def test_a_clone_takes_the_place_of_what_was_disarmed(server):
    def made(conn):
        conn.execute(SCHEMA)

    with server.database(made) as database, database.connect() as app:
        before = database.checksum()
        first = database.snapshot()
        app.execute("SET event_triggers = off; ALTER TABLE t DISABLE TRIGGER USER; UPDATE t SET a = 9")
        app.close()
        restored = database.restore(first)
        assert not restored.in_place
        assert database.checksum() == before
