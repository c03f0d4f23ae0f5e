"""Whatever a test commits is gone for the next one, by the cheapest strategy that can."""

from __future__ import annotations


def test_committed_rows_are_undone_and_the_state_is_there_in_any_order(project):
    run = project(
        "-q",
        test_shop="""
        import pytest
        from sqlalchemy import func, select
        from sqlalchemy.orm import Session

        from models import Customer, Order, Status


        def orders(db):
            with Session(db.engine) as session:
                return session.scalar(select(func.count()).select_from(Order))


        @pytest.mark.scenario("one_customer")
        @pytest.mark.parametrize("n", range(3))
        def test_commits(scenario, scenario_db, scenario_changes, n):
            assert orders(scenario_db) == 2
            with Session(scenario_db.engine) as session:
                session.add(Order(customer_id=scenario["ada"].id, status=Status.lost, total=1))
                session.commit()
            assert [row.total for row in scenario_changes().inserted(Order)] == [1]


        @pytest.mark.scenario("two_customers")
        def test_another_state(scenario, scenario_db):
            assert orders(scenario_db) == 0
            assert scenario["bob"].name == "Bob"
            assert isinstance(scenario["bob"], Customer)


        @pytest.mark.scenario("one_customer", total=99)
        def test_parameters(scenario, scenario_session):
            row = scenario_session.get(Order, scenario["first"].id)
            assert row.total == 99
            row.total = 1
            scenario_session.commit()


        @pytest.mark.parametrize(
            "count",
            [
                pytest.param(2, marks=pytest.mark.scenario("one_customer")),
                pytest.param(0, marks=pytest.mark.scenario("two_customers")),
            ],
        )
        def test_parametrised_over_states(scenario_db, count):
            assert orders(scenario_db) == count


        @pytest.mark.scenario("one_customer")
        @pytest.mark.scenario("two_customers")
        def test_stacked(scenario, scenario_db):
            assert orders(scenario_db) == 2
            with Session(scenario_db.engine) as session:
                assert session.scalar(select(func.count()).select_from(Customer)) == 3


        def test_no_state(scenario_db, load_scenario):
            assert orders(scenario_db) == 0
            first = load_scenario("one_customer")
            second = load_scenario("one_customer", total=6)
            assert first["ada"].id != second["ada"].id
            assert orders(scenario_db) == 4


        @pytest.mark.scenario("one_customer")
        class TestClass:
            def test_marker_of_the_class(self, scenario_db):
                assert orders(scenario_db) == 2

            def test_only_the_marker(self):
                pass
        """,
    )
    assert run.outcomes == {"passed": 11}, run.text


def test_one_state_is_loaded_twice_also_where_its_keys_follow_from_its_name(project):
    (project.shared / "schema.sql").write_text(
        "CREATE TABLE note (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text NOT NULL);"
    )
    (project.shared / "scenarios" / "one_note.yaml").write_text(
        "scenario: one_note\nrows: {note: {n: {body: Hello}}}\n"
    )
    run = project(
        conftest="""
        from pathlib import Path

        import pytest


        @pytest.fixture(scope="session")
        def scenario_schema():
            return Path(__file__).with_name("schema.sql")
        """,
        test_twice="""
        import pytest


        @pytest.mark.scenario("one_note")
        @pytest.mark.parametrize("run", range(2))
        def test_twice(run, scenario, scenario_db, load_scenario):
            keys = [scenario["n"].id, load_scenario("one_note")["n"].id, load_scenario("one_note")["n"].id]
            with scenario_db.connect() as connection:
                found = {key for key, in connection.execute("SELECT id FROM note").fetchall()}
            assert found == set(keys) and len(found) == 3
            assert str(keys[1]).startswith("3a8a422a-18d"), "the same in every run"
        """,
    )
    assert run.outcomes == {"passed": 2}, run.text


def test_the_ladder_is_climbed_and_the_summary_says_so(project):
    run = project(
        test_ladder="""
        import psycopg
        import pytest
        from sqlalchemy import text
        from sqlalchemy.orm import Session

        from models import Customer, Order


        def count(db):
            with db.connect() as connection:
                return connection.execute("SELECT count(*) FROM orders").fetchone()[0]


        @pytest.mark.scenario("one_customer")
        def test_ddl(scenario_db):
            with scenario_db.connect() as connection:
                connection.execute("ALTER TABLE orders ADD COLUMN note text DEFAULT 'x'")
                connection.execute("DELETE FROM orders")


        @pytest.mark.scenario("one_customer")
        def test_after_ddl(scenario_db):
            assert count(scenario_db) == 2
            with scenario_db.connect() as connection:
                with pytest.raises(psycopg.errors.UndefinedColumn):
                    connection.execute("SELECT note FROM orders")


        def test_ddl_without_state(scenario_db):
            with scenario_db.connect() as connection:
                connection.execute("CREATE TABLE left_behind (id int)")


        def test_after_ddl_without_state(scenario_db):
            with scenario_db.connect() as connection:
                assert connection.execute("SELECT to_regclass('left_behind')").fetchone() == (None,)


        @pytest.mark.scenario("one_customer")
        def test_past_the_session(scenario, scenario_session):
            # The application has a connection of its own that nobody told the plugin about.
            url = scenario_session.get_bind().engine.url.render_as_string(hide_password=False)
            with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute("UPDATE customer SET name = 'Eve'")


        @pytest.mark.scenario("one_customer")
        def test_after_going_past(scenario, scenario_session):
            assert scenario_session.get(Customer, scenario["ada"].id).name == "Ada"
            scenario_session.add(Customer(name="new"))
            scenario_session.commit()
            scenario_session.rollback()
            assert scenario_session.query(Customer).count() == 2


        @pytest.mark.scenario("one_customer")
        @pytest.mark.scenario_isolation("clone")
        def test_clone(scenario_db):
            with scenario_db.connect() as connection:
                connection.execute("DROP TABLE refund, orders, customer")


        @pytest.mark.scenario("one_customer")
        def test_after_clone(scenario_db):
            assert count(scenario_db) == 2


        @pytest.mark.scenario("one_customer")
        def test_leaves_a_transaction_open(scenario_db):
            connection = scenario_db.connect(autocommit=False)
            connection.execute("UPDATE orders SET total = 1000")
            globals()["leaked"] = connection


        @pytest.mark.scenario("one_customer")
        def test_after_the_open_transaction(scenario_db):
            leaked.close()
            with scenario_db.connect() as connection:
                assert connection.execute("SELECT max(total) FROM orders").fetchone() == (7,)
        """,
    )
    assert run.outcomes == {"passed": 10, "error": 1}, run.text
    run.has(r"ERROR at teardown of test_leaves_a_transaction_open", r"UPDATE orders SET total = 1000")
    run.has(r"test_ddl fell back from restore to clone: .*(ALTER TABLE|orders)")
    run.lacks(r"test_ddl_without_state fell back")  # What it made is dropped in place.
    run.has(r"test_past_the_session fell back from rollback to restore: rows were committed past")
    run.lacks(r"test_after_going_past fell_back")


def test_wide_data_is_shared_and_isolated_per_test(project):
    run = project(
        test_wide="""
        import pytest
        from sqlalchemy import func, select
        from sqlalchemy.orm import Session

        from models import Customer


        def names(db):
            with Session(db.engine) as session:
                return list(session.scalars(select(Customer.name).order_by(Customer.name)))


        def add(db, name):
            with Session(db.engine) as session:
                session.add(Customer(name=name))
                session.commit()


        @pytest.fixture(scope="session")
        def of_session(scenario_session_db):
            add(scenario_session_db, "session")


        @pytest.fixture(scope="module")
        def of_module(of_session, scenario_module_db):
            add(scenario_module_db, "module")


        @pytest.fixture(scope="class")
        def of_class(of_module, scenario_class_db):
            add(scenario_class_db, "class")


        @pytest.mark.usefixtures("of_class")
        class TestClass:
            @pytest.mark.parametrize("n", range(3))
            def test_sees_all_and_commits(self, scenario_db, n):
                assert names(scenario_db) == ["class", "module", "session"]
                add(scenario_db, "test")

            @pytest.mark.scenario("one_customer")
            def test_with_a_state_on_top(self, scenario_db, scenario_db_url):
                assert scenario_db.url == scenario_db_url
                assert names(scenario_db) == ["Ada", "class", "module", "session"]


        @pytest.mark.usefixtures("of_module")
        def test_outside_the_class(scenario_db):
            assert names(scenario_db) == ["module", "session"]


        @pytest.mark.usefixtures("of_module")
        @pytest.mark.scenario_isolation("clone")
        def test_ddl_on_shared_data(scenario_db):
            with scenario_db.connect() as connection:
                connection.execute("DROP TABLE refund, orders, customer")


        @pytest.mark.usefixtures("of_module")
        def test_after_ddl_on_shared_data(scenario_db):
            assert names(scenario_db) == ["module", "session"]


        def test_nothing_shared(scenario_db):
            assert names(scenario_db) == []


        def test_asks_too_late(scenario_db, request):
            request.getfixturevalue("scenario_class_db")
        """,
        test_wider="""
        from test_wide import names


        def test_module_is_gone_session_is_not(scenario_session_db, scenario_db):
            assert names(scenario_db) == ["session"]
        """,
        test_order="""
        import pytest

        from test_wide import add, names


        @pytest.fixture(scope="module")
        def narrow(scenario_module_db):
            add(scenario_module_db, "narrow")


        def test_narrow(narrow, scenario_db):
            assert names(scenario_db) == ["narrow"]


        def test_wide_too_late(narrow, scenario_package_db):
            raise AssertionError("not reached")


        def test_dropped_shared_table(narrow, scenario_db):
            with scenario_db.connect() as connection:
                connection.execute("DROP TABLE refund")


        def test_shared_data_is_gone(narrow, scenario_db):
            raise AssertionError("not reached")
        """,
    )
    run.has(r"ERROR at setup of test_shared_data_is_gone|test_shared_data_is_gone")
    run.has(
        r"the data of a broader fixture is gone",
        r"test_dropped_shared_table did something",
        r"isolation\(.clone.\)",
    )
    run.has(r"scenario_class_db was asked for in the middle of a test", r"instead of calling getfixturevalue")
    run.has(r"is set up too late", r"lies on the database already", r"make the broader one autouse")
    assert run.outcomes == {"passed": 11, "failed": 1, "errors": 2}, run.text


def test_an_application_with_its_own_engine_and_another_process_see_the_data(project):
    run = project(
        "-q",
        test_application="""
        import subprocess
        import sys
        import textwrap

        import pytest
        from sqlalchemy import create_engine, text

        CODE = '''
        import psycopg, sys

        with psycopg.connect(sys.argv[1]) as connection:
            print(connection.execute("SELECT count(*) FROM orders").fetchone()[0])
        '''


        @pytest.fixture(scope="session")
        def application(scenario_db_url):
            engine = create_engine(scenario_db_url)
            yield engine
            engine.dispose()


        @pytest.mark.scenario("one_customer")
        @pytest.mark.parametrize("n", range(2))
        def test_engine_made_once(application, n):
            with application.begin() as connection:
                assert connection.scalar(text("SELECT count(*) FROM orders")) == 2
                connection.execute(text("DELETE FROM orders"))


        @pytest.mark.scenario("two_customers")
        def test_another_state_same_engine(application):
            with application.begin() as connection:
                assert connection.scalar(text("SELECT count(*) FROM customer")) == 2


        @pytest.mark.scenario("one_customer")
        def test_another_process(scenario_db_url):
            url = scenario_db_url.replace("+psycopg", "")
            command = [sys.executable, "-c", textwrap.dedent(CODE), url]
            seen = subprocess.run(command, capture_output=True, text=True, check=True)
            assert seen.stdout.strip() == "2"
        """,
    )
    assert run.outcomes == {"passed": 4}, run.text


def test_a_test_that_reaches_the_database_by_the_applications_engine_alone_is_isolated(project):
    run = project(
        "-q",
        "-p",
        "no:randomly",
        test_engine="""
        import unittest

        import pytest
        from sqlalchemy import create_engine, text


        @pytest.fixture(scope="session")
        def application(scenario_db_url):
            engine = create_engine(scenario_db_url)
            yield engine
            engine.dispose()


        @pytest.fixture(scope="module")
        def catalogue(scenario_module_db):
            with scenario_module_db.connect() as connection:
                connection.execute("INSERT INTO customer (name) VALUES ('module')")


        def names(engine):
            with engine.connect() as connection:
                return list(connection.scalars(text("SELECT name FROM customer ORDER BY name")))


        def add(engine, name):
            with engine.begin() as connection:
                connection.execute(text("INSERT INTO customer (name) VALUES (:name)"), {"name": name})


        @pytest.mark.parametrize("n", range(2))
        def test_without_a_marker(application, n):
            assert names(application) == []
            add(application, "left")


        @pytest.mark.parametrize("n", range(2))
        def test_on_shared_data(application, catalogue, n):
            assert names(application) == ["module"]
            add(application, "left")


        @pytest.mark.scenario("one_customer")
        class TestOfUnittest(unittest.TestCase):
            def test_it(self):
                pass
        """,
    )
    assert run.outcomes == {"passed": 5}, run.text
    run = project("-p", "no:randomly", "test_engine.py")
    run.has(r"5 tests isolated \(5 by restore\)")


def test_what_wider_fixtures_write_and_remove_by_themselves_is_neither_lost_nor_brought_back(project):
    run = project(
        "-q",
        "-p",
        "no:randomly",
        test_own_rows="""
        import pytest
        from sqlalchemy import create_engine, text


        @pytest.fixture(scope="session")
        def application(scenario_db_url):
            engine = create_engine(scenario_db_url)
            yield engine
            engine.dispose()


        def do(engine, statement):
            with engine.begin() as connection:
                connection.execute(text(statement))


        def names(engine):
            with engine.connect() as connection:
                return list(connection.scalars(text("SELECT name FROM customer ORDER BY name")))


        @pytest.fixture(scope="class")
        def own(application):
            do(application, "INSERT INTO customer (name) VALUES ('own')")
            yield
            do(application, "DELETE FROM customer WHERE name = 'own'")


        @pytest.mark.usefixtures("own")
        class TestBare:
            @pytest.mark.parametrize("n", range(2))
            def test_rows_stay(self, application, n):
                assert names(application) == ["own"]
                do(application, "DELETE FROM customer")


        @pytest.mark.parametrize("n", range(2))
        def test_rows_are_gone(application, n):
            assert names(application) == []


        @pytest.mark.usefixtures("own")
        @pytest.mark.scenario("one_customer")
        class TestWithAState:
            @pytest.mark.parametrize("n", range(2))
            def test_rows_stay(self, application, n):
                assert names(application) == ["Ada", "own"]
                do(application, "DELETE FROM orders")
                do(application, "DELETE FROM customer")


        @pytest.mark.scenario("one_customer")
        @pytest.mark.parametrize("n", range(2))
        def test_rows_are_gone_below_the_same_state(application, n):
            assert names(application) == ["Ada"]
            do(application, "INSERT INTO customer (name) VALUES ('left')")
        """,
    )
    assert run.outcomes == {"passed": 8}, run.text


def test_the_closest_marker_overrules_its_namesakes(project):
    run = project(
        test_closest="""
        import pytest
        from sqlalchemy import func, select

        from models import Customer, Order

        pytestmark = [pytest.mark.scenario("one_customer"), pytest.mark.scenario("two_customers")]


        @pytest.mark.scenario("one_customer", total=99)
        def test_other_parameters(scenario, scenario_session):
            assert scenario["first"].total == 99
            assert scenario_session.scalar(select(func.count()).select_from(Customer)) == 3
            assert scenario_session.scalar(select(func.count()).select_from(Order)) == 2


        @pytest.mark.scenario("one_customer")
        class TestClass:
            @pytest.mark.scenario("one_customer", total=3)
            def test_closer_still(self, scenario, scenario_session):
                assert scenario["first"].total == 3
                assert scenario_session.scalar(select(func.count()).select_from(Order)) == 2
        """,
    )
    assert run.outcomes == {"passed": 2}, run.text


def test_what_a_test_does_to_its_connection_is_not_found_by_the_next(project):
    run = project(
        "-q",
        "-p",
        "no:randomly",
        test_connections="""
        import pytest
        from sqlalchemy import text


        @pytest.mark.scenario("one_customer")
        @pytest.mark.parametrize("n", range(3))
        def test_it(scenario_db, n):
            with scenario_db.engine.connect() as connection:
                pid = connection.scalar(text("SELECT pg_backend_pid()"))
                assert globals().setdefault("first", pid) == pid, "the connection stays open"
                assert connection.scalar(text("SHOW default_transaction_read_only")) == "off"
                assert connection.scalar(text("SHOW statement_timeout")) == "0"
                assert connection.scalar(text("SELECT current_user")) == "postgres"
                assert connection.scalar(text("SELECT to_regclass('pg_temp.scratch')")) is None
                locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = :pid"
                assert connection.scalar(text(locks), {"pid": pid}) == 0
                for statement in (
                    "UPDATE orders SET total = 1",
                    "CREATE TEMPORARY TABLE scratch (id int)",
                    "SET statement_timeout = '1min'",
                    "SELECT pg_advisory_lock(1)",
                    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                    "SET ROLE pg_read_all_data",
                ):
                    connection.execute(text(statement))
                connection.commit()


        @pytest.mark.scenario("one_customer")
        @pytest.mark.parametrize("n", range(2))
        def test_a_connection_that_was_ended_is_made_anew(scenario_db, n):
            with scenario_db.engine.connect() as connection:
                pid = connection.scalar(text("SELECT pg_backend_pid()"))
            with scenario_db.connect() as other:
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
        """,
    )
    assert run.outcomes == {"passed": 5}, run.text
