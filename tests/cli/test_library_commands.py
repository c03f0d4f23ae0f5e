"""The commands of the library, each in a process of its own, and the session of the documentation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forks import run_module
from scenarios.domain import get_domain
from scenarios.library import Library
from scenarios.postgres import Database, Server
from scenarios.resources import resource

ROOT = resource("scenario_library").parent
COMMANDS = [
    "list",
    "show",
    "check",
    "file-schema",
    "load",
    "open",
    "instances",
    "reset",
    "unload",
    "freeze",
    "catalogue",
    "forget",
    "anonymise",
]


@pytest.fixture
def db(server: Server) -> Iterator[Database]:
    with server.database(get_domain("dev_coach")) as database:
        yield database


def scenarios(
    *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "120", **environment}
    return run_module("scenarios", *arguments, cwd=cwd or ROOT, env=env)


def test_list_is_json_and_names_every_file():
    done = scenarios("list", "--json")
    assert done.returncode == 0
    assert [each["name"] for each in json.loads(done.stdout)] == [
        entry.name for entry in Library(resource("scenario_library")).entries()
    ]


def test_list_imports_nothing_heavy():
    code = (
        "import sys\nfrom scenarios.cli.main import run\n"
        "try:\n    run(['list'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'sqlalchemy', 'faker', 'psycopg', 'alembic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_an_example(command):
    done = scenarios(command, "--help")
    assert done.returncode == 0
    assert f"Example: scenarios {command}" in " ".join(done.stdout.replace("│", " ").split())


def test_show_prints_people_and_the_conversation_without_colours():
    done = scenarios("show", "refinement_in_progress", "--user", "maya", "--messages", "3")
    assert done.returncode == 0
    assert "Maya Okafor" in done.stdout
    assert "44 earlier turns" in done.stdout
    assert "How will you know" in done.stdout
    assert "\x1b" not in done.stdout
    shown = json.loads(scenarios("show", "refinement_in_progress", "--json").stdout)
    assert [user["handle"] for user in shown["state"]["users"]] == ["maya", "omar"]


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["show", "refinement_in_progres"], 1, "did you mean refinement_in_progress?"),
        (["show", "refinement_in_progress", "--param", "identities"], 2, "NAME=VALUE"),
        (["show", "refinement_in_progress", "--param", "identities=99"], 1, "from 4 to 40"),
        (["show", "refinement_in_progress", "--now", "soon"], 2, "not a moment"),
        (["lst"], 2, "No such command"),
        (["load"], 2, "Missing argument"),
        (["instances"], 1, "SCENARIOS_DATABASE"),
        (["instances", "--in", "postgresql://nobody:hush@127.0.0.1:1/x"], 1, "error:"),
        (["list", "--library", "/nowhere/at/all"], 1, "no scenario library"),
        (["freeze", "--name", "x"], 2, "give --user"),
    ],
)
def test_errors_are_clean_and_have_the_right_exit_code(arguments, code, what):
    done = scenarios(*arguments)
    assert done.returncode == code, done
    assert what in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr + done.stdout


def test_check_finds_personal_data(tmp_path):
    (tmp_path / "dev_coach").mkdir()
    path = tmp_path / "dev_coach" / "leaky.yaml"
    path.write_text(
        "scenario: leaky\nusers:\n  a: {email: a.person@gmail.com}\n  b: {email: b@example.com}\n"
        "  c: {profile: {bio: 'call +49 170 5551234'}}\n"
        "  d: {first_name: Laura, last_name: Miller, profile: {bio: 'Laura Miller met Jennifer Thompson'}}\n",
        "utf-8",
    )
    assert scenarios("check", str(path)).returncode == 0
    done = scenarios("check", str(path), "--pii")
    assert done.returncode == 1
    assert re.search(r"leaky\.yaml:3:\d+: the address a\.person@gmail\.com", done.stdout)
    assert re.search(r"leaky\.yaml:5:\d+: .* phone number", done.stdout)
    column = path.read_text("utf-8").splitlines()[5].index("Jennifer") + 1
    assert re.search(rf"leaky\.yaml:6:{column}: the name Jennifer Thompson", done.stdout), done.stdout
    assert "b@example.com" not in done.stdout
    assert "Laura" not in done.stdout


def test_check_data_tells_which_rules_are_broken(db):
    Library()["one_team"].load(db)
    done = scenarios("check", "--data", db.dsn)
    assert done.returncode == 1
    assert "one-coach-state" in done.stdout


def test_forget_and_anonymise_work_in_our_database_only(db, server):
    instance = Library()["to_be_forgotten"].load(db)
    who = instance["beatriz"].email
    for command in ("forget", "anonymise"):
        assert "1 person" in scenarios(command, who, "--in", db.dsn, "--dry-run").stdout
        nobody = scenarios(command, "nobody@example.com", "--in", db.dsn, "--dry-run")
        assert (nobody.returncode, nobody.stdout) == (1, "")
        assert "there is no 'nobody@example.com'" in nobody.stderr
    done = scenarios("anonymise", who, "--in", db.dsn, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"]["users_user"] == 1
    assert report["mentions"] == {
        "chat_messages_chatmessage.content": 1,
        "test_scenario_testscenario.template": 1,
    }
    with db.connect() as conn:
        mine = conn.execute(
            "SELECT string_agg(content, ' ') FROM chat_messages_chatmessage WHERE user_id = %s",
            [instance["beatriz"].id],
        ).fetchone()
        assert mine is not None
        assert "eatriz" not in mine[0]
        assert "BEATRIZ" not in mine[0]
    done = scenarios("forget", str(instance["beatriz"].id), "--in", db.dsn, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["chat_messages_chatmessage"] == 3
    with db.connect() as conn:
        assert conn.execute("SELECT first_name FROM users_user").fetchall() == [("Jon",)]
    with server.connect() as conn:
        conn.execute(f'CREATE DATABASE "stranger_{db.name}"')
    try:
        done = scenarios(
            "forget", "x@example.com", "--in", db.dsn.replace(db.name, f"stranger_{db.name}"), "--yes"
        )
        assert done.returncode == 1
        assert "does not carry the tag" in done.stderr
    finally:
        with server.connect() as conn:
            conn.execute(f'DROP DATABASE "stranger_{db.name}"')


def test_the_catalogue_has_a_page_for_each_scenario(tmp_path):
    done = scenarios("catalogue", "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    names = {Path(each).stem for each in json.loads(done.stdout)}
    assert names == {"index", *Library(resource("scenario_library")).names()}
    page = (tmp_path / "out" / "every_script.html").read_text("utf-8")
    assert "ليلى" in page
    assert "<b>bold</b>" not in page
    assert "<h2>Objects</h2><ul><li>" in page


SESSION = re.search(r"```console\n(.*?)```", (ROOT / "docs" / "cli.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.thorough("the page is executed")
def test_the_session_in_the_documentation(db, tmp_path):
    """Each command of the session prints what the page says, in one shell, in order."""
    assert SESSION is not None
    steps: list[tuple[str, list[str]]] = []
    for line in SESSION.group(1).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    mark = "--next--"
    script = "\n".join(f"{command}\ncode=$?; echo '{mark}'; (exit $code)" for command, _ in steps)
    python = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        cwd=tmp_path,
        env={**os.environ, "URL": db.dsn, "PATH": f"{python}:{os.environ['PATH']}", "COLUMNS": "120"},
        check=False,
    )
    outputs = done.stdout.split(f"{mark}\n")
    for (command, wanted), got in zip(steps, outputs, strict=False):
        lines = got.strip("\n").splitlines() if got.strip() else []
        if "..." in wanted:
            assert lines[: wanted.index("...")] == wanted[: wanted.index("...")], command
        else:
            assert lines == wanted, command


def test_a_load_without_a_database_keeps_one_and_prints_no_password(tmp_path):
    try:
        done = scenarios("load", "one_team", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        line = re.search(r"export SCENARIOS_DATABASE='(.+?)' PGPASSFILE='(.+?)'", done.stdout)
        assert line is not None
        assert not re.search(r"://[^/@]*:[^/@]*@", done.stdout)
        password = Path(line[2]).read_text("utf-8").strip().rpartition(":")[2]
        assert password
        assert password not in done.stdout
        known = {"SCENARIOS_DATABASE": line[1], "PGPASSFILE": line[2]}
        assert (
            json.loads(scenarios("instances", "--json", cwd=tmp_path, **known).stdout)[0]["name"]
            == "one_team"
        )
    finally:
        scenarios("down", cwd=tmp_path)


def test_a_load_that_fails_keeps_no_server(tmp_path):
    try:
        failed = scenarios("load", "one_team", "--as", "n" * 300, cwd=tmp_path)
        assert failed.returncode == 1
        assert "is not an instance's name" in failed.stderr
        assert [
            each for each in json.loads(scenarios("status", "--json", cwd=tmp_path).stdout) if each["here"]
        ] == []
    finally:
        scenarios("down", cwd=tmp_path)


def test_people_who_were_long_away_are_forgotten_or_made_nobody(db):
    Library()["retention_and_consent"].load(db)

    def addresses() -> list[str]:
        with db.connect() as conn:
            return [row[0] for row in conn.execute("SELECT email FROM users_user ORDER BY email")]

    everybody = addresses()
    with db.connect() as conn:
        conn.execute("UPDATE users_user SET last_login = '2026-03-01', date_joined = '2020-01-01'")
        conn.execute("UPDATE users_user SET created_at = '2020-01-01'")
        conn.execute("UPDATE users_user SET last_login = '2021-01-01' WHERE email = %s", [everybody[0]])
    dry = scenarios("forget", "--inactive-since", "2024-01-01", "--dry-run", "--in", db.dsn, "--json")
    assert dry.returncode == 0, dry.stderr
    assert len(json.loads(dry.stdout)["people"]) == 1
    assert addresses() == everybody
    hidden = scenarios("anonymise", "--inactive-since", "2024-01-01", "--in", db.dsn)
    assert hidden.returncode == 0, hidden.stderr
    assert hidden.stdout.splitlines()[-1] == "1 person"
    assert everybody[0] not in addresses()
    gone = scenarios("forget", "--inactive-since", "2024-01-01", "--yes", "--in", db.dsn)
    assert gone.returncode == 0, gone.stderr
    assert addresses() == everybody[1:]
    assert scenarios("forget", "--in", db.dsn).returncode == 2
    assert scenarios("forget", "--older-than", "soon", "--in", db.dsn).returncode == 2
