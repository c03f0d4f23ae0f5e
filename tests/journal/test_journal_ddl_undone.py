"""DDL that adds is undone in place: connections live on, and the catalogue is what it was."""

from __future__ import annotations

import psycopg
import pytest

from scenarios import journal
from scenarios.journal import CannotRestoreInPlace

SCHEMA = """
    CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
    INSERT INTO t (v) VALUES ('a'), ('b');
    CREATE TABLE tree (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (10);
    INSERT INTO tree VALUES (1, 'x'), (2, 'y');
    CREATE TABLE keyless (v text); INSERT INTO keyless VALUES ('k');
    CREATE FUNCTION made(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE VIEW shown AS SELECT v FROM t;
"""
WRITE = "INSERT INTO t (v) VALUES ('q'); UPDATE t SET v = 'z'; DELETE FROM tree WHERE id = 2;"
ADDED = [
    "CREATE TABLE extra (id serial PRIMARY KEY, t integer REFERENCES t ON DELETE CASCADE, n text UNIQUE);"
    "INSERT INTO extra (t, n) SELECT 1, g FROM generate_series(1, 10) g;"
    "ALTER TABLE extra ADD COLUMN x integer;"
    "CREATE INDEX ON extra (x); COMMENT ON COLUMN extra.x IS 'words'; GRANT SELECT ON extra TO PUBLIC",
    "CREATE TABLE with_identity (id integer GENERATED ALWAYS AS IDENTITY, j jsonb); DROP TABLE with_identity",
    "SELECT * INTO copied FROM t; CREATE TABLE again AS SELECT * FROM t",
    "CREATE UNLOGGED TABLE fast (); ALTER TABLE fast RENAME TO quick",
    "CREATE TABLE tree_2 PARTITION OF tree FOR VALUES FROM (10) TO (20); INSERT INTO tree VALUES (11, 'n');"
    "UPDATE tree SET id = id + 14 WHERE id = 1; UPDATE tree SET id = 3 WHERE id = 11",
    "CREATE TABLE own_tree (id integer) PARTITION BY LIST (id); CREATE INDEX ON own_tree (id);"
    "CREATE TABLE own_part PARTITION OF own_tree DEFAULT; INSERT INTO own_tree VALUES (1)",
    "CREATE SCHEMA tenant; CREATE TABLE tenant.p (id serial PRIMARY KEY);"
    "CREATE TABLE tenant.q (p integer REFERENCES tenant.p); INSERT INTO tenant.p DEFAULT VALUES;"
    "CREATE VIEW tenant.v AS SELECT * FROM tenant.p; DROP TABLE tenant.q",
    "CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (a integer); CREATE DOMAIN small AS integer;"
    "ALTER TYPE mood RENAME TO feeling; CREATE TABLE of_mood (m feeling, p pair, s small)",
    "CREATE SEQUENCE numbers; SELECT nextval('numbers'); ALTER SEQUENCE numbers RESTART",
    "CREATE FUNCTION twice(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1 * 2';"
    "CREATE PROCEDURE act() LANGUAGE sql AS '';"
    "CREATE AGGREGATE total (integer) (SFUNC = int4pl, STYPE = integer)",
    "CREATE VIEW seen AS SELECT * FROM t; CREATE MATERIALIZED VIEW kept AS SELECT * FROM seen;"
    "REFRESH MATERIALIZED VIEW kept",
    "CREATE INDEX ON t (v); CREATE INDEX ON t (lower(v)); CREATE INDEX ON tree (v)",
    "CREATE INDEX CONCURRENTLY later ON t (v)",
    "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN NEW.v := NEW.v || 1; RETURN NEW; END';"
    "CREATE TRIGGER noted BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION noted();"
    "CREATE TRIGGER noted BEFORE INSERT ON tree FOR EACH ROW EXECUTE FUNCTION noted()",
    "CREATE POLICY mine ON t; CREATE RULE mine AS ON UPDATE TO t DO ALSO NOTHING;"
    "CREATE STATISTICS s ON id, v FROM t",
    "CREATE EXTENSION hstore; CREATE TABLE pairs (h hstore)",
    "CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)",
    "CREATE PUBLICATION few FOR TABLE t",
]  # fmt: skip


@pytest.mark.postgres_matrix
@pytest.mark.filterwarnings("ignore:wal_level")
def test_what_was_added_is_gone_and_the_rest_as_it_was(any_bench):
    any_bench.ddl(SCHEMA)
    journal.install(any_bench.control)
    print_of = "SELECT scenarios_journal.fingerprint()"
    catalogue = any_bench.app.execute(print_of).fetchone()
    any_bench.app.prepare_threshold = 1
    there_are = "SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'"
    has_contrib = any_bench.app.execute(there_are).fetchone() == (1,)
    for program in (each for each in ADDED if has_contrib or "EXTENSION" not in each):
        before = journal.contents(any_bench.control)
        taken = journal.snapshot(any_bench.control)
        for _ in range(2):
            any_bench.ddl(program)
            any_bench.ddl(WRITE)
            assert "CREATE" in str(journal.changes(any_bench.control, taken).notes), program
            restored = journal.restore(any_bench.control, taken)
            assert restored.in_place
            assert restored.dropped or "DROP TABLE with_identity" in program, program
            assert journal.contents(any_bench.control) == before, program
            assert any_bench.app.execute(print_of).fetchone() == catalogue, program
            assert not journal.changes(any_bench.control, taken), program
    assert any_bench.app.execute("SELECT count(*) FROM t").fetchone() == (2,)


STAYS = [
    "ALTER TABLE t ADD COLUMN w integer",
    "CREATE OR REPLACE FUNCTION made(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)'",
    "CREATE OR REPLACE VIEW shown AS SELECT v, 1 AS n FROM t",
    "DROP VIEW shown",
    "CREATE TABLE keyless_heir () INHERITS (keyless); INSERT INTO keyless_heir VALUES ('h');"
    "DELETE FROM keyless",
    "CREATE TABLE heir (v text); ALTER TABLE heir INHERIT keyless; INSERT INTO heir VALUES ('h');"
    "DELETE FROM keyless; DROP TABLE heir",
    "GRANT SELECT ON t TO PUBLIC",
    "GRANT SELECT ON pg_class TO pg_monitor",
    "REVOKE EXECUTE ON FUNCTION pg_catalog.now() FROM PUBLIC",
    "CREATE SCHEMA far; ALTER TABLE t SET SCHEMA far",
    "CREATE SEQUENCE n; ALTER TABLE keyless ALTER v SET DEFAULT nextval('n')",
]  # fmt: skip


@pytest.mark.parametrize("statement", STAYS)
def test_what_does_not_come_back_exactly_names_its_statement(bench, statement):
    bench.ddl(SCHEMA)
    taken = journal.snapshot(bench.control)
    bench.ddl("CREATE TABLE innocent ()")
    bench.ddl(statement)
    with pytest.raises(CannotRestoreInPlace, match="the schema was changed") as told:
        journal.restore(bench.control, taken)
    guilty = ("ALTER", "CREATE FUNCTION", "CREATE VIEW", "DROP", "GRANT", "REVOKE", "heir")
    assert any(word in str(told.value) for word in guilty)
    # Nothing was dropped on the way.
    assert bench.app.execute("SELECT to_regclass('innocent') IS NOT NULL").fetchone() == (True,)


@pytest.mark.postgres_matrix
def test_temporary_tables_leave_nothing_to_undo(any_bench):
    any_bench.ddl(SCHEMA)
    any_bench.cycle(
        WRITE,
        "CREATE TEMP TABLE plan (id serial, v text); GRANT ALL ON plan TO PUBLIC; CREATE POLICY p ON plan;"
        "GRANT ALL ON SEQUENCE plan_id_seq TO PUBLIC; CREATE INDEX ON plan (v);"
        "CREATE TRIGGER same BEFORE UPDATE ON plan FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger(); COMMENT ON TABLE plan IS 'words';"
        "CREATE RULE r AS ON DELETE TO plan DO ALSO NOTHING; DROP TABLE plan",
    )


def test_a_reader_of_what_was_added_leads_to_a_clone(server):
    with server.database(lambda conn: conn.execute(SCHEMA)) as database:
        before = database.checksum()
        taken = database.snapshot()
        app = database.connect()
        app.execute("CREATE TABLE extra ()")
        app.execute("BEGIN")
        app.execute("SELECT FROM extra")
        restored = database.restore(taken)
        app.close()  # which the clone has ended
        assert not restored.in_place
        assert "transaction open" in str(restored.why)
        assert database.checksum() == before


def test_after_a_snapshot_in_between_the_way_back_is_a_clone(server):
    with server.database(lambda conn: conn.execute(SCHEMA)) as database, database.connect() as app:
        outer = database.snapshot()
        app.execute("CREATE TABLE extra (id integer PRIMARY KEY)")
        inner = database.snapshot()
        app.execute("CREATE TABLE more (); INSERT INTO extra VALUES (1)")
        assert database.restore(inner).dropped == ("table public.more",)
        app.execute("ALTER TABLE extra ADD COLUMN x integer")
        with (
            database.connect() as control,
            pytest.raises(CannotRestoreInPlace, match=r"ALTER TABLE public\.extra"),
        ):
            journal.restore(control, inner)
        assert not database.restore(outer).in_place


def test_who_reads_on_a_connection_goes_on(bench):
    """A prepared statement on what stays lives, one on what is gone is told so."""
    bench.ddl(SCHEMA)
    taken = journal.snapshot(bench.control)
    bench.ddl("CREATE TABLE extra (id integer); PREPARE mine AS SELECT count(*) FROM extra;"
              "PREPARE theirs AS SELECT count(*) FROM t; EXECUTE mine; EXECUTE theirs")  # fmt: skip
    assert journal.restore(bench.control, taken).in_place
    assert bench.app.execute("EXECUTE theirs").fetchone() == (2,)
    with pytest.raises(psycopg.errors.UndefinedTable):
        bench.app.execute("EXECUTE mine")
