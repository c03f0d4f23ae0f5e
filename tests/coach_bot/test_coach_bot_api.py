"""The example application as people meet it: its own process, HTTP, real commits, undone by restoring."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from scenarios.domains.coach_bot import DOMAIN
from scenarios.resources import resource

NOBODY = "7b0c2a5e-8a9c-4a57-9d3c-0123456789ab"
EXAMPLE = resource("schema").parent / "examples" / "coach_bot_api"


@contextmanager
def serving(database, module="app", **variables):
    """The application on *database* as a process; yields a client for it."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", f"coach_bot_api.{module}:create_app", "--factory"),
            *(
                "--app-dir",
                str(EXAMPLE),
                "--port",
                "0",
                "--no-access-log",
                "--timeout-graceful-shutdown",
                "5",
            ),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DATABASE_URL": database.url, **variables},
    )
    output = []
    try:
        for line in process.stderr:
            output.append(line)
            if started := re.search(r"running on (http://[\d.:]+)", line):
                break
        else:
            pytest.fail(f"the application did not start:\n{''.join(output)}")
        # Somebody has to read on, or the process stops at a full pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        with httpx.Client(base_url=started[1], timeout=20) as client:
            yield client
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()


@pytest.fixture(scope="module")
def served(server):
    """The application and its database, for all tests of this file."""
    with server.database(DOMAIN) as database, serving(database) as client:
        yield client, database


@pytest.fixture
def api(served):
    """The application on an empty database: what it commits is undone after the test."""
    client, database = served
    before = database.snapshot()
    yield client
    database.restore(before)


@pytest.fixture
def maya(api):
    """A user the application has committed."""
    created = api.post("/users", json={"username": "maya", "email": "maya@example.com"})
    assert created.status_code == 201
    return created.json()


@pytest.fixture
def chat(api, maya):
    """A chat of hers."""
    created = api.post(f"/users/{maya['id']}/chats")
    assert created.status_code == 201
    return created.json()


def test_the_application_serves(api):
    assert api.get("/health").json() == {"status": "ok"}


def test_a_user_is_made_read_changed_and_deleted(api, maya):
    place = f"/users/{maya['id']}"
    assert api.get(place).json() == maya
    changed = api.patch(place, json={"username": "Maya K."}).json()
    assert (changed["username"], changed["email"]) == ("Maya K.", "maya@example.com")
    assert changed["updated_at"] > maya["updated_at"]
    assert api.delete(place).status_code == 204
    assert api.get(place).status_code == 404
    assert api.delete(place).status_code == 404


def test_what_the_application_committed_is_undone_between_tests(api, served):
    assert api.get("/users").json() == []
    _, database = served
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_a_conversation_has_replies_a_trail_and_pages(api, chat):
    place = f"/chats/{chat['id']}"
    for number in range(3):
        answer = api.post(f"{place}/messages", json={"content": f"thought {number}"})
        assert answer.status_code == 201
        assert answer.json()["status"] == "success"
        assert f"thought {number}" in answer.json()["reply"]["content"]
    seen, after = [], None
    while True:
        page = api.get(f"{place}/messages", params={"limit": 4} | ({"after": after} if after else {})).json()
        seen += page["items"]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == 6
    assert [message["content"] for message in seen[::2]] == ["thought 0", "thought 1", "thought 2"]
    assert seen == sorted(seen, key=lambda message: message["timestamp"])
    trail = api.get(f"{place}/logs", params={"action": "send_message"}).json()
    assert [log["details"]["text"] for log in trail["items"]] == [
        f"Message sent: thought {number}..." for number in range(3)
    ]


def test_while_the_coach_is_away_nothing_said_is_lost(coach_bot_db):
    with serving(coach_bot_db, "during_an_outage") as client:
        user = client.post("/users", json={"username": "maya", "email": "maya@example.com"}).json()
        chat = client.post(f"/users/{user['id']}/chats").json()
        answer = client.post(f"/chats/{chat['id']}/messages", json={"content": "anyone there?"})
        assert answer.status_code == 201
        assert (answer.json()["status"], answer.json()["reply"]) == ("partial_success", None)
        page = client.get(f"/chats/{chat['id']}/messages").json()
        assert [message["content"] for message in page["items"]] == ["anyone there?"]
        assert len(client.get(f"/chats/{chat['id']}/logs").json()["items"]) == 1


@pytest.mark.parametrize("email", ["maya@example.com", "MAYA@example.com"])
def test_an_address_twice_is_a_conflict_that_names_its_meaning(api, maya, email):
    answer = api.post("/users", json={"username": "other", "email": email})
    assert answer.status_code == 409
    assert "another user has this e-mail address" in answer.json()["why"]
    assert answer.json()["constraint"].startswith("users_email_")


def test_the_same_username_twice_is_fine(api, maya):
    assert api.post("/users", json={"username": "maya", "email": "maya2@example.com"}).status_code == 201


@pytest.mark.parametrize(
    ("method", "place", "body", "code"),
    [
        ("POST", "/users", {"username": "x" * 256, "email": "a@example.com"}, 422),
        ("POST", "/users", {"username": "a", "email": "nowhere"}, 422),
        ("POST", "/users", {"username": "a", "email": "a@example.com", "role": "admin"}, 422),
        ("POST", f"/users/{NOBODY}/chats", None, 409),
        ("GET", f"/users/{NOBODY}/chats", None, 404),
        ("POST", f"/chats/{NOBODY}/messages", {"content": "hello"}, 404),
        ("GET", "/users?limit=100000", None, 422),
        ("GET", "/users/not-an-id", None, 422),
    ],
)
def test_what_cannot_be_done_has_its_status(api, method, place, body, code):
    answer = api.request(method, place, json=body)
    assert answer.status_code == code, answer.text


@pytest.mark.parametrize("content", ["", "  ", "nul\x00"])
def test_what_cannot_be_said_is_refused_and_stores_nothing(api, chat, content):
    answer = api.post(f"/chats/{chat['id']}/messages", json={"content": content})
    assert answer.status_code == 422
    assert api.get(f"/chats/{chat['id']}/messages").json()["items"] == []


def test_a_place_in_a_list_that_is_none_is_invalid(api, chat):
    answer = api.get(f"/chats/{chat['id']}/messages", params={"after": "nonsense"})
    assert (answer.status_code, answer.json()["field"]) == (422, "after")


def test_of_two_edits_of_the_same_version_one_is_refused(api, maya):
    def edit(name):
        return api.patch(
            f"/users/{maya['id']}",
            json={"username": name},
            headers={"If-Unmodified-Since-Version": maya["updated_at"]},
        ).status_code

    with ThreadPoolExecutor(2) as people:
        assert sorted(people.map(edit, ["A", "B"])) == [200, 409]


def test_deleting_a_user_deletes_the_conversation(api, maya, chat):
    api.post(f"/chats/{chat['id']}/messages", json={"content": "hello"})
    assert api.delete(f"/users/{maya['id']}").status_code == 204
    assert api.get(f"/chats/{chat['id']}/messages").status_code == 404


def test_a_commit_that_fails_is_not_reported_as_success(coach_bot_db):
    # The check moves to the commit, which happens after the route returned its answer.
    with coach_bot_db.connect() as connection:
        connection.execute(
            "ALTER TABLE chats ALTER CONSTRAINT chats_user_id_fkey DEFERRABLE INITIALLY DEFERRED"
        )
    with serving(coach_bot_db) as client:
        answer = client.post(f"/users/{NOBODY}/chats")
        assert answer.status_code == 409
        assert answer.json()["constraint"] == "chats_user_id_fkey"


def test_connections_killed_by_the_server_are_replaced(api, served, maya):
    _, database = served
    with database.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'coach_bot'"
        )
    assert api.get("/health").status_code == 200
    assert api.get(f"/users/{maya['id']}").status_code == 200


def test_a_database_that_refuses_is_a_503_and_not_a_crash(coach_bot_db):
    with serving(coach_bot_db) as client:
        assert client.get("/health").status_code == 200
        name = coach_bot_db.name
        with coach_bot_db.server.connect() as admin:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            refused = client.get("/users")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert client.get("/health").status_code == 503
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        assert client.get("/users").status_code == 200


def test_the_developers_files_fit_each_other_and_the_settings(tmp_path):
    example = (EXAMPLE / ".env.example").read_text("utf-8")
    from scenarios.domains.coach_bot.settings import CoachBotSettings, load_settings

    known = {str(field.validation_alias) for field in CoachBotSettings.model_fields.values()}
    assert set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE)) == known
    compose = (EXAMPLE / "compose.yaml").read_text("utf-8")
    assert set(re.findall(r"\$\{([A-Z_]+)", compose)) <= known
    file = tmp_path / ".env"
    # What people get who uncomment everything.
    file.write_text(re.sub(r"^# ([A-Z_]+=)", r"\1", example, flags=re.MULTILINE), "utf-8")
    assert load_settings(file).url().database == "coach_bot"
    assert Path(EXAMPLE / "README.md").is_file()
