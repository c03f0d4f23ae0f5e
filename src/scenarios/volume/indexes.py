"""Indexes after the load: one sort of a million keys instead of a million descents.

A full-text index kept up to date row by row is what takes the time of a bulk load. So where the database is
ours, the indexes that guarantee nothing are dropped first and built at the end. What was dropped is written
down in the database, in the same transaction, so that a run that is killed in between loses no index: the
next one, or `rebuild`, finds the list.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from scenarios.postgres.ownership import require_ours

_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
 WHERE i.indrelid = ANY (%s::regclass[])
   -- Those of partitioned tables stay: rebuilt from their definition they would not reach the partitions.
   AND c.relkind = 'i'
   AND NOT i.indisunique
   AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
 ORDER BY 1
"""
_REMEMBER = """
CREATE SCHEMA IF NOT EXISTS scenarios_volume;
CREATE TABLE IF NOT EXISTS scenarios_volume.dropped_index (name text PRIMARY KEY, definition text NOT NULL)
"""
_PENDING = "SELECT name, definition FROM scenarios_volume.dropped_index ORDER BY name"
_FORGET = "DROP SCHEMA scenarios_volume CASCADE"
_HAS_LIST = "SELECT to_regclass('scenarios_volume.dropped_index') IS NOT NULL"


@dataclass(slots=True)
class Building:
    """How long building the indexes took."""

    seconds: float = 0.0


@contextmanager
def built_afterwards(
    conn: psycopg.Connection[Any], tables: Sequence[sql.Identifier], wanted: bool
) -> Iterator[Building]:
    """Drop the plain indexes of *tables* for the time of the block, if *wanted*.

    Raises:
        SafetyError: the database is not ours.
    """
    building = Building()
    if wanted:
        require_ours(conn, "drop indexes for the time of a load")
        _drop(conn, tables)
    try:
        yield building
    finally:
        if not conn.closed:
            began = time.perf_counter()
            rebuild(conn)
            building.seconds = time.perf_counter() - began


def _drop(conn: psycopg.Connection[Any], tables: Sequence[sql.Identifier]) -> None:
    with conn.transaction():
        found = conn.execute(_INDEXES, [[table.as_string(conn) for table in tables]]).fetchall()
        conn.execute(_REMEMBER)
        for name, definition in found:
            conn.execute(
                "INSERT INTO scenarios_volume.dropped_index VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [name, definition],
            )
            # The name comes from regclass, which quotes it where needed.
            conn.execute(sql.SQL("DROP INDEX {}").format(sql.SQL(name)))


def rebuild(conn: psycopg.Connection[Any]) -> int:
    """Build the indexes that a load dropped; return how many."""
    row = conn.execute(_HAS_LIST).fetchone()
    if row is None or not row[0]:
        return 0
    require_ours(conn, "build the indexes a load dropped")
    with conn.transaction():
        conn.execute("SET LOCAL maintenance_work_mem = '256MB'")
        pending = conn.execute(_PENDING).fetchall()
        for _, definition in pending:
            conn.execute(sql.SQL(definition))
        conn.execute(_FORGET)
    return len(pending)
