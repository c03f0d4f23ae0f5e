"""What a person reads when a test fails: what it changed, in which state, and how to look."""

from __future__ import annotations

import json
import re

FAILING = """
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import Customer, Order, Status


@pytest.mark.scenario("one_customer", total=8)
def test_commits_and_fails(scenario, scenario_db):
    with Session(scenario_db.engine) as session:
        session.add(Customer(name="Mallory"))
        session.get(Order, scenario["first"].id).status = Status.lost
        session.delete(session.get(Order, scenario["second"].id))
        session.commit()
    assert 1 == 2


@pytest.mark.scenario("one_customer")
def test_session_fails(scenario, scenario_session):
    scenario_session.add(Customer(name="Unseen by others"))
    scenario_session.flush()
    assert 1 == 2


@pytest.mark.asyncio
@pytest.mark.scenario("one_customer")
async def test_async_session_fails(scenario, scenario_async_session):
    scenario_async_session.add(Customer(name="Asynchronous"))
    await scenario_async_session.flush()
    assert 1 == 2


@pytest.mark.scenario("one_customer")
def test_rewrites_a_table(scenario_db):
    with scenario_db.connect() as connection:
        connection.execute("INSERT INTO customer SELECT n + 1000, 'c' || n FROM generate_series(1, 5000) n")
    assert 1 == 2


@pytest.mark.scenario("one_customer")
def test_hides_an_update(scenario_db):
    with scenario_db.connect() as connection:
        connection.execute("INSERT INTO customer SELECT n + 1000, 'c' || n FROM generate_series(1, 50) n")
        connection.execute("UPDATE customer SET phone = '112' WHERE name = 'Ada'")
        connection.execute("DELETE FROM orders")
    assert 1 == 2


@pytest.mark.scenario("one_customer")
def test_statement_fails(scenario_session):
    scenario_session.add(Customer(name="Before"))
    scenario_session.commit()
    scenario_session.execute(text("SELECT * FROM nonsense"))


@pytest.mark.scenario("one_customer")
def test_flush_fails(scenario, scenario_session):
    scenario_session.add(Customer(id=scenario["ada"].id, name="Twin"))
    scenario_session.flush()


@pytest.mark.scenario("one_customer")
def test_changes_nothing(scenario_db):
    assert 1 == 2


@pytest.mark.scenario("one_customer")
@pytest.mark.scenario_readonly
def test_breaks_its_promise(scenario_db):
    with scenario_db.connect() as connection:
        connection.execute("UPDATE orders SET total = 3 WHERE total = 7")


@pytest.mark.scenario("one_customer")
@pytest.mark.scenario_readonly
def test_keeps_its_promise(scenario_db):
    with scenario_db.connect() as connection:
        assert connection.execute("SELECT sum(total) FROM orders").fetchone() == (12,)


@pytest.mark.asyncio
@pytest.mark.scenario("one_customer")
@pytest.mark.scenario_readonly
@pytest.mark.scenario_isolation("rollback")
async def test_breaks_it_asynchronously(scenario_async_session):
    scenario_async_session.add(Customer(name="Promised"))
    await scenario_async_session.commit()


@pytest.mark.scenario("no_such_scenario")
def test_unknown_scenario(scenario):
    raise AssertionError("not reached")


@pytest.mark.scenario("one_customer", totl=3)
def test_unknown_parameter(scenario):
    raise AssertionError("not reached")


def test_no_scenario(scenario):
    raise AssertionError("not reached")


@pytest.mark.scenario("one_customer")
def test_unknown_handle(scenario):
    scenario["adda"]
"""


def test_a_failure_shows_what_the_test_changed(project):
    run = project("--scenarios-seed=clover", test_failing=FAILING)
    assert run.outcomes == {"passed": 1, "failed": 11, "errors": 3}, run.text
    run.has(
        r"_ test_commits_and_fails _",
        r"state: one_customer\(total=8\); seed clover; isolation: restore \(it uses scenario_db\)",
        r"clock of one_customer\(total=8\): 2026-03-02 09:00:00\+00:00",
        r"changed since the state was loaded: .*customer: 1 inserted; .*orders: 1 updated, 1 deleted",
        r"inserted public.customer\(id=\d+\) name='Mallory'",
        r"updated public.orders\(id=\d+\) status: 'open' -> 'lost'",
        r"deleted public.orders\(id=\d+\)",
        r"_ test_session_fails _",
        r"isolation: rollback",
        r"inserted public.customer\(id=\d+\) name='Unseen by others'",
        r"_ test_async_session_fails _",
        r"inserted public.customer\(id=\d+\) name='Asynchronous'",
        r"_ test_rewrites_a_table _",
        r"customer: 5000 inserted",
        r"\.\.\. and 4960 rows more",
        r"_ test_hides_an_update _",
        r"customer: 50 inserted, 1 updated; public.orders: 2 deleted",
        r"updated public.customer\(id=\d+\) phone: None -> '112'",
        r"deleted public.orders\(id=1\)",
        r"deleted public.orders\(id=2\)",
        r"\.\.\. and 13 rows more",
        r"_ test_statement_fails _",
        r"its last transaction had failed and is rolled back; committed before that:",
        r"inserted public.customer\(id=\d+\) name='Before'",
        r"_ test_flush_fails _",
        r"its last transaction had failed and is rolled back; committed before that:",
        r"no row changed since the state was loaded",
        r"_ test_changes_nothing _",
        r"no row changed since the state was loaded",
        r"_ test_breaks_its_promise _",
        r"marked scenario_readonly, but it changed public.orders: 1 updated",
        r"updated public.orders\(id=2\) total: 7 -> 3",
        r"_ test_breaks_it_asynchronously _",
        r"marked scenario_readonly, but it changed public.customer: 1 inserted",
        r"_ test_unknown_handle _",
        r"one_customer has no handle 'adda'",
    )
    run.has(r"ERROR at setup of test_unknown_scenario", r"there is no scenario 'no_such_scenario'")
    run.has(r"ERROR at setup of test_unknown_parameter", r"one_customer has no parameter 'totl'", r"total")
    run.has(r"ERROR at setup of test_no_scenario", r"the test names no scenario", r"@pytest.mark.scenario")
    run.lacks(r"scenarios/\w+/\S*\.py:\d+: ")
    run.lacks(r"its changes cannot be read")
    run.lacks(r"5000.*\n(.*inserted public.customer.*\n){41}")
    ours = run.text.partition("_ test_statement_fails _")[0]  # what follows shows SQLAlchemy's own tracebacks
    assert ours.count("\n") < 300
    run = project("--full-trace", "-k", "unknown_handle", test_failing=FAILING)
    run.has(r"scenarios/library/\S*\.py:\d+: LibraryError")


def test_the_database_of_a_failed_test_is_kept_and_can_be_opened(project, projects):
    run = project(
        "--scenarios-keep-failed",
        "-n2",
        test_kept="""
        import pytest


        @pytest.mark.scenario("one_customer")
        def test_fails(scenario_db):
            with scenario_db.connect() as connection:
                connection.execute("UPDATE customer SET name = 'Evidence'")
            assert 1 == 2


        @pytest.mark.scenario("one_customer")
        def test_passes(scenario_db):
            with scenario_db.connect() as connection:
                assert connection.execute("SELECT name FROM customer").fetchall() == [("Ada",)]


        def test_fails_on_the_home_database(scenario_db_url, scenario_db):
            with scenario_db.connect() as connection:
                connection.execute("INSERT INTO customer VALUES (1, 'Home')")
            assert 1 == 2


        def test_home_is_clean(scenario_db_url, scenario_db):
            with scenario_db.connect() as connection:
                assert connection.execute("SELECT name FROM customer").fetchall() == []


        @pytest.mark.scenario("all_systems_have_a_scope") if False else pytest.mark.scenario("two_customers")
        def test_passes_too(scenario_db):
            pass
        """,
    )
    assert run.outcomes == {"passed": 3, "failed": 2}, run.text
    kept = dict(
        re.findall(r"the database of test_kept.py::(\w+) is kept: .*/(\w+)(?:\?\S*)?'$", run.text, re.M)
    )
    server = projects[1]
    try:
        assert set(kept) == {"test_fails", "test_fails_on_the_home_database"}, run.text
        run.has(r"the database is kept as \w+", r"PGPASSFILE=\S+ psql 'postgresql://")
        for test, name in {"test_fails": "Evidence", "test_fails_on_the_home_database": "Home"}.items():
            with server.connect(kept[test]) as connection:
                assert connection.execute("SELECT DISTINCT name FROM customer").fetchall() == [(name,)]
    finally:
        for name in kept.values():
            server.manager.drop(name)


def test_reports_and_budgets(project):
    module = """
    import pytest
    from sqlalchemy.exc import IntegrityError
    from sqlalchemy.orm import Session

    from models import Customer


    @pytest.mark.scenario("one_customer")
    def test_greedy(scenario_db):
        with Session(scenario_db.engine) as session:
            session.add_all(Customer(name=str(n)) for n in range(9))
            session.commit()


    @pytest.mark.scenario("two_customers")
    def test_modest(scenario_session):
        scenario_session.add(Customer(name="one"))
        scenario_session.commit()


    @pytest.mark.scenario("two_customers")
    @pytest.mark.scenario_readonly
    def test_expects_a_refusal(scenario, scenario_session):
        scenario_session.add(Customer(id=scenario["bob"].id, name="Twin"))
        with pytest.raises(IntegrityError):
            scenario_session.flush()


    @pytest.mark.scenario("two_customers")
    @pytest.mark.scenario_readonly
    def test_leaves_something_incomplete(scenario_session):
        scenario_session.add(Customer())


    def test_none():
        pass
    """
    run = project("-v", "--scenarios-report=json", "--scenarios-max-rows=10", test_budget=module)
    assert run.outcomes == {"passed": 4, "failed": 1}, run.text
    run.has(r"built or wrote 12 rows, the budget is 10", r"3 by scenarios, 9 by the test")
    run.has(r"slowest test_budget.py::test_\w+ \d+\.\d ms", r"greediest test_budget.py::test_greedy 12 rows")
    report = json.loads((run.directory / "scenarios-report.json").read_text("utf-8"))
    tests = {test["test"].rpartition("::")[2]: test for test in report["tests"]}
    assert set(tests) == {
        "test_greedy",
        "test_modest",
        "test_expects_a_refusal",
        "test_leaves_something_incomplete",
    }
    greedy, modest = tests["test_greedy"], tests["test_modest"]
    assert (greedy["rows_loaded"], greedy["rows_written"], greedy["strategy"]) == (3, 9, "restore")
    assert (modest["rows_loaded"], modest["rows_written"], modest["strategy"]) == (2, 1, "rollback")
    assert greedy["scenarios"] == ["one_customer"]
    assert greedy["ms_before"] > 0
    assert greedy["ms_after"] > 0

    run = project("-q", environ={"SCENARIOS_REPORT": "html", "SCENARIOS_MAX_ROWS": "12"})
    assert run.outcomes == {"passed": 5}, "12 rows are within a budget of 12"
    page = (run.directory / "scenarios-report.html").read_text("utf-8")
    assert re.search(r"<td>test_budget.py::test_greedy</td><td>one_customer</td><td>restore</td>", page)
    assert "{{" not in page
    run.lacks(r"tests isolated")
