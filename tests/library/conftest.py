"""A library, and a database with the schema of Dev Coach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.domain import get_domain
from scenarios.library import Library
from scenarios.postgres import Database, Server
from scenarios.resources import resource

LIBRARY = resource("scenario_library")


@pytest.fixture(scope="session")
def library() -> Library:
    """The built-in library."""
    return Library(LIBRARY)


@pytest.fixture(scope="module")
def coach_db(server: Server) -> Iterator[Database]:
    """A Dev Coach database for the tests of one module, each of which takes away what it loads."""
    with server.database(get_domain("dev_coach")) as database:
        yield database


@pytest.fixture
def own_db(server: Server) -> Iterator[Database]:
    """A Dev Coach database for one test."""
    with server.database(get_domain("dev_coach")) as database:
        yield database


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """An empty library directory for Dev Coach scenarios."""
    directory = tmp_path / "dev_coach"
    directory.mkdir()
    return directory
