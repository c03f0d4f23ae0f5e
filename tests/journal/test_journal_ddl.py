"""DDL in the middle of a test: noticed whoever does it, and never hindered by what the journal put there."""

from __future__ import annotations

import pytest
from psycopg import sql

from scenarios import journal
from scenarios.journal import CannotRestoreInPlace

SCHEMA = """
    CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN label AS text; CREATE TYPE pair AS (a integer);
    CREATE FUNCTION made(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE SCHEMA app; CREATE TABLE app.u (id integer PRIMARY KEY, v text); INSERT INTO app.u VALUES (1, 'x');
    CREATE TABLE t (id integer PRIMARY KEY, v text, m mood, d label, p pair,
        g text GENERATED ALWAYS AS (made(v)) STORED);
    INSERT INTO t (id, v) VALUES (1, 'a'), (2, 'b');
    CREATE TABLE tree (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (10);
    CREATE TABLE tree_2 (id integer PRIMARY KEY, v text); INSERT INTO tree VALUES (1, 'x');
    CREATE TABLE parent (id integer); CREATE TABLE child (x integer) INHERITS (parent);
    CREATE TABLE other (id integer PRIMARY KEY);
"""
T = "INSERT INTO t (id, v) VALUES (9, 'q'); UPDATE t SET v = 'z'"
DDL = [
    ("DROP TYPE mood CASCADE", T),
    ("DROP DOMAIN label CASCADE", T),
    ("DROP TYPE pair CASCADE", T),
    ("DROP FUNCTION made CASCADE", T),
    ("ALTER TYPE pair ADD ATTRIBUTE b integer", T),
    ("ALTER TYPE mood ADD VALUE 'calm'", T),
    ("ALTER TYPE mood RENAME TO feeling", T),
    ("ALTER TYPE mood SET SCHEMA app", T),
    ("ALTER SCHEMA app RENAME TO moved", "INSERT INTO moved.u VALUES (5, 'q'); TRUNCATE moved.u"),
    ("ALTER TABLE app.u SET SCHEMA public", "INSERT INTO u VALUES (5, 'q'); TRUNCATE u"),
    ("ALTER TABLE t RENAME TO renamed", "INSERT INTO renamed (id, v) VALUES (9, 'q')"),
    ("DROP TABLE t; CREATE TABLE t (id integer PRIMARY KEY, v text)", T),
    ("ALTER TABLE tree ATTACH PARTITION tree_2 FOR VALUES FROM (20) TO (30)",
     "INSERT INTO tree VALUES (25, 'q'); INSERT INTO tree_2 VALUES (26, 'q')"),
    ("ALTER TABLE tree DETACH PARTITION tree_1", "INSERT INTO tree_1 VALUES (5, 'q')"),
    ("ALTER TABLE parent ADD COLUMN y integer", "INSERT INTO child VALUES (1, 2, 3)"),
    ("ALTER TABLE parent DROP COLUMN id", "INSERT INTO child VALUES (3)"),
    ("ALTER TABLE child NO INHERIT parent", "INSERT INTO child VALUES (1, 2)"),
    ("CREATE TABLE heir () INHERITS (t)", "INSERT INTO heir (id, v) VALUES (9, 'x'); UPDATE t SET v = 'z'"),
    ("CREATE TRIGGER mine BEFORE UPDATE ON t FOR EACH ROW"
     " EXECUTE FUNCTION suppress_redundant_updates_trigger()", T),
    ("CREATE RULE mine AS ON UPDATE TO t DO ALSO NOTHING", T),
    ("CREATE POLICY mine ON t", T),
    ("GRANT SELECT ON t TO PUBLIC", T),
    ("COMMENT ON TABLE t IS 'words'", T),
    ("CREATE STATISTICS mine ON id, v FROM t", T),
    ("SELECT * INTO copied FROM t", "INSERT INTO copied (id) VALUES (1)"),
    ("ALTER DOMAIN label ADD CHECK (VALUE <> 'zz')", T),
    ("ALTER INDEX t_pkey RENAME TO mine", T),
    ("CREATE INDEX CONCURRENTLY mine ON t (v)", T),
    ("ALTER TABLE t SET (fillfactor = 50)", T),
    ("ALTER TABLE t REPLICA IDENTITY FULL", T),
    ("ALTER FUNCTION made(text) COST 5", T),
    ("ALTER SEQUENCE lone RESTART WITH 7", T),
    ("CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)", T),
    ("CREATE PUBLICATION mine FOR TABLE other", T),
    ("ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC", T),
]  # fmt: skip

# What only adds is taken away again; see test_journal_ddl_undone.
UNDONE = [
    statement
    for statement, _ in DDL
    if statement.startswith(("CREATE", "SELECT")) and "INHERITS" not in statement
]


@pytest.mark.postgres_matrix
@pytest.mark.parametrize(("statement", "write"), DDL, ids=[statement for statement, _ in DDL])
def test_noticed_and_not_hindered(any_bench, statement, write):
    any_bench.ddl(SCHEMA + "CREATE SEQUENCE lone")
    taken = journal.snapshot(any_bench.control)
    any_bench.app.execute(statement)
    any_bench.app.execute(write)  # The application goes on, whatever became of its tables.
    assert any("the schema was changed" in note for note in journal.changes(any_bench.control, taken).notes)
    if statement in UNDONE:
        assert journal.restore(any_bench.control, taken).in_place
    else:
        with pytest.raises(CannotRestoreInPlace, match="the schema was changed"):
            journal.restore(any_bench.control, taken)
    any_bench.cycle("INSERT INTO other VALUES (1)")


@pytest.mark.parametrize(("statement", "write"), DDL, ids=[statement for statement, _ in DDL])
def test_noticed_without_event_triggers(bench, role, statement, write):
    """A role that may not create them compares the catalogue; its triggers stand out of the way."""
    for conn in (bench.app, bench.control):
        conn.execute(sql.SQL("SET ROLE {}").format(role))
    bench.ddl(SCHEMA + "CREATE SEQUENCE lone")
    taken = journal.snapshot(bench.control)
    counter_only = statement.startswith("ALTER SEQUENCE")
    bench.app.execute(statement)
    bench.app.execute(write)
    if counter_only:
        # Where a sequence stands is data, and comes back like data.
        assert journal.restore(bench.control, taken).in_place
    else:
        with pytest.raises(CannotRestoreInPlace, match="catalogue no longer is what it was"):
            journal.restore(bench.control, taken)
    bench.cycle("INSERT INTO other VALUES (1)")


def test_a_restore_is_not_taken_for_ddl(bench, role):
    """It disables what would fire even now, gives sequences a new file, and refreshes views."""
    for conn in (bench.app, bench.control):
        conn.execute(sql.SQL("SET ROLE {}").format(role))
    bench.ddl(
        "CREATE TABLE t (id integer PRIMARY KEY, v text); CREATE TABLE seen (v text);"
        "INSERT INTO t VALUES (1, 'a'); CREATE SEQUENCE many CACHE 10;"
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER see AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION see();"
        "ALTER TABLE t ENABLE ALWAYS TRIGGER see;"
        "CREATE RULE noted AS ON UPDATE TO t DO ALSO INSERT INTO seen VALUES (OLD.v);"
        "ALTER TABLE t ENABLE ALWAYS RULE noted;"
        "CREATE MATERIALIZED VIEW letters AS SELECT v FROM t"
    )
    taken = journal.snapshot(bench.control)
    for _ in range(3):
        bench.ddl("UPDATE t SET v = 'z'; SELECT nextval('many'); REFRESH MATERIALIZED VIEW letters")
        assert journal.restore(bench.control, taken, tidy_every=2).in_place
    # Once for the application's update, each time, and never for ours.
    assert bench.app.execute("SELECT count(*) FROM seen").fetchone() == (0,)


@pytest.mark.postgres_matrix
def test_what_is_rolled_back_did_not_happen(any_bench):
    any_bench.ddl(SCHEMA)
    restored = any_bench.cycle(
        "BEGIN; ALTER TABLE t ADD COLUMN w integer; UPDATE t SET w = 1; ROLLBACK",
        "BEGIN; DROP TABLE t CASCADE; ROLLBACK; UPDATE t SET v = 'z'",
    )
    assert restored.in_place


@pytest.mark.postgres_matrix
def test_a_journal_that_was_taken_out(any_bench):
    any_bench.ddl(SCHEMA)
    taken = journal.snapshot(any_bench.control)
    any_bench.ddl("DROP SCHEMA scenarios_journal CASCADE")
    with pytest.raises(CannotRestoreInPlace, match="was taken out"):
        journal.restore(any_bench.control, taken)
    any_bench.cycle("UPDATE t SET v = 'z'")


@pytest.mark.postgres_matrix
def test_settings_of_the_database_and_of_roles_are_told(any_bench):
    any_bench.ddl(SCHEMA)
    taken = journal.snapshot(any_bench.control)
    where = sql.Identifier(any_bench.database.name)
    any_bench.app.execute(sql.SQL("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'").format(where))
    assert any("settings" in note for note in journal.restore(any_bench.control, taken).notes)
    later = journal.snapshot(any_bench.control)
    with any_bench.database.connect() as admin:
        # Those of another database are not our business.
        admin.execute("ALTER DATABASE template1 SET timezone = 'Asia/Tokyo'")
        try:
            assert not journal.restore(any_bench.control, later).notes
        finally:
            admin.execute("ALTER DATABASE template1 RESET timezone")
