"""A Dev Coach database, and the built-in library, for what the documentation claims."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenarios.domain import get_domain
from scenarios.library import Library
from scenarios.postgres import Database, Server
from scenarios.resources import resource


@pytest.fixture
def coach(server: Server) -> Iterator[Database]:
    """A Dev Coach database for one test."""
    with server.database(get_domain("dev_coach")) as database:
        yield database


@pytest.fixture(scope="session")
def built_in() -> Library:
    """The scenarios that come with the package."""
    return Library(resource("scenario_library"))
