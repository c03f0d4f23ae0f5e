"""Databases for the writer's tests: one with a schema of its own that has everything, one of Dev Coach."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from graph_models import Base

from scenarios.domains.dev_coach import DOMAIN as DEV_COACH
from scenarios.postgres import Database, Server


@pytest.fixture
def zoo(server: Server) -> Iterator[Database]:
    """A database with the tables of `graph_models`."""
    with server.database(Base.metadata) as database:
        yield database


@pytest.fixture
def coach(server: Server) -> Iterator[Database]:
    """A database with the Dev Coach schema."""
    with server.database(DEV_COACH) as database:
        yield database


@pytest.fixture
def conn(zoo: Database) -> Iterator[psycopg.Connection]:
    with zoo.connect() as connection:
        yield connection
