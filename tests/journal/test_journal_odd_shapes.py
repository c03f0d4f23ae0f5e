"""Shapes that nobody draws on a whiteboard and every second database has."""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest

from scenarios import journal
from scenarios.journal import CannotRestoreInPlace

pytestmark = pytest.mark.postgres_matrix


def wide(columns: int) -> str:
    others = ", ".join(f"c{number} integer DEFAULT {number}" for number in range(1, columns))
    return f"CREATE TABLE wide (id integer PRIMARY KEY, {others});"


THREE = "INSERT INTO wide (id) VALUES (1), (2), (3)"


def test_a_table_as_wide_as_can_be(any_bench):
    any_bench.ddl(wide(1598) + THREE)
    any_bench.cycle("UPDATE wide SET c1 = -1, c1597 = NULL", "DELETE FROM wide WHERE id = 1")
    any_bench.cycle("UPDATE wide SET c700 = -1")


def test_a_table_that_is_too_wide_for_the_journal(any_server):
    def made(conn: psycopg.Connection) -> None:
        conn.execute((wide(1599) + THREE).encode())

    with any_server.database(made) as database:
        with database.connect() as conn, pytest.raises(CannotRestoreInPlace, match=r"1,598 columns") as told:
            journal.snapshot(conn)
        assert "public.wide" in str(told.value)
        # The next strategy is taken without being asked for.
        taken = database.snapshot()
        with database.connect() as conn:
            conn.execute("DELETE FROM wide")
        restored = database.restore(taken)
        assert not restored.in_place
        assert "two more" in (restored.why or "")
        with database.connect() as conn:
            assert conn.execute("SELECT count(*) FROM wide").fetchone() == (3,)


VALUES = {
    "c pair": "'(1,x)'",
    "cs pair[]": """'{"(1,x)",NULL}'""",
    "m mood[]": "'{sad,happy}'",
    "d label": "'text'",
    "ds label[]": "'{a,NULL}'",
    "r int4range": "'[1,5)'",
    "nr numrange": "'[1.0,2.00)'",
    "tr tstzrange": "'[2020-01-01,infinity)'",
    "mr datemultirange": "'{[2020-01-01,2020-01-05)}'",
    "mo money": "12.34",
    "vb bit varying(9)": "'101'",
    "tv tsvector": "to_tsvector('simple', 'a b')",
    "tq tsquery": "'a & b'",
    "n numeric": "'NaN'",
    "big numeric": "'-Infinity'",
    "dt date": "'infinity'",
    "ts timestamp": "'-infinity'",
    "iv interval": "'1 mon -3 days 04:00'",
    "f4 real": "0.1",
    "f8 double precision": "'-0'",
    "j json": """'{"a":1, "a":2}'""",
    "jp jsonpath": "'$.a[*]'",
    "mac macaddr8": "'08:00:2b:01:02:03:04:05'",
    "po polygon": "'((0,0),(1,1),(2,0))'",
    "ci circle": "'<(0,0),1>'",
    "rc regclass": "'pg_class'",
    "pl pg_lsn": "'0/16B3748'",
    "x8 xid8": "'5'",
    "ti tid": "'(0,1)'",
    "iv2 int2vector": "'1 2'",
}
"""Columns by type, many of them without an equality of their own; each with a value that is hard to keep."""


def rows_of_all_types(conn: psycopg.Connection) -> tuple[str, str]:
    """Return the columns and the values that this server can have."""
    known = dict(VALUES)
    with suppress(psycopg.errors.FeatureNotSupported):  # A build without libxml has no such values.
        conn.execute("SELECT '<a>b</a>'::xml")
        known["x xml"] = "'<a>b</a>'"
    return ", ".join(known), ", ".join(known.values())


@pytest.mark.parametrize("key", ["id integer PRIMARY KEY", "id integer"])
def test_values_that_are_hard_to_keep(any_bench, key):
    columns, values = rows_of_all_types(any_bench.app)
    insert = "INSERT INTO things VALUES"
    any_bench.ddl(
        "CREATE DOMAIN label AS text CHECK (VALUE <> ''); CREATE TYPE mood AS ENUM ('sad', 'happy');"
        f"CREATE TYPE pair AS (a integer, b label); CREATE TABLE things ({key}, {columns});"
    )
    any_bench.ddl(f"{insert} (1, {values}), (2, {values}); {insert} (3)")
    any_bench.cycle("UPDATE things SET n = 1.10, f8 = 0, j = '{}', c = NULL, cs = '{}' WHERE id = 1")
    any_bench.cycle("DELETE FROM things WHERE id = 1")
    any_bench.cycle("UPDATE things SET d = 'other', tr = 'empty', mo = 0", "DELETE FROM things WHERE id = 2")
    any_bench.cycle(f"{insert} (9, {values})")


def test_nothing_is_not_a_row_of_nothing(any_bench):
    any_bench.ddl(
        "CREATE TYPE pair AS (a text, b text); CREATE TABLE t (id integer PRIMARY KEY, p pair);"
        "INSERT INTO t VALUES (1, ROW(NULL, NULL)), (2, NULL), (3, ROW('', ''))"
    )
    any_bench.cycle("UPDATE t SET p = NULL WHERE id = 1", "UPDATE t SET p = ROW(NULL, NULL) WHERE id = 2")
    any_bench.cycle("UPDATE t SET p = ROW(NULL, '') WHERE id = 3")


def test_numbers_that_are_equal_and_not_the_same_as_keys(any_bench):
    any_bench.ddl(
        "CREATE TABLE t (f double precision PRIMARY KEY, v text); INSERT INTO t VALUES ('-0', 'a'),"
        " ('NaN', 'b'), ('Infinity', 'c'), (0.1, 'd')"
    )
    any_bench.cycle("UPDATE t SET f = 0 WHERE v = 'a'")
    any_bench.cycle("UPDATE t SET v = v || '!'", "DELETE FROM t WHERE f = 'NaN'")


def test_everything_but_the_key_is_generated(any_bench):
    any_bench.ddl(
        "CREATE TABLE t (id integer PRIMARY KEY, a integer GENERATED ALWAYS AS (id * 2) STORED,"
        " b text GENERATED ALWAYS AS (id::text) STORED); INSERT INTO t VALUES (1), (2)"
    )
    any_bench.cycle("UPDATE t SET id = id + 10", "DELETE FROM t WHERE id = 11", "INSERT INTO t VALUES (3)")


CONTRIB = {
    "citext": ("k ext.citext DEFAULT 'Ab'", "k = 'aB'"),
    "hstore": ("h ext.hstore DEFAULT 'a=>1'", "h = 'z=>2'"),
    "ltree": ("l ext.ltree DEFAULT 'a.b'", "l = 'q.r'"),
}
"""Extensions that a bundle may have or not: a column, and a change of it."""


def test_extensions_in_a_schema_of_their_own(any_bench):
    any_bench.ddl(
        "CREATE SCHEMA ext; CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1), (2)"
    )
    offered = any_bench.app.execute("SELECT name FROM pg_available_extensions").fetchall()
    update = "UPDATE t SET v = 'x'"
    for name, (column, change) in CONTRIB.items():
        if (name,) in offered:
            any_bench.ddl(f"CREATE EXTENSION {name} SCHEMA ext; ALTER TABLE t ADD COLUMN {column}")
            update += f", {change}"
    any_bench.cycle(update)
    any_bench.cycle("DELETE FROM t WHERE id = 1")
    if ("citext",) in offered:
        # A key whose equality is outside of the search_path.
        any_bench.ddl("CREATE TABLE c (k ext.citext PRIMARY KEY, v text); INSERT INTO c VALUES ('Ab', 'x')")
        any_bench.cycle("UPDATE c SET k = 'aB'")
        any_bench.cycle("UPDATE c SET v = 'y'")
        any_bench.cycle("UPDATE c SET k = 'other'", "INSERT INTO c VALUES ('AB', 'z')")


def test_keys_that_a_collation_takes_for_equal(any_bench):
    """Where the server was built with ICU; elsewhere the same in plain text."""
    any_bench.ddl("CREATE TABLE t (k text, v text)")
    with suppress(psycopg.errors.FeatureNotSupported):
        any_bench.ddl(
            "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
            "ALTER TABLE t ALTER k TYPE text COLLATE any_case, ALTER v TYPE text COLLATE any_case"
        )
    any_bench.ddl("INSERT INTO t VALUES ('Ab', 'x'), ('c', 'y')")
    any_bench.cycle("UPDATE t SET k = 'AB', v = 'X' WHERE v = 'x'")
    any_bench.ddl("ALTER TABLE t ADD PRIMARY KEY (k)")
    any_bench.cycle("UPDATE t SET k = 'AB', v = 'X' WHERE v = 'x'")
    any_bench.cycle("UPDATE t SET k = 'aB' WHERE k = 'Ab'", "UPDATE t SET v = 'Y' WHERE k = 'c'")


def test_sequences_that_belong_to_nothing_or_run_in_circles(any_bench):
    any_bench.ddl(
        "CREATE SEQUENCE lone MAXVALUE 3 CYCLE; SELECT nextval('lone'), nextval('lone');"
        "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY (MAXVALUE 3 CYCLE), v text);"
        "INSERT INTO t (v) VALUES ('a'), ('b'), ('c')"
    )
    any_bench.cycle("SELECT nextval('lone'), nextval('lone')", "INSERT INTO t (v) VALUES ('d')")
    assert any_bench.app.execute("SELECT nextval('lone')").fetchone() == (3,)


def test_a_session_that_holds_numbers_of_a_sequence(any_bench):
    any_bench.ddl("CREATE TABLE t (id integer PRIMARY KEY); CREATE SEQUENCE many CACHE 20 OWNED BY t.id")
    any_bench.app.execute("SELECT nextval('many')")
    taken = journal.snapshot(any_bench.control)
    assert any_bench.app.execute("SELECT nextval('many')").fetchone() == (
        2,
    )  # Held since before the snapshot.
    with any_bench.database.connect() as other:
        assert other.execute("SELECT nextval('many')").fetchone() == (21,)
        journal.restore(any_bench.control, taken)
        assert other.execute("SELECT nextval('many')").fetchone() == (21,)


UNQUALIFIED = """
    CREATE TABLE allowed (v text PRIMARY KEY); INSERT INTO allowed VALUES ('a'), ('b');
    CREATE FUNCTION is_allowed(x text) RETURNS boolean LANGUAGE plpgsql
        AS $$ BEGIN RETURN EXISTS (SELECT FROM allowed WHERE v = x); END $$;
    CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
    CREATE FUNCTION plainer(text) RETURNS text LANGUAGE plpgsql IMMUTABLE
        AS $$ BEGIN RETURN plain($1); END $$;
    CREATE DOMAIN word AS text CHECK (plainer(VALUE) <> '');
    CREATE TABLE t (
        id integer PRIMARY KEY, v text CHECK (is_allowed(v)), w word,
        g text GENERATED ALWAYS AS (plainer(w)) STORED);
    INSERT INTO t VALUES (1, 'a', 'W'), (2, 'b', 'X');
"""


def test_functions_that_name_no_schema(any_bench):
    """A check, a domain and a generated column call functions that find others by the search_path alone."""
    any_bench.ddl(UNQUALIFIED)
    any_bench.cycle("UPDATE t SET v = 'b' WHERE id = 1")
    any_bench.cycle("DELETE FROM t WHERE id = 2")
    any_bench.cycle("INSERT INTO t VALUES (3, 'a', 'Z')", "UPDATE t SET w = 'Q'")


def test_functions_that_name_no_schema_in_another_schema(any_bench):
    any_bench.ddl("CREATE SCHEMA app; SET search_path = app")
    any_bench.ddl(UNQUALIFIED)
    any_bench.cycle("UPDATE t SET v = 'b' WHERE id = 1", "DELETE FROM t WHERE id = 2")


def test_an_index_by_a_function_that_calls_another(any_server, any_bench):
    any_bench.ddl(UNQUALIFIED)
    if any_server.version >= 170000:
        # Since 17 the server itself makes an index with a safe search_path, and takes no such function.
        any_bench.ddl("CREATE INDEX ON t (public.plain(w))")
    else:
        any_bench.ddl(
            "CREATE FUNCTION outermost(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT plain($1)';"
            "CREATE INDEX ON t (outermost(w)); CREATE MATERIALIZED VIEW words AS SELECT w FROM t;"
            "CREATE INDEX ON words (outermost(w))"
        )
        journal.install(any_bench.control)
        with any_bench.database.connect() as fresh:  # Nothing there has looked at the index before.
            journal.snapshot(fresh)
        any_bench.cycle("UPDATE t SET w = 'c' WHERE id = 1; REFRESH MATERIALIZED VIEW words")
    any_bench.cycle("UPDATE t SET w = 'b' WHERE id = 1", "DELETE FROM t WHERE id = 2")
    any_bench.cycle("UPDATE t SET w = 'b'")


def test_a_view_by_a_function_that_names_no_schema(any_bench):
    any_bench.ddl(UNQUALIFIED)
    any_bench.ddl("CREATE MATERIALIZED VIEW words AS SELECT public.plain(w) AS w FROM t")
    any_bench.cycle("UPDATE t SET w = 'other'; REFRESH MATERIALIZED VIEW words")


def test_a_file_of_rows_that_such_functions_check(any_bench, tmp_path):
    any_bench.ddl(UNQUALIFIED)
    before = journal.contents(any_bench.control)
    journal.save(any_bench.control, tmp_path / "x.scn")
    any_bench.ddl("DELETE FROM t; UPDATE allowed SET v = upper(v)")
    journal.open_file(any_bench.control, tmp_path / "x.scn")
    assert journal.contents(any_bench.control) == before


def test_a_role_that_sees_less_than_was_written(any_bench):
    """Who restores need not be allowed into the schema, nor into the functions of its checks."""
    role = psycopg.sql.Identifier(f"journal_blind_{any_bench.database.name}"[:60])
    any_bench.ddl(
        "CREATE SCHEMA hidden; CREATE TABLE hidden.t (id integer PRIMARY KEY, v text);"
        "INSERT INTO hidden.t VALUES (1, 'x'), (2, 'y')"
    )
    journal.install(any_bench.control)
    before = journal.contents(any_bench.control)
    any_bench.app.execute(psycopg.sql.SQL("CREATE ROLE {}").format(role))
    try:
        with any_bench.database.connect() as blind:
            blind.execute(psycopg.sql.SQL("SET ROLE {}").format(role))
            taken = journal.snapshot(blind)
            any_bench.ddl("UPDATE hidden.t SET v = 'z' WHERE id = 1; DELETE FROM hidden.t WHERE id = 2")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                blind.execute("SELECT FROM hidden.t")
            assert journal.restore(blind, taken).rows == 3
        assert journal.contents(any_bench.control) == before
    finally:
        any_bench.app.execute(psycopg.sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role))


def test_a_temporary_table_of_the_same_name(any_bench):
    any_bench.ddl("CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x')")
    any_bench.ddl("CREATE TEMPORARY TABLE t (LIKE t)")
    any_bench.control.execute("CREATE TEMPORARY TABLE t (w integer)")
    any_bench.cycle("UPDATE public.t SET v = 'y'; INSERT INTO t VALUES (7, 'temporary')")


def test_a_table_that_deletes_cannot_be_published_for(any_bench):
    """PostgreSQL refuses a DELETE on it, ours as well as theirs; so it is told and not attempted twice."""
    any_bench.ddl("CREATE TABLE t (v text); INSERT INTO t VALUES ('a'); CREATE PUBLICATION p FOR TABLE t")
    taken = journal.snapshot(any_bench.control)
    any_bench.ddl("INSERT INTO t VALUES ('b')")
    with pytest.raises(CannotRestoreInPlace, match="replica identity"):
        journal.restore(any_bench.control, taken)


def test_other_tables_as_types_of_columns(any_bench):
    any_bench.ddl(
        "CREATE TABLE p (id integer PRIMARY KEY, v text);"
        "CREATE TABLE t (id integer PRIMARY KEY, p p, ps p[]);"
        "CREATE TYPE shape AS (id integer, v text); CREATE TABLE typed OF shape (PRIMARY KEY (id));"
        "INSERT INTO p VALUES (1, 'x'); INSERT INTO typed VALUES (1, 'x');"
        """INSERT INTO t VALUES (1, '(1,x)', '{"(2,y)"}')"""
    )
    any_bench.cycle("UPDATE t SET p = '(3,z)'", "UPDATE typed SET v = 'y'", "UPDATE p SET v = 'q'")
    any_bench.cycle("DELETE FROM t", "DELETE FROM typed")


def test_writes_through_views(any_bench):
    any_bench.ddl(
        "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x');"
        "CREATE VIEW simple AS SELECT * FROM t WHERE id < 100 WITH CHECK OPTION;"
        "CREATE VIEW woven AS SELECT id, upper(v) AS v FROM t;"
        "CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO t VALUES (NEW.id, NEW.v); RETURN NEW; END $$;"
        "CREATE TRIGGER put INSTEAD OF INSERT ON woven FOR EACH ROW EXECUTE FUNCTION put();"
        "CREATE RULE kept AS ON DELETE TO t DO INSTEAD UPDATE t SET v = 'deleted' WHERE id = OLD.id"
    )
    any_bench.cycle("INSERT INTO simple VALUES (2, 'y')", "INSERT INTO woven VALUES (3, 'z')")
    any_bench.cycle("DELETE FROM t WHERE id = 1", "UPDATE simple SET v = v || '!'")


def test_large_values_however_they_are_stored(any_bench):
    any_bench.ddl(
        "CREATE TABLE t (id integer PRIMARY KEY, v text, e text COMPRESSION pglz, w bytea, n integer);"
        "ALTER TABLE t ALTER e SET STORAGE EXTERNAL;"
        "INSERT INTO t SELECT g, (SELECT string_agg(md5(x::text || g), '') FROM generate_series(1, 9000) x),"
        " repeat('ab', 50000), decode(repeat('00ff', 90000), 'hex') FROM generate_series(1, 4) g"
    )
    any_bench.cycle("UPDATE t SET n = 1")
    any_bench.cycle("UPDATE t SET v = v || 'x', e = 'short' WHERE id < 3", "DELETE FROM t WHERE id = 4")
    any_bench.cycle("UPDATE t SET w = NULL")


def test_tables_that_are_rewritten_in_place(any_bench):
    any_bench.ddl(
        "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t SELECT g, g FROM"
        " generate_series(1, 50) g"
    )
    restored = any_bench.cycle(
        "DELETE FROM t WHERE id > 30", "VACUUM FULL t", "CLUSTER t USING t_pkey", "REINDEX TABLE t", "ANALYZE"
    )
    assert restored.in_place
