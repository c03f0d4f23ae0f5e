"""A database can be reached by every driver and is private to whoever asked for it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import asyncpg
import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, text

from scenarios.errors import DatabaseError
from scenarios.ownership import OwnershipTag
from scenarios.postgres import Server, attach

METADATA = MetaData()
NOTES = Table(
    "notes", METADATA, Column("id", Integer, primary_key=True), Column("body", Text, nullable=False)
)


def test_every_driver_reaches_it(server: Server) -> None:
    with server.database(METADATA) as db:
        with db.connect() as conn:
            conn.execute("INSERT INTO notes VALUES (1, 'psycopg')")
        with psycopg.connect(db.dsn, autocommit=True) as conn:
            conn.execute("INSERT INTO notes VALUES (2, 'dsn')")
        with db.engine.begin() as connection:
            connection.execute(NOTES.insert().values(id=3, body="engine"))

        async def asynchronously() -> None:
            async with db.async_engine.begin() as connection:
                await connection.execute(NOTES.insert().values(id=4, body="async engine"))
            raw = await asyncpg.connect(db.dsn)
            await raw.execute("INSERT INTO notes VALUES (5, 'asyncpg')")
            await raw.close()

        asyncio.run(asynchronously())
        statement = "INSERT INTO notes VALUES (6, 'env')"
        program = f"import psycopg; psycopg.connect('', autocommit=True).execute({statement!r})"
        subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, **db.environment})
        with db.engine.connect() as connection:
            bodies = connection.execute(text("SELECT body FROM notes ORDER BY id")).scalars().all()
        assert bodies == ["psycopg", "dsn", "engine", "async engine", "asyncpg", "env"]


def test_databases_of_one_template_are_private(server: Server) -> None:
    with server.database(METADATA) as one, server.database(METADATA) as other:
        with one.connect() as conn:
            conn.execute("INSERT INTO notes VALUES (1, 'mine')")
        with other.connect() as conn:
            assert conn.execute("SELECT count(*) FROM notes").fetchone() == (0,)


def test_a_fork_has_the_content_and_goes_its_own_way(server: Server) -> None:
    with server.database(METADATA) as db:
        with db.engine.begin() as connection:
            connection.execute(NOTES.insert().values(id=1, body="before"))
        with db.fork() as fork:
            with fork.connect() as conn:
                conn.execute("UPDATE notes SET body = 'after'")
            with db.connect() as conn:
                assert conn.execute("SELECT body FROM notes").fetchone() == ("before",)


def test_recreate_keeps_the_url_and_forgets_the_content(server: Server) -> None:
    with server.database(METADATA) as db:
        url = db.url
        held = db.connect()
        held.execute("INSERT INTO notes VALUES (1, 'gone')")
        held.execute("ALTER TABLE notes ADD COLUMN extra text")
        db.recreate()
        assert db.url == url
        with db.engine.connect() as connection:
            assert connection.execute(text("SELECT * FROM notes")).all() == []
        with pytest.raises(psycopg.OperationalError):
            held.execute("SELECT 1")


def test_an_existing_name_is_refused(server: Server) -> None:
    with server.database() as db, pytest.raises(DatabaseError, match="choose another name"):
        server.database(name=db.name)


@pytest.mark.parametrize("name", ["", "n" * 64, "ä" * 32])
def test_a_name_that_would_be_cut_is_refused(server: Server, name: str) -> None:
    with pytest.raises(DatabaseError, match="cannot create the database"):
        server.manager.create(name, "template0", OwnershipTag("database"))


def test_an_odd_name_is_quoted_everywhere(server: Server) -> None:
    name = f'Odd "name" %s? @{server.manager.next_name()[-12:]}'
    with server.database(METADATA, name=name) as db:
        assert db.name == name
        with psycopg.connect(db.dsn) as conn:
            assert conn.info.dbname == name
        with db.engine.connect() as connection:
            assert connection.execute(text("SELECT current_database()")).scalar() == name
        db.recreate()
        with db.fork() as fork, fork.connect() as conn:
            assert conn.execute("SELECT count(*) FROM notes").fetchone() == (0,)


def test_attached_databases_know_whether_they_are_ours(server: Server) -> None:
    with server.database() as db, attach(db.url) as same, attach(server.admin_url) as foreign:
        assert same.owned
        assert not foreign.owned
        assert foreign.server is None
