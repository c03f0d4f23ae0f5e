"""The asynchronous executors run the same plan, so the same rows must come out."""

from __future__ import annotations

import datetime as dt
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
import psycopg
import pytest
from graph_models import Animal, Base, Cage, Colour, Keeper, Kind, Tag
from psycopg import sql
from sqlalchemy.dialects.postgresql import Range

from scenarios.domain import Domain, Statement
from scenarios.errors import GraphError
from scenarios.graph import Graph, write, write_async
from scenarios.postgres import attach
from scenarios.values import Seeded


def some_graph():
    graph = Graph(Seeded("seed"))
    keeper = Keeper(name="ada", hired=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    keeper.favourite = Cage(keeper=keeper)
    cat = Animal(
        kind=Kind(name="cats"),
        colour=Colour.RED,
        names=["a\tb", "\\N"],
        facts={"k": [None, "ß"]},
        ages=Range(1, 2),
        photo=b"\x00\\x",
        tags=[Tag(label="x")],
    )
    graph.add(keeper, "ada")
    graph.add(cat, "cat")
    graph.add_rows(Kind, ["Name"], ((f"kind {n}",) for n in range(3000)))
    return graph


TABLES = ("keeper", "cage", "animal", "tag", "animal_tag", "Kind of animal")


def dump(conn):
    every_row = sql.SQL("SELECT t.* FROM {} t")
    return {
        table: sorted(map(str, conn.execute(every_row.format(sql.Identifier(table))).fetchall()))
        for table in TABLES
    }


@asynccontextmanager
async def connected(driver, db):
    if driver == "psycopg":
        async with await psycopg.AsyncConnection.connect(db.dsn, autocommit=True) as conn:
            yield conn
    else:
        conn = await asyncpg.connect(db.dsn)
        try:
            yield conn
        finally:
            await conn.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_every_driver_writes_the_same(server, zoo, driver):
    with server.database(zoo.schema) as twin:
        with twin.connect() as conn:
            expected_written = write(conn, some_graph())
            expected = dump(conn)
        graph = some_graph()
        async with connected(driver, zoo) as conn:
            written = await write_async(conn, graph)
        assert written.tables == expected_written.tables
        assert written.keys == expected_written.keys
        with attach(zoo.url).connect() as check:
            assert dump(check) == expected


@pytest.mark.asyncio
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_refusals_name_the_row_and_leave_nothing_behind(zoo, driver):
    graph = Graph()
    kind = Kind(name="cats")
    graph.add(Animal(kind=kind, weight=Decimal(1)), "thin", ("zoo.yaml", 3))
    graph.add(Animal(kind=kind, weight=Decimal(-1)), "ghost", ("zoo.yaml", 8))
    async with connected(driver, zoo) as conn:
        with pytest.raises(GraphError) as caught:
            await write_async(conn, graph)
    message = str(caught.value)
    for part in ("'ghost'", "zoo.yaml:8", "animal_weight", "weight=-1"):
        assert part in message
    with zoo.connect() as conn:
        assert conn.execute('SELECT count(*) FROM "Kind of animal"').fetchone() == (0,)


@pytest.mark.asyncio
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_a_domain_prepares_and_finishes_on_every_driver(zoo, driver):
    seen = []

    def before(spans):
        seen.append(
            (yield Statement("SELECT $1::timestamptz::text, count(*) FROM keeper", spans["keeper"][:1]))
        )
        yield Statement("CREATE TEMPORARY TABLE noted (keepers bigint)")

    def after():
        return [Statement("INSERT INTO noted SELECT count(*) FROM keeper"), Statement("SET TIME ZONE 'UTC'")]

    graph = Graph()
    keeper = Keeper(name="ada", hired=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    keeper.favourite = Cage(keeper=keeper)
    graph.add(keeper)
    domain = Domain(
        name="zoo", title="Zoo", metadata=Base.metadata, ddl=str, before_load=before, after_load=after
    )
    async with connected(driver, zoo) as conn:
        await conn.execute("SET TIME ZONE 'UTC'")
        await write_async(conn, graph, domain=domain)
        if driver == "psycopg":
            noted = await (await conn.execute("SELECT keepers FROM noted")).fetchone()
        else:
            noted = await conn.fetchrow("SELECT keepers FROM noted")
    assert [tuple(row) for rows in seen for row in rows] == [("2020-01-01 00:00:00+00", 0)]
    assert tuple(noted) == (1,)


@pytest.mark.asyncio
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_a_domain_that_cannot_finish_leaves_nothing_on_every_driver(zoo, driver):
    graph = Graph()
    graph.add(Kind(name="k"))
    domain = Domain(
        name="zoo",
        title="Zoo",
        metadata=Base.metadata,
        ddl=str,
        after_load=lambda: [Statement("SELECT 1 / $1::int", (0,))],
    )
    async with connected(driver, zoo) as conn:
        with pytest.raises(GraphError, match="division by zero"):
            await write_async(conn, graph, domain=domain)
    with zoo.connect() as conn:
        assert conn.execute('SELECT count(*) FROM "Kind of animal"').fetchone() == (0,)
