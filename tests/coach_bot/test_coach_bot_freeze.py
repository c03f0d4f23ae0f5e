"""What is loaded can be frozen, and what was frozen is the same when it is loaded; the same by command."""

from __future__ import annotations

import json

import pytest

from scenarios.cli.main import run
from scenarios.domains.coach_bot import DOMAIN
from scenarios.library import Library
from scenarios.library.freezing.freeze import freeze
from scenarios.resources import resource

NAMES = sorted(path.stem for path in (resource("scenario_library") / "coach_bot").glob("*.yaml"))
CONTENT = """
SELECT users.username, chats.created_at, messages.timestamp, messages.content, sender.username
FROM messages JOIN chats ON chats.id = messages.chat_id JOIN users ON users.id = chats.user_id
JOIN users AS sender ON sender.id = messages.sender_id ORDER BY 1, 2, 3, 4
"""
TRAIL = """
SELECT users.username, chats.created_at, logs.timestamp, logs.action, logs.details
FROM logs JOIN chats ON chats.id = logs.chat_id JOIN users ON users.id = logs.user_id ORDER BY 1, 2, 3, 4
"""


def told(database):
    """Everything a database tells, without keys."""
    with database.connect() as connection:
        people = connection.execute("SELECT username, email, created_at FROM users ORDER BY email").fetchall()
        return people, connection.execute(CONTENT).fetchall(), connection.execute(TRAIL).fetchall()


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_instance_loads_as_what_it_was(server, coach_bot_db, name):
    instance = Library()[name].load(coach_bot_db)
    frozen = freeze(coach_bot_db, name="frozen", instance=instance)
    with server.database(DOMAIN) as other:
        # Its own name, so that addresses get no suffix.
        frozen.definition.load(other, as_name=frozen.definition.name)
        people, said, trail = told(other)
        before, *rest = told(coach_bot_db)
        assert [person[0] for person in people] == [person[0] for person in before]
        assert [said, trail] == rest


def test_a_frozen_conversation_says_who_speaks(coach_bot_db):
    instance = Library()["ai_outage"].load(coach_bot_db)
    text = freeze(coach_bot_db, name="frozen", instance=instance).text
    assert text.count("- {user:") + text.count("- user:") == 5
    assert text.count("- {coach:") + text.count("- coach:") == 2


def test_a_person_is_frozen_under_another_name(coach_bot_db):
    instance = Library()["foreign_sender"].load(coach_bot_db)
    with coach_bot_db.connect() as connection:
        connection.execute(
            "UPDATE users SET username = 'Maya Kowalska', email = 'kowalska@example.org' WHERE id = %s",
            [instance["maya"].id],
        )
        connection.execute(
            """UPDATE logs SET details = '{"text": "wrote to kowalska@example.org"}' WHERE user_id = %s""",
            [instance["maya"].id],
        )
    frozen = freeze(coach_bot_db, name="frozen", user="kowalska@example.org", system="coach_bot")
    assert "owalska" not in frozen.text
    assert frozen.rows["users"] == 2, "and who else wrote in her chat, since those messages are part of it"


@pytest.fixture
def scenarios(capsys):
    """Runs the command and returns what it prints, read as JSON."""

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            run([*arguments, "--json"])
        printed = capsys.readouterr()
        assert not left.value.code, printed.err
        return json.loads(printed.out)

    return call


def test_the_commands_load_list_reset_and_unload_in_a_database_without_scope(scenarios, coach_bot_db):
    url = coach_bot_db.url.replace("postgresql+psycopg", "postgresql")
    scenarios("load", "happy_conversation", "--to", url, "--as", "friday")
    scenarios("load", "busy_user", "--to", url)
    assert {each["name"] for each in scenarios("instances", "--in", url)} == {
        "friday",
        "busy_user",
    }
    assert scenarios("check", "--data", url, "--system", "coach_bot")["violations"] == []
    with coach_bot_db.connect() as connection:
        connection.execute("UPDATE messages SET content = 'changed by the application'")
        connection.execute("INSERT INTO chats (user_id) SELECT id FROM users WHERE username = 'maya'")
    scenarios("reset", "friday", "--in", url)
    with coach_bot_db.connect() as connection:
        query = "SELECT count(*) FROM messages WHERE content <> 'changed by the application'"
        assert connection.execute(query).fetchone() == (6,)
        assert connection.execute("SELECT count(*) FROM chats").fetchone() == (6,)
    scenarios("unload", "busy_user", "--in", url)
    scenarios("unload", "friday", "--in", url)
    assert scenarios("instances", "--in", url) == []
    with coach_bot_db.connect() as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_a_frozen_log_stands_under_the_message_it_tells_of(coach_bot_db):
    instance = Library()["missing_audit_rows"].load(coach_bot_db)
    frozen = freeze(coach_bot_db, name="frozen", instance=instance)
    plan = frozen.definition.plan(instance="frozen", now=None, parameters={})
    told_of = [log.up(1).values["content"] for log in plan.of("logs")]
    assert told_of == [
        "how do i tell my landlord about the window without a fight",
        "somebody to come before it snows",
    ]


def test_the_last_messages_are_frozen_with_their_logs_only(coach_bot_db):
    instance = Library()["happy_conversation"].load(coach_bot_db)
    frozen = freeze(coach_bot_db, name="frozen", instance=instance, last_messages=3)
    assert frozen.rows["messages"] == 3
    assert frozen.rows["logs"] == 1
    assert "on the radiator by the door" in frozen.text
    assert "a postcard?" not in frozen.text


def test_the_command_freezes_an_instance_into_a_file_that_loads(scenarios, coach_bot_db, server, tmp_path):
    url = coach_bot_db.url.replace("postgresql+psycopg", "postgresql")
    scenarios("load", "ai_outage", "--to", url, "--as", "night")
    file = tmp_path / "night_outage.yaml"
    scenarios("freeze", "night", "--name", "night_outage", "--in", url, "--out", str(file))
    assert scenarios("check", str(file))["errors"] == []
    with server.database(DOMAIN) as other:
        Library(tmp_path)["night_outage"].load(other)
        assert told(other)[1:] == told(coach_bot_db)[1:]
