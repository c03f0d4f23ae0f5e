"""Any number of workers, any order: one server, one template, the same values, nothing left behind."""

from __future__ import annotations

import re

import pytest

MANY = """
import os

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Customer, Order, Status


def total(db):
    with Session(db.engine) as session:
        return session.scalar(select(func.sum(Order.total)))


def ruin(db):
    with Session(db.engine) as session:
        for order in session.scalars(select(Order)):
            order.total = 1000
        session.add(Customer(name="left"))
        session.commit()


@pytest.fixture(scope="module")
def regular(scenario_module_db):
    with Session(scenario_module_db.engine) as session:
        session.add(Customer(id=500, name="regular"))
        session.commit()


@pytest.mark.scenario("one_customer")
@pytest.mark.parametrize("n", range(6))
def test_one(scenario, scenario_db, n):
    assert total(scenario_db) == 12
    ruin(scenario_db)


@pytest.mark.scenario("two_customers")
@pytest.mark.parametrize("n", range(3))
def test_two(scenario_session, n):
    assert scenario_session.scalar(select(func.count()).select_from(Customer)) == 2
    scenario_session.add(Customer(name="more"))
    scenario_session.commit()


@pytest.mark.scenario("one_customer")
@pytest.mark.usefixtures("regular")
@pytest.mark.parametrize("n", range(4))
def test_on_shared_data(scenario_db, n):
    assert total(scenario_db) == 12
    with Session(scenario_db.engine) as session:
        assert session.get(Customer, 500).name == "regular"
    ruin(scenario_db)


@pytest.mark.parametrize("n", range(3))
def test_empty(scenario_db, n):
    assert total(scenario_db) is None
    with scenario_db.connect() as connection:
        connection.execute(f"CREATE TABLE t{n} (id int)")
"""


@pytest.mark.parametrize(
    "options",
    [
        ("-n2", "--dist=load", "-p", "pytest_randomly"),
        ("-n2", "--dist=loadscope"),
        ("-n2", "--dist=worksteal", "-p", "pytest_randomly", "-x"),
    ],
    ids=lambda options: "_".join(options).replace("-", ""),
)
def test_any_order_and_distribution(project, options):
    run = project(*options, test_many=MANY, test_more=MANY)
    assert run.outcomes == {"passed": 32}, run.text
    run.has(r"scenarios: PostgreSQL \d+\.\d+, embedded \(.*joined the running server")
    run.has(r"scenarios: 32 tests isolated \(26 by restore, 6 by rollback\)")
    assert len(re.findall(r"^scenarios: PostgreSQL", run.text, re.M)) == 1
    assert len(re.findall(r"^scenarios: template of", run.text, re.M)) == 1


def test_one_server_a_database_each_and_the_same_values(project, projects):
    server = projects[1]
    there = set(server.manager.tagged())
    before = {name for name, tag in server.manager.tagged().items() if tag.kind == "database"}
    run = project(
        "-n2",
        "--dist=each",
        "-s",
        test_values="""
        import pathlib

        import pytest


        @pytest.mark.scenario("refinement_in_progress")
        def test_values(scenario, scenario_db, scenario_server, worker_id, pytestconfig):
            maya = scenario["maya"]
            said = [worker_id, scenario_server.safe_url, scenario_db.name]
            with scenario_db.connect() as connection:
                for table in ("users_user", "identities_identity", "chat_messages_chatmessage"):
                    rows = connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1").fetchall()
                    assert rows
                    said += [repr(row) for row in rows]
            (pathlib.Path(pytestconfig.rootpath) / f"said_{worker_id}").write_text("\\n".join(said), "utf-8")
            assert maya.email.endswith("@example.com")
        """,
        conftest="""
        from dataclasses import replace

        import pytest

        from scenarios.domains.dev_coach import DOMAIN


        @pytest.fixture(scope="session")
        def scenario_schema():
            return replace(DOMAIN, ddl=lambda: DOMAIN.ddl() + "CREATE TABLE nobody_else_has_this (id int);")
        """,
    )
    assert run.outcomes == {"passed": 2}, run.text
    assert re.findall(r"template of dev_coach (\w+)", run.text) == ["built"], run.text
    new = [tag for name, tag in server.manager.tagged().items() if name not in there]
    assert [tag.label for tag in new if tag.ready and tag.kind == "template"] == ["dev_coach"]
    one, two = ((run.directory / f"said_gw{n}").read_text().splitlines() for n in (0, 1))
    assert one[1] == two[1]
    assert one[2] != two[2]
    assert one[3:] == two[3:]
    after = {name for name, tag in server.manager.tagged().items() if tag.kind == "database"}
    assert after == before, "databases were left behind"


def test_a_crashed_worker_leaves_nothing(project, projects):
    server = projects[1]
    run = project(
        "-n2",
        test_crash="""
        import os

        import pytest


        @pytest.mark.scenario("one_customer")
        @pytest.mark.parametrize("n", range(6))
        def test_crash(scenario_db, n):
            if n == 2:
                os._exit(1)
        """,
    )
    run.has(r"worker 'gw\d' crashed while running '.*test_crash\[2\]'")
    assert run.outcomes == {"passed": 5, "failed": 1}, run.text
    server.manager.reap()
    assert [name for name, tag in server.manager.tagged().items() if tag.kind == "database"] == []


def test_last_failed_and_first_failure(project):
    module = """
    import pytest
    from sqlalchemy import text


    @pytest.mark.scenario("one_customer")
    @pytest.mark.parametrize("n", range(4))
    def test_it(scenario_db, n):
        with scenario_db.engine.begin() as connection:
            assert connection.scalar(text("SELECT sum(total) FROM orders")) == 12
            connection.execute(text("DELETE FROM orders"))
        assert n != 1
    """
    run = project("-x", cached=True, test_lf=module)
    assert run.outcomes == {"passed": 1, "failed": 1}, run.text
    run = project("--lf", cached=True)
    assert run.outcomes == {"failed": 1}, run.text
    run.has(r"changed since the state was loaded: public.orders: 2 deleted")
