"""Fixtures all tests share: a real PostgreSQL server, and empty databases on it.

The server is shared with the other pytest-xdist workers of the run, so each worker pays for a connection, not
for a server.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.postgres import Database, Server, start_server
from scenarios.postgres.binaries import installed_majors
from scenarios.settings import Settings

MATRIX = (15, 16, 17, 18)
SUPPORTED = ("3.11", "3.12", "3.13")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """An embedded server, the same for the whole run."""
    with start_server("embedded") as running:
        yield running


@pytest.fixture(scope="session", params=MATRIX, ids=lambda major: f"pg{major}")
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
