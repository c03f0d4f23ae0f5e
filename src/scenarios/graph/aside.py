"""Rules set aside for the time of a load: what may be, and the queries that make up for them.

PostgreSQL checks a foreign key with a query for each row: of a volume load's time that is four fifths, of a
large scenario's half. With ``session_replication_role = replica`` such triggers rest; the constraints
themselves stay where they are. What they would have refused is then looked for once, set by set. Nothing gets
past that: a scenario is checked in the transaction that writes it; for a volume load, which is many
transactions, the queries are written down in the database before the first row, and stay there until they
have found nothing (`scenarios.volume.indexes`). A trigger nobody can make up for keeps every load on the slow
way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Table

from scenarios.domain import Domain
from scenarios.graph.planner import foreign_keys
from scenarios.graph.steps import schema_text, table_name
from scenarios.postgres.ownership import is_ours

_OTHERS = """
SELECT t.tgrelid::regclass::text, t.tgname
  FROM pg_trigger AS t
  JOIN pg_proc AS p ON p.oid = t.tgfoid
 WHERE t.tgrelid = ANY (%s::regclass[])
   AND NOT t.tgisinternal
   AND t.tgenabled = 'O'
   AND t.tgtype & 4 <> 0
   AND NOT p.proname = ANY (%s)
"""
"""Triggers on INSERT that would rest (the journal's are ENABLE ALWAYS and do not) and have no stand-in."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold: its name, and a query that counts the rows that break it."""

    name: str
    query: str


def may_set_aside(
    conn: psycopg.Connection[Any], tables: Sequence[sql.Identifier], stand_in: Collection[str]
) -> bool:
    """Return whether the tables' rules can rest: the role may say so, and each has a stand-in.

    Args:
        conn: where the load goes.
        tables: what is loaded.
        stand_in: trigger functions whose rule is among those checked afterwards.
    """
    names = [table.as_string(conn) for table in tables]
    if conn.execute(_OTHERS, [names, list(stand_in)]).fetchone() is not None:
        return False
    try:
        with conn.transaction(force_rollback=True):
            conn.execute("SET LOCAL session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


LARGE = 2000
"""Rows from which on a graph is worth it: the queries cost some twenty milliseconds, a row's rules seven
microseconds."""

_SMALL_ENOUGH = "SELECT coalesce(sum(pg_relation_size(t)), 0) FROM unnest(%s::regclass[]) AS t"
_BYTES = 300
"""What a row may take on disk. Tables that hold more than what is added are not checked as a whole."""


def rules_of_large(
    conn: psycopg.Connection[Any], domain: Domain | None, tables: Sequence[Table], rows: int
) -> list[Rule]:
    """Return the rules that may rest while *rows* rows are written to *tables*; none where they may not.

    They may where the domain says which triggers it can do without, the database is ours, and the caller is
    in no transaction: the tables are locked against others' changes until the end, so that nobody takes away
    a parent between the check and the commit. Call it inside the writer's own transaction.
    """
    if domain is None or domain.resting is None or rows < LARGE:
        return []
    involved = dict.fromkeys(
        other for table in tables for other in (table, *(fk.referred_table for fk in foreign_keys(table)))
    )
    names = [table_name(table) for table in involved]
    size = conn.execute(_SMALL_ENOUGH, [[name.as_string(conn) for name in names]]).fetchone()
    if size is None or size[0] > rows * _BYTES or not is_ours(conn):
        return []
    if not may_set_aside(conn, [table_name(table) for table in tables], domain.resting):
        return []
    try:
        with conn.transaction():
            conn.execute(
                sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE NOWAIT").format(sql.SQL(", ").join(names))
            )
    except psycopg.errors.LockNotAvailable:
        return []
    return list(rules(domain, tables))


def broken(conn: psycopg.Connection[Any], checks: Sequence[Rule]) -> bool:
    """Return whether rows break one of *checks*; one query for all."""
    query = sql.SQL("SELECT {}").format(
        sql.SQL(" + ").join(sql.SQL("({})").format(schema_text(check.query)) for check in checks)
    )
    row = conn.execute(query).fetchone()
    return row is None or row[0] != 0


def rules(domain: Domain, tables: Sequence[Table]) -> Iterator[Rule]:
    """Yield the rules of *tables* that rest during a load: every foreign key, and whose instance rows are."""
    for table in tables:
        for constraint in foreign_keys(table):
            pairs = [(element.parent.name, element.column.name) for element in constraint.elements]
            name = f"foreign key {constraint.name}"
            yield Rule(name, _unmatched(table, constraint.referred_table, pairs))
            if (
                domain.scope is not None
                and constraint.referred_table.fullname == domain.owner
                and len(pairs) == 1
                and domain.scope.column in table.columns
            ):
                yield Rule(
                    f"the {domain.scope.column} of {table.fullname}",
                    _strays(table, constraint.referred_table, pairs[0], domain.scope.column),
                )


def _unmatched(table: Table, parent: Table, pairs: Sequence[tuple[str, str]]) -> str:
    return (
        sql.SQL("SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})")
        .format(
            table_name(table),
            sql.SQL(" AND ").join(
                sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(own)) for own, _ in pairs
            ),
            table_name(parent),
            _equal(pairs),
        )
        .as_string(None)
    )


def _strays(table: Table, owner: Table, pair: tuple[str, str], scope: str) -> str:
    return (
        sql.SQL("SELECT count(*) FROM {} AS c JOIN {} AS p ON {} WHERE c.{} IS DISTINCT FROM p.{}")
        .format(
            table_name(table),
            table_name(owner),
            _equal([pair]),
            sql.Identifier(scope),
            sql.Identifier(scope),
        )
        .as_string(None)
    )


def _equal(pairs: Sequence[tuple[str, str]]) -> sql.Composable:
    return sql.SQL(" AND ").join(
        sql.SQL("p.{} = c.{}").format(sql.Identifier(other), sql.Identifier(own)) for own, other in pairs
    )
