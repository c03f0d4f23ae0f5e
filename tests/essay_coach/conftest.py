"""Databases with the sample of `ec_sample`: one shared and rolled back, one for each test that commits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ec_sample import World, fill

from scenarios.domains.essay_coach import DOMAIN


@pytest.fixture(scope="session")
def ec_template(server):
    """Return the template every database of these tests is cloned from: the schema with the sample."""
    return server.template(DOMAIN, populate=fill, key="essay-coach-sample")


@pytest.fixture(scope="session")
def ec_shared(server, ec_template):
    """Yield a database with the sample for tests that roll back whatever they do."""
    with server.database(template=ec_template) as db:
        yield db


@pytest.fixture
def world(ec_shared) -> Iterator[World]:
    """Yield the sample on a connection whose transaction is rolled back after the test."""
    with ec_shared.connect(autocommit=False) as conn:
        yield World(conn)
        conn.rollback()


@pytest.fixture
def ec_db(server, ec_template):
    """Yield a database with the sample that the test may commit to."""
    with server.database(template=ec_template) as db:
        yield db
