"""What a database refuses reaches a person as an answer: which table, which role, and what to do."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack, suppress
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest

from scenarios.cli.main import run
from scenarios.database_errors import as_error

SQL = """
CREATE TABLE author (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
CREATE TABLE book (
    id bigserial PRIMARY KEY, author_id bigint NOT NULL REFERENCES author, title text NOT NULL
);
"""
SHELF = """\
scenario: shelf
rows:
  author:
    ada: {name: Ada}
  book:
    notes: {author: ada, title: Notes}
"""


@pytest.fixture(scope="module")
def shop(server):
    with server.database() as db:
        with db.connect() as conn:
            conn.execute(SQL)
        yield db


@pytest.fixture
def role(shop):
    """Makes roles that may sign in: ``role("SELECT ON author")`` gives the URL of one with these rights."""
    made = []

    def make(*rights):
        name = f"second_{len(made)}_{shop.name}"
        with shop.connect() as conn:
            conn.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'pa/ss'".encode())
            made.append(name)
            for right in rights:
                conn.execute(f'GRANT {right} TO "{name}"'.encode())
        parts = urlsplit(shop.dsn)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(name)}:{quote('pa/ss', safe='')}@{host}"))

    yield make
    with shop.connect() as conn:
        for name in made:
            conn.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"'.encode())


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Exit code and what a command prints in a project with this schema: ``said("load", "shelf", ...)``."""
    (tmp_path / "schema.sql").write_text(SQL, "utf-8")
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "shelf.yaml").write_text(SHELF, "utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.scenarios]\nschema = "schema.sql"\nlibrary = ["states"]\n', "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in [each for each in os.environ if each.startswith("SCENARIOS_")]:
        if not name.endswith(("_CACHE_DIR", "_RUNTIME_DIR")):
            monkeypatch.delenv(name)

    def say(*arguments):
        with pytest.raises(SystemExit) as ended:
            run(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert "pa/ss" not in out + err
        assert "pa%2Fss" not in out + err
        return ended.value.code or 0, out + err

    return say


DML = ("SELECT, INSERT, UPDATE, DELETE ON author, book", "USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public")


def test_a_second_role_works_with_what_a_first_one_loaded(shop, role, said):
    first = shop.dsn
    early, reader = role(*DML), role("SELECT ON author, book")
    assert said("load", "shelf", "--as", "one", "--to", first)[0] == 0
    late = role(*DML)  # its rights came after the first load
    for number, url in enumerate((early, late)):
        code, told = said("load", "shelf", "--as", f"more{number}", "--to", url)
        assert code == 0, told
        code, told = said("instances", "--in", url)
        assert code == 0, told
        assert {"one", f"more{number}"} <= set(told.split())
        code, told = said("reset", "one", "--in", url)
        assert code == 0, told
    code, told = said("instances", "--in", reader)
    assert code == 0, told
    assert "more1" in told
    code, told = said("unload", "one", "--in", reader)
    assert code == 1
    assert f"role '{urlsplit(reader).username}'" in told
    for name, url in (("one", late), ("more0", late), ("more1", first)):
        code, told = said("unload", name, "--in", url)
        assert code == 0, told


def test_a_role_without_rights_may_not_touch_the_record(shop, role, said):
    assert said("load", "shelf", "--as", "kept", "--to", shop.dsn)[0] == 0
    code, told = said("instances", "--in", role())
    assert code == 1
    assert "permission denied for table instance" in told
    assert "do:    let its owner run: GRANT" in told
    assert said("unload", "kept", "--in", shop.dsn)[0] == 0


@pytest.mark.parametrize(
    ("rights", "what"),
    [
        (
            ("SELECT ON author, book", "USAGE ON ALL SEQUENCES IN SCHEMA public"),
            "GRANT SELECT, INSERT, UPDATE, DELETE ON author TO",
        ),
        (("SELECT, INSERT ON author, book",), "GRANT USAGE, SELECT ON SEQUENCE author_id_seq TO"),
        ((), "permission denied for"),
    ],
)
def test_missing_rights_are_named_as_an_owner_would_grant_them(shop, role, said, rights, what):
    said("load", "shelf", "--as", "first", "--to", shop.dsn)
    code, told = said("load", "shelf", "--to", role(*rights))
    said("unload", "first", "--in", shop.dsn)
    assert code == 1
    assert what in " ".join(told.split()), told


def in_session(url, **settings):
    return f"{url}{'&' if '?' in url else '?'}options=" + quote(
        " ".join(f"-c {name}={value}" for name, value in settings.items())
    )


def test_reading_alone_is_said_to_be_so(shop, said):
    code, told = said("load", "shelf", "--to", in_session(shop.dsn, default_transaction_read_only="on"))
    assert code == 1
    assert "cannot execute" in told
    assert "read-only" in told
    assert "name the primary server" in told


def test_time_that_ran_out_is_said_to_have(shop, said):
    assert said("load", "shelf", "--as", "slow", "--to", shop.dsn)[0] == 0
    with shop.connect() as conn:
        conn.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(5); RETURN NULL; END $$;"
            "CREATE TRIGGER slow AFTER DELETE OR INSERT ON book FOR EACH STATEMENT EXECUTE FUNCTION slow()"
        )
    try:
        for command in (("load", "shelf", "--to"), ("reset", "slow", "--in")):
            code, told = said(*command, in_session(shop.dsn, statement_timeout="300ms"))
            assert code == 1
            assert "statement timeout" in told
            assert "ALTER ROLE .. SET statement_timeout" in told
            assert "correct the row" not in told
    finally:
        with shop.connect() as conn:
            conn.execute("DROP FUNCTION slow CASCADE")
    assert said("unload", "slow", "--in", shop.dsn)[0] == 0


@pytest.fixture(scope="module")
def port(server):
    """A TCP port that leads to the server's socket: libpq asks for TLS over TCP alone."""
    parameters = psycopg.conninfo.conninfo_to_dict(server.admin_url)
    sockets = ExitStack()
    listening = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))

    def copy(one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def serve():
        with suppress(OSError):
            while True:
                there = sockets.enter_context(listening.accept()[0])
                here = sockets.enter_context(socket.socket(socket.AF_UNIX))
                here.connect(f"{parameters['host']}/.s.PGSQL.{parameters['port']}")
                for pair in ((there, here), (here, there)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with sockets:
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("rest", "what"),
    [
        ("no_such_db", "createdb"),
        ("postgres?sslmode=require", "sslmode=disable"),
        ("postgres?sslmode=never", "verify-full"),
    ],
)
def test_a_connection_that_fails_is_told_why(server, port, said, rest, what):
    parameters = psycopg.conninfo.conninfo_to_dict(server.admin_url)
    password = quote(parameters.get("password") or "", safe="")
    code, told = said("instances", "--in", f"postgresql://postgres:{password}@127.0.0.1:{port}/{rest}")
    assert code == 1
    assert what in told, told


def test_an_error_of_sqlalchemy_is_that_of_its_driver(shop):
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    with pytest.raises(ProgrammingError) as caught, shop.engine.connect() as conn:
        conn.execute(text("SELECT * FROM nothing_here"))
    told = as_error(caught.value)
    assert told is not None
    assert 'relation "nothing_here" does not exist' in str(told)
    assert "SELECT * FROM nothing_here" in str(told)
    assert as_error(ValueError("none of ours")) is None


def test_no_password_and_no_row_is_shown(shop):
    with shop.connect() as conn:
        with pytest.raises(psycopg.Error) as caught:
            conn.execute("ALTER ROLE no_such_role_at_all PASSWORD 'hush'")
        assert "hush" not in str(as_error(caught.value))
        with pytest.raises(psycopg.Error) as caught:
            conn.execute("INSERT INTO book (author_id, title) VALUES (NULL, 'a secret title')")
    told = str(as_error(caught.value))
    assert "table public.book" in told
    assert "Failing row" not in told
