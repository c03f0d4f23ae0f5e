"""Whether a value in a database is the one that was planned: the drivers give one value in several shapes."""

from __future__ import annotations

from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg import sql

from scenarios.graph.mapped import column_named
from scenarios.library.closure.reach import name_of
from scenarios.library.files.column_parsers import RawText
from scenarios.library.files.time_parsers import Duration, When
from scenarios.library.planning.columns import specs

if TYPE_CHECKING:
    import psycopg

    from scenarios.library.planning.rows import Row

_TYPE = """
SELECT format_type(a.atttypid, a.atttypmod)
  FROM pg_attribute a
 WHERE a.attrelid = %s::regclass AND a.attname = %s
"""


def is_as_planned(conn: psycopg.Connection[Any], row: Row, name: str, found: Any) -> bool:
    """Return whether *found* is what *row* was planned to have in the column *name*."""
    wanted = row.values[name]
    return alike(wanted, found) or _alike_there(conn, column_named(row.table, name), wanted, found)


def alike(wanted: Any, found: Any) -> bool:
    """Return whether *found* is *wanted*, as far as Python can tell."""
    if wanted is found:
        return True
    if wanted is None or found is None:
        return False
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(alike(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        return len(wanted) == len(found) and all(map(alike, wanted, found))
    if isinstance(wanted, bytes | memoryview) and isinstance(found, bytes | memoryview):
        return bytes(wanted) == bytes(found)
    if wanted == found or _same_address(wanted, found):
        return True
    # A key or an enumeration's word may be an object on one side and its text on the other.
    if isinstance(wanted, str) != isinstance(found, str):
        return str(getattr(wanted, "value", wanted)) == str(getattr(found, "value", found))
    return bool(wanted != wanted and found != found)


def _same_address(wanted: Any, found: Any) -> bool:
    """Return whether two texts are one network address: the database adds the mask that a file leaves out."""
    if not (isinstance(found, str) and "/" in found):
        return False
    try:
        return ip_interface(str(wanted)) == ip_interface(found)
    except ValueError:
        return False


def _alike_there(conn: psycopg.Connection[Any], column: sa.Column[Any], wanted: Any, found: Any) -> bool:
    """Return whether the database takes two texts for one value: ``[1,4]`` and ``[1,5)``, a padded word."""
    if not (isinstance(wanted, str) and isinstance(found, str)):
        return False
    parser = specs(column.table)[column.name].parser
    if not (isinstance(parser, RawText | Duration | When) or isinstance(column.type, sa.CHAR)):
        return False
    table = sql.Identifier(*name_of(column.table)).as_string(conn)
    row = conn.execute(_TYPE, [table, column.name]).fetchone()
    if row is None:
        return False
    kind = sql.SQL(row[0])  # quoted by the server
    same = sql.SQL("SELECT CAST({} AS {})::text = CAST({} AS {})::text").format(
        sql.Literal(wanted), kind, sql.Literal(found), kind
    )
    answer = conn.execute(same).fetchone()
    return answer is not None and bool(answer[0])
