"""`scenarios up`, `status`, `down`, `doctor` and `gc`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from scenarios.cli import server as commands
from scenarios.postgres import start_server
from scenarios.settings import Settings

APP = typer.Typer()
commands.register(APP)


class Command:
    """Runs commands with a runtime directory and a project of their own."""

    def __init__(self, runtime: Path) -> None:
        self.environment = {"SCENARIOS_RUNTIME_DIR": str(runtime)}

    def __call__(self, *arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(APP, list(arguments), env=self.environment)
        assert result.exit_code == status, result.output
        return result.output

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", status=status))


@pytest.fixture
def command(own_runtime: Path) -> Command:
    return Command(own_runtime)


def test_a_server_for_the_working_day(command: Command, own_runtime: Path, own_settings: Settings) -> None:
    assert command("status") == "no server runs\n"
    up = command.json("up", "--hours", "1")
    assert up["users"] == []
    with start_server(settings=own_settings) as server:
        assert "joined the running server" in server.why_chosen
        with server.database(keep=True) as kept:
            name = kept.name
        (status,) = command.json("status")
        assert status["users"] == [os.getpid()]
        assert status["here"]
        assert "this project" in command("status")
        assert "ends with its last user" in command("down")
        command("up")
    (status,) = command.json("status")
    assert (status["users"], status["databases"]) == ([], 1)
    with start_server(settings=own_settings) as server:
        assert server.manager.read_tag(name) is not None, "a kept database outlives its run"
    assert command("gc") == "nothing is left of dead runs\n"
    assert "ended" in command("down")
    assert list(own_runtime.iterdir()) == []
    assert command("down") == "no server of this project runs\n"


def test_what_up_prints_lets_a_person_in(command: Command, own_runtime: Path) -> None:
    said = command("up")
    line = next(line for line in said.splitlines() if "PGPASSFILE=" in line)
    passwords = line.partition("PGPASSFILE=")[2].partition(" ")[0]
    url = line.partition("psql '")[2].rstrip("'")
    program = "import psycopg, sys; print(psycopg.connect(sys.argv[1]).execute('SELECT 1').fetchone())"
    answer = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", program, url],
        env={**os.environ, "PGPASSFILE": passwords},
        text=True,
    )
    assert answer == "(1,)\n"
    assert Path(passwords).read_text().strip().rpartition(":")[2] not in said
    command("down")


def test_gc_says_what_it_would_do_and_does_it(
    command: Command, own_runtime: Path, kill_with_watchers: Callable[[subprocess.Popen[str]], None]
) -> None:
    program = "from scenarios.postgres import start_server; start_server(); print('up', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **command.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        assert command("gc") == "nothing is left of dead runs\n", "a living run is left alone"
        kill_with_watchers(run)
    (foreseen,) = command.json("gc", "--dry-run")
    assert (foreseen["kind"], foreseen["removed"]) == ("server", False)
    assert "would remove server" in command("gc", "--dry-run")
    (done,) = command.json("gc")
    assert (done["name"], done["removed"]) == (foreseen["name"], True)
    assert list(own_runtime.iterdir()) == []


def test_doctor_measures_and_reads_back(command: Command, own_runtime: Path) -> None:
    found = command.json("doctor", "--provider", "embedded")
    assert found["server"]["fsync"] == "off"
    assert {"clone", "connect", "snapshot", "restore of 7 rows"} <= set(found["costs"])
    assert all(cost > 0 for cost in found["costs"].values())
    assert found["server"]["clones by"] in {"wal_log", "file_copy", "file_clone"}
    assert found["binaries"]
    assert found["settings"]["runtime_dir"].endswith("(from environment SCENARIOS_RUNTIME_DIR)")
    assert list(own_runtime.iterdir()) == []


def test_doctor_for_people_ends_with_advice_when_nothing_works(command: Command, tmp_path: Path) -> None:
    # An engine that answers would be advice of another kind.
    nowhere = f"unix://{tmp_path}/no-engine.sock"
    command.environment |= {"SCENARIOS_POSTGRES_BIN": str(tmp_path), "DOCKER_HOST": nowhere}
    said = command("doctor", "--provider", "embedded", status=1)
    assert "cannot be used" in said
    assert "advice:" in said
    assert "Container engine" in said


def test_the_external_server_needs_no_up(command: Command, server: Any) -> None:
    command.environment |= {"SCENARIOS_PROVIDER": server.admin_url}
    result = CliRunner().invoke(APP, ["up"], env=command.environment)
    assert "needs no `up`" in str(result.exception)
    assert server.parameters("x")["password"] not in str(result.exception)


def test_kept_databases_go_when_asked(command: Command) -> None:
    command("up")
    program = (
        "from scenarios.postgres import start_server\n"
        "with start_server() as server: print(server.database(keep=True).name)"
    )
    environment = {**os.environ, **command.environment}
    name = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True).strip()
    assert command("gc") == "nothing is left of dead runs\n"
    assert f"would remove database {name}" in command("gc", "--kept", "--dry-run")
    assert f"removed database {name}" in command("gc", "--kept")
    command("down")


def test_old_templates_go_by_age_and_count(command: Command, own_settings: Settings) -> None:
    command("up")
    with start_server(settings=own_settings) as server:
        templates = [server.template(None, key=str(number)) for number in range(4)]
        for template, day in zip(templates, ("2001-01-01", None, "yesterday", "yesterday"), strict=True):
            tag = server.manager.read_tag(template.name)
            assert tag is not None
            yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
            used = tag.used if day is None else yesterday if day == "yesterday" else day
            server.manager.write_tag(template.name, replace(tag, used=used))
    command.environment |= {"SCENARIOS_KEEP_TEMPLATES": "2"}
    collected = {each["name"].partition(" ")[0]: each["why"] for each in command.json("gc")}
    assert templates[0].name in collected
    assert "not used for" in collected[templates[0].name]
    assert templates[1].name not in collected
    assert len(collected) == 2
    assert collected.keys() & {templates[2].name, templates[3].name}
    command("down")


def test_a_running_server_comes_first_whatever_its_provider(own_settings: Settings) -> None:
    with (
        start_server("embedded", settings=own_settings) as running,
        start_server(settings=own_settings) as same,
    ):
        assert same.directory == running.directory


def test_a_server_that_outlives_its_starter_is_no_warning(own_runtime: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "scenarios.cli.main", *arguments],
            env={**os.environ, "SCENARIOS_RUNTIME_DIR": str(own_runtime)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stderr

    assert run("up") == ""
    assert run("down") == ""
