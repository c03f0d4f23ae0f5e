"""Thousands of rows at once: rules rest while they are written, and nothing gets past them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import DOMAIN, ChatMessage, CoachingPhase, User
from scenarios.errors import GraphError
from scenarios.graph import Graph, write
from scenarios.graph.bulk_load import LARGE
from scenarios.validation import validate
from scenarios.values import DEFAULT_ANCHOR, Seeded

COLUMNS = ("id", "user_id", "role", "content", "timestamp")
KEYED = Seeded("large")
MAYA = KEYED.id("maya")
MODES = "SELECT DISTINCT mode FROM modes ORDER BY 1"


@pytest.fixture
def coach(server):
    """A database that notes for each person with which role of replication they were written."""
    with server.database(DOMAIN) as db, db.connect() as conn:
        conn.execute("CREATE TABLE modes (mode text)")
        conn.execute(
            "CREATE FUNCTION note_mode() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO modes VALUES (current_setting('session_replication_role')); RETURN NEW; END $$"
        )
        conn.execute(
            "CREATE TRIGGER mode AFTER INSERT ON users_user FOR EACH ROW EXECUTE FUNCTION note_mode();"
            "ALTER TABLE users_user ENABLE ALWAYS TRIGGER mode"
        )
        yield conn


def graph(wrong: int | None = None, scope: UUID | None = None) -> Graph:
    """Return Maya and many messages, one of them another's."""
    found = Graph(KEYED)
    found.add(User(id=MAYA, email="maya@example.com", password="x", test_scenario_id=scope), "maya")
    rows = [
        (KEYED.id(f"m{n}"), MAYA, "COACH", f"message {n}", DEFAULT_ANCHOR + timedelta(seconds=n))
        for n in range(LARGE)
    ]
    if wrong is not None:
        rows[wrong] = (rows[wrong][0], KEYED.id("nobody"), *rows[wrong][2:])
    found.add_rows(ChatMessage, COLUMNS, rows, [f"message-{n}" for n in range(LARGE)], ("stretch.py", 7))
    return found


def counted(conn) -> tuple[int, int]:
    return conn.execute(
        "SELECT (SELECT count(*) FROM users_user), (SELECT count(*) FROM chat_messages_chatmessage)"
    ).fetchone()


def test_many_rows_are_written_with_rules_at_rest_and_keep_them(coach):
    scenario = a_scenario("large").user("maya").in_phase(CoachingPhase.INTEGRATION).conversation(turns=1500)
    scenario.build().load(coach)
    assert coach.execute(MODES).fetchall() == [("replica",)]
    assert coach.execute("SHOW session_replication_role").fetchone() == ("origin",)
    assert validate(coach, DOMAIN) == []
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        coach.execute("UPDATE chat_messages_chatmessage SET user_id = gen_random_uuid()")


def test_few_rows_are_checked_one_by_one(coach):
    a_scenario("small").user("maya").conversation(turns=20).build().load(coach)
    assert coach.execute(MODES).fetchall() == [("origin",)]


def test_a_parent_that_is_not_there_is_named_and_nothing_stays(coach):
    with pytest.raises(GraphError) as caught:
        write(coach, graph(wrong=1234), domain=DOMAIN)
    said = str(caught.value)
    assert "message-1234" in said
    assert "stretch.py:7" in said
    assert "chat_messages_chatmessage_user_id_fkey" in said
    assert counted(coach) == (0, 0)


def test_rows_that_come_without_a_scope_inherit_it_all_the_same(coach):
    scope = coach.execute(
        "INSERT INTO test_scenario_testscenario (name, template) VALUES ('x', '{}') RETURNING id"
    ).fetchone()[0]
    written = write(coach, graph(scope=scope), domain=DOMAIN)
    assert written.tables["chat_messages_chatmessage"] == LARGE
    assert coach.execute(
        "SELECT count(*) FROM chat_messages_chatmessage WHERE test_scenario_id = %s", [scope]
    ).fetchone() == (LARGE,)
    # The attempt with rules at rest was taken back, its notes, too.
    assert coach.execute(MODES).fetchall() == [("origin",)]


def test_rules_do_not_rest_beside_another_trigger(coach):
    coach.execute("ALTER TABLE users_user ENABLE TRIGGER mode")
    write(coach, graph(), domain=DOMAIN)
    assert coach.execute(MODES).fetchall() == [("origin",)]


def test_rules_do_not_rest_inside_the_callers_transaction(coach):
    with coach.transaction():
        write(coach, graph(), domain=DOMAIN)
    assert coach.execute(MODES).fetchall() == [("origin",)]


def test_rules_do_not_rest_while_somebody_else_writes(coach):
    with psycopg.connect(coach.info.dsn, password=coach.info.password) as other:
        other.execute("INSERT INTO users_user (email, password) VALUES ('o@example.com', 'x')")
        write(coach, graph(), domain=DOMAIN)
        other.rollback()
    assert coach.execute(MODES).fetchall() == [("origin",)]


def test_a_built_scenario_can_be_shown_and_loaded_in_any_order(coach):
    first = a_scenario("one").user("maya").conversation(turns=4).build()
    loaded = first.load(coach)
    assert first["maya"] is not loaded["maya"]
    assert first["maya"].id == loaded["maya"].id
    second = a_scenario("two").user("maya").conversation(turns=4).build()
    shown = second["maya"]
    assert second.load(coach)["maya"] is not shown
