"""Whatever a test commits is gone for the next one, by the cheapest rung that can."""

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
