"""The steps of a plan that write rows: a COPY of one batch, or one statement for several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql
from sqlalchemy.exc import StatementError

from scenarios.graph.binary import Binary
from scenarios.graph.encoding import Unwritable, blocks
from scenarios.graph.refusal import unwritable
from scenarios.graph.rows import Batch
from scenarios.graph.steps import Query, table_name

_UNWRITABLE = (TypeError, ValueError, AttributeError, LookupError, psycopg.Error, StatementError)
"""What encoders and SQLAlchemy's types raise for a value that is not one of theirs."""


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
        try:
            yield from blocks(self.batch.encoders, self.batch.counted())
        except Unwritable as found:
            cause = found.__cause__
            if not isinstance(cause, _UNWRITABLE):
                raise
            raise unwritable(self.batch, found.place, found.column, cause) from cause

    def binary(self, types: Mapping[str, int] | None) -> Binary | None:
        """Return how to write the rows in binary, given each column's type; None where they cannot be."""
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
