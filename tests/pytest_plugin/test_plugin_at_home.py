"""The project's own tests use the plugin as any other project's do, on the server that all tests share."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from scenarios.domains.dev_coach import User


@pytest.mark.scenario("refinement_in_progress")
@pytest.mark.parametrize("again", range(2))
def test_a_committed_delete_is_gone_for_the_next_test(
    scenario, scenario_db, scenario_server, scenario_changes, server, again
):
    assert scenario_server is server
    with scenario_db.connect() as connection:
        connection.execute("DELETE FROM users_user WHERE id = %s", [scenario["maya"].id])
        assert connection.execute("SELECT count(*) FROM users_user").fetchone() == (1,)
    assert scenario_changes().counts["public.users_user"] == {"inserted": 0, "updated": 0, "deleted": 1}


@pytest.mark.scenario("refinement_in_progress")
def test_the_session_rolls_back(scenario, scenario_session):
    scenario_session.delete(scenario_session.get(User, scenario["omar"].id))
    scenario_session.commit()
    assert scenario_session.scalar(select(func.count()).select_from(User)) == 1


@pytest.mark.scenario("happy_conversation")
@pytest.mark.scenario_readonly
def test_another_system_in_the_same_run(scenario, scenario_db):
    with scenario_db.connect() as connection:
        assert connection.execute("SELECT username FROM users").fetchall() == [("maya",)]
