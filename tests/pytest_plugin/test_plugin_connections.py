"""Connections end, are pooled, and wait for one another; no test pays for what another one did to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scenarios.postgres import Server, start_server
from scenarios.postgres.urls import libpq_url
from scenarios.pytest_plugin.prepared import PreparedDatabase
from scenarios.settings import Settings

ENGINE = """
import pytest
from models import Base
from sqlalchemy import create_engine


@pytest.fixture(scope="session")
def scenario_schema():
    return Base


@pytest.fixture(scope="session")
def app(scenario_db_url):
    # As an application has it: connections are kept from test to test.
    engine = create_engine(scenario_db_url, pool_pre_ping=True, connect_args={"application_name": "shop"})
    yield engine
    engine.dispose()
"""


def test_connections_that_a_test_ends_are_its_own_affair(project):
    run = project(
        "-q",
        test_lost="""
        import psycopg
        import pytest
        from sqlalchemy import text
        from sqlalchemy.exc import OperationalError

        OURS = "datname = current_database()"
        ALL = "backend_type = 'client backend'"


        def end(db, which):
            with psycopg.connect(db.dsn) as conn:
                conn.execute("INSERT INTO customer (name) VALUES ('Eve')")
                conn.commit()
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    f" WHERE pid <> pg_backend_pid() AND {which}"
                )


        def names(db):
            with db.engine.connect() as conn:
                return sorted(conn.scalars(text("SELECT name FROM customer")))


        @pytest.mark.parametrize("which", [OURS, ALL])
        @pytest.mark.parametrize("n", range(2))
        def test_bare(scenario_db, which, n):
            assert names(scenario_db) == []
            end(scenario_db, which)


        @pytest.mark.scenario("one_customer")
        @pytest.mark.parametrize("n", range(2))
        def test_in_a_state(scenario_db, n):
            assert names(scenario_db) == ["Ada"]
            end(scenario_db, ALL)


        @pytest.mark.scenario("one_customer")
        def test_with_changes(scenario_db, scenario_changes):
            end(scenario_db, ALL)
            assert len(scenario_changes()) == 1


        @pytest.mark.scenario("one_customer")
        @pytest.mark.parametrize("n", range(2))
        def test_with_ddl(scenario_db, n):
            assert names(scenario_db) == ["Ada"]
            with scenario_db.engine.begin() as conn:
                conn.execute(text("CREATE TABLE more (id int)"))
            end(scenario_db, ALL)


        @pytest.mark.parametrize("which", [OURS, ALL])
        def test_with_a_session(scenario_session, scenario_db, which):
            assert names(scenario_db) == []
            scenario_session.execute(text("INSERT INTO customer (name) VALUES ('Bob')"))
            end(scenario_db, which)


        def test_with_a_session_alone(scenario_session):
            scenario_session.execute(text("INSERT INTO customer (name) VALUES ('Bob')"))
            with pytest.raises(OperationalError):
                scenario_session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


        @pytest.mark.scenario_isolation("clone")
        def test_on_a_copy(scenario_db):
            assert names(scenario_db) == []
            end(scenario_db, ALL)


        def test_afterwards(scenario_db):
            assert names(scenario_db) == []
        """,
    )
    assert run.outcomes == {"passed": 14}, run.text


def test_a_pool_of_the_applications_is_in_nobodys_way(project):
    run = project(
        "-v",
        "--scenarios-keep-failed",
        conftest=ENGINE,
        test_pool="""
        import pytest
        from sqlalchemy import text


        def names(app):
            with app.connect() as conn:
                return sorted(conn.scalars(text("SELECT name FROM customer")))


        def write(app):
            with app.begin() as conn:
                conn.execute(text("INSERT INTO customer (name) VALUES ('Eve')"))


        def test_warm(app):
            write(app)


        @pytest.mark.scenario_isolation("clone")
        @pytest.mark.parametrize("n", range(2))
        def test_on_a_copy(app, scenario_db, n):
            assert names(app) == []
            with app.begin() as conn:
                conn.execute(text("CREATE TABLE more (id int)"))
            write(app)


        @pytest.mark.scenario("one_customer")
        @pytest.mark.scenario_isolation("clone")
        def test_on_a_copy_of_a_state(app):
            assert names(app) == ["Ada"]
            write(app)


        def test_failing(app):
            write(app)
            assert names(app) == []


        def test_afterwards(app):
            assert names(app) == []
        """,
    )
    assert run.outcomes == {"passed": 5, "failed": 1}, run.text
    run.has(
        r"the database is kept as scn_d_",
        r"test_failing is kept: ",
        r"connections were ended to copy their database \(\d of shop\); an engine needs pool_pre_ping",
    )
    run.lacks("could not be kept")


def test_a_copy_in_place_of_a_snapshot_is_taken_past_a_pool(server: Server, tmp_path: Path) -> None:
    """Where the role may not undo rows, each snapshot is a copy of the database."""

    def schema(conn: psycopg.Connection[Any]) -> None:
        conn.execute("CREATE TABLE things (id int)")

    role = f"copies_{server.manager.next_name()}"
    with server.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD 'x'").format(sql.Identifier(role)))
    url = libpq_url({**server.parameters("postgres"), "user": role, "password": "x"})
    settings = Settings({"cache_dir": str(tmp_path / "cache")})
    with start_server(url, settings=settings) as theirs, theirs.database(schema) as db:
        prepared = PreparedDatabase(db)
        with (
            prepared.broader("module", 1),
            psycopg.connect(db.dsn, autocommit=True, application_name="shop") as own,
        ):
            own.execute("INSERT INTO things VALUES (1)")
            start = prepared.begin()
            assert prepared.ended == ["shop"]
            with pytest.raises(psycopg.OperationalError):
                own.execute("SELECT 1")
            with db.connect() as conn:
                conn.execute("INSERT INTO things VALUES (2)")
            prepared.undo(start, "this test")
            with db.connect() as conn:
                assert conn.execute("TABLE things").fetchall() == [(1,)]
    with server.connect() as admin:
        admin.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))


def test_who_waits_for_the_session_it_was_given_is_told_so(project):
    run = project(
        "-q",
        "-p",
        "no:randomly",
        environ={"SCENARIOS_LOCK_TIMEOUT": "0.3"},
        test_waits="""
        import pytest
        from sqlalchemy import text

        RENAME = text("UPDATE customer SET name = 'Bob'")


        @pytest.mark.scenario("one_customer")
        def test_engine(scenario_session, scenario_db):
            scenario_session.execute(RENAME)
            with scenario_db.engine.begin() as conn:
                conn.execute(RENAME)


        @pytest.mark.scenario("one_customer")
        def test_connection(scenario_session, scenario_db):
            scenario_session.execute(RENAME)
            with scenario_db.connect() as conn:
                conn.execute("ALTER TABLE customer ADD a int")


        @pytest.fixture
        def other(scenario_db):
            with scenario_db.engine.connect() as conn:
                yield conn


        @pytest.mark.scenario("one_customer")
        def test_the_session_itself(scenario_session, other):
            other.execute(RENAME)
            scenario_session.execute(text("UPDATE customer SET phone = '1'"))


        @pytest.mark.asyncio
        @pytest.mark.scenario("one_customer")
        async def test_async(scenario_async_session, scenario_db):
            await scenario_async_session.execute(RENAME)
            async with scenario_db.async_engine.begin() as conn:
                await conn.execute(RENAME)


        @pytest.mark.scenario("one_customer")
        def test_afterwards(scenario_db):
            with scenario_db.engine.connect() as conn:
                assert conn.scalar(text("SELECT name FROM customer")) == "Ada"
                assert conn.scalar(text("SHOW lock_timeout")) == "300ms"
                conn.execute(text("SET lock_timeout = 0"))


        def test_what_the_application_sets_holds(scenario_db):
            with scenario_db.engine.connect() as conn:
                assert conn.scalar(text("SHOW lock_timeout")) == "300ms", "again"
                conn.execute(text(f'ALTER DATABASE "{scenario_db.name}" SET lock_timeout = 7'))
                conn.commit()
            with scenario_db.connect() as conn:
                assert conn.execute("SHOW lock_timeout").fetchone() == ("7ms",)
        """,
    )
    assert run.outcomes == {"failed": 4, "passed": 2}, run.text
    waited = (
        r"E .*scenario_session, which the test was given, has a transaction open \(pid \d+, idle in transac"
    )
    run.has(
        *("_ test_engine _", waited, "last statement: UPDATE customer SET name", "commit it before"),
        *("_ test_connection _", waited, "last statement: UPDATE customer SET name"),
        *(
            "_ test_the_session_itself _",
            r"E .*the lock may be that of pid \d+",
            "last query: UPDATE customer",
        ),
        *(
            "_ test_async _",
            r"E .*scenario_async_session, which the test was given",
            "last statement: UPDATE",
        ),
    )


def test_a_commit_of_the_given_session_asks_what_is_deferred(project):
    run = project(
        conftest="""
        import pytest


        @pytest.fixture(scope="session")
        def scenario_schema():
            def schema(conn):
                conn.execute('''
                    CREATE TABLE parent (id int PRIMARY KEY, seen bool);
                    CREATE TABLE child (id int PRIMARY KEY, parent int,
                        CONSTRAINT "of: 100% parent" FOREIGN KEY (parent) REFERENCES parent
                            DEFERRABLE INITIALLY DEFERRED,
                        CONSTRAINT at_once UNIQUE (parent) DEFERRABLE);
                    CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
                        $$ BEGIN UPDATE parent SET seen = true WHERE id = NEW.id; RETURN NULL; END $$;
                    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON parent
                        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
                ''')

            return schema
        """,
        test_deferred="""
        import pytest
        from sqlalchemy import text
        from sqlalchemy.exc import IntegrityError

        PARENT = text("INSERT INTO parent VALUES (1)")
        CHILD = text("INSERT INTO child VALUES (1, 1)")
        SEEN = text("SELECT seen FROM parent")


        @pytest.mark.parametrize("again", range(2))
        def test_session(scenario_session, again):
            scenario_session.execute(CHILD)
            with scenario_session.begin_nested():
                scenario_session.execute(text("SELECT 1"))
            with pytest.raises(IntegrityError, match="of: 100% parent"):
                scenario_session.commit()
            scenario_session.rollback()
            for _ in range(2):
                scenario_session.execute(CHILD)
                scenario_session.execute(PARENT)
                assert scenario_session.scalar(SEEN) is None, "deferred, also after a commit"
                scenario_session.commit()
                assert scenario_session.scalar(SEEN) is True
                with pytest.raises(IntegrityError, match="at_once"):
                    scenario_session.execute(text("INSERT INTO child VALUES (2, 1)"))
                scenario_session.rollback()
                scenario_session.execute(text("DELETE FROM child; DELETE FROM parent"))
                scenario_session.commit()


        @pytest.mark.asyncio
        @pytest.mark.parametrize("again", range(2))
        async def test_async_session(scenario_async_session, again):
            await scenario_async_session.execute(CHILD)
            with pytest.raises(IntegrityError, match="of: 100% parent"):
                await scenario_async_session.commit()
            await scenario_async_session.rollback()
            await scenario_async_session.execute(PARENT)
            await scenario_async_session.commit()
            assert await scenario_async_session.scalar(SEEN) is True
        """,
    )
    assert run.outcomes == {"passed": 4}, run.text
    run.has(r"4 tests isolated \(4 by rollback\)")
