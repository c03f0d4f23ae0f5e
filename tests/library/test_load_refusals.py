"""Loads refused by an error that names no row, or only at the commit: an answer, and what is known."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from scenarios.errors import GraphError, LibraryError
from scenarios.library import Library
from scenarios.library.instances.finding import hold
from scenarios.library.instances.load import load
from scenarios.postgres import attach
from scenarios.projects import project_sections

SQL = """
CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL);
CREATE FUNCTION no_more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
CREATE TRIGGER no_more AFTER INSERT ON item FOR EACH STATEMENT EXECUTE FUNCTION no_more();
CREATE TABLE once (id int PRIMARY KEY);
CREATE FUNCTION not_that() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.id = 2 THEN RAISE EXCEPTION 'not that one'; END IF; RETURN NEW; END $$;
CREATE TRIGGER not_that BEFORE INSERT ON once FOR EACH ROW EXECUTE FUNCTION not_that();
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE c (id int PRIMARY KEY, n int, UNIQUE (n) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE d (id int PRIMARY KEY, n int);
CREATE FUNCTION enough() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF (SELECT sum(n) FROM d) < 10 THEN RAISE EXCEPTION 'n adds up to less than ten'; END IF;
       RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER enough AFTER INSERT ON d DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION enough();
CREATE TABLE secret (id int PRIMARY KEY);
CREATE TABLE counted (id serial PRIMARY KEY, name text);
"""
REFUSED = {
    # what the scenario has: what the message says, and of which line
    "item: {x: {id: 1, n: 1}}": ("not today.*no_more", "state.yaml:3", "rows of item"),
    "once: {x: {id: 1}, y: {id: 2}}": ("not that one", "state.yaml:3", "'y'"),
    "b: {x: {id: 1, a: {key: 77}}}": ("Key .a.=.77. is not present", "state.yaml:3", "'x'"),
    "c: {x: {id: 1, n: 5}, y: {id: 2, n: 5}}": ("Key .n.=.5. already exists", "state.yaml:3", "'y'"),
    "d: {x: {id: 1, n: 5}}": ("n adds up to less than ten.*enough", "", "the rows"),
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, server):
    path = tmp_path_factory.mktemp("refused") / "schema.sql"
    path.write_text(SQL, "utf-8")
    return path, project_sections(path, lambda: server.database(path))


@pytest.fixture
def db(shelf, server):
    with server.database(shelf[0]) as database:
        yield database


def scenario(shelf, rows: str):
    path, sections = shelf
    (path.parent / "state.yaml").write_text(f"scenario: state\nrows:\n  {rows}\n", "utf-8")
    return Library(path.parent, project=sections)["state"]


@pytest.mark.parametrize("rows", REFUSED)
def test_a_refusal_says_what_is_known_and_nothing_stays(shelf, db, rows):
    why, place, whose = REFUSED[rows]
    table = rows.partition(":")[0]
    with pytest.raises(GraphError, match=why) as caught:
        load(scenario(shelf, rows), db, remember=True)
    assert place in str(caught.value)
    assert whose in str(caught.value)
    assert "nothing was written" in str(caught.value)
    with db.connect() as conn:
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        assert conn.execute(count).fetchone() == (0,)
        assert conn.execute("SELECT to_regclass('scenarios_library.instance') IS NULL").fetchone() == (True,)


def test_a_reset_that_is_refused_in_the_end_leaves_the_instance(shelf, db):
    definition = scenario(shelf, "d: {x: {id: 1, n: 5}, y: {id: 2, n: 5}}")
    instance = load(definition, db, remember=True)
    with db.connect() as conn:
        conn.execute(
            "CREATE OR REPLACE FUNCTION enough() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'never'; END $$"
        )
    with pytest.raises(GraphError, match="never"):
        instance.reset()
    domains = {"project": definition.domain}
    with pytest.raises(GraphError, match="never"), hold(db, "state", domains=domains) as (conn, found):
        found.reset(connection=conn)
    with db.connect() as conn:
        assert conn.execute("SELECT id FROM d ORDER BY id").fetchall() == [(1,), (2,)]


def test_what_a_caller_still_has_to_write_is_waited_for(shelf, db):
    definition = scenario(shelf, "b: {x: {id: 1, a: {key: 77}}}")
    with db.connect(autocommit=False) as conn:
        definition.load(db, connection=conn)
        conn.execute("INSERT INTO a VALUES (77)")
        conn.commit()
    with db.connect() as conn:
        assert conn.execute("SELECT a FROM b").fetchall() == [(77,)]


def test_what_fails_at_the_very_commit_is_no_traceback(shelf, db):
    definition = scenario(shelf, "a: {x: {id: 1}}")
    instance = load(definition, db, remember=True)
    with db.connect() as conn:
        conn.execute("INSERT INTO b VALUES (1, 1)")
        conn.execute("ALTER TABLE b ALTER CONSTRAINT b_a_fkey NOT DEFERRABLE")
        conn.execute(
            "CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'it stays'; END $$;"
            "CREATE CONSTRAINT TRIGGER stay AFTER DELETE ON a DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION stay(); DELETE FROM b"
        )
    with pytest.raises(LibraryError, match="it stays") as caught:
        instance.unload()
    assert "nothing was changed" in str(caught.value)


def test_a_role_that_may_not_write_is_told_so(shelf, db):
    role = f"reader_{db.name}"
    definitions = [
        (scenario(shelf, "secret: {x: {id: 1}}"), "permission denied for table secret"),
        (scenario(shelf, "counted: {x: {name: n}}"), "permission denied for sequence counted_id_seq"),
    ]
    with db.connect() as conn:
        conn.execute(
            f'CREATE ROLE "{role}"; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}";'
            f'GRANT INSERT ON counted TO "{role}"'.encode()
        )
    try:
        theirs = attach(db.dsn)
        with theirs.connect() as conn:
            for definition, why in definitions:
                conn.execute(f'SET ROLE "{role}"'.encode())
                with pytest.raises((LibraryError, GraphError), match=why) as caught:
                    definition.load(theirs, connection=conn)
                assert "nothing was written" in str(caught.value)
                assert not isinstance(caught.value, psycopg.Error)
        theirs.close()
    finally:
        with db.connect() as conn:
            conn.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"'.encode())
