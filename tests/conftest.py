"""Fixtures all tests share: a real PostgreSQL server, and empty databases on it.

The server is shared with the other pytest-xdist workers of the run, so each worker pays for a connection, not
for a server.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenarios.postgres import Database, Server, start_server
from scenarios.postgres.binaries import installed_majors
from scenarios.settings import Settings

MATRIX = (15, 16, 17, 18)


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
