"""However a run ends, its server, its databases and its processes are gone a moment later."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listing import processes_of

WAITING = """
import os
import pathlib
import time

import pytest


@pytest.mark.scenario("one_customer")
@pytest.mark.parametrize("n", range(40))
def test_waits(scenario_db, n):
    with scenario_db.connect() as connection:
        connection.execute("DELETE FROM orders")
    pathlib.Path(os.environ["HERE"], f"{os.getpid()}").touch()
    end = time.monotonic() + 60
    while not pathlib.Path(os.environ["HERE"] + "-go").exists() and time.monotonic() < end:
        time.sleep(0.02)
"""


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory in which nobody else's servers live."""
    directory = Path(tempfile.mkdtemp(prefix="sc-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


Running = Callable[..., "contextmanager[tuple[subprocess.Popen[str], list[int]]]"]


@pytest.fixture
def running(project, runtime: Path) -> Running:
    """Start a run of pytest; gives it and the processes that have a database, once they are in a test."""

    @contextmanager
    def start(*options: str, users: int):
        (project.shared / "test_waits.py").write_text(WAITING, "utf-8")
        here = project.shared / "here"
        here.mkdir()
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        with subprocess.Popen(
            [sys.executable, "-m", "pytest", *project.quick, *options],
            cwd=project.shared,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **outside,
                "SCENARIOS_LIBRARY": str(project.shared / "scenarios"),
                "SCENARIOS_RUNTIME_DIR": str(runtime),
                "HERE": str(here),
            },
        ) as run:
            try:
                while len(list(here.iterdir())) < users:
                    assert run.poll() is None, run.stdout and run.stdout.read()
                    time.sleep(0.02)
                assert len(servers(runtime)) == 1
                yield run, sorted(int(path.name) for path in here.iterdir())
            finally:
                run.kill()

    return start


def servers(runtime: Path) -> list[Path]:
    return list(runtime.glob("*/*/data"))


def wait_until_nothing_is_left(runtime: Path, processes: list[int]) -> None:
    def left() -> list[object]:
        alive = [pid for pid in processes if Path(f"/proc/{pid}/cmdline").exists() and cmdline(pid)]
        return [*runtime.iterdir(), *processes_of(runtime), *alive]

    deadline = time.monotonic() + 30
    while left() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left() == []


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_nothing(running, runtime, sent):
    with running(users=1) as (run, processes):
        run.send_signal(sent)
        run.wait()
        wait_until_nothing_is_left(runtime, processes)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_controller_leaves_nothing(running, runtime, sent):
    with running("-n2", users=2) as (run, processes):
        assert run.pid not in processes
        run.send_signal(sent)
        run.wait()
        wait_until_nothing_is_left(runtime, processes)


def test_a_killed_worker_is_replaced_and_its_databases_are_dropped(running, runtime, project):
    with running("-n2", "-v", users=2) as (run, processes):
        os.kill(processes[0], signal.SIGKILL)  # in the middle of a test: all wait for the word to go on
        (project.shared / "here-go").touch()
        said, _ = run.communicate(timeout=60)
    assert "1 failed, 39 passed" in said, said
    assert "worker 'gw" in said
    assert "crashed while running" in said
    wait_until_nothing_is_left(runtime, processes)


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["alone", "two workers"])
def test_ctrl_c_ends_in_order(running, runtime, options):
    with running(*options, users=2 if options else 1) as (run, processes):
        for pid in {run.pid, *processes}:  # as a terminal does: it interrupts every process in front
            os.kill(pid, signal.SIGINT)
        said, _ = run.communicate(timeout=60)
        assert "KeyboardInterrupt" in said
        assert run.returncode == 2, said
        wait_until_nothing_is_left(runtime, processes)
