"""What a plan asks of a connection: three kinds of step, whatever the driver.

The planner is a generator that yields steps and receives rows; it never sees a connection. So the synchronous
and the two asynchronous executors are a dozen lines each and cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import Table
from sqlalchemy.exc import StatementError

from scenarios.domain import Statement

if TYPE_CHECKING:
    from scenarios.graph.binary import Binary
    from scenarios.graph.rows import Batch

_UNWRITABLE = (TypeError, ValueError, AttributeError, LookupError, psycopg.Error, StatementError)
"""What encoders and SQLAlchemy's types raise for a value that is not one of theirs."""

Rows = Sequence[Sequence[Any]]
"""What a query gives back; nothing for the other steps."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query whose rows the planner waits for."""

    text: str


@dataclass(frozen=True, slots=True)
class CopyIn:
    """A COPY of one batch, in text format where nobody knows better."""

    batch: Batch
    schema: str | None
    table: str
    columns: tuple[str, ...]

    @property
    def text(self) -> str:
        """The statement."""
        return self._statement("COPY {} ({}) FROM STDIN")

    @property
    def binary_text(self) -> str:
        """The statement that takes them in binary."""
        return self._statement("COPY {} ({}) FROM STDIN (FORMAT binary)")

    def _statement(self, text: LiteralString) -> str:
        columns = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        return sql.SQL(text).format(table_name(self.batch.table), columns).as_string(None)

    def blocks(self) -> Iterator[bytes]:
        """Yield the data.

        Raises:
            GraphError: a value cannot be written; the message names its row.
        """
        from scenarios.graph.encoding import Unwritable, blocks
        from scenarios.graph.refusal import unwritable

        try:
            yield from blocks(self.batch.encoders, self.batch.counted())
        except Unwritable as found:
            cause = found.__cause__
            if not isinstance(cause, _UNWRITABLE):
                raise
            raise unwritable(self.batch, found.place, found.column, cause) from cause

    def binary(self, types: Mapping[str, int] | None) -> Binary | None:
        """Return how to write the rows in binary, given each column's type; None where they cannot be."""
        from scenarios.graph.binary import Binary

        return Binary.of(self.batch.columns, self.batch.encoders, types) if types else None


@dataclass(frozen=True, slots=True)
class InsertTogether:
    """One statement that inserts rows of several tables that refer to each other in a circle.

    ``$1`` is a JSON text with one list of rows for each batch.
    """

    batches: tuple[Batch, ...]
    text: str
    argument: str


Step = Query | CopyIn | InsertTogether


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
