"""A Dev Coach database of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from dev_coach_rows import Rows
from sqlalchemy.orm import Session

from scenarios.domains.dev_coach import DOMAIN
from scenarios.postgres import Database, Server


@pytest.fixture
def dev_coach(server: Server) -> Iterator[Database]:
    """An empty Dev Coach database."""
    with server.database(DOMAIN) as database:
        yield database


@pytest.fixture
def conn(dev_coach: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection to it, in autocommit mode."""
    with dev_coach.connect() as connection:
        yield connection


@pytest.fixture
def rows(conn: psycopg.Connection[Any]) -> Rows:
    """Short ways to insert rows."""
    return Rows(conn)


@pytest.fixture
def session(dev_coach: Database) -> Iterator[Session]:
    """An ORM session on it."""
    with Session(dev_coach.engine) as orm:
        yield orm
