"""Snapshots over time and among others: nesting, blockers, pools, roles, thousands of cycles."""

from __future__ import annotations

import asyncio
import threading

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from psycopg.rows import dict_row

from scenarios import journal
from scenarios.errors import JournalError, SafetyError
from scenarios.journal import CannotRestoreInPlace

TABLES = """
    CREATE TABLE a (id serial PRIMARY KEY, v text UNIQUE);
    CREATE TABLE b (id serial PRIMARY KEY, a_id integer REFERENCES a ON DELETE CASCADE, n integer DEFAULT 0);
    INSERT INTO a (v) SELECT 'v' || g FROM generate_series(1, 20) g;
    INSERT INTO b (a_id) SELECT g FROM generate_series(1, 20) g;
"""


@pytest.mark.postgres_matrix
def test_snapshots_nest_and_repeat(any_bench):
    bench = any_bench
    bench.ddl(TABLES)
    outer_state = journal.contents(bench.control)
    outer = journal.snapshot(bench.control, "outer")
    bench.ddl(
        "INSERT INTO a (v) VALUES ('outer work'); UPDATE b SET n = 1 WHERE id < 4; DELETE FROM a WHERE id = 9"
    )
    inner_state = journal.contents(bench.control)
    inner = journal.snapshot(bench.control, "inner")
    for _ in range(7):
        bench.ddl(
            "INSERT INTO a (v) VALUES ('again'); UPDATE b SET n = n + 1 WHERE id < 6;"
            " DELETE FROM a WHERE id IN (3, 21)"
        )
        # Small steps between tidying, so that undo rows are thrown away under an outer snapshot as well.
        restored = journal.restore(bench.control, inner, tidy_every=3)
        assert restored.rows == 12
        assert journal.contents(bench.control) == inner_state
    innermost = journal.snapshot(bench.control)
    bench.ddl("TRUNCATE a CASCADE")
    journal.restore(bench.control, innermost)
    bench.ddl("UPDATE a SET v = v || '!'")
    assert len(journal.changes(bench.control, outer)) > 20
    journal.restore(bench.control, "outer")
    assert journal.contents(bench.control) == outer_state
    for lost in (inner, innermost):
        with pytest.raises(JournalError, match="discarded it"):
            journal.restore(bench.control, lost)
    with pytest.raises(JournalError, match="snapshots there are: outer"):
        journal.restore(bench.control, "inner")
    bench.ddl("DELETE FROM b")
    journal.restore(bench.control, outer)
    assert journal.contents(bench.control) == outer_state


def test_an_inner_snapshot_that_is_given_up_does_not_disturb_the_outer_one(bench):
    bench.ddl(TABLES)
    before = journal.contents(bench.control)
    outer = journal.snapshot(bench.control)
    with journal.restored(bench.control) as inner:
        bench.ddl("DELETE FROM a WHERE id < 5; INSERT INTO a (v) VALUES ('x')")
        journal.restore(bench.control, inner)
        bench.ddl("UPDATE a SET v = v || '?'; INSERT INTO b (a_id) VALUES (2)")
    assert [one.number for one in journal.list_snapshots(bench.control)] == [outer.number]
    assert not journal.changes(bench.control, outer)
    bench.ddl("DELETE FROM a WHERE id = 1")
    journal.restore(bench.control, outer)
    assert journal.contents(bench.control) == before


def test_the_latest_of_a_name(bench):
    bench.ddl(TABLES)
    journal.snapshot(bench.control, "here")
    bench.ddl("DELETE FROM b WHERE id = 1")
    state = journal.contents(bench.control)
    journal.snapshot(bench.control, "here")
    bench.ddl("DELETE FROM b WHERE id = 2")
    journal.restore(bench.control, "here")
    assert journal.contents(bench.control) == state
    assert [one.name for one in journal.list_snapshots(bench.control)] == [None, "here"]


def test_the_state_comes_back_however_a_block_ends(bench):
    bench.ddl(TABLES)
    before = journal.contents(bench.control)
    for block in (journal.restored(bench.control), bench.database.restored()):
        with pytest.raises(psycopg.errors.UndefinedTable), block:
            bench.ddl("DELETE FROM a WHERE id = 1; COMMIT; SELECT * FROM nowhere")
        assert journal.contents(bench.control) == before


ACTIONS = {
    "snapshot": lambda conn, _: journal.snapshot(conn, wait=0.05),
    "restore": lambda conn, taken: journal.restore(conn, taken, wait=0.05),
}


@pytest.mark.postgres_matrix
@pytest.mark.parametrize("action", ["snapshot", "restore"])
def test_an_open_transaction_is_named(any_bench, action):
    bench = any_bench
    bench.ddl(TABLES)
    taken = journal.snapshot(bench.control)
    culprit = bench.database.connect(autocommit=False)
    culprit.execute("SET application_name = 'forgetful app'")
    culprit.execute("UPDATE a SET v = 'mine' WHERE id = 7")
    reader = bench.database.connect(autocommit=False)
    reader.execute("SELECT * FROM a")
    with pytest.raises(JournalError) as refused:
        ACTIONS[action](bench.control, taken)
    message = str(refused.value)
    assert f"pid {reader.info.backend_pid}" not in message, "who only reads is in nobody's way"
    reader.close()
    assert f"pid {culprit.info.backend_pid}" in message
    assert "'forgetful app'" in message
    assert "UPDATE a SET v = 'mine' WHERE id = 7" in message
    assert not isinstance(refused.value, CannotRestoreInPlace)
    culprit.close()
    journal.restore(bench.control, taken)


def test_a_statement_prepared_and_not_yet_run_is_named(bench):
    bench.ddl(TABLES)

    async def prepared() -> None:
        conn = await asyncpg.connect(bench.database.dsn)
        await conn.prepare("INSERT INTO a (v) VALUES ($1)")
        with pytest.raises(JournalError, match=rf"pid {conn.get_server_pid()}"):
            journal.install(bench.control, wait=0.05)
        await conn.close()

    asyncio.run(prepared())
    journal.install(bench.control)


def test_a_transaction_that_ends_in_time_is_waited_for(bench):
    bench.ddl(TABLES)
    before = journal.contents(bench.control)
    taken = journal.snapshot(bench.control)
    slow = bench.database.connect(autocommit=False)
    slow.execute("DELETE FROM a WHERE id = 7")
    timer = threading.Timer(0.2, slow.commit)
    timer.start()
    journal.restore(bench.control, taken, wait=20)
    timer.join()
    assert journal.contents(bench.control) == before
    slow.close()


def test_readers_block_nothing(bench):
    bench.ddl(TABLES)
    taken = journal.snapshot(bench.control)
    reader = bench.database.connect(autocommit=False)
    reader.execute("SELECT * FROM a, b")
    bench.ddl("DELETE FROM a")
    for _ in range(4):
        journal.restore(bench.control, taken, wait=0.2, tidy_every=2)
    journal.snapshot(bench.control, wait=0.2)
    reader.close()


def test_not_inside_a_transaction(bench):
    bench.ddl(TABLES)
    with bench.database.connect(autocommit=False) as conn:
        taken = journal.snapshot(conn)
        conn.execute("DELETE FROM b")
        for action in (lambda: journal.snapshot(conn), lambda: journal.restore(conn, taken)):
            with pytest.raises(JournalError, match="inside an open transaction"):
                action()
        conn.commit()
        assert journal.restore(conn, taken).rows == 20


def test_a_connection_that_opens_transactions_is_left_as_it_was_by_the_tidying(bench):
    """VACUUM is refused in a transaction, and what is written next must not be committed by itself."""
    bench.ddl(TABLES)
    with bench.database.connect(autocommit=False) as conn:
        taken = journal.snapshot(conn)
        for _ in range(2):
            conn.execute("DELETE FROM b")
            conn.commit()
            assert journal.restore(conn, taken, tidy_every=1).rows == 20
            assert not conn.autocommit
        conn.execute("DELETE FROM b")
        conn.rollback()
        assert conn.execute("SELECT count(*) FROM b").fetchone() == (20,)


def test_connections_that_like_their_rows_as_dictionaries(bench, tmp_path):
    bench.ddl(TABLES)
    before = journal.checksum(bench.control)
    with psycopg.connect(bench.database.dsn, autocommit=True, row_factory=dict_row) as conn:
        taken = journal.snapshot(conn, "named")
        bench.ddl("DELETE FROM a WHERE id = 3")
        assert len(journal.changes(conn, "named")) == 2
        assert journal.restore(conn, "named").rows == 2
        assert journal.checksum(conn) == before
        journal.open_file(conn, journal.save(conn, tmp_path / "x.scn").path)
        assert not journal.diff(conn, tmp_path / "x.scn")
        journal.forget(conn, taken)
        assert conn.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_pools_and_prepared_statements_live_on(bench):
    bench.ddl(TABLES)
    database = bench.database
    journal.install(bench.control)
    engine = database.engine
    with engine.begin() as conn:
        first = conn.connection.dbapi_connection.info.backend_pid
    prepared = database.connect()
    query = "SELECT count(*) FROM a WHERE v <> %s"
    for _ in range(3):
        prepared.execute(query, ["x"], prepare=True)
    listener = database.connect()
    listener.execute("LISTEN news")

    async def with_asyncpg() -> None:
        conn = await asyncpg.connect(database.dsn)
        statement = await conn.prepare("INSERT INTO a (v) VALUES ($1) RETURNING id")
        count = await conn.prepare("SELECT count(*) FROM a")
        for round_ in range(8):
            with database.restored():
                assert await statement.fetchval(f"new {round_}") == 21
                with engine.begin() as pooled:
                    pooled.execute(sa.text("DELETE FROM a WHERE id = 1"))
                    assert pooled.connection.dbapi_connection.info.backend_pid == first
                assert await count.fetchval() == 20
            assert await count.fetchval() == 20
            assert prepared.execute(query, ["x"], prepare=True).fetchone() == (20,)
        await conn.close()

    asyncio.run(with_asyncpg())
    bench.app.execute("NOTIFY news, 'still here'")
    assert [note.payload for note in listener.notifies(timeout=5, stop_after=1)] == ["still here"]
    prepared.close()
    listener.close()


@pytest.mark.thorough("two thousand cycles")
def test_two_thousand_cycles_leave_nothing_behind(bench):
    bench.ddl(TABLES)
    journal.dedicate(bench.control)
    sizes = (
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND (n.nspname = 'public' OR c.relname ~ '^(u_|touched|snapshots)')"
    )
    before = journal.checksum(bench.control)
    journal.snapshot(bench.control, "outer")
    taken = journal.snapshot(bench.control)
    early = 0
    for number in range(2000):
        with bench.app.pipeline():
            bench.app.execute("INSERT INTO a (v) VALUES ('new')")
            bench.app.execute("UPDATE b SET n = n + 1 WHERE id IN (3, 4, 5)")
            bench.app.execute("DELETE FROM a WHERE id = 7")
        journal.restore(bench.control, taken)
        if number == 300:
            early = bench.control.execute(sizes).fetchone()[0]
    assert journal.checksum(bench.control) == before
    late = bench.control.execute(sizes).fetchone()[0]
    assert late <= early * 1.3
    journal.restore(bench.control, "outer")
    assert journal.checksum(bench.control) == before


def test_snapshots_taken_and_given_up_leave_nothing_behind(bench):
    bench.ddl(TABLES)
    before = journal.checksum(bench.control)
    recorded = "SELECT count(*) FROM scenarios_journal.u_1"
    work = "INSERT INTO a (v) VALUES ('new');" + "UPDATE a SET v = v || '!' WHERE id = 2;" * 20
    counts = []
    for _ in range(150):
        with journal.restored(bench.control):
            bench.app.execute(work.encode())
        counts.append(bench.control.execute(recorded).fetchone()[0])
    assert journal.checksum(bench.control) == before
    # All of it would be 150 times what one round leaves.
    assert max(counts) < 100 * counts[0]


def test_loading_before_the_first_snapshot_is_not_recorded(bench):
    bench.ddl(TABLES)
    journal.install(bench.control)
    bench.ddl("INSERT INTO a (v) SELECT 'bulk' || g FROM generate_series(1, 3000) g")
    undo = "SELECT count(*) FROM scenarios_journal.u_1"
    assert bench.control.execute(undo).fetchone() == (0,)
    bench.cycle("DELETE FROM a WHERE v LIKE 'bulk%'")


def test_rows_written_past_the_triggers_are_noticed(bench):
    bench.ddl(TABLES)
    taken = journal.snapshot(bench.control)
    bench.ddl("INSERT INTO a (v) VALUES ('seen')")
    bench.ddl("SET scenarios_journal.restoring = 'on'; DELETE FROM a WHERE v = 'seen'")
    with pytest.raises(CannotRestoreInPlace, match="past its triggers"):
        journal.restore(bench.control, taken)


def test_a_crash_of_the_server_is_noticed(bench):
    bench.ddl(TABLES)
    taken = journal.snapshot(bench.control)
    # What a crash does to unlogged tables.
    bench.control.execute("TRUNCATE scenarios_journal.touched, scenarios_journal.u_1, scenarios_journal.u_2")
    with pytest.raises(CannotRestoreInPlace, match="crashed"):
        journal.restore(bench.control, taken)
    bench.cycle("DELETE FROM a")


def test_not_in_a_database_of_somebody_else(server):
    name = "journal_of_somebody_else"
    with server.connect() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with server.connect(name) as conn:
                for action in (journal.install, journal.snapshot, journal.uninstall):
                    with pytest.raises(SafetyError):
                        action(conn)
                assert not journal.is_installed(conn)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_installing_again_and_taking_out(bench):
    bench.ddl(TABLES)
    schema = (
        "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal), (SELECT count(*) FROM"
        " pg_event_trigger),"
        " (SELECT count(*) FROM pg_namespace WHERE nspname ~ 'journal')"
    )
    journal.install(bench.control)
    taken = journal.snapshot(bench.control)
    bench.ddl("DELETE FROM b")
    journal.install(bench.control)
    assert journal.restore(bench.control, taken).rows == 20
    journal.uninstall(bench.control)
    assert bench.control.execute(schema).fetchone() == (0, 0, 0)
    assert not journal.is_installed(bench.control)
    bench.ddl("ALTER TABLE b ADD COLUMN w integer; DELETE FROM b")
    bench.cycle("DELETE FROM a")


@pytest.fixture
def plain(any_bench, with_roles):
    """A role that owns the tables and is nothing special otherwise."""
    bench = any_bench
    name = sql.Identifier(f"journal_role_{bench.database.name}"[:60])
    where = sql.Identifier(bench.database.name)
    with_roles(
        bench.app, sql.SQL("CREATE ROLE {}; GRANT CREATE ON DATABASE {} TO {}").format(name, where, name)
    )
    bench.app.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}; SET ROLE {}").format(name, name))
    bench.ddl(TABLES)
    bench.app.execute("RESET ROLE")
    yield name
    bench.app.execute("RESET ROLE")
    bench.control.close()
    with_roles(bench.app, sql.SQL("DROP OWNED BY {} CASCADE; DROP ROLE {}").format(name, name))


@pytest.mark.postgres_matrix
def test_a_role_that_may_not_restore_is_told(any_bench, plain):
    any_bench.control.execute(sql.SQL("SET ROLE {}").format(plain))
    with pytest.raises(CannotRestoreInPlace, match="session_replication_role"):
        journal.install(any_bench.control)
    assert not journal.is_installed(any_bench.control)


@pytest.mark.postgres_matrix
def test_any_role_restores_what_a_superuser_installed(any_bench, plain):
    journal.install(any_bench.control)
    before = journal.contents(any_bench.control)
    with any_bench.database.connect() as conn:
        conn.execute(sql.SQL("SET ROLE {}").format(plain))
        journal.dedicate(conn)
        taken = journal.snapshot(conn)
        conn.execute("DELETE FROM a WHERE id = 3; INSERT INTO b (a_id) VALUES (1)")
        assert journal.restore(conn, taken).rows == 3
    assert journal.contents(any_bench.control) == before


@pytest.mark.postgres_matrix
def test_a_role_with_just_the_right_it_needs(any_bench, plain, with_roles):
    bench = any_bench
    with_roles(bench.app, sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(plain))
    bench.control.execute(sql.SQL("SET ROLE {}").format(plain))
    bench.app.execute(sql.SQL("SET ROLE {}").format(plain))
    bench.cycle("DELETE FROM a WHERE id = 3", "INSERT INTO b (a_id) VALUES (1)")
    taken = journal.snapshot(bench.control)
    # No event trigger tells it of DDL: the catalogue does, and the triggers stand out of the way.
    bench.app.execute("ALTER TABLE a DROP COLUMN v")
    bench.app.execute("DELETE FROM a WHERE id = 2")
    with pytest.raises(CannotRestoreInPlace, match="schema was changed"):
        journal.restore(bench.control, taken)
    bench.cycle("INSERT INTO a DEFAULT VALUES")


@pytest.mark.postgres_matrix
def test_a_role_that_policies_would_blind(any_bench, plain, with_roles):
    bench = any_bench
    with_roles(bench.app, sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(plain))
    bench.app.execute("ALTER TABLE a ENABLE ROW LEVEL SECURITY")
    bench.control.execute(sql.SQL("SET ROLE {}").format(plain))
    with pytest.raises(JournalError, match="row-level security"):
        journal.install(bench.control)


def test_several_connections_at_once(bench):
    bench.ddl(TABLES)
    before = journal.contents(bench.control)
    taken = journal.snapshot(bench.control)

    def work(number: int) -> None:
        with bench.database.connect(autocommit=False) as conn:
            for round_ in range(10):
                conn.execute("INSERT INTO a (v) VALUES (%s)", [f"{number} {round_}"])
                conn.execute("UPDATE b SET n = n + 1 WHERE id = 5")
                conn.rollback() if round_ % 3 == 0 else conn.commit()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.changes(bench.control, taken).counts["public.a"]["inserted"] == 24
    journal.restore(bench.control, taken)
    assert journal.contents(bench.control) == before


def test_a_constraint_that_existing_rows_break(bench):
    # PostgreSQL keeps such rows but takes no new ones, not even the same again.
    bench.ddl(TABLES + "ALTER TABLE b ADD CONSTRAINT big CHECK (id > 5) NOT VALID")
    taken = journal.snapshot(bench.control)
    bench.ddl("DELETE FROM b WHERE id = 2")
    with pytest.raises(CannotRestoreInPlace, match="big"):
        journal.restore(bench.control, taken)


def test_the_errors_survive_the_way_from_a_worker():
    import pickle

    error = CannotRestoreInPlace("cannot", why="because")
    again = pickle.loads(pickle.dumps(error))  # our own bytes of just now
    assert isinstance(again, CannotRestoreInPlace)
    assert again.why == "because"
    assert isinstance(error, psycopg.Error) is False
