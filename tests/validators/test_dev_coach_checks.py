"""Each check of Dev Coach fires on a row that breaks its rule, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import DOMAIN, ActionType, CoachingPhase, IdentityState
from scenarios.domains.dev_coach.validators import CHECKS
from scenarios.errors import ValidationError
from scenarios.validation import Check, Finding, require_valid, sql_checks, validate

Phase = CoachingPhase

TABLES = {
    "actions": "actions_action",
    "identities": "identities_identity",
    "messages": "chat_messages_chatmessage",
    "notes": "user_notes_usernote",
    "states": "coach_states_coachstate",
}

# Each breaks exactly the rule it stands under; several need foreign keys and triggers off.
BREAKS = {
    "one-coach-state": "DELETE FROM {states} WHERE user_id = {ida}",
    "own-identities-in-state": (
        "UPDATE {states} SET proposed_identity_id = {maya_first} WHERE user_id = {ida}"
    ),
    "no-current-identity-before-refinement": (
        "UPDATE {states} SET current_identity_id = {cleo_first} WHERE user_id = {cleo}"
    ),
    "current-identity-is-oldest-unfinished": (
        "UPDATE {states} SET current_identity_id = NULL WHERE user_id = {maya}"
    ),
    "no-identities-before-creation": "UPDATE {identities} SET user_id = {omar} WHERE id = {cleo_first}",
    "states-fit-phase": "UPDATE {identities} SET state = 'ACCEPTED' WHERE id = {cleo_first}",
    "texts-of-completed": "UPDATE {identities} SET affirmation = '' WHERE user_id = {ida}",
    "identity-names-differ": (
        "UPDATE {identities} AS i SET name = upper(o.name) FROM {identities} AS o"
        " WHERE o.id = {maya_first} AND i.user_id = o.user_id AND i.id <> o.id"
        " AND i.category = 'MAKER_OF_MONEY'"
    ),
    "identity-notes-differ": "UPDATE {identities} SET notes = '{{same,same}}' WHERE id = {cleo_first}",
    "user-notes-differ": (
        "INSERT INTO {notes} (user_id, note, created_at, test_scenario_id)"
        " SELECT user_id, note, created_at + interval '1 s', test_scenario_id FROM {notes}"
    ),
    "skipped-categories-differ": (
        "UPDATE {states} SET skipped_identity_categories = '{{SPIRITUAL,SPIRITUAL}}' WHERE user_id = {cleo}"
    ),
    "no-identity-in-skipped-category": (
        "UPDATE {states} SET skipped_identity_categories = '{{PASSIONS_AND_TALENTS}}' WHERE user_id = {cleo}"
    ),
    "every-category-covered": (
        "UPDATE {states} SET skipped_identity_categories ="
        " array_remove(skipped_identity_categories, 'DOER_OF_THINGS') WHERE user_id = {maya}"
    ),
    "questions-in-asking-order": (
        "UPDATE {states} SET asked_questions = '{{FAMILY_STRUCTURE}}' WHERE user_id = {omar}"
    ),
    "all-questions-asked": (
        "UPDATE {states} SET asked_questions = '{{BACKGROUND_UPBRINGING}}' WHERE user_id = {cleo}"
    ),
    "descriptions-fit-phase": "UPDATE {states} SET who_you_are = '{{}}' WHERE user_id = {maya}",
    "conversation-starts-with-coach": (
        "UPDATE {messages} SET role = 'USER' WHERE id = (SELECT id FROM {messages}"
        " WHERE user_id = {omar} ORDER BY timestamp LIMIT 1)"
    ),
    "message-times-increase": (
        "UPDATE {messages} SET timestamp = (SELECT max(timestamp) FROM {messages}"
        " WHERE user_id = {omar}) WHERE id IN (SELECT id FROM {messages}"
        " WHERE user_id = {omar} ORDER BY timestamp DESC LIMIT 2)"
    ),
    "message-has-content": (
        "UPDATE {messages} SET content = E' \\n' WHERE id = (SELECT id"
        " FROM {messages} WHERE user_id = {omar} ORDER BY timestamp DESC LIMIT 1)"
    ),
    "action-by-coach-message": (
        "UPDATE {actions} SET coach_message_id = (SELECT id FROM {messages}"
        " WHERE user_id = {maya} AND role = 'USER' ORDER BY timestamp LIMIT 1)"
        " WHERE id = (SELECT id FROM {actions} WHERE user_id = {maya} ORDER BY timestamp DESC LIMIT 1)"
    ),
    "action-after-message": (
        "UPDATE {actions} SET timestamp = timestamp - interval '1 s'"
        " WHERE id = (SELECT id FROM {actions} WHERE user_id = {maya} ORDER BY timestamp DESC LIMIT 1)"
    ),
    "one-action-of-a-type-per-message": (
        "INSERT INTO {actions} (user_id, action_type, parameters, timestamp, coach_message_id,"
        " test_scenario_id) SELECT user_id, action_type, parameters, timestamp, coach_message_id,"
        " test_scenario_id FROM {actions} WHERE user_id = {maya} ORDER BY timestamp DESC LIMIT 1"
    ),
    "last-transition-leads-to-phase": (
        'UPDATE {actions} SET parameters = \'{{"to_phase": "IDENTITY_CREATION"}}\''
        " WHERE id = (SELECT id FROM {actions} WHERE user_id = {maya} AND action_type = 'TRANSITION_PHASE'"
        " ORDER BY timestamp DESC LIMIT 1)"
    ),
    "transitions-follow-order": (
        'UPDATE {actions} SET parameters = \'{{"to_phase": "COMPLETED"}}\''
        " WHERE id = (SELECT id FROM {actions} WHERE user_id = {maya} AND action_type = 'TRANSITION_PHASE'"
        " ORDER BY timestamp LIMIT 1)"
    ),
    "action-ids-are-own": (
        "UPDATE {actions} SET parameters = jsonb_build_object('id', {cleo_first})"
        " WHERE id = (SELECT id FROM {actions} WHERE user_id = {maya} ORDER BY timestamp DESC LIMIT 1)"
    ),
    "note-after-source": "UPDATE {notes} SET created_at = created_at - interval '1 min'",
    "note-from-own-words": (
        "UPDATE {notes} SET source_message_id = (SELECT id FROM {messages}"
        " WHERE user_id = {maya} AND role = 'COACH' ORDER BY timestamp DESC LIMIT 1), created_at = now()"
    ),
    "note-after-first-word": (
        "UPDATE {notes} SET source_message_id = NULL, created_at = (SELECT created_at"
        " FROM users_user WHERE id = {maya}) + interval '1 s'"
    ),
    "prompt-versions-consecutive": "UPDATE prompts_prompt SET version = 3 WHERE version = 2",
    "nothing-older-than-its-person": (
        "UPDATE users_user SET created_at = updated_at, last_login = NULL WHERE id = {maya}"
    ),
    "session-holds-its-messages": (
        "UPDATE coach_states_coachingsession SET ended_at = started_at WHERE user_id = {maya}"
    ),
    "rows-share-scenario": "UPDATE {identities} SET test_scenario_id = NULL WHERE id = {cleo_first}",
}


@pytest.fixture
def loaded(dev_coach_db) -> Iterator[tuple[psycopg.Connection, dict[str, str]]]:
    """One person a phase, with triggers and foreign keys off for what comes after."""
    people = (
        a_scenario("checked")
        .prompt(Phase.COMPLETED)
        .prompt(Phase.COMPLETED)
        .user("omar")
        .in_phase(Phase.GET_TO_KNOW_YOU)
        .conversation(5)
        .user("cleo")
        .in_phase(Phase.IDENTITY_CREATION)
        .identity("first")
        .user("maya")
        .in_phase(Phase.IDENTITY_REFINEMENT)
        .identity("first")
        .identities(2)
        .conversation(21)
        .says("i love trains")
        .noted("Loves trains")
        .coach("I see")
        .triggers(ActionType.ADD_USER_NOTE, parameters={"notes": ["Loves trains"]})
        .user("ida")
        .in_phase(Phase.COMPLETED)
        .identity("first", state=IdentityState.REFINEMENT_COMPLETE)
        .load(dev_coach_db)
    )
    names = {name: f"'{people[name].id}'" for name in ("omar", "cleo", "maya", "ida")}
    names |= TABLES
    names |= {f"{name}_first": f"'{people[f'{name}.first'].id}'" for name in ("cleo", "maya", "ida")}
    with dev_coach_db.connect() as connection:
        assert validate(connection, CHECKS) == []
        connection.execute("SET session_replication_role = replica")
        yield connection, names


def test_every_check_has_a_row_that_breaks_it():
    assert set(BREAKS) == {check.name for check in CHECKS}


@pytest.mark.parametrize("check", BREAKS)
def test_the_check_fires(loaded, check):
    connection, names = loaded
    broken = connection.execute(BREAKS[check].format(**names).encode())
    assert broken.rowcount > 0
    findings = validate(connection, CHECKS)
    assert check in {finding.check for finding in findings}, findings
    for finding in findings:
        row = connection.execute(f"SELECT FROM {finding.table} WHERE id = %s".encode(), [finding.key])
        assert row.rowcount == 1, "a finding names a row that can be looked at"


def test_a_scope_looks_at_its_own_rows_alone(loaded, dev_coach_db):
    connection, names = loaded
    other = a_scenario("other").user("zoe").load(dev_coach_db)
    connection.execute(BREAKS["texts-of-completed"].format(**names).encode())
    assert validate(connection, DOMAIN, scope=other.id) == []
    assert validate(connection, DOMAIN) != []


def test_checks_can_be_chosen_and_unknown_ones_are_named(loaded):
    connection, names = loaded
    connection.execute(BREAKS["texts-of-completed"].format(**names).encode())
    assert validate(connection, CHECKS, only=["one-coach-state"]) == []
    with pytest.raises(ValidationError, match="no check 'one-coach'"):
        validate(connection, CHECKS, only=["one-coach"])


def test_requiring_validity_lists_the_findings(loaded):
    connection, names = loaded
    require_valid(connection, DOMAIN)
    connection.execute(BREAKS["texts-of-completed"].format(**names).encode())
    with pytest.raises(
        ValidationError, match=r"texts-of-completed: identities_identity .* has no affirmation"
    ):
        require_valid(connection, DOMAIN)


def test_a_finding_speaks_to_people_and_programs():
    finding = Finding("a-check", "a_table", "7", "is wrong")
    assert str(finding) == "a-check: a_table 7: is wrong"
    assert finding.as_dict() == {"check": "a-check", "table": "a_table", "key": "7", "message": "is wrong"}


def test_any_object_with_the_right_shape_is_a_check(loaded):
    connection, _ = loaded

    class Always:
        name = "always"
        rule = "Nothing is right."

        def run(self, connection, scope):
            return [Finding(self.name, "t", "1", "as ever")]

    assert isinstance(Always(), Check)
    assert [finding.message for finding in validate(connection, [Always()])] == ["as ever"]


def test_a_file_without_checks_is_refused():
    with pytest.raises(ValidationError, match="names of their own"):
        sql_checks("scenarios.domains.dev_coach.sql", "functions.sql")
