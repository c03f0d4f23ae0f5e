"""The service in the process of the test, with real commits."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from loans.app import create_app, session_of
from loans.models import Loan
from sqlalchemy import select

from scenarios.journal import assert_changes, inserted, updated

pytestmark = pytest.mark.scenario("busy_desk")


@pytest.fixture
def desk(scenario_db):
    app = create_app(scenario_db.url)
    with TestClient(app) as client:
        yield client
    app.state.engine.dispose()


def test_lending_writes_one_loan_and_nothing_else(desk, scenario, scenario_changes):
    answer = desk.post(f"/copies/{scenario['dune'].id}/loan", params={"reader_id": scenario["ada"].id})
    assert answer.status_code == 201
    assert scenario_changes().counts == {"public.loan": {"inserted": 1, "updated": 0, "deleted": 0}}
    [loan] = scenario_changes().inserted(Loan)
    assert (loan.copy_id, loan.reader_id) == (scenario["dune"].id, scenario["ada"].id)


@pytest.mark.scenario_readonly
def test_a_barred_reader_gets_nothing(desk, scenario):
    answer = desk.post(f"/copies/{scenario['dune'].id}/loan", params={"reader_id": scenario["bob"].id})
    assert answer.status_code == 403


@pytest.mark.scenario_readonly
def test_a_copy_is_lent_once(desk, scenario):
    answer = desk.post(f"/copies/{scenario['emma'].id}/loan", params={"reader_id": scenario["ada"].id})
    assert answer.status_code == 409


def test_everything_is_there_again(desk):
    assert [copy["lent"] for copy in desk.get("/copies").json()] == [False, True]


def test_the_given_session_in_place_of_the_service_s_own(scenario, scenario_session):
    """The cheapest way: the service works in the test's transaction, which is rolled back."""
    app = create_app("postgresql+psycopg://unused")
    app.dependency_overrides[session_of] = lambda: scenario_session
    with TestClient(app) as client:
        assert client.delete(f"/copies/{scenario['emma'].id}/loan").status_code == 204
    assert scenario_session.scalars(select(Loan).where(Loan.returned_at.is_(None))).all() == []


def test_taking_back_changes_one_column(desk, scenario, scenario_db):
    before = scenario_db.snapshot()
    desk.delete(f"/copies/{scenario['emma'].id}/loan").raise_for_status()
    assert_changes(scenario_db, before, {Loan: updated(1)})
    desk.post(f"/copies/{scenario['emma'].id}/loan", params={"reader_id": scenario["ada"].id})
    assert_changes(scenario_db, before, {Loan: [updated(1), inserted(1)]})
