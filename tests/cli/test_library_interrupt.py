"""Ctrl-C in the middle of long work leaves nothing half done; how far it is, a terminal shows only."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scenarios.domain import get_domain
from scenarios.library import Library
from scenarios.library.instances.finding import hold
from scenarios.library.instances.locking import alone
from scenarios.resources import resource

ROOT = resource("scenario_library").parent
COMMAND = [sys.executable, "-m", "scenarios.cli.main"]
WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)
SLOW = """\
import time
from pathlib import Path
from scenarios.library import scenario


@scenario(system="dev_coach")
def slow(wait: bool = WAIT):
    "A scenario that takes its time."
    if wait:
        Path(__file__).with_name("reached").touch()
        time.sleep(120)
    return {}
"""


@contextmanager
def started(*arguments: str, cwd: Path = ROOT) -> Iterator[subprocess.Popen[str]]:
    """Start a command; whatever happens, it ends."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def interrupted(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C and see that the command ends cleanly."""
    process.send_signal(signal.SIGINT)
    output, complaint = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert output == ""
    assert "Traceback" not in complaint


def wait_for(reached, process: subprocess.Popen[str]) -> None:
    while not reached():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.fixture
def watched(server):
    with server.database(get_domain("dev_coach")) as db, db.connect() as watcher:
        yield db, lambda: watcher.execute(WAITING).fetchone() != (0,)


@pytest.fixture
def slow_shelf(tmp_path: Path) -> Path:
    """A library with a good scenario and one that never ends."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "a_good_one.yaml").write_text("scenario: a_good_one\nsystem: dev_coach\nusers: {a: {}}\n")
    (shelf / "slow.py").write_text(SLOW.replace("WAIT", "True"))
    return shelf


def test_an_interrupted_load_leaves_nothing(watched):
    db, waiting = watched
    before = db.checksum()
    with db.connect(autocommit=False) as blocker:
        # The load gets as far as its messages, with the people written before, and waits there.
        blocker.execute("LOCK TABLE chat_messages_chatmessage IN ACCESS EXCLUSIVE MODE")
        with started("load", "very_long_conversation", "--to", db.dsn) as load:
            wait_for(waiting, load)
            interrupted(load)
        blocker.rollback()
    assert db.checksum() == before


@pytest.mark.parametrize("command", ["reset", "unload"])
def test_an_interrupted_reset_or_unload_changes_nothing(watched, command):
    db, waiting = watched
    Library()["one_team"].load(db)
    before = db.checksum()
    with db.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE chat_messages_chatmessage IN ACCESS EXCLUSIVE MODE")
        with started(command, "one_team", "--in", db.dsn) as process:
            wait_for(waiting, process)
            interrupted(process)
        blocker.rollback()
    assert db.checksum() == before


@pytest.mark.parametrize("more", [[], ["--as-code"]])
def test_an_interrupted_freeze_writes_no_file(watched, tmp_path, more):
    db, waiting = watched
    Library()["one_team"].load(db)
    with (
        alone(db, "one_team"),
        started("freeze", "one_team", "--from", db.dsn, "--name", "x", *more, cwd=tmp_path) as process,
    ):
        wait_for(waiting, process)
        interrupted(process)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_catalogue_leaves_the_old_one(slow_shelf, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "index.html").write_text("the old one")
    with started("catalogue", "--out", str(out), "--library", str(slow_shelf)) as process:
        wait_for((slow_shelf / "reached").exists, process)
        interrupted(process)
    assert [path.name for path in out.iterdir()] == ["index.html"]
    assert (out / "index.html").read_text() == "the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "shelf"]


def test_an_interrupted_check_ends(slow_shelf):
    with started("check", "--library", str(slow_shelf)) as process:
        wait_for((slow_shelf / "reached").exists, process)
        interrupted(process)


def test_an_interrupted_load_keeps_no_database_that_it_made(slow_shelf, tmp_path):
    # It waits when it is planned for the load: the database is there by then.
    (slow_shelf / "slow.py").write_text(SLOW.replace("WAIT", "False"))
    project = tmp_path / "project"
    project.mkdir()

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def databases() -> list[int]:
        return [each["databases"] for each in json.loads(run("status", "--json")) if each["here"]]

    try:
        run("up")
        with started(
            "load", "slow", "--param", "wait=yes", "--library", str(slow_shelf), cwd=project
        ) as process:
            wait_for((slow_shelf / "reached").exists, process)
            assert databases() == [1]
            interrupted(process)
        assert databases() == [0]
        run("load", "slow", "--library", str(slow_shelf))
        assert databases() == [1]
    finally:
        run("down")


# -- what a terminal shows ------------------------------------------------------------------------------


def on_a_terminal(*arguments: str, cwd: Path = ROOT) -> tuple[str, str]:
    """Run a command with a terminal for remarks; return what it printed and what the terminal showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 0.1)
        if ready:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
        elif process.poll() is not None:
            break
    os.close(ours)
    output = process.communicate()[0].decode()
    assert process.returncode == 0, shown
    return output, shown.decode("utf-8", "replace")


@pytest.mark.thorough("the whole library, four times")
def test_long_work_shows_how_far_it_is_on_a_terminal_only(server, tmp_path):
    count = f"/{len(Library())}"
    with server.database(get_domain("dev_coach")) as db:
        # What is done last is shown for certain; of the rest, as much as the eye can follow.
        cases = {
            "checking": (["check"], count),
            "rendering": (["catalogue", "--out", str(tmp_path / "out")], count),
            "loading": (["load", "very_long_conversation", "--to", db.dsn], " rows"),
            "freezing": (
                ["freeze", "very_long_conversation", "--from", db.dsn, "-o", str(tmp_path / "x.yaml")],
                "the shortest file",
            ),
        }
        for word, (arguments, what) in cases.items():
            output, shown = on_a_terminal(*arguments)
            assert word in shown
            assert "━" in shown
            assert what in shown
            assert f"{word} " not in output
        again = [*cases["freezing"][0], "--force"]
        for arguments in (cases["checking"][0], cases["rendering"][0], again):
            done = subprocess.run(
                [*COMMAND, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
            )
            assert "━" not in done.stderr + done.stdout
            assert "\x1b" not in done.stderr + done.stdout
        quiet, shown = on_a_terminal(*again, "--json")
        assert json.loads(quiet)["rows"]
        assert "━" not in shown
        with hold(db, "very_long_conversation") as (conn, instance):
            instance.unload(connection=conn)


def test_the_shell_completes_the_names_of_scenarios():
    def completed(line: str) -> list[str]:
        done = subprocess.run(
            COMMAND,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={
                **os.environ,
                "_SCENARIOS_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(line.count(" ")),
            },
        )
        return done.stdout.split()

    assert completed("scenarios load refinement_") == ["refinement_in_progress", "refinement_stuck"]
    assert "instances" in completed("scenarios ins")
