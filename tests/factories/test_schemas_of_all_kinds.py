"""Derived factories on what public schemas contain: each table is filled with rows PostgreSQL accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenarios.errors import FactoryError
from scenarios.factories import factory_context, factory_for
from scenarios.factories.patterns import python_pattern
from scenarios.graph import Graph, write
from scenarios.projects import reflected

SCHEMA = Path(__file__).with_name("all_kinds.sql")


@pytest.fixture(scope="module")
def schema_db(server):
    with server.database(SCHEMA) as database:
        yield database


@pytest.fixture(scope="module")
def tables(schema_db):
    return reflected(schema_db).tables


def filled(database, table, count=3):
    """Write *count* rows of *table* and return how many it then has more."""
    graph = Graph()
    with database.engine.connect() as asked, factory_context(table.fullname, graph=graph, connection=asked):
        factory_for(table).create_batch(count)
    with database.connect() as connection:
        return write(connection, graph).tables[table.fullname]


# Read here, so that a table added there is tested.
NAMES = re.findall(r'^CREATE TABLE "?(\w+)', SCHEMA.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_postgresql_accepts(schema_db, tables, name):
    assert filled(schema_db, tables[name]) == 3


def test_without_a_database_it_is_said_who_could_tell(tables):
    with factory_context("alone"), pytest.raises(FactoryError) as refused:
        factory_for(tables["by_function"]).build()
    assert "cannot be read" in str(refused.value)
    assert "connection=" in (refused.value.hint or "")


def test_two_contexts_fill_one_database(schema_db, tables):
    for scenario in ("first", "second"):
        graph = Graph()
        with factory_context(scenario, graph=graph):
            factory_for(tables["posix"]).create_batch(2)
        with schema_db.connect() as connection:
            assert write(connection, graph).rows == 2


@pytest.mark.parametrize(
    ("pattern", "same"),
    [
        ("^[[:alnum:]_-]+$", "^[a-zA-Z0-9_-]+$"),
        (r"\mcat\M", r"\b(?=\w)cat\b(?<=\w)"),
        (r"a\\m", r"a\\m"),
        (r"\ycat\Y", r"\bcat\B"),
    ],
)
def test_postgresqls_patterns_in_pythons_words(pattern, same):
    assert python_pattern(pattern) == same
