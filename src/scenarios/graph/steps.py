"""What is asked of a connection, whatever the driver: queries and a domain's statements.

The planner is a generator that yields steps and receives rows; it never sees a connection. So the synchronous
and the two asynchronous executors are a dozen lines each and cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Table

from scenarios.domain import Statement

Rows = Sequence[Sequence[Any]]
"""What a query gives back; nothing for the other steps."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query whose rows the planner waits for."""

    text: str


def asked(statements: Iterable[Statement]) -> Generator[Statement, Rows, None]:
    """Yield *statements*; where they come from a generator, send it the rows of each."""
    # A list does not know what to do with rows that are sent to it; a generator expression ignores them.
    yield from statements if isinstance(statements, Generator) else (each for each in statements)


def perform(conn: psycopg.Connection[Any], statements: Iterable[Statement]) -> None:
    """Run a domain's *statements* on *conn*, in the transaction it is in."""
    with psycopg.RawCursor(conn) as cursor:
        steps = asked(statements)
        step = next(steps, None)
        while step is not None:
            cursor.execute(step.text.encode(), step.parameters)
            rows = cursor.fetchall() if cursor.description is not None else []
            try:
                step = steps.send(rows)
            except StopIteration:
                step = None


async def perform_async(conn: Any, statements: Iterable[Statement]) -> None:
    """Do what `perform` does, on a psycopg `AsyncConnection` or an asyncpg connection."""
    steps = asked(statements)
    step = next(steps, None)
    while step is not None:
        if isinstance(conn, psycopg.AsyncConnection):
            async with psycopg.AsyncRawCursor(conn) as cursor:
                await cursor.execute(step.text.encode(), step.parameters)
                rows = await cursor.fetchall() if cursor.description is not None else []
        else:
            rows = [tuple(row) for row in await conn.fetch(step.text, *step.parameters)]
        try:
            step = steps.send(rows)
        except StopIteration:
            step = None


def schema_text(text: str) -> sql.SQL:
    """Return *text* of the schema's own DDL (a type, a default) as SQL; never for what a user typed."""
    return sql.SQL(text)  # pyright: ignore[reportArgumentType]  # the schema is trusted as its author is


def table_name(table: Table) -> sql.Identifier:
    """Return the table's quoted name, with its schema where the metadata names one."""
    return sql.Identifier(table.schema, table.name) if table.schema else sql.Identifier(table.name)
