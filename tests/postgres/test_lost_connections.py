"""Connections of ours that an administrator, a time limit or a test ends are made anew without a word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scenarios.errors import JournalError
from scenarios.postgres import Database, Server, leases, start_server
from scenarios.postgres.urls import libpq_url
from scenarios.settings import Settings

END_ALL = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server nobody else is connected to, so that all its connections may be ended."""
    with start_server("embedded", share=False) as server:
        yield server


def schema(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE things (id int PRIMARY KEY); INSERT INTO things VALUES (1)")


@pytest.fixture
def db(own_server: Server) -> Iterator[Database]:
    with own_server.database(schema) as db:
        yield db


def end_all(server: Server) -> None:
    with psycopg.connect(**server.parameters("postgres"), autocommit=True) as conn:
        row = conn.execute(END_ALL).fetchone()
        assert row is not None
        assert row[0]


def content(db: Database) -> list[Any]:
    with db.connect() as conn:
        return conn.execute("TABLE things").fetchall()


ACTS: dict[str, Callable[[Database, Path], object]] = {
    "snapshot": lambda db, path: db.snapshot(),
    "checksum": lambda db, path: db.checksum(),
    "save": lambda db, path: db.save(path / "saved"),
    "open": lambda db, path: db.open(path / "before"),
    "fork": lambda db, path: db.fork().close(),
    "recreate": lambda db, path: db.recreate(),
    "another": lambda db, path: db.server and db.server.database(schema).close(),
    "template": lambda db, path: db.server and db.server.template(schema, key=str(path)),
    "keep": lambda db, path: db.server and db.server.manager.tagged(),
}


@pytest.mark.parametrize("act", ACTS)
def test_everything_works_on(own_server: Server, db: Database, act: str, tmp_path: Path) -> None:
    db.save(tmp_path / "before")
    before = db.snapshot()
    end_all(own_server)
    ACTS[act](db, tmp_path)
    assert content(db) == [(1,)]
    if act != "recreate":
        with db.connect() as conn:
            conn.execute("INSERT INTO things VALUES (2)")
        end_all(own_server)
        if act != "open":  # there, all content was replaced, and snapshots with it
            assert len(db.changes(before)) == 1
            end_all(own_server)
            assert db.restore(before).in_place
            assert content(db) == [(1,)]


def test_a_block_that_is_restored(own_server: Server, db: Database) -> None:
    with db.restored():
        with db.connect() as conn:
            conn.execute("INSERT INTO things VALUES (2)")
        end_all(own_server)
    assert content(db) == [(1,)]


def test_an_error_of_the_journal_is_not_asked_for_twice(db: Database) -> None:
    with pytest.raises(JournalError, match="there is no snapshot"):
        db.restore("never taken")


def test_the_lease_is_held_again(own_server: Server, db: Database) -> None:
    tag = own_server.manager.read_tag(db.name)
    assert tag is not None
    end_all(own_server)
    assert own_server.manager.read_tag(db.name) == tag
    assert tag.lease in leases.held(own_server.manager.control)


def test_clones_are_made_in_advance_on_another_connection(own_server: Server) -> None:
    template = own_server.template(schema)
    own_server.prefetch(template, 1)
    deadline = time.monotonic() + 30
    for _ in range(2):
        while (name := own_server.manager.take(template.name)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert name
        end_all(own_server)


def test_a_servers_time_limit_does_not_end_them(own_server: Server, tmp_path: Path) -> None:
    """A role's idle_session_timeout is the application's; ours are idle for as long as a test takes."""
    with own_server.connect() as admin:
        admin.execute("CREATE ROLE hasty LOGIN CREATEDB PASSWORD 'x'")
        admin.execute("GRANT SET ON PARAMETER session_replication_role TO hasty")
        admin.execute("ALTER ROLE hasty SET idle_session_timeout = '100ms'")
    parameters = {**own_server.parameters("postgres"), "user": "hasty", "password": "x"}
    settings = Settings({"cache_dir": str(tmp_path / "cache")})
    with start_server(libpq_url(parameters), settings=settings) as theirs, theirs.database(schema) as db:
        before = db.snapshot()
        ours = {theirs.manager.control.info.backend_pid, db._journal.info.backend_pid}
        with psycopg.connect(db.dsn, autocommit=True) as conn:
            conn.execute("INSERT INTO things VALUES (2)")
            time.sleep(0.4)
            with pytest.raises(psycopg.OperationalError):
                conn.execute("SELECT 1")
        assert db.restore(before).in_place
        assert {theirs.manager.control.info.backend_pid, db._journal.info.backend_pid} == ours


def test_a_run_that_lost_its_connections_leaves_nothing(own_server: Server) -> None:
    with start_server(own_server.admin_url) as visitor:
        names = [visitor.database(schema).name for _ in range(2)]
        end_all(own_server)
    with own_server.connect() as admin:
        left = admin.execute("SELECT datname FROM pg_database WHERE datname = ANY (%s)", [names])
        assert left.fetchall() == []
