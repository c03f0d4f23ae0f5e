"""Whatever a project describes its schema with, it overrides one fixture and has everything."""

from __future__ import annotations

import json

TESTS = """
import pytest


@pytest.mark.scenario("one_customer", total=8)
@pytest.mark.parametrize("n", range(2))
def test_state_and_commits(scenario, scenario_db, scenario_changes, n):
    with scenario_db.connect() as connection:
        query = "SELECT total, status::text FROM orders WHERE customer_id = %s ORDER BY total"
        rows = connection.execute(query, [scenario["ada"].id]).fetchall()
        assert rows == [(7, "paid"), (8, "open")]
        connection.execute("DELETE FROM orders")
    assert scenario_changes().counts["public.orders"]["deleted"] == 2
"""

SCHEMA = """
CREATE TYPE status AS ENUM ('open', 'paid', 'lost');
CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL, phone text);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customer,
    status status NOT NULL,
    total integer NOT NULL CHECK (total > 0)
);
"""

GIVEN = """
import pytest


@pytest.fixture(scope="session")
def scenario_schema(pytestconfig):
{body}
"""


def test_sql_a_callable_alembic_and_a_declarative_base(project):
    sql = "    return pytestconfig.rootpath / 'schema.sql'\n"
    call = "    def build(connection):\n        connection.execute(SCHEMA)\n\n    return build\n"
    alembic = (
        "    from alembic.config import Config\n\n"
        "    config = Config()\n"
        "    config.set_main_option('script_location', str(pytestconfig.rootpath / 'migrations'))\n"
        "    return config\n"
    )
    here = project.shared
    (here / "schema.sql").write_text(SCHEMA, "utf-8")
    versions = here / "migrations" / "versions"
    versions.mkdir(parents=True)
    (here / "migrations" / "env.py").write_text(
        "from alembic import context\n\n"
        "context.configure(connection=context.config.attributes['connection'])\n"
        "with context.begin_transaction():\n    context.run_migrations()\n",
        "utf-8",
    )
    (versions / "first.py").write_text(
        "from alembic import op\n\nrevision = '1'\ndown_revision = None\n\n\n"
        f"def upgrade():\n    op.execute('''{SCHEMA}''')\n",
        "utf-8",
    )
    for name, body in {"by_sql": sql, "by_call": call, "by_alembic": alembic}.items():
        (here / name).mkdir()
        (here / name / "__init__.py").write_text("", "utf-8")
        (here / name / "conftest.py").write_text(
            GIVEN.format(body=body) + f"\n\nSCHEMA = '''{SCHEMA}'''\n", "utf-8"
        )
        (here / name / "test_it.py").write_text(TESTS, "utf-8")
        run = project(name)
        assert run.outcomes == {"passed": 2}, run.text
        run.has(r"template of .* built in \d+ ms \(first build\)")
    (here / "schema.sql").write_text(SCHEMA + "CREATE TABLE more (id int PRIMARY KEY);\n", "utf-8")
    run = project("by_sql", "by_alembic")
    assert run.outcomes == {"passed": 2, "errors": 2}, run.text
    run.has(r"ERROR at setup of test_state_and_commits", r"a run can have one scenario_schema")
    run.has(r"template of SQL .*schema\.sql built in \d+ ms \(.*file schema\.sql.*\)")


def test_the_setting_alone_is_enough(project):
    run = project(conftest="", test_it=TESTS, environ={"SCENARIOS_SCHEMA": "models:Base", "PYTHONPATH": "."})
    assert run.outcomes == {"passed": 2}, run.text
    run = project("-q", environ={"SCENARIOS_SCHEMA": "models:Bass", "PYTHONPATH": "."})
    assert run.outcomes == {"errors": 2}
    run.has(r"the setting schema is 'models:Bass'", "environment SCENARIOS_SCHEMA")


def test_sqlmodel_and_an_overridden_library(project):
    run = project(
        "-q",
        conftest="""
        import pytest
        from sqlmodel import SQLModel

        import shop  # noqa: F401


        @pytest.fixture(scope="session")
        def scenario_schema():
            return SQLModel.metadata
        """,
        shop="""
        from sqlmodel import Field, SQLModel


        class Customer(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            name: str
            phone: str | None = None
        """,
        test_sqlmodel="""
        import pytest
        from sqlmodel import Session, select

        from shop import Customer


        @pytest.mark.scenario("two_customers")
        @pytest.mark.parametrize("n", range(2))
        def test_it(scenario_db, scenario, n):
            with Session(scenario_db.engine) as session:
                assert session.get(Customer, scenario["bob"].id).name == "Bob"
                session.add(Customer(name="Eve"))
                session.commit()
                assert len(session.exec(select(Customer)).all()) == 3
        """,
    )
    assert run.outcomes == {"passed": 2}, run.text


def test_one_test_cannot_start_in_two_systems(project):
    run = project(
        conftest="",
        test_systems="""
        import pytest


        @pytest.mark.scenario("happy_conversation")
        @pytest.mark.scenario("refinement_in_progress")
        def test_both(scenario):
            raise AssertionError("not reached")


        @pytest.mark.scenario("happy_conversation")
        def test_coach_bot(scenario, scenario_session):
            assert scenario["maya"].username == "maya"


        @pytest.mark.scenario("refinement_in_progress")
        def test_dev_coach(scenario, scenario_session):
            assert scenario["maya"].first_name == "Maya"
        """,
    )
    assert run.outcomes == {"passed": 2, "error": 1}, run.text
    run.has(
        r"one test cannot start in scenarios of coach_bot and dev_coach",
        r"override the fixture scenario_schema",
    )


def test_what_no_scenario_reaches_and_no_test_uses_is_said(project):
    module = """
    import pytest


    @pytest.mark.scenario("one_customer")
    @pytest.mark.parametrize("n", range(4))
    def test_one(scenario, n):
        pass
    """
    run = project("--scenarios-coverage", "--scenarios-report=json", "-n2", test_used=module)
    assert run.outcomes == {"passed": 4}, run.text
    run.has(
        r"scenarios: project: tables no scenario reaches: refund$",
        r"scenarios: project: values no scenario reaches: orders.status=lost$",
        r"scenarios: project: columns that are null in every scenario: customer.phone$",
        r"scenarios: scenarios no test uses: two_customers$",
    )
    run.lacks("null in no scenario")
    report = json.loads((run.directory / "scenarios-report.json").read_text("utf-8"))
    assert report["unused"] == ["two_customers"]
    assert report["coverage"]["project"]["tables"] == ["refund"]
    run = project(
        "--scenarios-coverage",
        test_used="""
        def test_other(load_scenario):
            load_scenario("two_customers")
            load_scenario("one_customer")
        """,
    )
    run.lacks("no test uses")
