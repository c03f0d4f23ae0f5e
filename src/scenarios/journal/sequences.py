"""Reading every sequence of the database at once.

A restore that forgets sequences gives the next test other numbers than the last one had. A query for each of
them would cost more than the rows.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql


def reader_of_sequences(conn: psycopg.Connection[Any]) -> sql.Composed:
    """The function that reads every sequence of the database in one statement.

    `pg_sequence_last_value` would not tell a sequence that stands before its first value from another one
    that does, so each is read itself.
    """
    rows = conn.execute(
        b"SELECT c.oid::bigint, n.nspname, c.relname"
        b" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        b" WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'scenarios_journal'"
        b" ORDER BY c.oid"
    ).fetchall()
    parts = [
        sql.SQL("SELECT {}, {}::oid, last_value, is_called FROM {}").format(
            place, sql.Literal(oid), sql.Identifier(schema, name)
        )
        for place, (oid, schema, name) in enumerate(rows, 1)
    ]
    body = (
        sql.SQL(" UNION ALL ").join(parts)
        if parts
        else sql.SQL("SELECT 0, 0::oid, 0::bigint, false WHERE false")
    )
    return sql.SQL(
        "CREATE OR REPLACE FUNCTION scenarios_journal.sequences()"
        " RETURNS TABLE (place integer, relation oid, last bigint, called boolean)"
        " LANGUAGE sql STABLE AS {};\n"
    ).format(sql.Literal(body.as_string(conn)))
