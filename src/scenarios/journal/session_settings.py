"""Sessions differ, rows must not: what is set while rows are read or written as text.

The text of a float, a date or an interval depends on settings of the session, and the name of a type on its
search_path; two sessions would see two rows where there is one. But indexes, checks and generated columns may
call functions that call others without naming a schema, and those are found by the search_path alone.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import tuple_row

_ALIKE = (
    b"SET LOCAL extra_float_digits = 1; SET LOCAL \"DateStyle\" = 'ISO, YMD'; SET LOCAL \"TimeZone\" = 'UTC';"
    b"SET LOCAL \"IntervalStyle\" = 'postgres'; SET LOCAL bytea_output = 'hex';"
    b"SET LOCAL client_encoding = 'UTF8'; SET LOCAL row_security = off; SET LOCAL jit = off"
)
# What decides over functions of the application that call others, and that a script may have left changed.
_OWN = b"""
    SELECT s.name, coalesce(own.value, s.reset_val)
      FROM pg_settings s LEFT JOIN (
           SELECT split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
             FROM pg_db_role_setting g JOIN pg_database d ON d.oid = g.setdatabase, unnest(g.setconfig) c
            WHERE g.setrole = 0 AND d.datname = current_database()) own ON own.name = s.name
     WHERE s.name IN ('search_path', 'TimeZone', 'DateStyle', 'IntervalStyle', 'default_text_search_config')
"""
# The database's own schemas first, in its order, then all others there are.
_PATH = b"""
    SELECT concat_ws(', ', 'pg_catalog',
           string_agg(quote_ident(n.nspname), ', '
                      ORDER BY array_position(current_schemas(false), n.nspname), n.nspname),
           'pg_temp')
      FROM pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'scenarios_journal')
"""


def own_settings(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Return what a fresh session has, by the database's settings, whatever this one has set since."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(_OWN).fetchall())


def application_path(conn: psycopg.Connection[Any]) -> str:
    """Return a search_path by which the application's own functions find what they call.

    Must be called in a transaction, whose search_path is another one afterwards.
    """
    look_up(conn, own_settings(conn)["search_path"])
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_PATH).fetchone()
    return str(row[0]) if row else "pg_catalog"


def pin(conn: psycopg.Connection[Any]) -> str:
    """Until the end of the transaction, let values read alike in every session, and names in full.

    Returns:
        the search_path to set with `look_up` before rows of the application are touched.
    """
    path = application_path(conn)
    conn.execute(_ALIKE)
    look_up(conn, "pg_catalog")
    return path


def look_up(conn: psycopg.Connection[Any], path: str) -> None:
    """Until the end of the transaction, find names without a schema by *path*."""
    conn.execute("SELECT set_config('search_path', %s, true)", [path])
