"""A Coach Bot project under the pytest plugin: async sessions, real commits, undone after each test."""

from __future__ import annotations

import subprocess
import sys

CONFTEST = """
import pytest

from scenarios.domains.coach_bot import DOMAIN


@pytest.fixture(scope="session")
def scenario_schema():
    return DOMAIN
"""

TESTS = """
import pytest
from sqlalchemy import func, select

from scenarios.domains.coach_bot import Message
from scenarios.domains.coach_bot.connection import CoachBotDatabase
from scenarios.domains.coach_bot.crud import messages, users
from scenarios.domains.coach_bot.errors import Conflict, NotFound

pytestmark = pytest.mark.asyncio


@pytest.mark.scenario("happy_conversation")
async def test_the_given_session_sees_the_scenario(scenario, scenario_async_session):
    maya = await users.get(scenario_async_session, scenario["maya"].id)
    assert maya.username == "maya"
    page = await messages.of_chat(scenario_async_session, scenario["maya.evening"].id, limit=4)
    assert len(page.rows) == 4
    assert page.next is not None


@pytest.mark.scenario("happy_conversation")
@pytest.mark.parametrize("n", range(3))
async def test_code_that_commits_its_own_transactions_is_undone(scenario, scenario_db, scenario_changes, n):
    async with CoachBotDatabase(scenario_db.url, pooled=False) as database:
        async with database.transaction() as session:
            await users.delete(session, scenario["maya"].id)
        async with database.transaction() as session:
            with pytest.raises(NotFound):
                await users.get(session, scenario["maya"].id)
            await users.create(session, {"username": "new", "email": scenario["maya"].email})
    assert scenario_changes()


@pytest.mark.scenario("happy_conversation")
@pytest.mark.parametrize("n", range(2))
async def test_a_session_that_commits_is_undone_too(scenario, scenario_async_session, n):
    await users.update(
        scenario_async_session,
        await users.get(scenario_async_session, scenario["maya"].id),
        {"username": "renamed"},
    )
    await scenario_async_session.commit()


@pytest.mark.scenario("happy_conversation")
async def test_a_refused_write_leaves_the_given_session_usable(scenario, scenario_async_session):
    taken = scenario["maya"].email.replace("maya", "MAYA")
    with pytest.raises(Conflict):
        await users.create(scenario_async_session, {"username": "x", "email": taken})
    assert await scenario_async_session.scalar(select(func.count()).select_from(Message)) == 6


@pytest.mark.scenario("ai_outage")
@pytest.mark.scenario_isolation("clone")
async def test_another_scenario_in_a_clone(scenario, scenario_async_session):
    page = await messages.of_chat(scenario_async_session, scenario["omar.first"].id)
    assert len(page.rows) == 1
"""


def test_a_project_of_coach_bot_runs_under_the_plugin(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST, "utf-8")
    (tmp_path / "test_project.py").write_text(TESTS, "utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n", "utf-8"
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "8 passed" in result.stdout
