"""What the tests of each system's volume share: comparing contents row by row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from psycopg import sql

from scenarios.domain import Domain
from scenarios.postgres import Database

Contents = Callable[[Database, Domain], dict[str, list[str]]]


@pytest.fixture(scope="session")
def every_row() -> Contents:
    """Return a function that reads every row of every table of a domain, as texts in order."""

    def read(db: Database, domain: Domain) -> dict[str, list[str]]:
        query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1")
        with db.connect() as conn:
            return {
                name: [row[0] for row in conn.execute(query.format(sql.Identifier(name)))]
                for name in domain.metadata.tables
            }

    return read
