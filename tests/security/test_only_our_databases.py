"""What happens, and does not, in databases of others: ``docs/security.md``, *Other databases*."""

from __future__ import annotations

import os

import psycopg
import pytest
from psycopg import sql

from scenarios import attach
from scenarios.domain import get_domain
from scenarios.errors import SafetyError, ScenariosError
from scenarios.library import Library
from scenarios.library.privacy.forget import forget
from scenarios.resources import resource


@pytest.fixture
def stranger(server):
    """A database somebody else made on the server, with Dev Coach's schema and one real user."""
    name = f"somebody_elses_{os.getpid()}"  # The workers of a run share the server.
    with server.connect() as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        with psycopg.connect(**server.parameters(name), autocommit=True) as conn:
            conn.execute(get_domain("dev_coach").ddl().encode())
            conn.execute("INSERT INTO users_user (email, password) VALUES ('real@example.com', 'x')")
        info = server.parameters(name)
        query = f"host={info['host']}&port={info['port']}"
        with attach(f"postgresql://{info['user']}:{info['password']}@/{name}?{query}") as database:
            yield database
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def content(db):
    with db.connect() as conn:
        return conn.execute("SELECT email FROM users_user ORDER BY email").fetchall()


@pytest.mark.parametrize(
    "destroy",
    [
        lambda db: db.snapshot(),
        lambda db: db.recreate(),
        lambda db: db.open("nothing.scn"),
        lambda db: forget(db, "real@example.com"),
    ],
    ids=["snapshot", "recreate", "open", "forget"],
)
def test_a_database_without_the_mark_is_refused(stranger, destroy):
    with pytest.raises(SafetyError):
        destroy(stranger)
    assert content(stranger) == [("real@example.com",)]


def test_a_copy_is_not_ours(server):
    from scenarios.ownership import is_ours

    copied = f"a_copy_of_ours_{os.getpid()}"
    copy = sql.Identifier(copied)
    with server.database() as db:
        with db.connect() as conn:
            assert is_ours(conn)
        name = db.name
        db.engine.dispose()
        with server.connect() as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(copy))
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, sql.Identifier(name)))
            try:
                with server.connect(copied) as conn:
                    assert not is_ours(conn)
            finally:
                admin.execute(sql.SQL("DROP DATABASE {}").format(copy))


def test_a_load_elsewhere_touches_its_own_rows_only(stranger):
    instance = Library(resource("scenario_library"))["just_registered"].load(stranger, as_name="visit")
    assert len(content(stranger)) == 4
    instance.reset()
    instance.unload()
    assert content(stranger) == [("real@example.com",)]


def test_database_url_is_not_read(monkeypatch):
    from scenarios.settings import SPECS, Settings

    monkeypatch.setenv("DATABASE_URL", "postgresql://production.example.com/main")
    found = Settings()
    assert all("production" not in str(found[name]) for name in SPECS)


def test_an_error_does_not_tell_the_password():
    with pytest.raises(ScenariosError) as error, attach("postgresql://u:sesame@127.0.0.1:1/none") as db:
        db.connect()
    assert "sesame" not in str(error.value)
    assert "127.0.0.1" in str(error.value)
