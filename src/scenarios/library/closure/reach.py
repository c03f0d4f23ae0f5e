"""Which rows hang on which: the reach of an instance or a person, in a live database.

Deleting "where test_scenario_id = X" leaves what the application added without that column, and copying a
user by a list of known tables loses the table somebody added last month. The foreign keys of the database
itself say what goes with a row: what ``ON DELETE CASCADE`` would delete, and what cannot be without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

_FOREIGN_KEYS = """
SELECT c.conname,
       cn.nspname, ct.relname,
       (SELECT array_agg(a.attname ORDER BY k.place)
          FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
          JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number)::text[],
       pn.nspname, pt.relname,
       (SELECT array_agg(a.attname ORDER BY k.place)
          FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
          JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number)::text[],
       c.confdeltype::text,
       (SELECT bool_and(a.attnotnull) FROM unnest(c.conkey) AS k (number)
          JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number)
  FROM pg_constraint AS c
  JOIN pg_class AS ct ON ct.oid = c.conrelid
  JOIN pg_namespace AS cn ON cn.oid = ct.relnamespace
  JOIN pg_class AS pt ON pt.oid = c.confrelid
  JOIN pg_namespace AS pn ON pn.oid = pt.relnamespace
 WHERE c.contype = 'f' AND c.conparentid = 0 AND cn.nspname NOT LIKE 'pg\\_%'
 ORDER BY cn.nspname, ct.relname, c.conname
"""

Name = tuple[str, str]
"""Schema and name of a table."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key as the database has it."""

    name: str
    child: Name
    columns: tuple[str, ...]
    parent: Name
    referred: tuple[str, ...]
    on_delete: str
    required: bool

    @property
    def owns(self) -> bool:
        """Whether the child goes with the parent: it is deleted with it, or cannot be without it."""
        return self.on_delete == "c" or (self.required and self.on_delete in "ar")


def foreign_keys(conn: psycopg.Connection[Any]) -> list[ForeignKey]:
    """Return all foreign keys of the database, partitions through their parents only."""
    rows = conn.execute(_FOREIGN_KEYS).fetchall()
    return [
        ForeignKey(name, (cs, ct), tuple(cols), (ps, pt), tuple(refs), kind, bool(required))
        for name, cs, ct, cols, ps, pt, refs, kind, required in rows
    ]


@dataclass(slots=True)
class Reach:
    """The tables within reach of a root, each with the condition that selects its rows.

    Attributes:
        conditions: by table, in the order in which they were reached: parents before children.
        keys: the foreign keys followed.
    """

    conditions: dict[Name, sql.Composable] = field(default_factory=dict)
    keys: list[ForeignKey] = field(default_factory=list)

    def select(self, table: Name, columns: Sequence[str] | None = None) -> sql.Composed:
        """Return the SELECT of the rows of *table* within reach."""
        what: sql.Composable = (
            sql.SQL("*") if columns is None else sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(
            what, sql.Identifier(*table), self.conditions[table]
        )

    def count(self, conn: psycopg.Connection[Any]) -> dict[str, int]:
        """Return the number of rows within reach by table, tables without any left out."""
        if not self.conditions:
            return {}
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*) FROM {} WHERE {}").format(
                sql.Literal(shown(table)), sql.Identifier(*table), condition
            )
            for table, condition in self.conditions.items()
        )
        return {name: count for name, count in conn.execute(query).fetchall() if count}


def shown(table: Name) -> str:
    """Return the table's name as people write it."""
    return table[1] if table[0] == "public" else f"{table[0]}.{table[1]}"


def reach_of(roots: dict[Name, sql.Composable], keys: Sequence[ForeignKey]) -> Reach:
    """Return what is within reach of the rows that *roots* selects, by table.

    A table is reached over its shortest ways. A longer way is followed as well when the short one may be
    empty (its columns are nullable), since rows can then hang on the longer one alone. A table with roots of
    its own is reached from the other roots, too: what the application adds stands beside what was loaded.
    """
    reach = _joined(roots, keys)
    depth = dict.fromkeys(roots, 0)
    level = 0
    frontier = list(roots)
    certain: set[Name] = set(roots)
    while frontier:
        level += 1
        found: dict[Name, list[ForeignKey]] = {}
        for key in keys:
            if key.parent in frontier and key.owns and key.child not in roots and key.child != key.parent:
                if key.child in depth and key.child in certain:
                    continue
                if key not in reach.keys:
                    found.setdefault(key.child, []).append(key)
        frontier = []
        for child, ways in found.items():
            parts = [reach.conditions[child]] if child in reach.conditions else []
            for key in ways:
                reach.keys.append(key)
                parts.append(_through(key, reach.conditions[key.parent]))
            reach.conditions[child] = (
                parts[0] if len(parts) == 1 else sql.SQL("({})").format(sql.SQL(" OR ").join(parts))
            )
            if any(key.required for key in ways):
                certain.add(child)
            if child not in depth:
                frontier.append(child)
            depth.setdefault(child, level)
    return reach


def _joined(roots: dict[Name, sql.Composable], keys: Sequence[ForeignKey]) -> Reach:
    """Return the roots, parents before children, each with the rows that hang on another table's roots."""
    reach = Reach()
    above: dict[Name, list[ForeignKey]] = {name: [] for name in roots}
    for key in keys:
        if key.child in roots and key.parent in roots and key.owns and key.child != key.parent:
            above[key.child].append(key)
    begun: set[Name] = set()

    def visit(table: Name) -> None:
        begun.add(table)
        parts = [roots[table]]
        for key in above[table]:
            if key.parent not in begun:
                visit(key.parent)
            if key.parent in reach.conditions:  # not in a circle that leads back here
                reach.keys.append(key)
                parts.append(_through(key, reach.conditions[key.parent]))
        reach.conditions[table] = (
            parts[0] if len(parts) == 1 else sql.SQL("({})").format(sql.SQL(" OR ").join(parts))
        )

    for table in roots:
        if table not in begun:
            visit(table)
    return reach


def _through(key: ForeignKey, condition: sql.Composable) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, key.columns))
    referred = sql.SQL(", ").join(map(sql.Identifier, key.referred))
    return sql.SQL("({}) IN (SELECT {} FROM {} WHERE {})").format(
        columns, referred, sql.Identifier(*key.parent), condition
    )


def links_from_outside(
    conn: psycopg.Connection[Any], reach: Reach, keys: Sequence[ForeignKey]
) -> list[tuple[ForeignKey, int]]:
    """Return the foreign keys by which rows out of reach refer to rows within, with how many do."""
    found = []
    for key in keys:
        if key.parent not in reach.conditions or key in reach.keys:
            continue
        outside = _through(key, reach.conditions[key.parent])
        if key.child in reach.conditions:
            outside = sql.SQL("{} AND ({}) IS NOT TRUE").format(outside, reach.conditions[key.child])
        row = conn.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier(*key.child), outside)
        ).fetchone()
        if row is not None and row[0]:
            found.append((key, row[0]))
    return found


def name_of(table: Any) -> Name:
    """Return schema and name of a SQLAlchemy table."""
    return (table.schema or "public", table.name)
