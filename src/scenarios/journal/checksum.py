"""One value for everything a database holds, to say "as before" and mean it.

Comparing the tables a test is about proves nothing about the others; a sequence, a partition or a
materialized view that was left behind shows up three tests later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from psycopg import sql

from scenarios.journal.install import Connection, plain_rows
from scenarios.journal.session_settings import look_up, pin
from scenarios.journal.tables import label_of

_RELATIONS = b"""
    SELECT n.nspname, c.relname, c.relkind::text, c.relispopulated
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm', 'S') AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'scenarios_journal')
     ORDER BY 1, 2
"""


@plain_rows
def contents(conn: Connection) -> Mapping[str, str]:
    """Return a value for each table, partition, materialized view and sequence, by ``schema.name``.

    Equal values mean equal rows, physical order aside. Reads everything: for tests and comparisons.
    """
    found: dict[str, str] = {}
    with conn.transaction():
        look_up(conn, pin(conn))
        relations = conn.execute(_RELATIONS).fetchall()
        parts = []
        for schema, name, kind, populated in relations:
            label = sql.Literal(label_of(schema, name))
            relation = sql.Identifier(schema, name)
            if kind == "S":
                part = sql.SQL("SELECT {}, last_value || ' ' || is_called FROM {}").format(label, relation)
            elif not populated:
                part = sql.SQL("SELECT {}, 'not populated'").format(label)
            else:
                # The alias is one no column is likely to have, for a column would be taken instead.
                # Sums of two hashes of each row: the order does not matter, the number of equal rows does.
                part = sql.SQL(
                    "SELECT {}, count(*) || ' ' || coalesce(sum(hashtextextended(scenarios_row::text,"
                    " 0)::numeric), 0)"
                    " || ' ' || coalesce(sum(hashtextextended(scenarios_row::text, 1)::numeric), 0)"
                    " FROM {}{} scenarios_row"
                ).format(label, sql.SQL("ONLY " if kind == "r" else ""), relation)
            parts.append(part)
        if parts:
            rows = conn.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall()
            found.update(rows)
        objects = conn.execute(
            b"SELECT count(*) || ' ' || coalesce(sum(hashtextextended(l.oid::text, 0)::numeric), 0)"
            b" FROM pg_largeobject_metadata l"
        ).fetchone()
        found["large objects"] = objects[0] if objects else ""
    return found


def checksum(conn: Connection) -> str:
    """Return one value for every row and sequence of the database; equal means equal."""
    lines = "\n".join(f"{name} {value}" for name, value in sorted(contents(conn).items()))
    return hashlib.sha256(lines.encode()).hexdigest()
