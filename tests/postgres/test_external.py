"""A server that is not ours needs to give us CREATEDB and nothing more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from scenarios.errors import DatabaseError
from scenarios.postgres import Server, start_server
from scenarios.postgres.binaries import installed_majors
from scenarios.postgres.leftovers import collect
from scenarios.settings import Settings

METADATA = MetaData()
Table("things", METADATA, Column("id", Integer, primary_key=True))

SECRET = "s3cret:with@signs/and?more"


MAJORS = {major: found for major, found in installed_majors(Settings()).items() if major in (15, 18)}


@pytest.fixture(scope="module", params=MAJORS, ids=lambda major: f"pg{major}")
def foreign(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that listens on TCP, with a role that may create databases and one that may not."""
    settings = Settings({"tcp": "on", "postgres_bin": str(MAJORS[request.param].bin)})
    with start_server("embedded", settings=settings, share=False) as server:
        with server.connect() as conn:
            for role, may in (("tester", b"CREATEDB"), ("guest", b"NOCREATEDB")):
                conn.execute(b"CREATE ROLE %s LOGIN %s" % (role.encode(), may))
                conn.execute(b"ALTER ROLE %s PASSWORD '%s'" % (role.encode(), SECRET.encode()))
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Settings:
    return Settings({"cache_dir": str(tmp_path / "cache")})


def url(foreign: Server, role: str, password: str | None = SECRET) -> str:
    from scenarios.postgres.urls import libpq_url

    parameters = {**foreign.parameters("postgres"), "user": role}
    parameters.pop("password")
    if password is not None:
        parameters["password"] = password
    return libpq_url(parameters)


def test_createdb_is_enough(foreign: Server, cache: Settings) -> None:
    with start_server(url(foreign, "tester"), settings=cache) as server:
        assert server.provider == "external"
        assert server.settings_read_back["fsync"] == "off"
        with server.database(METADATA) as db:
            with db.connect() as conn:
                conn.execute("INSERT INTO things VALUES (1)")
            with db.fork() as fork, fork.connect() as conn:
                assert conn.execute("SELECT id FROM things").fetchone() == (1,)
            db.recreate()
            with db.connect() as conn:
                assert conn.execute("SELECT id FROM things").fetchone() is None
        made = server.template(METADATA).name
    with foreign.connect() as conn:
        left = {row[0] for row in conn.execute("SELECT datname FROM pg_database").fetchall()}
        assert made in left, "templates stay for the next run"
        assert not left & {db.name, fork.name}, "databases go with their run"


def test_without_the_journal_a_snapshot_is_a_copy(foreign: Server, cache: Settings) -> None:
    with start_server(url(foreign, "tester"), settings=cache) as server, server.database(METADATA) as db:
        assert ["no journal" in limit for limit in server.limits] == [True]
        empty = db.snapshot("empty")
        with db.connect() as conn:
            conn.execute("INSERT INTO things VALUES (1)")
        one = db.snapshot()
        for _ in range(2):
            with db.connect() as conn:
                conn.execute("INSERT INTO things VALUES (2)")
            assert not db.restore(one).in_place
            with db.connect() as conn:
                assert conn.execute("SELECT id FROM things").fetchall() == [(1,)]
        restored = db.restore("empty")
        assert "session_replication_role" in (restored.why or "")
        assert db.restore(empty).rows == 0
        with db.connect() as conn:
            assert conn.execute("SELECT id FROM things").fetchall() == []


def test_without_createdb_the_remedy_is_named(foreign: Server, cache: Settings) -> None:
    with start_server(url(foreign, "guest"), settings=cache) as server:
        with pytest.raises(DatabaseError, match="42501") as caught:
            server.database()
        assert "ALTER ROLE .. CREATEDB" in str(caught.value)


def test_the_password_comes_from_the_usual_place(foreign: Server, tmp_path: Path) -> None:
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"127.0.0.1:*:*:tester:{SECRET.replace(':', chr(92) + ':')}\n")
    passwords.chmod(0o600)
    program = """
import sys
from scenarios.postgres import start_server
with start_server(sys.argv[1]) as server, server.database() as db, db.engine.connect() as connection:
    print(server, db, server.admin_url, db.url)
"""
    said = subprocess.run(
        [sys.executable, "-c", program, url(foreign, "tester", None)],
        env={**os.environ, "PGPASSFILE": str(passwords), "SCENARIOS_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "s3cret" not in said.stdout + said.stderr


def test_a_service_file_is_understood(foreign: Server, tmp_path: Path) -> None:
    parameters = foreign.parameters("postgres")
    services = tmp_path / "services"
    services.write_text(
        f"[mine]\nhost={parameters['host']}\nport={parameters['port']}\nuser=tester\npassword={SECRET}\n"
    )
    program = """
from scenarios.postgres import start_server
with start_server("postgresql:///?service=mine") as server, server.database() as db, db.connect() as conn:
    print(conn.execute("SELECT current_user").fetchone()[0])
"""
    said = subprocess.check_output(
        [sys.executable, "-c", program],
        env={**os.environ, "PGSERVICEFILE": str(services), "SCENARIOS_CACHE_DIR": str(tmp_path / "cache")},
        text=True,
    )
    assert said == "tester\n"


def test_a_killed_run_is_collected_and_a_living_one_is_not(foreign: Server, tmp_path: Path) -> None:
    address = url(foreign, "tester")
    settings = Settings({"provider": address, "cache_dir": str(tmp_path / "cache")})
    program = """
import sys, time
from scenarios.postgres import start_server
server = start_server(sys.argv[1])
print(server.database().name, flush=True)
time.sleep(60)
"""
    with start_server(settings=settings) as living, living.database() as ours:
        with subprocess.Popen(
            [sys.executable, "-c", program, address],
            env={**os.environ, "SCENARIOS_CACHE_DIR": str(tmp_path / "cache")},
            stdout=subprocess.PIPE,
            text=True,
        ) as dead:
            assert dead.stdout is not None
            theirs = dead.stdout.readline().strip()
            dead.kill()
        collected = [each.name.partition(" ")[0] for each in collect(settings)]
        assert theirs in collected
        assert ours.name not in collected
        with ours.connect() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_roles_do_not_share_templates(foreign: Server, cache: Settings) -> None:
    """Two roles on one server do not clone each other's templates, which PostgreSQL would refuse."""
    with start_server(url(foreign, "tester"), settings=cache) as server:
        theirs = server.template(METADATA)
    ours = foreign.template(METADATA).name
    assert ours != theirs.name
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with start_server(url(foreign, "tester"), settings=cache) as server, refused:
        server.manager.drop(ours)
