"""Asking PostgreSQL whether a row satisfies a CHECK that nobody else can evaluate.

A CHECK may call a function of the schema, compare with a type of its own, or say what only PostgreSQL's
regular expressions say. Guessing would build rows that are refused, and refusing to build any would leave out
most tables of some schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Table, cast, literal, literal_column, null, select
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

from scenarios.errors import FactoryError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def asked(connection: Connection, table: Table, condition: str, row: Mapping[str, Any]) -> bool:
    """Return whether PostgreSQL finds that *row* satisfies *condition*, as a CHECK: NULL does.

    Args:
        connection: a database of the schema; nothing is changed there.
        table: whose row it is.
        condition: a condition over the table's columns.
        row: the values of columns; the others are NULL.

    Raises:
        FactoryError: the condition cannot be evaluated there.
    """
    columns = []
    for column in table.columns:
        value = row.get(column.name)
        kind = column.type.data_type if isinstance(column.type, DOMAIN) else column.type
        if isinstance(kind, NullType):
            columns.append((null() if value is None else literal(str(value))).label(column.name))
        else:
            columns.append(
                cast(literal(value, kind) if value is not None else null(), kind).label(column.name)
            )
    given = select(*columns).subquery(table.name)
    question = select(literal_column(f"({condition})", Boolean)).select_from(given)
    try:
        with connection.begin_nested():
            return connection.scalar(question) is not False
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state.startswith(("22", "23", "P0")):
            return False  # the value is refused by what the condition calls
        raise FactoryError(
            f"the database cannot say whether a row of {table.fullname} satisfies a CHECK",
            why=f"{condition}: {str(error.orig).strip()}",
            hint="say how to fill the columns: factory_for(...), a value or a function of the row",
        ) from error
