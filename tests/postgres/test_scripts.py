"""A `.sql` file is read and run as psql does, statement by statement, and an error says where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scenarios.errors import TemplateError
from scenarios.postgres import Server
from scenarios.postgres.psql_reader import Command, Reader, Statement
from scenarios.postgres.script_files import scripts_in, upward_half
from scenarios.postgres.scripts import read_script, run_script

COPY = "COPY t FROM stdin"
ROWS = "x\n\\.\n"


@pytest.fixture(scope="module")
def conn(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with server.database() as database, database.connect() as connection:
        yield connection


@pytest.fixture
def empty(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A connection to a database with nothing in it."""
    conn.execute("RESET ALL; DROP SCHEMA IF EXISTS app, other CASCADE; DROP SCHEMA public CASCADE;")
    conn.execute("CREATE SCHEMA public")
    return conn


def ran(conn: psycopg.Connection[Any], script: str, query: str = "SELECT * FROM t") -> list[tuple[Any, ...]]:
    run_script(conn, script, "s.sql")
    return conn.execute(query.encode()).fetchall()


PIECES = {
    "SELECT 1; SELECT 2": ["SELECT 1", "SELECT 2"],
    ";; -- nothing\n ; /* ; */ SELECT 1 ;": ["SELECT 1"],
    "SELECT ';', E'\\';', \"a;b\", $$;$$, $x$ $$;$$ $x$; SELECT 2": [
        "SELECT ';', E'\\';', \"a;b\", $$;$$, $x$ $$;$$ $x$",
        "SELECT 2",
    ],
    "SELECT 'it''s;' , 'a\\'; SELECT 2": ["SELECT 'it''s;' , 'a\\'", "SELECT 2"],
    "SELECT a$b$c; SELECT 2 AS d$e$;": ["SELECT a$b$c", "SELECT 2 AS d$e$"],
    "/* a /* b; */ ' ; */ SELECT 1": ["SELECT 1"],
    "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3": [
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
        "SELECT 3",
    ],
    "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;"
    " SELECT 3": [
        "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2;"
        " END",
        "SELECT 3",
    ],
    "BEGIN; SELECT 1; END; SELECT 2": ["BEGIN", "SELECT 1", "END", "SELECT 2"],
    "SELECT a::int, x[1:2], :'v', :\"v\", :v, :w, ':v'": [
        "SELECT a::int, x[1:2], 'it''s', \"it's\", it's, :w, ':v'"
    ],
    "SELECT 1 \\; SELECT 2; SELECT 3": ["SELECT 1 ; SELECT 2", "SELECT 3"],
    "SELECT U&'\\0061;' , B'1', e_x'; SELECT 2": ["SELECT U&'\\0061;' , B'1', e_x'; SELECT 2"],
    "SELECT 1 -- it's\n + 1; SELECT 2": ["SELECT 1 -- it's\n + 1", "SELECT 2"],
}


@pytest.mark.parametrize("script", list(PIECES))
def test_where_statements_end(script: str) -> None:
    found = [item.text for item in Reader(script, {"v": "it's"}) if isinstance(item, Statement)]
    assert found == PIECES[script]


def test_commands_and_lines() -> None:
    items = list(Reader("\n\\echo a ; b\nSELECT 1,\n  2;\n\n/* x\n*/ SELECT 3\\g\n\\! ls", {}))
    assert [(type(item), item.line) for item in items[:2]] == [(Command, 2), (Statement, 3)]
    last = items[2]
    assert isinstance(last, Command)
    assert (last.name, last.line, last.pending) == ("g", 7, Statement("SELECT 3", 7))


TAKEN = {
    "an enum value added and used": "CREATE TYPE e AS ENUM ('a'); ALTER TYPE e ADD VALUE 'x';"
    " CREATE TABLE t (a e DEFAULT 'x'); INSERT INTO t DEFAULT VALUES;",
    "what runs in no transaction": "CREATE TABLE t (a text); CREATE INDEX CONCURRENTLY ON t (a); VACUUM t;"
    " INSERT INTO t VALUES ('x');",
    "a procedure that commits": "CREATE TABLE t (a text); CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO t VALUES ('x'); COMMIT; END $$; CALL p();",
    "rows waiting for a check, then the table changed": "CREATE TABLE k (a text PRIMARY KEY);"
    "CREATE TABLE t (a text REFERENCES k DEFERRABLE INITIALLY DEFERRED); INSERT INTO k VALUES ('x');"
    "INSERT INTO t VALUES ('x'); ALTER TABLE t ADD b int; ALTER TABLE t DROP b;",
    "rows after an escape string": f"CREATE TABLE t (a text DEFAULT E'it\\'s');\n{COPY};\n{ROWS}",
    "rows after a nested comment": f"/* a /* b */ it's c */\nCREATE TABLE t (a text);\n{COPY};\n{ROWS}",
    "rows of a COPY on two lines": f"CREATE TABLE t (a text);\n  copy t (a)\n  from STDIN;\n{ROWS}",
    "rows of a COPY with a comment": f"CREATE TABLE t (a text);\n{COPY}; -- rows\n{ROWS}",
    "rows of a COPY on the line of another": f"CREATE TABLE t (a text); {COPY}; SELECT 1;\n{ROWS}",
    "rows with Windows' lines": f"CREATE TABLE t (a text);\r\n{COPY};\r\nx\r\n\\.\r\nSELECT 1;\r\n",
    "rows to the end of the file": f"CREATE TABLE t (a text);\n{COPY};\nx\n",
    "no rows": f"CREATE TABLE t (a text);\n{COPY};\n\\.\nINSERT INTO t VALUES ('x');",
    "a table whose name holds stdin": "CREATE TABLE t (a text DEFAULT 'FROM stdin');"
    " INSERT INTO t VALUES ('x');",
    "commands that only show": "\\set ON_ERROR_STOP on\n\\echo hello\n\\restrict abc\n\\timing\n"
    "\\pset pager off\n"
    "CREATE TABLE t (a text);\n\\dt\nINSERT INTO t VALUES ('x');\n\\unrestrict abc\n",
    "variables": "\\set table t\n\\set v 'x'\nCREATE TABLE :table (a text);"
    "INSERT INTO :\"table\" VALUES (:'v');",
    "asked and made": "SELECT 'x' AS v \\gset\n"
    "SELECT format('CREATE TABLE t (a text DEFAULT %L)', :'v') \\gexec\n"
    "INSERT INTO t DEFAULT VALUES \\g\n",
    "branches": "\\if :{?nothing}\nBROKEN;\n\\elif yes\nCREATE TABLE t (a text);\n\\if off\n"
    "COPY t FROM stdin;\ny\n\\.\n\\endif\n\\else\nBROKEN;\n\\endif\nINSERT INTO t VALUES ('x');\n"
    "\\q\nBROKEN;",
    "a dump with its database": "DROP DATABASE IF EXISTS shop;\nCREATE DATABASE shop TEMPLATE = template0;\n"
    "ALTER DATABASE shop SET work_mem = '5MB';\nREVOKE ALL ON DATABASE shop FROM public;\n\\connect shop\n"
    "CREATE TABLE t (a text); INSERT INTO t VALUES ('x');",
    "a schema that is there, and a setting that is not": "CREATE SCHEMA public; BEGIN;"
    "CREATE SCHEMA public; COMMIT; CREATE TABLE t (a text); INSERT INTO t VALUES ('x');",
    "another encoding": "SET client_encoding = 'LATIN1'; CREATE TABLE t (a text); INSERT INTO t VALUES ('x');"
    " RESET client_encoding;",
}


@pytest.mark.parametrize("what", list(TAKEN))
def test_what_psql_takes_is_taken(empty: psycopg.Connection[Any], what: str) -> None:
    assert ran(empty, TAKEN[what]) == [("x",)]


REFUSED = {
    "\n\nSELECT 1;\nCREATE TABLE t (\n  a nonsense);": (
        "line 5: CREATE TABLE t",
        'type "nonsense" does not exist',
    ),
    "CREATE TABLE t (a int);\n\nSELECT 1; CREATE TABLE t (a int);": (
        "line 3: CREATE TABLE t",
        "already exists",
    ),
    "DO $$\nBEGIN\n  PERFORM nothing();\nEND $$": ("line 1: DO", "inline_code_block line 3"),
    "CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n2\nx\n\\.\n": ("line 5: COPY t", "column a"),
    "SELECT :'x';": ("line 1", "\\set x"),
    "\n\\! rm -r": ("line 2", "'\\!'"),
    "\\connect": ("line 1", "the one database"),
    "\\connect a\n\\connect b": ("a and b", "one file for each"),
    "\\i nowhere.sql": ("line 1", "no file 'nowhere.sql'"),
    "\\if maybe\n\\endif": ("line 1", "'maybe' is neither"),
    "BEGIN;\nCREATE TABLE t (a int);": ("s.sql", "BEGIN without a COMMIT"),
    "ALTER TABLE x OWNER TO nobody_here;": ("line 1", 'relation "x" does not exist'),
    "CREATE TABLE t (a int);\nALTER TABLE t OWNER TO nobody_here;": ("line 2", "--no-owner --no-privileges"),
    "CREATE DATABASE scn_test_a_script;": ("line 1: CREATE DATABASE", "not the one that is being built"),
    "DROP DATABASE postgres;": ("line 1: DROP DATABASE", "not the one that is being built"),
    "\\c a\nDROP DATABASE b;": ("line 2: DROP DATABASE", "not the one that is being built"),
    "ALTER DATABASE postgres SET work_mem = '5MB'": ("line 1", "not the one that is being built"),
    "ALTER ROLE postgres IN DATABASE postgres SET work_mem = '5MB'": ("line 1", "not the one"),
    "GRANT ALL ON DATABASE postgres TO public": ("line 1", "not the one that is being built"),
    "ALTER SYSTEM SET work_mem = '5MB';": ("line 1", "the whole server"),
}


@pytest.mark.parametrize("script", list(REFUSED))
def test_what_is_refused_is_told_by_line_and_statement(empty: psycopg.Connection[Any], script: str) -> None:
    with pytest.raises(TemplateError) as caught:
        run_script(empty, script, "s.sql")
    for said in REFUSED[script]:
        assert said in str(caught.value)


def test_each_statement_is_a_transaction_of_its_own_though_many_are_sent_at_once(
    empty: psycopg.Connection[Any],
) -> None:
    row = "INSERT INTO t VALUES (7);"
    lines = [
        "CREATE TABLE t (n int, at timestamptz DEFAULT now());",
        *[row] * 300,
        "BEGIN;",
        row,
        row,
        "COMMIT;",
    ]
    query = "SELECT count(*), count(DISTINCT xmin::text), count(DISTINCT at) FROM t"
    assert ran(empty, "\n".join(lines), query) == [(302, 301, 301)]
    lines[0], lines[151] = "SELECT 1;", "INSERT INTO t VALUES ('x');"
    with pytest.raises(TemplateError, match=r"line 152: INSERT INTO t VALUES \('x'\)"):
        run_script(empty, "\n".join(lines), "s.sql")
    assert ran(empty, "SELECT 1", "SELECT 2") == [(2,)], "the connection is as before"


def test_roles_are_there_the_second_time_and_missing_ones_can_be_passed_over(
    empty: psycopg.Connection[Any],
) -> None:
    script = "BEGIN; CREATE ROLE scn_script_reader; COMMIT; CREATE TABLE t (a text);"
    try:
        assert ran(empty, script) == ran(empty, f"DROP TABLE t; {script}") == []
    finally:
        empty.execute("DROP ROLE scn_script_reader")
    gone = (
        "CREATE TABLE u (a text); ALTER TABLE u OWNER TO gone; BEGIN; GRANT SELECT ON u TO gone; COMMIT;\n"
        "ALTER DEFAULT PRIVILEGES FOR ROLE gone GRANT SELECT ON TABLES TO gone; REVOKE ALL ON u FROM gone;"
    )
    run_script(empty, gone, "s.sql", ignore_missing_roles=True)
    with pytest.raises(TemplateError, match="role"):
        run_script(empty, "CREATE POLICY p ON u TO gone;", "s.sql", ignore_missing_roles=True)


def test_files_that_are_included_and_copied(
    empty: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for name, text in {
        "all.sql": "\\set rows 2\n\\ir below/a.sql\n\\i b.sql\n\\copy t from 'rows.csv' with (format csv)\n"
        "\\copy t from stdin\nlast\n\\.\nINSERT INTO t VALUES (:'rows');",
        "below/a.sql": "CREATE TABLE t (a text);\n\\ir deeper.sql\n",
        "below/deeper.sql": "INSERT INTO t VALUES (:'rows');",
        "b.sql": "INSERT INTO t VALUES ('b');",
        "rows.csv": '"a, b"\n',
        "round.sql": "\\ir round.sql\n",
        "broken.sql": "\\i b.sql\n\\ir below/broken.sql\n",
        "below/broken.sql": "\nBROKEN;",
    }.items():
        (tmp_path / name).write_text(text)

    def run(name: str) -> None:
        run_script(empty, read_script(tmp_path / name), str(tmp_path / name), home=tmp_path)

    run("all.sql")
    assert [row[0] for row in empty.execute("SELECT a FROM t")] == ["2", "b", "a, b", "last", "2"]
    with pytest.raises(TemplateError, match=r"below/broken\.sql, line 2: BROKEN"):
        run("broken.sql")
    with pytest.raises(TemplateError, match="without end"):
        run("round.sql")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"PGDMP\x01", "pg_restore -f"),
        (b"\x1f\x8b\x08", "gunzip"),
        ("SELECT 1".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_no_script_is_named(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "s.sql").write_bytes(raw)
    with pytest.raises(TemplateError, match=said):
        read_script(tmp_path / "s.sql")


def test_bytes_are_sent_as_they_stand(empty: psycopg.Connection[Any], tmp_path: Path) -> None:
    file = tmp_path / "s.sql"
    text = "CREATE TABLE t (a text); INSERT INTO t VALUES ('café');"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert ran(empty, read_script(file)) == [("café",)]
    empty.execute("DROP TABLE t")
    file.write_bytes(b"SET client_encoding = 'LATIN1';\n" + text.encode("latin-1"))
    run_script(empty, read_script(file), "s.sql")
    empty.execute("RESET client_encoding")
    assert empty.execute("SELECT a FROM t").fetchall() == [("café",)]
    empty.execute("DROP TABLE t")
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(TemplateError, match="as UTF-8") as caught:
        run_script(empty, read_script(file), "s.sql")
    str(caught.value).encode()


def test_what_one_file_sets_is_not_set_for_the_next(server: Server, tmp_path: Path) -> None:
    (tmp_path / "2_dump.sql").write_text(
        "SELECT pg_catalog.set_config('search_path', '', false);\nSET ROLE pg_monitor; RESET ROLE;\n"
        "SET statement_timeout = '1h';\n"
        "CREATE TABLE public.t (id int, a text DEFAULT current_setting('statement_timeout'));"
    )
    (tmp_path / "10_rows.sql").write_text("INSERT INTO t (id) VALUES (1);")
    with server.database(tmp_path) as db, db.connect() as conn:
        assert conn.execute("SELECT * FROM t").fetchall() == [(1, "0")]


def directory(home: Path, *names: str) -> list[str]:
    for name in names:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("SELECT 1;")
    return [file.relative_to(home).as_posix() for file in scripts_in(home)]


ORDERS = {
    "numbers": (["10_c.sql", "2_b.sql", "1_a.sql"], ["1_a.sql", "2_b.sql", "10_c.sql"]),
    "up and down": (
        ["1_a.down.sql", "1_a.up.sql", "2_b.rollback.sql", "2_b.up.sql"],
        ["1_a.up.sql", "2_b.up.sql"],
    ),
    "Flyway": (
        [
            "V10__c.sql",
            "V2.1__b.sql",
            "V2__a.sql",
            "U2__a.sql",
            "R__view.sql",
            "V3_1__d.sql",
            "afterMigrate.sql",
        ],
        ["V2__a.sql", "V2.1__b.sql", "V3_1__d.sql", "V10__c.sql", "R__view.sql"],
    ),
    "Flyway with a baseline": (["V1__a.sql", "B2__all.sql", "V3__c.sql"], ["B2__all.sql", "V3__c.sql"]),
    "Diesel": (["2_b/down.sql", "2_b/up.sql", "10_c/up.sql"], ["2_b/up.sql", "10_c/up.sql"]),
    "Prisma": (
        ["2024_a/migration.sql", "2025_b/migration.sql"],
        ["2024_a/migration.sql", "2025_b/migration.sql"],
    ),
}


@pytest.mark.parametrize("tool", list(ORDERS))
def test_the_files_of_a_tool_in_their_order(tmp_path: Path, tool: str) -> None:
    names, order = ORDERS[tool]
    assert directory(tmp_path, *names) == order


def test_a_plan_of_sqitch(tmp_path: Path) -> None:
    (tmp_path / "sqitch.plan").write_text(
        "%syntax-version=1.0.0\n%project=shop\n\nzebra 2024-01-01T00:00:00Z A <a@b> # first\n"
        "apple [zebra] 2024-01-02T00:00:00Z A <a@b>\n@v1 2024-01-03T00:00:00Z A <a@b>\n"
        "zebra [zebra@v1] 2024-01-04T00:00:00Z A <a@b>\n"
    )
    order = directory(
        tmp_path, "deploy/apple.sql", "deploy/zebra.sql", "deploy/zebra@v1.sql", "revert/zebra.sql"
    )
    assert order == ["deploy/zebra@v1.sql", "deploy/apple.sql", "deploy/zebra.sql"]
    (tmp_path / "deploy" / "apple.sql").unlink()
    with pytest.raises(TemplateError, match=r"apple\.sql"):
        scripts_in(tmp_path)


def test_an_order_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="holds no"):
        scripts_in(tmp_path)
    with pytest.raises(TemplateError, match=r"tables.*\n.*\\ir"):
        directory(tmp_path, "a.sql", "tables/b.sql")


@pytest.mark.parametrize(
    "text",
    [
        "-- migrate:up\nCREATE;\n\n-- migrate:down\nDROP;\n",
        "-- migrate:up transaction:false\nCREATE;\n-- migrate:down\nDROP;",
        "-- +goose Up\n-- +goose StatementBegin\nCREATE;\n-- +goose StatementEnd\n-- +goose Down\nDROP;\n",
        "-- +migrate Up\nCREATE;\n-- +migrate Down\nDROP;\n",
        "-- Down Migration\nDROP;\n-- Up Migration\nCREATE;\n",
        "# --- !Ups\nCREATE;\n# --- !Downs\nDROP;\n",
        "CREATE;\n---- create above / drop below ----\nDROP;\n",
        "--// a table\nCREATE;\n--//@UNDO\nDROP;\n",
    ],
)
def test_the_half_of_a_file_that_undoes_it_is_not_run(text: str) -> None:
    kept = upward_half(text)
    assert [line for line in kept.split("\n") if line.strip("-") and line[:2] != "--"] == ["CREATE;"]
    assert kept.split("\n").index("CREATE;") == text.split("\n").index("CREATE;"), "lines keep their numbers"
    plain = "-- down here\nCREATE;\nDROP;"
    assert upward_half(plain) == plain
