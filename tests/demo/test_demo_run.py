"""The demo does what it says, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from listing import processes_of

HEADINGS = (
    "A throwaway server",
    "A database from a template",
    "The scenario refinement_in_progress",
    "Another process commits",
    "Restore",
)


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory of this test's own, short enough for a socket and open to the server's user."""
    directory = Path(f"/tmp/scd-{os.getpid()}-{time.time_ns() % 10**8}")
    directory.mkdir(mode=0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def environment(runtime: Path) -> dict[str, str]:
    return {**os.environ, "SCENARIOS_RUNTIME_DIR": str(runtime), "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}


def demo(runtime: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scenarios", "demo"],
        env=environment(runtime),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def read_until(running: subprocess.Popen[str], heading: str) -> str:
    assert running.stdout is not None
    seen = []
    for line in running.stdout:
        seen.append(line)
        if line.startswith(heading):
            break
    return "".join(seen)


def files_of(runtime: Path) -> list[str]:
    """What a server would leave: sockets, data directories. Locks and registers of ours may stay."""
    found = (Path(place) / name for place, _, names in os.walk(runtime) for name in names)
    return [
        str(path.relative_to(runtime))
        for path in found
        if path.is_socket() or path.name in {"postmaster.pid", "PG_VERSION", "postgresql.conf"}
    ]


def wait_until_gone(runtime: Path) -> None:
    deadline = time.monotonic() + 20
    while (processes_of(runtime) or files_of(runtime)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(runtime) == {}
    assert files_of(runtime) == []


def test_it_shows_the_main_job_and_leaves_nothing(runtime: Path) -> None:
    with demo(runtime) as running:
        printed, _ = running.communicate(timeout=120)
    assert running.returncode == 0, printed
    for heading in HEADINGS:
        assert heading in printed
    assert "maya.okafor+refinement-in-progress@example.com" in printed
    assert "IDENTITY_REFINEMENT" in printed
    assert "GET_TO_KNOW_YOU" in printed
    assert "fsync" in printed
    assert "state: 'ACCEPTED' -> 'REFINEMENT_COMPLETE'" in " ".join(printed.split())
    assert "all tables and sequences are as before" in printed
    assert "ms  restore" in printed
    wait_until_gone(runtime)


@pytest.mark.parametrize(
    ("heading", "sent"),
    [*((heading, signal.SIGINT) for heading in HEADINGS), (HEADINGS[3], signal.SIGTERM)],
)
def test_interrupted_it_cleans_up_and_says_so(runtime: Path, heading: str, sent: signal.Signals) -> None:
    with demo(runtime) as running:
        printed = read_until(running, heading)
        os.kill(running.pid, sent)
        printed += running.communicate(timeout=60)[0]
    assert running.returncode == 128 + sent, printed
    assert "Traceback" not in printed
    wait_until_gone(runtime)


def test_a_killed_demo_leaves_nothing(runtime: Path) -> None:
    with demo(runtime) as running:
        read_until(running, "The scenario")
        assert files_of(runtime), "the server is up, so there is something to leave"
        os.kill(running.pid, signal.SIGKILL)
    wait_until_gone(runtime)


def readable_python() -> Path | None:
    """An interpreter of this minor version that everybody may run; this one may lie in root's home."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (Path(sys.executable), Path("/usr/bin") / name, Path("/usr/local/bin") / name):
        if found.exists() and all(
            place.stat().st_mode & 0o005 == 0o005 for place in (found.resolve(), *found.resolve().parents)
        ):
            return found
    return None


@pytest.mark.thorough("a second run of the demo")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_runs_it_too(runtime: Path) -> None:
    """The user has no home directory and may not read the caller's."""
    nobody = pwd.getpwnam("nobody")
    os.chown(runtime, nobody.pw_uid, nobody.pw_gid)
    cache = runtime.with_name(f"{runtime.name}-cache")
    cache.mkdir()
    os.chown(cache, nobody.pw_uid, nobody.pw_gid)
    python = readable_python()
    if python is None:
        pytest.skip(
            f"an ordinary user can run no Python {sys.version_info.major}.{sys.version_info.minor} here"
        )
    finished = subprocess.run(
        [str(python), "-m", "scenarios", "demo"],
        env={
            **environment(runtime),
            "HOME": "/nonexistent",
            "SCENARIOS_CACHE_DIR": str(cache),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )
    shutil.rmtree(cache)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    wait_until_gone(runtime)
