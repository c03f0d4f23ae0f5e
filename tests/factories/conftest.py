"""A Dev Coach database a test of this folder may fill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenarios.domains.dev_coach import DOMAIN
from scenarios.postgres import Database, Server


@pytest.fixture
def dev_coach_db(server: Server) -> Iterator[Database]:
    """An empty Dev Coach database of our own."""
    with server.database(DOMAIN) as database:
        yield database
