from __future__ import annotations

import pytest
from coaching.models import CoachState, Identity

pytestmark = pytest.mark.scenario("refinement_in_progress")


@pytest.mark.scenario_readonly
def test_a_coachee_in_refinement(client, scenario):
    answer = client.get(f"/coachees/{scenario['maya'].id}").json()
    assert answer["name"] == "Maya"
    assert answer["phase"] == "IDENTITY_REFINEMENT"
    assert len(answer["identities"]) == 6


@pytest.mark.parametrize("again", range(2))
def test_accepting_an_identity(client, scenario, scenario_changes, again):
    waiting = (
        Identity.objects.filter(user_id=scenario["maya"].id).exclude(state="ACCEPTED").order_by("name")[0]
    )
    assert client.post(f"/identities/{waiting.pk}/accept").status_code == 200
    assert client.post(f"/identities/{waiting.pk}/accept").status_code == 409
    assert CoachState.objects.get(user_id=scenario["maya"].id).current_identity_id == waiting.pk
    counts = scenario_changes().counts
    assert set(counts) == {"public.identities_identity", "public.coach_states_coachstate"}
    assert all(count == {"inserted": 0, "updated": 1, "deleted": 0} for count in counts.values())


@pytest.mark.scenario_readonly
def test_an_unknown_coachee(client, scenario):
    assert client.get("/coachees/00000000-0000-0000-0000-000000000000").status_code == 404
