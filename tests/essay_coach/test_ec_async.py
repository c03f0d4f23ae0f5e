"""Loading from asynchronous code does what loading does: months, quiet audit, fresh views, the same rows."""

from __future__ import annotations

import asyncpg
import psycopg
import pytest
from psycopg import sql

from scenarios.builders.essay_coach import a_scenario
from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.validators import violations

TABLES = ("institutions", "users", "user_profiles", "essays", "submissions", "feedback", "ai_responses",
          "analytics", "logs")  # fmt: skip
MONTHS = (
    "SELECT relname FROM pg_class WHERE relname ~ '_[0-9]{4}_[0-9]{2}$' AND relkind = 'r'"
    " AND relnamespace = 'public'::regnamespace ORDER BY 1"
)
VIEW = "SELECT user_id, total_essays, completed_essays, avg_overall FROM mv_student_progress ORDER BY 1"


def a_term():
    return (
        a_scenario("a_term_async")
        .institution("north")
        .student("ada")
        .essay("done").completed()
        .essay("broken").failed()
        .student("bo")
        .measured("essay_score", 71.5, at="-60w")
        .build()
    )  # fmt: skip


def state(db):
    with db.connect() as conn:
        every_row = sql.SQL("SELECT t::text FROM {} t ORDER BY 1")
        rows = {table: conn.execute(every_row.format(sql.Identifier(table))).fetchall() for table in TABLES}
        return rows, conn.execute(MONTHS).fetchall(), conn.execute(VIEW).fetchall()


@pytest.mark.asyncio
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_every_driver_loads_the_same(server, driver):
    with server.database(DOMAIN) as expected, server.database(DOMAIN) as db:
        a_term().load(expected)
        if driver == "psycopg":
            async with await psycopg.AsyncConnection.connect(db.dsn, autocommit=True) as conn:
                await a_term().load_async(conn)
        else:
            connection = await asyncpg.connect(db.dsn)
            try:
                await a_term().load_async(connection)
            finally:
                await connection.close()
        assert state(db) == state(expected)
        rows, months, progress = state(db)
        assert len(rows["essays"]) == len(progress) == 2
        assert ("analytics_2025_01",) in months
        with db.connect() as conn:
            assert violations(conn) == []
            assert conn.execute("SELECT count(*) FROM audit_log").fetchone() == (0,)
