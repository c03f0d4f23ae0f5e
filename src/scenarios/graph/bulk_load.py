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

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import ForeignKeyConstraint, Table

from scenarios.domain import Domain
from scenarios.graph.indexes import Index, building, dropping, plain_indexes, together
from scenarios.graph.planner import foreign_keys
from scenarios.graph.steps import schema_text, table_name
from scenarios.journal.idle import nobody_watches
from scenarios.ownership import is_ours

_MAY_SUSPEND = """
SELECT has_parameter_privilege('session_replication_role', 'SET')
   -- No trigger on INSERT that would rest (the journal's are ENABLE ALWAYS and do not) and has no stand-in.
   AND NOT EXISTS (SELECT
                     FROM pg_trigger AS t
                     JOIN pg_proc AS p ON p.oid = t.tgfoid
                    WHERE t.tgrelid = ANY (%s::regclass[])
                      AND NOT t.tgisinternal
                      AND t.tgenabled = 'O'
                      AND t.tgtype & 4 <> 0
                      AND NOT p.proname = ANY (%s))
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold: its name, and a query that counts the rows that break it."""

    name: str
    query: str


def may_suspend_rules(
    conn: psycopg.Connection[Any], tables: Sequence[sql.Identifier], stand_in: Collection[str]
) -> bool:
    """Return whether the tables' rules can rest: the role may say so, and each has a stand-in.

    Args:
        conn: where the load goes.
        tables: what is loaded.
        stand_in: trigger functions whose rule is among those checked afterwards.
    """
    names = [table.as_string(conn) for table in tables]
    return conn.execute(_MAY_SUSPEND, [names, list(stand_in)]).fetchone() == (True,)


LARGE = 2000
"""Rows from which on a graph is worth it: the queries cost some twenty milliseconds, a row's rules seven
microseconds."""

MANY = 2000
"""Rows for one table from which on its plain indexes are built afterwards."""

_SMALL_ENOUGH = "SELECT coalesce(sum(pg_relation_size(t)), 0) FROM unnest(%s::regclass[]) AS t"
_BYTES = 300
"""What a row may take on disk. Tables that hold more than what is added are not checked as a whole."""


_REPLICA = sql.SQL("SET LOCAL session_replication_role = replica")
_ORIGIN = sql.SQL("SET LOCAL session_replication_role = origin")


@dataclass(frozen=True, slots=True)
class BulkLoadMode:
    """What is set aside while a graph is written, and made up for in the same transaction.

    Attributes:
        checks: the queries that make up for the rules, each with the number of rows that break one; none
            where rules stay in force.
        indexes: what is dropped and built again.
        types: of the tables with many rows, the oid of each column's type, so that they can go in binary.
    """

    checks: Sequence[sql.Composed] = ()
    indexes: Sequence[Index] = ()
    types: Mapping[Table, Mapping[str, int]] = field(default_factory=dict)

    def begin(self, conn: psycopg.Connection[Any]) -> None:
        """Let it rest, in the transaction *conn* is in."""
        together(conn, [*dropping(self.indexes), *([_REPLICA] if self.checks else ())])

    def end(self, conn: psycopg.Connection[Any]) -> bool:
        """Make up for it, and return whether all rules hold; where not, the caller has to roll back."""
        if broken(conn, self.checks):
            return False
        together(conn, [*([_ORIGIN] if self.checks else ()), *building(self.indexes)])
        return True

    def ways(self) -> Iterator[BulkLoadMode]:
        """Yield how to try it: with all of that, and then with values as text, for which there is any."""
        if self.types:
            yield self
        if self.checks or self.indexes:
            yield replace(self, types={})


def bulk_load_mode(
    conn: psycopg.Connection[Any], domain: Domain | None, rows: Mapping[Table, int]
) -> BulkLoadMode:
    """Return what may rest while *rows*, their number by table, are written; nothing where nothing may.

    Something may where the database is ours and the caller is in no transaction: the tables are locked until
    the end, so that nobody takes away a parent between the check and the commit. Rules rest where the domain
    says which triggers it can do without, and plain indexes of a table where many rows come to it and nobody
    watches the schema. Call it inside the writer's own transaction.
    """
    total = sum(rows.values())
    if total < LARGE:
        return BulkLoadMode()
    parents = [fk.referred_table for table in rows for fk in foreign_keys(table)]
    involved = [table_name(table) for table in dict.fromkeys((*rows, *parents))]
    size = conn.execute(_SMALL_ENOUGH, [[name.as_string(conn) for name in involved]]).fetchone()
    if size is None or size[0] > total * _BYTES or not is_ours(conn):
        return BulkLoadMode()
    checks: list[sql.Composed] = []
    if domain is not None and domain.suspendable is not None:
        own = [table_name(table) for table in rows]
        if may_suspend_rules(conn, own, domain.suspendable) and _lock(conn, involved, "SHARE ROW EXCLUSIVE"):
            checks = [check for table in rows if (check := _violations(domain, table)) is not None]
    indexes: list[Index] = []
    many = [table for table, count in rows.items() if count >= MANY]
    large = [table_name(table) for table in many]
    if large and nobody_watches(conn):
        indexes = plain_indexes(conn, large)
        if indexes and not _lock(conn, large, "ACCESS EXCLUSIVE"):
            indexes = []
    return BulkLoadMode(checks, indexes, _types(conn, many))


_TYPES = """
SELECT t.place, a.attname, a.atttypid
  FROM unnest(%s::regclass[]) WITH ORDINALITY AS t (relation, place)
  JOIN pg_attribute AS a ON a.attrelid = t.relation
 WHERE a.attnum > 0 AND NOT a.attisdropped
"""


def _types(conn: psycopg.Connection[Any], tables: Sequence[Table]) -> dict[Table, dict[str, int]]:
    """Return the type of each column of *tables* by name: what the database has, not what a model says."""
    found: dict[Table, dict[str, int]] = {table: {} for table in tables}
    if tables:
        names = [table_name(table).as_string(conn) for table in tables]
        for place, name, oid in conn.execute(_TYPES, [names]).fetchall():
            found[tables[place - 1]][name] = oid
    return found


def _lock(conn: psycopg.Connection[Any], tables: Sequence[sql.Identifier], mode: str) -> bool:
    """Lock *tables* until the end of the transaction; none, and return False, where somebody is there."""
    lock = sql.SQL("LOCK TABLE {} IN {} MODE NOWAIT").format(sql.SQL(", ").join(tables), schema_text(mode))
    try:
        together(conn, [sql.SQL("SAVEPOINT scenarios_lock"), lock, sql.SQL("RELEASE scenarios_lock")])
    except psycopg.errors.LockNotAvailable:
        conn.execute("ROLLBACK TO SAVEPOINT scenarios_lock")
        return False
    return True


def broken(conn: psycopg.Connection[Any], checks: Sequence[sql.Composed]) -> bool:
    """Return whether rows break a rule; one query for all *checks*."""
    if not checks:
        return False
    query = sql.SQL("SELECT {}").format(sql.SQL(" + ").join(sql.SQL("({})").format(each) for each in checks))
    row = conn.execute(query).fetchone()
    return row is None or row[0] != 0


def _violations(domain: Domain, table: Table) -> sql.Composed | None:
    """Return the query that counts the rows of *table* that break one of its `rules`; None without any.

    It goes through the table once, where a query for each rule would for each.
    """
    joins: list[sql.Composable] = []
    violations: list[sql.Composable] = []
    for number, constraint in enumerate(foreign_keys(table)):
        pairs = [(element.parent.name, element.column.name) for element in constraint.elements]
        parent = sql.Identifier(f"p{number}")
        joins.append(
            sql.SQL(" LEFT JOIN {} AS {} ON {}").format(
                table_name(constraint.referred_table), parent, _equal(pairs, parent)
            )
        )
        missing = sql.SQL("{}.{} IS NULL").format(parent, sql.Identifier(pairs[0][1]))
        violations.append(sql.SQL("{} AND {}").format(_named(pairs), missing))
        scope = _inherited_scope(domain, table, constraint)
        if scope is not None:
            violations.append(
                sql.SQL("NOT {} AND c.{} IS DISTINCT FROM {}.{}").format(
                    missing, sql.Identifier(scope), parent, sql.Identifier(scope)
                )
            )
    if not joins:
        return None
    return sql.SQL("SELECT count(*) FROM {} AS c{} WHERE {}").format(
        table_name(table), sql.SQL("").join(joins), sql.SQL(" OR ").join(violations)
    )


def _inherited_scope(domain: Domain, table: Table, constraint: ForeignKeyConstraint) -> str | None:
    """Return the column of *table* that must be as in its owner, if *constraint* names the owner."""
    if (
        domain.scope is None
        or constraint.referred_table.fullname != domain.owner
        or len(constraint.elements) != 1
        or domain.scope.column not in table.columns
    ):
        return None
    return domain.scope.column


def rules(domain: Domain, tables: Sequence[Table]) -> Iterator[Rule]:
    """Yield the rules of *tables* that rest during a load: every foreign key, and whose instance rows are."""
    for table in tables:
        for constraint in foreign_keys(table):
            pairs = [(element.parent.name, element.column.name) for element in constraint.elements]
            name = f"foreign key {constraint.name}"
            yield Rule(name, _unmatched(table, constraint.referred_table, pairs))
            scope = _inherited_scope(domain, table, constraint)
            if scope is not None:
                yield Rule(
                    f"the {scope} of {table.fullname}",
                    _strays(table, constraint.referred_table, pairs[0], scope),
                )


_PARENT = sql.Identifier("p")


def _unmatched(table: Table, parent: Table, pairs: Sequence[tuple[str, str]]) -> str:
    return (
        sql.SQL("SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})")
        .format(table_name(table), _named(pairs), table_name(parent), _equal(pairs, _PARENT))
        .as_string(None)
    )


def _strays(table: Table, owner: Table, pair: tuple[str, str], scope: str) -> str:
    return (
        sql.SQL("SELECT count(*) FROM {} AS c JOIN {} AS p ON {} WHERE c.{} IS DISTINCT FROM p.{}")
        .format(
            table_name(table),
            table_name(owner),
            _equal([pair], _PARENT),
            sql.Identifier(scope),
            sql.Identifier(scope),
        )
        .as_string(None)
    )


def _named(pairs: Sequence[tuple[str, str]]) -> sql.Composable:
    """Return the condition that a row names a parent at all."""
    return sql.SQL(" AND ").join(sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(own)) for own, _ in pairs)


def _equal(pairs: Sequence[tuple[str, str]], parent: sql.Identifier) -> sql.Composable:
    return sql.SQL(" AND ").join(
        sql.SQL("{}.{} = c.{}").format(parent, sql.Identifier(other), sql.Identifier(own))
        for own, other in pairs
    )
