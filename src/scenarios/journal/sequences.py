"""Reading every sequence of the database at once.

A restore that forgets sequences gives the next test other numbers than the last one had. A query for each of
them would cost more than the rows.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql


def reader_of_sequences(conn: psycopg.Connection[Any]) -> sql.Composed:
    """The function that reads every sequence of the database in one statement, always in the same order.

    PostgreSQL 18 has `pg_get_sequence_data` for it, which answers NULL where a role may not read. Before,
    each is read itself, which takes ten times as long, because `pg_sequence_last_value` does not tell two
    sequences apart that both stand before their first value. Nothing tells which ones moved: statistics lag
    behind by a second, and a statement that was rolled back has moved them as well.
    """
    rows = conn.execute(
        b"SELECT c.oid::bigint, n.nspname, c.relname, has_sequence_privilege(c.oid, 'SELECT')"
        b" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        b" WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'scenarios_journal'"
        b" ORDER BY c.oid"
    ).fetchall()
    body: sql.Composable
    if not rows:
        body = sql.SQL("SELECT 0::oid, 0::bigint, false WHERE false")
    elif conn.info.server_version >= 180000 and all(readable for *_, readable in rows):
        body = sql.SQL(
            "SELECT d.relation, (d.data).last_value, (d.data).is_called FROM ("
            "SELECT r.relation, pg_catalog.pg_get_sequence_data(r.relation) AS data"
            " FROM pg_catalog.unnest({}::pg_catalog.oid[]) r(relation) OFFSET 0) d"
        ).format(sql.Literal([oid for oid, *_ in rows]))
    else:
        body = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}::oid, last_value, is_called FROM {}").format(
                sql.Literal(oid), sql.Identifier(schema, name)
            )
            for oid, schema, name, _ in rows
        )
    return sql.SQL(
        "CREATE OR REPLACE FUNCTION scenarios_journal.sequences()"
        " RETURNS TABLE (relation oid, last bigint, called boolean)"
        " LANGUAGE sql STABLE AS {};\n"
    ).format(sql.Literal(body.as_string(conn)))
