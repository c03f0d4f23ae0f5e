"""Places of their own for tests that look at what is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenarios.settings import Settings


@pytest.fixture
def own_runtime() -> Iterator[Path]:
    """A runtime directory nobody else's servers live in, open to the user servers run as.

    Fails the test that leaves a process behind: a server, or what watches it.
    """
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="sc-", dir=memory if memory.is_dir() else None))
    directory.chmod(0o755)
    yield directory
    left = processes_of(directory)
    shutil.rmtree(directory, ignore_errors=True)
    assert left == {}


def processes_of(directory: Path) -> dict[int, str]:
    """Command lines of all processes that work in *directory*, by their ids."""
    listing = subprocess.run(["ps", "-ewwo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = (line.split(maxsplit=1) for line in listing.splitlines() if str(directory) in line)
    return {int(pid): command for pid, command in lines}


@pytest.fixture
def kill_with_watchers(own_runtime: Path) -> Callable[[subprocess.Popen[str]], None]:
    """Kill a run together with what watches its servers, as the end of a container would.

    What it leaves is then there until the next run or the clean-up that is under test.
    """

    def kill(run: subprocess.Popen[str]) -> None:
        run.kill()
        run.wait()
        for pid, command in processes_of(own_runtime).items():
            if "watcher.py" in command:
                os.kill(pid, signal.SIGKILL)

    return kill


@pytest.fixture
def wait_until_empty(own_runtime: Path) -> Callable[[], None]:
    """Wait until nothing is left in `own_runtime`, and no process that works there."""

    def wait() -> None:
        deadline = time.monotonic() + 30
        while (any(own_runtime.iterdir()) or processes_of(own_runtime)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(own_runtime.rglob("*")) == []
        assert processes_of(own_runtime) == {}

    return wait


@pytest.fixture
def own_settings(own_runtime: Path) -> Settings:
    """Settings with which servers live in `own_runtime`."""
    return Settings({"runtime_dir": str(own_runtime)})
