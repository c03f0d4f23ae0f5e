"""Others at work at the same time: who is waited for, who is named, and who is not in the way at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from scenarios import journal
from scenarios.errors import JournalError
from scenarios.postgres import Server, embedded, start_server
from scenarios.settings import Settings

TABLES = """
    CREATE TABLE a (id serial PRIMARY KEY, v text);
    CREATE TABLE b (id serial PRIMARY KEY, a_id integer REFERENCES a ON DELETE CASCADE);
    INSERT INTO a (v) SELECT 'v' || g FROM generate_series(1, 20) g;
    INSERT INTO b (a_id) SELECT g FROM generate_series(1, 20) g;
"""


@pytest.mark.postgres_matrix
def test_a_row_somebody_has_locked_is_waited_for_and_named(any_bench):
    """SELECT .. FOR UPDATE writes nothing, so only the row it holds is in the way."""
    any_bench.ddl(TABLES)
    before = journal.contents(any_bench.control)
    taken = journal.snapshot(any_bench.control)
    any_bench.ddl("UPDATE a SET v = 'x' WHERE id = 7")
    holder = any_bench.database.connect(autocommit=False)
    holder.execute("SELECT * FROM a WHERE id = 7 FOR UPDATE")
    with pytest.raises(JournalError, match=f"pid {holder.info.backend_pid}"):
        journal.restore(any_bench.control, taken, wait=0.05)
    holder.close()
    journal.restore(any_bench.control, taken)
    assert journal.contents(any_bench.control) == before


@pytest.mark.postgres_matrix
def test_locks_that_are_no_business_of_ours(any_bench):
    any_bench.ddl(TABLES)
    taken = journal.snapshot(any_bench.control)
    with any_bench.database.connect(autocommit=False) as other:
        other.execute("SELECT pg_advisory_lock(1), pg_advisory_xact_lock(2)")
        other.execute("LISTEN news")
        other.execute("SELECT * FROM a WHERE id = 9 FOR UPDATE")  # Nobody changed that row.
        other.execute("DECLARE c CURSOR WITH HOLD FOR SELECT * FROM a")
        any_bench.ddl("UPDATE a SET v = 'x' WHERE id = 7; NOTIFY news")
        assert journal.restore(any_bench.control, taken, wait=0.05).rows == 2
        assert len(other.execute("FETCH ALL FROM c").fetchall()) == 20
        other.rollback()
        assert other.execute("SELECT pg_advisory_unlock(1)").fetchone() == (True,)


@pytest.fixture
def preparing(own_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that keeps prepared transactions, which is off unless somebody asks for it."""
    monkeypatch.setattr(embedded, "THROWAWAY", {**embedded.THROWAWAY, "max_prepared_transactions": "3"})
    with start_server("embedded", settings=own_settings) as running:
        yield running


def test_a_prepared_transaction_is_named(preparing):
    with preparing.database() as database, database.connect() as app:
        app.execute(TABLES.encode())
        before = database.checksum()
        taken = database.snapshot()
        app.execute("BEGIN")
        app.execute("DELETE FROM a WHERE id = 3")
        app.execute("PREPARE TRANSACTION 'half way'")
        with database.connect() as control:
            for action in (journal.snapshot, lambda conn, **wait: journal.restore(conn, taken, **wait)):
                with pytest.raises(JournalError, match="prepared transaction 'half way'") as named:
                    action(control, wait=0.05)
                assert "ROLLBACK PREPARED" in str(named.value)
        app.execute("COMMIT PREPARED 'half way'")
        assert database.restore(taken).rows == 2
        assert database.checksum() == before


def test_several_restore_the_same_database_at_once(bench):
    bench.ddl(TABLES)
    before = journal.contents(bench.control)
    taken = journal.snapshot(bench.control)
    problems: list[Exception] = []

    def worker(number: int) -> None:
        with bench.database.connect() as conn:
            for _ in range(25):
                try:
                    conn.execute("INSERT INTO a (id, v) VALUES (%s, 'new')", [100 + number])
                    conn.execute("UPDATE a SET v = v || '!' WHERE id = %s", [number])
                    conn.execute("DELETE FROM a WHERE id = %s", [number + 10])
                    journal.restore(conn, taken, wait=20)
                except psycopg.Error as error:
                    problems.append(error)

    threads = [threading.Thread(target=worker, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    journal.restore(bench.control, taken)
    assert journal.contents(bench.control) == before


def test_one_database_object_in_several_threads(bench):
    bench.ddl(TABLES)
    database = bench.database
    before = database.checksum()
    taken = database.snapshot()

    def work(number: int) -> None:
        with database.connect() as conn:
            for _ in range(15):
                conn.execute("INSERT INTO a (id, v) VALUES (%s, 'new')", [number])
                database.restore(taken)

    threads = [threading.Thread(target=work, args=(number,)) for number in (101, 102, 103)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.restore(taken)
    assert database.checksum() == before


@pytest.mark.postgres_matrix
def test_a_snapshot_among_writers_is_a_point_between_their_transactions(any_bench):
    """Each transaction moves one from a to b: at any snapshot there are twenty, however busy it is."""
    any_bench.ddl(
        "CREATE TABLE pot (id integer PRIMARY KEY, n integer); INSERT INTO pot VALUES (1, 20), (2, 0)"
    )
    journal.snapshot(any_bench.control)
    stop = threading.Event()

    def writer() -> None:
        with any_bench.database.connect(autocommit=False) as conn:
            while not stop.is_set():
                conn.execute("UPDATE pot SET n = n - 1 WHERE id = 1")
                conn.execute("UPDATE pot SET n = n + 1 WHERE id = 2")
                conn.commit()

    threads = [threading.Thread(target=writer) for _ in range(3)]
    for thread in threads:
        thread.start()

    def moved_now() -> int:
        ((moved,),) = any_bench.app.execute("SELECT n FROM pot WHERE id = 2").fetchall()
        return int(moved)

    snapshots, seen = [], 0
    while len(snapshots) < 20:
        if moved_now() > seen:  # there was a transaction since the last snapshot
            snapshots.append(journal.snapshot(any_bench.control, wait=20))
            seen = moved_now()
    stop.set()
    for thread in threads:
        thread.join()
    moved = []
    for taken in reversed(snapshots):
        journal.restore(any_bench.control, taken)
        left, right = (row[0] for row in any_bench.app.execute("SELECT n FROM pot ORDER BY id").fetchall())
        assert left + right == 20
        moved.append(right)
    assert moved == sorted(set(moved), reverse=True)


def test_a_write_that_waits_for_a_snapshot_comes_after_it(bench):
    """The clock is read under the lock a snapshot holds. Read before it, the write would seem older."""
    bench.ddl(TABLES)
    journal.snapshot(bench.control)
    before = journal.contents(bench.control)
    with bench.database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE scenarios_journal.touched IN EXCLUSIVE MODE")
        writer = threading.Thread(target=bench.ddl, args=("UPDATE a SET v = 'late' WHERE id = 1",))
        writer.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        while bench.control.execute(waiting, [bench.app.info.backend_pid]).fetchone() != (1,):
            pass
        row = holder.execute("SELECT number FROM scenarios_journal.take_snapshot(NULL, 5000)").fetchone()
        holder.commit()
    writer.join()
    assert row is not None
    assert journal.contents(bench.control) != before
    journal.restore(bench.control, row[0])
    assert journal.contents(bench.control) == before
