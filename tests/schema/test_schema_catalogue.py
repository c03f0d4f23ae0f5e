"""The catalogue notices every kind of change, including those Alembic's autogenerate is blind to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from schema_shop import OBJECTS, make_shop

from scenarios.postgres import Database
from scenarios.schema.catalogue import Difference, read_catalogue
from scenarios.schema.rendering import render

CHANGES = {
    "table": 'ALTER TABLE shop."order" SET (fillfactor = 50)',
    "column": 'ALTER TABLE shop."order" ALTER at SET DEFAULT now()',
    "constraint": 'ALTER TABLE "Customer" DROP CONSTRAINT customer_name',
    "index": "DROP INDEX shop.order_large;"
    ' CREATE INDEX order_large ON shop."order" (customer) WHERE total > 99',
    "trigger": 'ALTER TABLE shop."order" DISABLE TRIGGER order_guard',
    "function": "CREATE OR REPLACE FUNCTION shop.percent(share numeric) RETURNS text"
    " LANGUAGE sql AS $$SELECT ''$$",
    "view": 'CREATE OR REPLACE VIEW shop.totals AS SELECT max(total) AS total FROM shop."order"',
    "enum": "ALTER TYPE shop.kind ADD VALUE 'medium' BEFORE 'large'",
    "sequence": "ALTER SEQUENCE shop.numbers INCREMENT 5",
    "policy": 'CREATE POLICY mine ON "Customer" FOR SELECT TO public USING (id = 1)',
    "grants": 'GRANT SELECT ON "Customer" TO public',
    "schema": "CREATE SCHEMA elsewhere",
    "comment": "COMMENT ON COLUMN \"Customer\".name IS 'as on the card'",
    "materialized view": "CREATE MATERIALIZED VIEW shop.kept AS SELECT 1 AS one",
    "domain": "CREATE DOMAIN shop.percentage AS numeric CHECK (value BETWEEN 0 AND 1)",
    "procedure": "CREATE PROCEDURE shop.nothing() LANGUAGE sql AS $$SELECT 1$$",
}


@pytest.fixture
def conn(fresh_db: Database) -> Iterator[psycopg.Connection[Any]]:
    """The shop in a database."""
    with fresh_db.connect() as connection:
        connection.execute(render(make_shop(), OBJECTS).encode())
        yield connection


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_of_each_kind_is_noticed(conn: psycopg.Connection[Any], kind: str) -> None:
    before = read_catalogue(conn)
    assert before.differences(read_catalogue(conn)) == []
    conn.execute(CHANGES[kind].encode())
    found = before.differences(read_catalogue(conn))
    assert kind in {difference.kind for difference in found}
    assert all(str(difference) for difference in found)


def test_the_order_of_columns_counts_unless_ignored(conn: psycopg.Connection[Any]) -> None:
    before = read_catalogue(conn)
    conn.execute('ALTER TABLE shop."order" DROP COLUMN tags')
    conn.execute("ALTER TABLE shop.\"order\" ADD COLUMN tags varchar(8)[] DEFAULT '{}'")
    after = read_catalogue(conn)
    assert [difference.kind for difference in before.differences(after)] == ["columns"]
    assert before.differences(after, ignore=("columns",)) == []


def test_long_names_are_not_cut(conn: psycopg.Connection[Any]) -> None:
    name = "x" * 63
    conn.execute(f'ALTER TABLE "Customer" ADD CONSTRAINT {name} CHECK (id <> 7)'.encode())
    assert f"public.Customer.{name}" in read_catalogue(conn).names("constraint")


def test_reading_leaves_the_connection_as_it_was(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SET search_path = shop, public")
    read_catalogue(conn)
    assert conn.execute("SHOW search_path").fetchone() == ("shop, public",)


def test_an_extensions_objects_are_the_extensions(conn: psycopg.Connection[Any]) -> None:
    available = conn.execute(
        "SELECT name FROM pg_available_extensions WHERE name IN ('pg_trgm', 'citext', 'hstore') LIMIT 1"
    ).fetchone()
    if available is None:
        pytest.skip("the server comes without any of the extensions this is tried with")
    before = read_catalogue(conn)
    conn.execute(f"CREATE EXTENSION {available[0]}".encode())
    assert [(found.kind, found.name) for found in before.differences(read_catalogue(conn))] == [
        ("extension", available[0])
    ]


def test_differences_are_said_in_words() -> None:
    assert str(Difference("index", "a", "x", None)) == "index a is missing"
    assert str(Difference("index", "a", None, "x")) == "index a should not be there"
    assert str(Difference("index", "a", "x", "y")) == "index a is [y], expected [x]"
    text = str(Difference("function", "f", "one\ntwo", "one\nthree"))
    assert text.splitlines()[0] == "function f differs"
    assert "    -two" in text
    assert "    +three" in text
