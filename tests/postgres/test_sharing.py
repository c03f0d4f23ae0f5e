"""Workers and overlapping runs share one server and one build, and each has databases of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from scenarios.postgres import start_server
from scenarios.settings import Settings

CONFTEST = """
import os, pytest
from scenarios.postgres import start_server

@pytest.fixture(scope="session")
def own():
    with start_server("embedded") as server:
        yield server
"""

TESTS = """
import json, os, pathlib, time, uuid, pytest

NOTES = pathlib.Path(os.environ["NOTES"])

def schema(conn):
    with (NOTES / "builds").open("a") as file:
        file.write("built\\n")
    time.sleep(0.2)
    conn.execute("CREATE TABLE things (id int PRIMARY KEY)")

@pytest.mark.parametrize("number", range(16))
def test_private(own, number):
    with own.database(schema) as db, db.connect() as conn:
        conn.execute("INSERT INTO things VALUES (1)")
        time.sleep(0.02)
        assert conn.execute("SELECT count(*) FROM things").fetchone() == (1,)
        (NOTES / f"{uuid.uuid4()}.json").write_text(json.dumps({
            "database": db.name, "server": str(own.directory), "worker": os.getpid()
        }))
"""


@pytest.mark.thorough("ten runs of pytest")
def test_two_runs_and_eight_workers_share_one_server_and_one_build(own_runtime: Path, tmp_path: Path) -> None:
    project, notes = tmp_path / "project", tmp_path / "notes"
    project.mkdir()
    notes.mkdir()
    (project / "pyproject.toml").write_text("")
    (project / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    (project / "test_own.py").write_text(textwrap.dedent(TESTS))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        "SCENARIOS_RUNTIME_DIR": str(own_runtime),
        "NOTES": str(notes),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "xdist",
        "-n",
        "4",
        "-p",
        "no:cacheprovider",
        project,
    ]
    # Keep the server between the two, in case one run is over before the other has begun.
    with start_server("embedded", settings=Settings({"runtime_dir": str(own_runtime)}, project=project)):
        runs = [
            subprocess.Popen(
                command,
                cwd=project,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(2)
        ]
        for run in runs:
            said, _ = run.communicate(timeout=120)
            assert run.returncode == 0, said
    seen = [json.loads(file.read_text()) for file in notes.glob("*.json")]
    assert len(seen) == 32
    assert len({each["database"] for each in seen}) == 32
    assert len({each["server"] for each in seen}) == 1
    assert len({each["worker"] for each in seen}) > 2
    assert (notes / "builds").read_text() == "built\n"
    assert list(own_runtime.iterdir()) == []


def test_the_last_user_ends_it(own_runtime: Path, own_settings: Settings) -> None:
    first = start_server("embedded", settings=own_settings)
    second = start_server("embedded", settings=own_settings)
    assert first.directory == second.directory
    assert "joined the running server" in second.why_chosen
    ours, theirs = first.database(), second.database()
    first.close()
    with theirs.connect() as conn:
        left = conn.execute("SELECT datname FROM pg_database WHERE datname = %s", [ours.name]).fetchone()
        assert left is None, "a run takes its databases with it"
    second.close()
    assert list(own_runtime.iterdir()) == []


def test_a_private_server_is_nobody_elses(own_settings: Settings) -> None:
    with start_server("embedded", settings=own_settings) as shared:
        with start_server("embedded", settings=own_settings, share=False) as private:
            assert private.directory != shared.directory
        with shared.connect() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_projects_do_not_share(own_runtime: Path, tmp_path: Path) -> None:
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text("")
        settings = Settings({"runtime_dir": str(own_runtime)}, project=tmp_path / name)
        servers.append(start_server("embedded", settings=settings))
    assert servers[0].directory != servers[1].directory
    for server in servers:
        server.close()


def test_a_crashed_server_is_replaced(own_settings: Settings) -> None:
    from scenarios.postgres.processes import end_server

    broken = start_server("embedded", settings=own_settings)
    assert broken.directory is not None
    end_server(broken.directory)
    with start_server("embedded", settings=own_settings) as fresh, fresh.connect() as conn:
        assert fresh.directory != broken.directory
        assert conn.execute("SELECT 1").fetchone() == (1,)
        broken.close()


FORKING = """
import os
from scenarios.postgres import start_server
with start_server("embedded") as server:
    child = os.fork()
    if child == 0:
        server.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with server.connect() as conn:
        print(conn.execute("SELECT 'alive'").fetchone()[0])
"""


def test_a_forked_child_does_not_end_its_parents_server(own_runtime: Path) -> None:
    environment = {**os.environ, "SCENARIOS_RUNTIME_DIR": str(own_runtime)}
    said = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", FORKING], env=environment, text=True
    )
    assert said == "alive\n"
    assert list(own_runtime.iterdir()) == []
