"""The two data flows of the schema overview, walked from their first step to their last."""

from __future__ import annotations

from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import CoachingPhase, IdentityState


def count(db, table):
    with db.connect() as conn:
        row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 (a literal of this file)
    return row[0]


def test_a_coaching_session_from_account_to_notes(coach):
    loaded = (
        a_scenario("flow")
        .user("maya")
        .in_phase(CoachingPhase.IDENTITY_REFINEMENT)
        .identity("maker", state=IdentityState.ACCEPTED)
        .as_current()
        .conversation(turns=12)
        .note("Prefers mornings")
        .build()
        .load(coach)
    )
    assert loaded["maya"].id
    for table in (
        "users_user",
        "coach_states_coachstate",
        "chat_messages_chatmessage",
        "actions_action",
        "identities_identity",
        "user_notes_usernote",
    ):
        assert count(coach, table) >= 1, table


def test_a_test_scenario_from_template_to_cleanup(coach, built_in):
    instance = built_in["notes_and_actions"].load(coach, as_name="flow")
    with coach.connect() as conn:
        rows = conn.execute("SELECT name, template FROM test_scenario_testscenario").fetchall()
        assert [row[0] for row in rows] == ["flow"]
        assert rows[0][1]
        outside = conn.execute("SELECT count(*) FROM users_user WHERE test_scenario_id IS NULL").fetchone()
        assert outside == (0,)
        conn.execute("UPDATE users_user SET first_name = 'Changed'")
    instance.unload()
    assert count(coach, "users_user") == 0
    assert count(coach, "test_scenario_testscenario") == 0
