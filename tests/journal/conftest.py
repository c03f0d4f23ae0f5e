"""A database with the journal's help at hand: each test writes, restores, and compares everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scenarios import journal
from scenarios.postgres import Database, Server

Cycle = Callable[[Callable[[psycopg.Connection[Any]], Any]], journal.Restored]


class Bench:
    """A database, the journal's connection and an application's."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.control = database.connect()
        self.app = database.connect()

    def close(self) -> None:
        self.control.close()
        self.app.close()

    def ddl(self, script: str) -> None:
        self.app.execute(script.encode())

    def cycle(self, *programs: str, changed: bool = True) -> journal.Restored:
        """Snapshot, run the statements with real commits, restore, and compare everything.

        Twice: the second time the server works with plans and marks left by the first.
        """
        restored = journal.Restored()
        for _ in range(2):
            before = journal.contents(self.control)
            taken = journal.snapshot(self.control)
            for program in programs:
                self.app.execute(program.encode())
            after = journal.contents(self.control)
            assert (after != before) is changed, "the program did not do what the test is about"
            restored = journal.restore(self.control, taken)
            assert journal.contents(self.control) == before
            assert not journal.changes(self.control, taken)
        return restored


@pytest.fixture
def with_roles() -> Callable[[psycopg.Connection[Any], sql.Composed], None]:
    """Runs a statement about roles, which all workers of a run share: of two at once one is refused."""

    def run(conn: psycopg.Connection[Any], query: sql.Composed) -> None:
        for _ in range(50):
            try:
                conn.execute(query)
            except psycopg.errors.InternalError_:  # "tuple concurrently updated"
                time.sleep(0.02)
            else:
                return
        conn.execute(query)

    return run


@pytest.fixture
def bench(server: Server) -> Iterator[Bench]:
    with server.database() as database:
        made = Bench(database)
        yield made
        made.close()


@pytest.fixture
def any_bench(any_server: Server) -> Iterator[Bench]:
    with any_server.database() as database:
        made = Bench(database)
        yield made
        made.close()


@pytest.fixture
def role(bench, with_roles):
    """A role with the one right it needs to install a journal."""
    name = sql.Identifier(f"journal_ddl_{bench.database.name}"[:60])
    where = sql.Identifier(bench.database.name)
    grant = sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(name)
    with bench.database.connect() as admin:
        with_roles(admin, sql.SQL("CREATE ROLE {}; GRANT ALL ON SCHEMA public TO {}").format(name, name))
        with_roles(admin, sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(where, name))
        with_roles(admin, grant)
        yield name
        for conn in (bench.app, bench.control):
            conn.rollback()
            conn.execute("RESET ROLE")
        with_roles(admin, sql.SQL("DROP OWNED BY {} CASCADE; DROP ROLE {}").format(name, name))
