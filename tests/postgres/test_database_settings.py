"""What belongs to a database beside its content is in its clones, and each step of a build has a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scenarios.errors import DatabaseError
from scenarios.ownership import OwnershipTag, parse, read_tag
from scenarios.postgres import Database, Server, start_server
from scenarios.postgres.urls import libpq_url
from scenarios.settings import Settings

OF_DATABASE = """
    SELECT pg_get_userbyid(datdba), datconnlimit, ARRAY(SELECT unnest(datacl)::text ORDER BY 1),
           ARRAY(SELECT concat_ws(' ', pg_get_userbyid(nullif(setrole, 0)), c)
                   FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase = d.oid ORDER BY 1)
      FROM pg_database d WHERE datname = current_database()
"""


@pytest.fixture(scope="module")
def role(server: Server) -> Iterator[str]:
    """A role that may log in; its name needs quoting."""
    name = f'Shop "{server.manager.next_name()}"'
    with server.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD 'x'").format(sql.Identifier(name)))
        yield name
        # Its templates and clones are still there; the server ends with the run.
        admin.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(name)))


def seen(db: Database) -> tuple[Any, ...] | None:
    with db.connect() as conn:
        return conn.execute(OF_DATABASE).fetchone()


def execute(conn: psycopg.Connection[Any], *statements: str, role: str = "") -> None:
    """Run statements that name the database and a role as ``{d}`` and ``{r}``."""
    for statement in statements:
        query = sql.SQL(statement).format(d=sql.Identifier(conn.info.dbname), r=sql.Identifier(role))  # type: ignore[arg-type]  # of this module
        conn.execute(query)


def test_settings_of_the_database_are_in_every_copy(server: Server, role: str) -> None:
    """Also values no SET could be given as they are stored: lists, empty names, quotes, custom parameters."""

    def schema(conn: psycopg.Connection[Any]) -> None:
        execute(
            conn,
            'CREATE SCHEMA app; CREATE SCHEMA "a,b ""c"; CREATE TABLE app.things (id int)',
            'ALTER DATABASE {d} SET search_path = app, "a,b ""c", "$user", public',
            "ALTER DATABASE {d} SET DateStyle = 'ISO, DMY'",
            "ALTER DATABASE {d} SET app.secret = 'it''s, \"here\"=1'",
            "ALTER DATABASE {d} SET temp_tablespaces = ''",
            "ALTER DATABASE {d} CONNECTION LIMIT 50",
            "ALTER ROLE {r} IN DATABASE {d} SET search_path = ''",
            "ALTER ROLE {r} IN DATABASE {d} SET work_mem = '5MB'",
            "ALTER DATABASE {d} OWNER TO {r}",
            "REVOKE ALL ON DATABASE {d} FROM PUBLIC, {r}",
            "GRANT CONNECT ON DATABASE {d} TO {r} WITH GRANT OPTION",
            "GRANT TEMPORARY ON DATABASE {d} TO PUBLIC",
            role=role,
        )

    made: list[tuple[Any, ...] | None] = []

    def look(conn: psycopg.Connection[Any]) -> None:
        conn.execute("INSERT INTO things VALUES (1)")  # by the search_path just set
        made.append(conn.execute(OF_DATABASE).fetchone())

    with server.database(template=server.template(schema, populate=look)) as db:
        assert made[0] is not None
        assert made[0][0] == role
        assert len(made[0][3]) == 6
        assert seen(db) == made[0]
        with db.fork() as fork:
            assert seen(fork) == made[0]
        with db.connect() as conn:
            assert conn.execute("SELECT current_setting('app.secret')").fetchone() == ('it\'s, "here"=1',)
            execute(conn, "ALTER DATABASE {d} RESET ALL", "CREATE TABLE more (id int)")
        db.recreate()
        assert seen(db) == made[0]


def test_a_database_without_settings_of_its_own_is_like_any_other(server: Server) -> None:
    with server.database() as plain, plain.fork() as fork:
        assert seen(plain) == seen(fork) == ("postgres", -1, [], [])


def test_what_a_role_may_not_give_to_a_copy_is_named(server: Server, role: str, tmp_path: Path) -> None:
    """A superuser's template has a setting that only a superuser may give."""
    parameters = {**server.parameters("postgres"), "user": role, "password": "x"}
    settings = Settings({"cache_dir": str(tmp_path / "cache")})
    with start_server(libpq_url(parameters), settings=settings) as theirs, theirs.database() as db:
        with server.connect(db.name) as conn:
            execute(conn, "ALTER DATABASE {d} SET log_statement = 'none'")
        with pytest.raises(DatabaseError, match="cannot be given to its copy") as caught:
            db.fork()
        assert "log_statement" in str(caught.value)


@pytest.mark.parametrize("comment", ["'the shop''s'", "NULL", "'pg-scenarios 1 {{}}'", "E'two\\nlines'"])
def test_a_comment_of_the_schema_is_kept_and_the_database_is_ours(server: Server, comment: str) -> None:
    def schema(conn: psycopg.Connection[Any]) -> None:
        execute(conn, "CREATE TABLE things (id int)", f"COMMENT ON DATABASE {{d}} IS {comment}")

    def text(name: str) -> str:
        row = admin.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
        ).fetchone()
        return str(row[0]) if row is not None else ""

    with server.connect() as admin:
        said = admin.execute(f"SELECT {comment.replace('{{}}', '{}')}".encode()).fetchone()
        template = server.template(schema, key=comment)
        assert not server.template(schema, key=comment).built
        with server.database(template=template) as db:
            before = db.snapshot()
            for name in (template.name, db.name):
                found = read_tag(admin, name)
                assert found is not None
                assert found.comment == (said[0] if said and said[0] else "")
                assert text(name).startswith(found.comment)
            with db.connect() as conn:
                conn.execute("INSERT INTO things VALUES (1)")
            assert db.restore(before).in_place


def test_a_comment_of_the_application_makes_no_stranger_of_our_database(server: Server) -> None:
    def schema(conn: psycopg.Connection[Any]) -> None:
        conn.execute("CREATE TABLE things (id int)")

    db = server.database(schema)
    before = db.snapshot()
    with db.connect() as conn:
        execute(conn, "COMMENT ON DATABASE {d} IS 'mine'", "DROP TABLE things")
    assert not db.restore(before).in_place
    with db.connect() as conn:
        execute(conn, "COMMENT ON DATABASE {d} IS 'mine'")
    db._hang_up()  # as after a lost connection: the journal asks anew whose database it is
    assert db.restore(before).in_place
    with db.connect() as conn:
        execute(conn, "COMMENT ON DATABASE {d} IS NULL")
    server.manager.drop(db.name)
    with server.connect() as admin:
        assert not admin.execute("SELECT FROM pg_database WHERE datname = %s", [db.name]).fetchone()
    db.close()


def test_a_mark_that_is_only_quoted_is_none() -> None:
    ours = OwnershipTag("database", oid=7, comment="the shop's")
    assert parse(ours.render(), 7) == ours
    assert parse(f"see: {ours.render()}", 7) == OwnershipTag(
        **{**vars_of(ours), "comment": "see: the shop's"}
    )
    assert parse(f"{ours.render()} and more", 7) is None
    assert parse(f"{ours.render()}\nand more", 7) is None


def vars_of(tag: OwnershipTag) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(tag)


LEFT = {
    "temporary": "CREATE TEMP TABLE things (other text)",
    "session_replication_role": "SET session_replication_role = replica",
    "search_path": "SELECT set_config('search_path', '', false)",
    "statement_timeout": "SET statement_timeout = '50ms'",
    "lock_timeout": "SET lock_timeout = 1",
    "row_security": "SET row_security = off",
    "TimeZone": "SET TimeZone = 'Asia/Tokyo'",
    "default_transaction_isolation": "SET default_transaction_isolation = 'serializable'",
    "default_transaction_read_only": "SET default_transaction_read_only = on",
    "role": "SET ROLE pg_monitor",
}


def test_what_a_step_sets_in_its_session_reaches_no_other(server: Server, tmp_path: Path) -> None:
    """A second file, `populate` and the journal each begin as any session of the database does."""
    (tmp_path / "1.sql").write_text("CREATE TABLE public.things (id int);\n" + ";\n".join(LEFT.values()))
    names = [name for name in LEFT if name != "temporary"]
    settings = "SELECT " + ", ".join(f"current_setting('{name}') AS {name}" for name in names)
    (tmp_path / "2.sql").write_text(f"INSERT INTO things VALUES (2); CREATE TABLE seen AS {settings}")  # noqa: S608  # of this module
    found = []

    def populate(conn: psycopg.Connection[Any]) -> None:
        conn.execute("INSERT INTO things VALUES (3)")
        found.append(conn.execute(settings.encode()).fetchone())

    with server.database(template=server.template(tmp_path, populate=populate)) as db:
        with db.connect() as conn:
            fresh = conn.execute(settings.encode()).fetchone()
            assert conn.execute("TABLE seen").fetchone() == found[0] == fresh
            assert conn.execute("TABLE things ORDER BY id").fetchall() == [(2,), (3,)]
            before = db.snapshot()
            conn.execute("DELETE FROM things")
        assert db.restore(before).in_place


def test_a_restore_finds_functions_as_the_application_does(server: Server, tmp_path: Path) -> None:
    """After a dump's empty search_path it computed an index by the function of another schema."""
    script = tmp_path / "dump.sql"
    script.write_text("""
        SELECT pg_catalog.set_config('search_path', '', false);
        CREATE SCHEMA audit;
        CREATE FUNCTION public.norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(t) $$;
        CREATE FUNCTION audit.norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(t) $$;
        CREATE FUNCTION public.key_of(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE
            AS $$ BEGIN RETURN norm(t); END $$;
        CREATE TABLE public.person
            (id int PRIMARY KEY, name text, k text GENERATED ALWAYS AS (public.key_of(name)) STORED);
        CREATE INDEX ON public.person (public.key_of(name));
        """)
    with server.database(script) as db, db.connect() as conn:
        conn.execute("INSERT INTO person VALUES (1, 'Ada')")
        before = db.snapshot()
        conn.execute("DELETE FROM person")
        assert db.restore(before).in_place
        conn.execute("SET enable_seqscan = off")
        assert conn.execute("SELECT k FROM person WHERE key_of(name) = 'ada'").fetchall() == [("ada",)]
