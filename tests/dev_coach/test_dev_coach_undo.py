"""The schema and the undo log together: what the database's own rules did is undone, and done once."""

from __future__ import annotations

from typing import Any

import psycopg
from dev_coach_rows import Rows

from scenarios.postgres import Database


def test_a_restore_undoes_what_rules_and_cascades_did(
    dev_coach: Database, conn: psycopg.Connection[Any], rows: Rows
) -> None:
    scope = rows.scenario("kept")
    user = rows.person(test_scenario_id=scope)
    bystander = rows.person()
    conn.execute("UPDATE test_scenario_testscenario SET created_by_id = %s", [user])
    before, content = dev_coach.snapshot("before"), dev_coach.checksum()

    # An inherited scope, a touched row, a transition, a scope passed on, cascades, emptied references.
    rows.message(user, content="later")
    conn.execute(
        "UPDATE coach_states_coachstate SET current_phase = 'IDENTITY_CREATION' WHERE user_id = %s", [user]
    )
    other = rows.scenario("other")
    conn.execute("UPDATE users_user SET test_scenario_id = %s WHERE id = %s", [other, bystander])
    conn.execute("DELETE FROM identities_identity WHERE user_id = %s", [bystander])
    conn.execute("DELETE FROM test_scenario_testscenario WHERE id = %s", [scope])
    assert dev_coach.checksum() != content

    restored = dev_coach.restore(before)
    assert restored.in_place
    assert dev_coach.checksum() == content
    # And the rules are on again.
    assert (
        rows.value(
            "INSERT INTO user_notes_usernote (user_id, note) VALUES (%s, 'n') RETURNING test_scenario_id",
            user,
        )
        == scope
    )
