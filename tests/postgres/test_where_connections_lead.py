"""An accepted login says nothing about where it led: that is asked before anything is executed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from scenarios import journal
from scenarios.errors import SafetyError, ServerError
from scenarios.postgres import Database, Server, attach, start_server
from scenarios.postgres.urls import libpq_url
from scenarios.resources import resource
from scenarios.settings import Settings

PLAIN = 196608  # protocol 3.0; greater numbers of that form ask for encryption or cancel


class Forwarder:
    """A door to *server* that leads every name to the database *to*, or passes for a pooler's."""

    def __init__(self, server: Server, to: str = "", *, but: str = "", pooled: bool = False) -> None:
        self._to, self._but, self._pooled = to, but, pooled
        self._target = server.parameters("postgres")
        self.accepted = 0
        self._doors = ExitStack()
        self._listening = self._doors.enter_context(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, dbname: str = "postgres") -> str:
        port = str(self._listening.getsockname()[1])
        return libpq_url({**self._target, "host": "127.0.0.1", "port": port, "dbname": dbname})

    def close(self) -> None:
        self._doors.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client = self._doors.enter_context(self._listening.accept()[0])
                self.accepted += 1
                threading.Thread(target=self._pass_on, args=[client], daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError):
            while True:
                body = _exactly(client, int.from_bytes(_exactly(client, 4)) - 4)
                if int.from_bytes(body[:4]) == PLAIN:
                    break
                client.sendall(b"N")  # no encryption here
            words = body[4:].rstrip(b"\0").split(b"\0")
            asked = dict(zip(words[::2], words[1::2], strict=True))
            if self._to and asked[b"database"] != self._but.encode():
                asked[b"database"] = self._to.encode()
            body = body[:4] + b"".join(k + b"\0" + v + b"\0" for k, v in asked.items()) + b"\0"
            behind = self._doors.enter_context(socket.socket(socket.AF_UNIX))
            behind.connect(f"{self._target['host']}/.s.PGSQL.{self._target['port']}")
            behind.sendall((len(body) + 4).to_bytes(4) + body)
            threading.Thread(target=self._answer, args=[behind, client], daemon=True).start()
            while found := client.recv(65536):
                behind.sendall(found)
            behind.shutdown(socket.SHUT_WR)

    def _answer(self, behind: socket.socket, client: socket.socket) -> None:
        with suppress(OSError, EOFError):
            while True:
                kind = _exactly(behind, 1)
                size = _exactly(behind, 4)
                body = _exactly(behind, int.from_bytes(size) - 4)
                if kind == b"K" and self._pooled:
                    body = (7).to_bytes(4) + body[4:]  # a pooler has numbers of its own for its clients
                client.sendall(kind + size + body)


def _exactly(place: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = place.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return found


@pytest.fixture
def forwarded(server: Server) -> Iterator[Callable[..., Forwarder]]:
    doors = ExitStack()

    def forward(to: str = "", *, but: str = "", pooled: bool = False) -> Forwarder:
        door = Forwarder(server, to, but=but, pooled=pooled)
        doors.callback(door.close)
        return door

    with doors:
        yield forward


@pytest.fixture
def strangers(server: Server) -> Iterator[Any]:
    """A database of somebody else's, by what is in it: its tables, and its rows."""
    name = f"strangers_{server.manager.next_name()}"
    with server.connect() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with server.connect(name) as inside:
            inside.execute("CREATE TABLE precious (id int); INSERT INTO precious VALUES (1)")

            def content() -> list[Any]:
                tables = inside.execute(
                    "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                ).fetchall()
                return [*tables, *inside.execute("TABLE precious").fetchall()]

            content.name = name
            yield content
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


SCRIPT = "DROP TABLE IF EXISTS precious; CREATE TABLE precious (id int, more text);"


def made_here(server: Server) -> set[str]:
    return {name for name, tag in server.manager.tagged().items() if tag.pid == os.getpid()}


def test_a_door_that_leads_every_name_to_one_database_is_refused(
    forwarded: Callable[..., Forwarder], strangers: Any
) -> None:
    door = forwarded(strangers.name)
    for named in ("postgres", "anything"):
        with pytest.raises(SafetyError, match=f"led to '{strangers.name}'"), start_server(door.url(named)):
            pass
    assert strangers() == [("precious",), (1,)]


@pytest.mark.parametrize("what", ["script", "database", "populate", "extension"])
def test_nothing_runs_in_a_database_that_was_not_meant(
    forwarded: Callable[..., Forwarder], server: Server, strangers: Any, tmp_path: Path, what: str
) -> None:
    """As with PGlite: the one database there is answers to its own name, and to that of a new one."""
    script = tmp_path / "schema.sql"
    script.write_text(SCRIPT)
    before = made_here(server)
    door = forwarded(strangers.name, but="postgres")

    class Described:
        name = "with an extension"
        extensions = ("plpgsql",)

        def ddl(self) -> str:
            return SCRIPT

    deeds: dict[str, Callable[[Server], object]] = {
        "script": lambda ours: ours.template(script),
        "database": lambda ours: ours.database(),
        "populate": lambda ours: ours.template(None, populate=lambda conn: conn.execute(SCRIPT.encode())),
        "extension": lambda ours: ours.template(Described()),
    }
    settings = Settings({"cache_dir": str(tmp_path / "cache")})
    with start_server(door.url(), settings=settings) as ours, pytest.raises(SafetyError, match="was done to"):
        deeds[what](ours)
    assert strangers() == [("precious",), (1,)]
    assert made_here(server) <= before


def test_a_pooler_is_no_server_for_a_run(forwarded: Callable[..., Forwarder]) -> None:
    with pytest.raises(ServerError, match="a connection pooler"), start_server(forwarded(pooled=True).url()):
        pass


def test_no_session_is_changed_through_a_pooler(
    forwarded: Callable[..., Forwarder], server: Server, fresh_db: Database
) -> None:
    """Rows can be written and compared through one; what belongs to a session would be left in it."""
    before = fresh_db.checksum()
    with attach(forwarded(pooled=True).url(fresh_db.name)) as db:
        assert db.owned
        for act in (db.snapshot, lambda: db.restore("x")):
            with pytest.raises(SafetyError, match="a connection pooler"):
                act()
        with db.connect() as conn, pytest.raises(SafetyError, match="a connection pooler"):
            journal.install(conn)
        assert db.checksum() == before
        assert db.mark("for a load", wait=1) is None
        assert db._journal.execute("SHOW session_replication_role").fetchone() == ("origin",)


def test_a_forwarded_port_is_a_server_like_any_other(
    forwarded: Callable[..., Forwarder], tmp_path: Path
) -> None:
    settings = Settings({"cache_dir": str(tmp_path / "cache")})
    with start_server(forwarded().url(), settings=settings) as ours, ours.database() as db:
        before = db.snapshot()
        with db.connect() as conn:
            conn.execute("COMMENT ON SCHEMA public IS 'changed'")  # what no restore undoes in place
        assert not db.restore(before).in_place


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+psycopg2", "postgresql+asyncpg"])
def test_a_server_may_be_named_by_any_spelling_of_its_url(
    forwarded: Callable[..., Forwarder], tmp_path: Path, scheme: str
) -> None:
    url = forwarded().url().replace("postgresql", scheme, 1)
    environ = {"SCENARIOS_PROVIDER": url, "SCENARIOS_CACHE_DIR": str(tmp_path / "cache")}
    for settings in (Settings(environ=environ), Settings({"provider": url, "cache_dir": str(tmp_path)})):
        with start_server(settings=settings) as ours:
            assert ours.provider == "external"


PROGRAM = """
import sys, scenarios
from scenarios.settings import Settings
from sqlalchemy import text
def schema(conn): conn.execute("CREATE TABLE made (at timestamptz DEFAULT '2026-07-01 12:00'::timestamptz)")
with scenarios.start_server("embedded", settings=Settings({"runtime_dir": sys.argv[1]})) as server:
    assert server.version_text.startswith(sys.argv[2]), server
    with server.database(schema) as db, db.connect() as conn, db.engine.connect() as other:
        db.snapshot()
        for place in (conn.execute, lambda query: other.execute(text(query))):
            for setting in ("DateStyle", "TimeZone", "geqo", "search_path", "client_encoding"):
                print(place(f"SHOW {setting}").fetchone()[0])
            print(place("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef").fetchone()[0])
        print(db.environment.get("PGHOSTADDR"))
"""

SHELL = {
    "PGHOST": "db.invalid",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGDATABASE": "none",
    "PGOPTIONS": "-c search_path=app -c default_transaction_read_only=on",
    "PGTARGETSESSIONATTRS": "read-only",
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGREQUIREPEER": "nobody",
    "PGREQUIREAUTH": "none",
    "PGSSLMODE": "require",
    "PGSSLCERTMODE": "require",
    "PGMINPROTOCOLVERSION": "3.2",
    "PGCONNECT_TIMEOUT": "1",
    "PGCLIENTENCODING": "SQL_ASCII",
    "PGDATESTYLE": "SQL, DMY",
    "PGTZ": "Asia/Tokyo",
    "PGGEQO": "off",
    "PGSERVICE": "work",
}


def test_the_shells_variables_do_not_reach_a_server_of_ours(
    forwarded: Callable[..., Forwarder], server: Server, own_runtime: Path, tmp_path: Path
) -> None:
    """With PGHOSTADDR, or a service that has one, databases were made on another server and left there."""
    door = forwarded()
    host, port = door.url().split("@")[1].split("/")[0].split(":")
    services = tmp_path / "services"
    services.write_text(f"[work]\nhostaddr={host}\noptions=-c lock_timeout=1\nuser=nobody\nsslmode=require\n")
    before = made_here(server)
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(own_runtime), server.version_text],
        env={**os.environ, **SHELL, "PGHOSTADDR": host, "PGPORT": port, "PGSERVICEFILE": str(services)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    default = "'2026-07-01 12:00:00+00'::timestamp with time zone"
    seen = ["ISO, MDY", "UTC", "on", '"$user", public', "UTF8", default]
    assert said.stdout.splitlines() == [*seen, *seen, ""]
    assert made_here(server) <= before


BUILDS = """
import sys, scenarios, django
from django.conf import settings
from alembic.config import Config
from sqlalchemy import Column, Integer, MetaData, Table
from scenarios.cli.schema import check_schema
from scenarios.coming_from.django_database import django_schema
from scenarios.settings import Settings
base = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {"service": "work"}}
settings.configure(INSTALLED_APPS=["django.contrib.contenttypes"], DATABASES={"default": base})
django.setup()
metadata = MetaData()
Table("made", metadata, Column("id", Integer, primary_key=True))
config = Config()
config.set_main_option("script_location", sys.argv[2])
config.set_main_option("path_separator", "os")
with scenarios.start_server("embedded", settings=Settings({"runtime_dir": sys.argv[1]})) as server:
    for schema in (metadata, config, django_schema()):
        with server.database(schema) as db, db.connect() as conn:
            print(conn.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()[0])
print(bool(check_schema("dev_coach", provider="embedded")))
"""


def test_no_kind_of_schema_is_built_where_the_shell_leads(
    forwarded: Callable[..., Forwarder], own_runtime: Path, tmp_path: Path
) -> None:
    """Whoever connects for a build, Django's connection and Alembic's engine as well, is told everything."""
    elsewhere = forwarded()
    host, port = elsewhere.url().split("@")[1].split("/")[0].split(":")
    services = tmp_path / "services"
    services.write_text(f"[work]\nhostaddr={host}\nuser=nobody\nsslmode=require\n")
    migrations = resource("schema") / "dev_coach" / "migrations"
    said = subprocess.run(
        [sys.executable, "-c", BUILDS, str(own_runtime), str(migrations)],
        env={
            **os.environ,
            **{name: value for name, value in SHELL.items() if name != "PGDATESTYLE"},
            "PGHOSTADDR": host,
            "PGPORT": port,
            "PGSERVICEFILE": str(services),
            "SCENARIOS_RUNTIME_DIR": str(own_runtime),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    one, migrated, of_django, drifted = said.stdout.split()
    assert (one, of_django, drifted) == ("1", "2", "False")
    assert int(migrated) > 10
    assert elsewhere.accepted == 0


def test_a_service_nobody_defined_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "nowhere defined")
    with pytest.raises(ServerError, match="unset PGSERVICE"):
        server.connect()


def test_another_server_in_our_place_is_told_by_its_name(server: Server) -> None:
    from scenarios.postgres.connections import connect

    assert server.cluster
    with pytest.raises(SafetyError, match="another PostgreSQL server answers"):
        connect(server.parameters("postgres"), cluster="of another directory")
