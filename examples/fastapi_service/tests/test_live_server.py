"""The service in another process: each test starts in its state, whatever it committed."""

from __future__ import annotations

import httpx
import pytest

pytestmark = pytest.mark.scenario("busy_desk")


@pytest.mark.parametrize("again", range(3))
def test_each_test_lends_the_same_copy(live_server, scenario, again):
    where = f"{live_server}/copies/{scenario['dune'].id}/loan"
    assert httpx.post(where, params={"reader_id": scenario["ada"].id}).status_code == 201
    assert httpx.post(where, params={"reader_id": scenario["ada"].id}).status_code == 409


def test_the_server_sees_the_state(live_server):
    copies = httpx.get(f"{live_server}/copies").json()
    assert [(copy["title"], copy["lent"]) for copy in copies] == [("Dune", False), ("Emma", True)]
