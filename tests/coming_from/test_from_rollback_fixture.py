"""The rollback recipe and its replacement: the same tests, what the recipe hid, engines made elsewhere."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from scenarios.coming_from.rollback_fixture import redirected

SHOP = """
import os

from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(
        ForeignKey("customer.id", deferrable=True, initially="DEFERRED")
    )


engine = create_engine("postgresql+psycopg://nobody@nowhere.invalid/production")
SessionLocal = sessionmaker(engine)


def register(session, name):
    session.add(Customer(name=name))
    session.commit()


def register_and_forget_to_commit(session, name):
    session.add(Customer(name=name))
    session.flush()


def in_the_background(name):
    with SessionLocal() as session:
        register(session, name)
"""
RECIPE = """
import os

import pytest
from shop import Base
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def engine():
    url = make_url(os.environ["PEER"]).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    yield engine
    Base.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def db_session(engine):
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()
"""
MOVED = """
import pytest
import shop
from scenarios.coming_from import rollback_fixture

db_session = rollback_fixture.session()


@pytest.fixture(scope="session")
def scenario_schema():
    return shop.Base


@pytest.fixture(scope="session")
def application(scenario_db_url):
    with rollback_fixture.redirected(shop.engine, scenario_db_url):
        yield
"""
OLD_TESTS = """
import pytest
import shop
from sqlalchemy import func, select


def names(session):
    return session.scalars(select(shop.Customer.name)).all()


@pytest.mark.parametrize("again", range(2))
def test_good(db_session, again):
    shop.register(db_session, "Ada")
    assert names(db_session) == ["Ada"]


def test_nothing_is_committed(db_session):
    shop.register_and_forget_to_commit(db_session, "Bob")
    assert names(db_session) == ["Bob"]


def test_an_order_of_nobody(db_session):
    db_session.add(shop.Order(customer_id=7))
    db_session.commit()
    assert db_session.scalar(select(func.count(shop.Order.id))) == 1


def test_reading(db_session):
    assert names(db_session) == []
"""


@pytest.fixture
def shop(project):
    (project.home / "shop.py").write_text(SHOP, "utf-8")

    def run(*options, **files):
        return project("-rw", *options, environ={"PYTHONPATH": "."}, **files)

    return run


def test_old_tests_pass_and_what_was_hidden_is_said(shop):
    there = shop(conftest=RECIPE, test_old=OLD_TESTS)
    assert there.outcomes == {"passed": 5}, there.text
    ignored = "-Wdefault::scenarios.coming_from.rollback_fixture.HiddenByRollback"
    here = shop(ignored, conftest=MOVED)
    assert here.outcomes == {"failed": 1, "passed": 4, "warning": 1}, here.text
    assert "test_old.py::test_nothing_is_committed" in here.text
    assert "1 changed row of public.customer were never committed" in here.text
    assert "_ test_an_order_of_nobody _" in here.text, "by its commit, as it would be"
    assert 'violates foreign key constraint "order_customer_id_fkey"' in here.text
    assert "5 tests isolated (5 by rollback)" in here.text
    strict = shop()
    assert strict.outcomes == {"failed": 1, "passed": 4, "error": 1}, "filterwarnings = error"
    unchecked = shop(conftest=MOVED.replace("session()", "session(check=False)"))
    assert unchecked.outcomes == {"failed": 1, "passed": 4}, unchecked.text


def test_on_real_commits_a_forgotten_one_is_seen_as_well(shop):
    run = shop(
        conftest=MOVED.replace(
            'scope="session")\ndef application', 'scope="session", autouse=True)\ndef application'
        ),
        test_old=OLD_TESTS,
    )
    assert run.outcomes == {"failed": 1, "passed": 4, "error": 1}, run.text
    assert "1 changed row of public.customer were never committed" in run.text
    assert 'violates foreign key constraint "order_customer_id_fkey"' in run.text, "by the commit itself"


def test_a_failed_test_and_a_broken_transaction_stay_themselves(shop):
    run = shop(
        conftest=MOVED,
        test_broken="""
        from sqlalchemy import text
        from sqlalchemy.exc import ProgrammingError


        def test_failing(db_session):
            db_session.execute(text("INSERT INTO customer (name) VALUES ('Ada')"))
            db_session.commit()
            assert False


        def test_broken(db_session):
            try:
                db_session.execute(text("SELECT nothing"))
            except ProgrammingError:
                pass
        """,
    )
    assert run.outcomes == {"failed": 1, "passed": 1}, run.text


def test_an_application_with_its_own_engine_works_on_the_tests_database(shop):
    run = shop(
        conftest=MOVED,
        test_own="""
        import pytest
        import shop
        from sqlalchemy import select


        @pytest.mark.parametrize("again", range(2))
        def test_background(application, db_session, scenario_changes, again):
            shop.in_the_background("Ada")
            assert db_session.scalars(select(shop.Customer.name)).all() == ["Ada"]
            assert scenario_changes().counts["public.customer"]["inserted"] == 1
        """,
    )
    assert run.outcomes == {"passed": 2}, run.text


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_an_asynchronous_engine_is_redirected_too(fresh_db, driver):
    engine = create_async_engine(f"postgresql+{driver}://nobody@nowhere.invalid/production")

    async def name():
        async with engine.connect() as connection:
            found = await connection.scalar(text("SELECT current_database()"))
        await engine.dispose()
        return found

    with redirected(engine, fresh_db.url):
        assert asyncio.run(name()) == fresh_db.name


NOT_OF_THE_ADDRESS = {
    "psycopg": {"options": "-c search_path=app -c timezone=Asia/Tokyo", "application_name": "shop"},
    "asyncpg": {
        "server_settings": {"search_path": "app", "timezone": "Asia/Tokyo", "application_name": "shop"},
    },
}
OF_THE_ADDRESS = {
    "psycopg": {"host": "nowhere.invalid", "sslmode": "require", "dbname": "none", "passfile": "none"},
    "asyncpg": {"host": "nowhere.invalid", "ssl": True, "database": "none"},
}


@pytest.mark.parametrize("driver", NOT_OF_THE_ADDRESS)
def test_what_an_engine_tells_its_connections_stays(fresh_db, driver):
    """By ``connect_args`` or its URL; but for what says where, and how the way there is guarded."""
    given = NOT_OF_THE_ADDRESS[driver] | OF_THE_ADDRESS[driver]
    make = create_async_engine if driver == "asyncpg" else create_engine
    engine = make(f"postgresql+{driver}://nobody@nowhere.invalid/production", connect_args=given)
    asked = text(
        "SELECT current_database(), current_setting('search_path'), current_setting('timezone'),"
        " current_setting('application_name')"
    )

    async def seen():
        async with engine.connect() as connection:
            return (await connection.execute(asked)).one()

    with redirected(engine, fresh_db.url):
        if driver == "asyncpg":
            found = asyncio.run(seen())
        else:
            with engine.connect() as connection:
                found = connection.execute(asked).one()
    assert found == (fresh_db.name, "app", "Asia/Tokyo", "shop")


def test_a_setting_in_an_engines_url_stays(fresh_db):
    engine = create_engine("postgresql+psycopg://nobody@nowhere.invalid/none?application_name=shop")
    with redirected(engine, fresh_db.url), engine.connect() as connection:
        assert connection.scalar(text("SHOW application_name")) == "shop"


@pytest.mark.parametrize("options", [{}, {"pool_pre_ping": True}, {"pool_size": 1, "max_overflow": 0}])
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_an_asynchronous_pool_serves_one_loop_after_another(fresh_db, driver, options):
    """Each test has a loop of its own, and an application's engine is made once."""
    engine = create_async_engine(f"postgresql+{driver}://nobody@nowhere.invalid/none", **options)

    async def count(session):
        async with engine.begin() as connection:
            if session:
                await connection.execute(text("SET work_mem = '5MB'"))
        async with engine.connect() as connection:
            return await connection.scalar(text("SELECT current_database()"))

    with redirected(engine, fresh_db.url):
        for number in range(3):
            assert asyncio.run(count(number)) == fresh_db.name


def test_afterwards_an_engine_leads_where_it_did(fresh_db, server):
    with server.database() as other:
        engine = create_engine(other.url)
        for url, wanted in ((None, other), (fresh_db.url, fresh_db), (None, other)):
            if url is None:
                with engine.connect() as connection:
                    assert connection.scalar(text("SELECT current_database()")) == wanted.name
            else:
                with redirected(engine, url), engine.connect() as connection:
                    assert connection.scalar(text("SELECT current_database()")) == wanted.name
        engine.dispose()
