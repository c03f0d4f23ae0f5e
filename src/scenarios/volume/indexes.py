"""Indexes and checks after the load: one sort of a million keys instead of a million descents.

A full-text index kept up to date row by row, and a query for each foreign key of each row, are what takes the
time of a bulk load. So where the database is ours, the indexes that guarantee nothing are dropped first and
built at the end, and rules rest until then (`scenarios.graph.bulk_load`). Both are written down in the
database, in the transaction that drops the indexes, so that a run that is killed in between loses neither:
the next one, or `rebuild`, finds the list, builds what is missing and checks what was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from scenarios.errors import GraphError
from scenarios.graph.bulk_load import Rule
from scenarios.graph.indexes import dropping, plain_indexes, together
from scenarios.ownership import require_ours

AT_ONCE = 2
"""Connections that build and check. The server may use more processes for each large index by itself."""

_REMEMBER = """
CREATE SCHEMA IF NOT EXISTS scenarios_volume;
CREATE TABLE IF NOT EXISTS scenarios_volume.dropped_index
    (name text PRIMARY KEY, definition text NOT NULL, relation oid NOT NULL);
CREATE TABLE IF NOT EXISTS scenarios_volume.unchecked (rule text PRIMARY KEY, query text NOT NULL)
"""
_PENDING = """
SELECT name, definition
  FROM scenarios_volume.dropped_index
 -- The dear ones first, so that the last to finish is a cheap one.
 ORDER BY definition NOT LIKE '% USING gin %', pg_relation_size(relation) DESC, name
"""
_UNCHECKED = "SELECT rule, query FROM scenarios_volume.unchecked ORDER BY rule"
_BUILT = "DELETE FROM scenarios_volume.dropped_index WHERE name = %s RETURNING definition"
_CHECKED = "DELETE FROM scenarios_volume.unchecked WHERE rule = %s"
_FORGET = "DROP SCHEMA scenarios_volume CASCADE"
_HAS_LIST = "SELECT to_regclass('scenarios_volume.unchecked') IS NOT NULL"


@dataclass(slots=True)
class Building:
    """How long building the indexes and checking the rules took."""

    seconds: float = 0.0


@contextmanager
def built_afterwards(
    conn: psycopg.Connection[Any],
    tables: Sequence[sql.Identifier],
    wanted: bool,
    rules: Sequence[Rule] = (),
) -> Iterator[Building]:
    """Drop the plain indexes of *tables* for the time of the block, if *wanted*; check *rules* after it.

    Raises:
        SafetyError: the database is not ours.
        GraphError: a rule does not hold afterwards.
    """
    building = Building()
    if wanted or rules:
        require_ours(conn, "drop indexes for the time of a load")
        _suspend(conn, tables if wanted else (), rules)
    failed = True
    try:
        yield building
        failed = False
    finally:
        if not conn.closed:
            began = time.perf_counter()
            # What stopped the load is what the caller should read; unchecked rules stay on the list.
            try:
                rebuild(conn)
            except GraphError:
                if not failed:
                    raise
            building.seconds = time.perf_counter() - began


def _suspend(conn: psycopg.Connection[Any], tables: Sequence[sql.Identifier], rules: Sequence[Rule]) -> None:
    with conn.transaction(), conn.cursor() as cursor:
        found = plain_indexes(conn, tables)
        cursor.execute(_REMEMBER)
        cursor.executemany(
            "INSERT INTO scenarios_volume.dropped_index VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [(index.name, index.definition, index.table) for index in found],
        )
        cursor.executemany(
            "INSERT INTO scenarios_volume.unchecked VALUES (%s, %s)"
            " ON CONFLICT (rule) DO UPDATE SET query = excluded.query",
            [(rule.name, rule.query) for rule in rules],
        )
        together(conn, dropping(found))


def rebuild(conn: psycopg.Connection[Any]) -> int:
    """Build the indexes that a load dropped and check the rules that rested; return how many indexes.

    Each index is built in a transaction that takes it off the list, over a few connections at once.

    Raises:
        GraphError: rows break a rule. The rule stays on the list, so the next load says so again.
    """
    row = conn.execute(_HAS_LIST).fetchone()
    if row is None or not row[0]:
        return 0
    require_ours(conn, "build the indexes a load dropped")
    indexes = [name for name, _ in conn.execute(_PENDING).fetchall()]
    rules = [Rule(*row) for row in conn.execute(_UNCHECKED).fetchall()]
    broken = _on_connections(conn, [*indexes, *rules])
    if broken:
        rule, count = broken[0]
        raise GraphError(
            f"{count:,} rows that were loaded break a rule of the schema",
            where=rule.name,
            why="; ".join(f"{other.name}: {rows:,} rows" for other, rows in broken[1:]) or None,
            hint="this is an error of the recipe, or somebody deleted rows meanwhile; recreate the database",
        )
    conn.execute(_FORGET)
    return len(indexes)


def _on_connections(conn: psycopg.Connection[Any], jobs: Sequence[str | Rule]) -> list[tuple[Rule, int]]:
    """Do the *jobs*, `AT_ONCE` at a time; return the rules that are broken, with the number of rows."""
    remaining = iter(jobs)
    broken: list[tuple[Rule, int]] = []

    def work(connect: Callable[[], psycopg.Connection[Any]]) -> None:
        with connect() as own:
            own.execute("SET maintenance_work_mem = '128MB'")
            # Tables far smaller than the server's eight megabytes are worth a second process here.
            own.execute("SET min_parallel_table_scan_size = '2MB'")
            for job in remaining:
                if isinstance(job, str):
                    _build(own, job)
                else:
                    count = _count(own, job)
                    if count:
                        broken.append((job, count))

    with ThreadPoolExecutor(AT_ONCE, "scenarios-indexes") as pool:
        password = conn.info.password or None
        futures = [
            pool.submit(work, lambda: psycopg.connect(conn.info.dsn, password=password, autocommit=True))
            for _ in range(min(AT_ONCE, len(jobs)))
        ]
        for future in futures:
            future.result()
    return broken


def _build(conn: psycopg.Connection[Any], name: str) -> None:
    with conn.transaction():
        # Whoever takes it off the list builds it, should two runs repair the same database.
        row = conn.execute(_BUILT, [name]).fetchone()
        if row is not None:
            conn.execute(sql.SQL(row[0]))


def _count(conn: psycopg.Connection[Any], rule: Rule) -> int:
    row = conn.execute(rule.query.encode()).fetchone()
    count = 0 if row is None else int(row[0])
    if not count:
        conn.execute(_CHECKED, [rule.name])
    return count
