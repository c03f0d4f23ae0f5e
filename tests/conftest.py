"""Fixtures all tests share: a real PostgreSQL server, empty databases on it, places for servers of one test.

The server is shared with the other pytest-xdist workers of the run, so each worker pays for a connection, not
for a server.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from listing import processes_of
from scenarios.postgres import Database, Server, start_server
from scenarios.postgres.binaries import installed_majors
from scenarios.settings import Settings

# A shell has what it runs in the background ignore Ctrl-C, and so does whatever is started from there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Whoever names binaries wants to know of those, be it a version that most machines do not have yet.
MATRIX = tuple(installed_majors(Settings())) if "SCENARIOS_POSTGRES_BIN" in os.environ else (15, 16, 17, 18)
SUPPORTED = ("3.11", "3.12", "3.13", "3.14", "3.15")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """An embedded server, the same for the whole run."""
    with start_server("embedded") as running:
        yield running


OTHER_VERSION = pytest.mark.thorough("the newest version stands for all until everything is run")


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(major, id=f"pg{major}", marks=() if major == MATRIX[-1] else OTHER_VERSION)
        for major in MATRIX
    ],
)
def any_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of each major version that has binaries here; for tests marked ``postgres_matrix``."""
    found = installed_majors(Settings()).get(request.param)
    if found is None:
        pytest.skip(f"no PostgreSQL {request.param} binaries on this machine")
    with start_server("embedded", settings=Settings({"postgres_bin": str(found.bin)})) as running:
        yield running


@pytest.fixture
def fresh_db(server: Server) -> Iterator[Database]:
    """An empty database of our own."""
    with server.database() as database:
        yield database


@pytest.fixture(scope="session")
def pythons() -> dict[str, str]:
    """This interpreter, and other supported versions on this machine: on the path, of pyenv, of uv."""
    found = {"this": sys.executable}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    for version in SUPPORTED:
        candidates = [
            *sorted(pyenv.glob(f"{version}.*/bin/python")),
            *sorted(uv.glob(f"cpython-{version}.*/bin/python{version}")),
            *filter(None, [shutil.which(f"python{version}")]),
        ]
        for candidate in map(str, candidates):
            said = subprocess.run([candidate, "-V"], capture_output=True, text=True, check=False)
            if said.returncode == 0 and said.stdout.startswith(f"Python {version}."):
                found[version] = candidate
                break
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; without one the test is skipped, or fails where one was promised."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    if os.environ.get("SCENARIOS_REQUIRE_BROWSER"):
        pytest.fail("SCENARIOS_REQUIRE_BROWSER is set, but there is no Chromium on the path")
    pytest.skip("no Chromium on the path (apt-get install chromium)")


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
