"""Plain indexes out of the way of a load: one sort of all keys instead of a descent for each.

An index that guarantees nothing can be dropped before many rows come and built from its definition when they
are there; for a B-tree that is half the price, for a full-text index it can take a second processor. What its
definition does not say would be lost on the way, so an index with more to it (a comment, a tablespace, a
statistics target, a mark to cluster or replicate by) stays where it is, and so does every unique one.

Used by the writer inside one transaction (`scenarios.graph.bulk_load`), and by volume over many, which
therefore writes down what it dropped (`scenarios.volume.indexes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from scenarios.graph.steps import schema_text

_PLAIN = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indrelid, a.amname = 'gin'
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_am AS a ON a.oid = c.relam
 WHERE i.indrelid = ANY (%s::regclass[])
   -- Those of partitioned tables stay: rebuilt from their definition they would not reach the partitions.
   AND c.relkind = 'i' AND NOT c.relispartition
   AND i.indisvalid AND NOT i.indisunique AND NOT i.indisclustered AND NOT i.indisreplident
   AND c.reltablespace = 0
   AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
   AND NOT EXISTS (SELECT FROM pg_description AS d
                    WHERE d.objoid = i.indexrelid AND d.classoid = 'pg_class'::regclass)
   AND NOT EXISTS (SELECT FROM pg_attribute AS t WHERE t.attrelid = i.indexrelid AND t.attstattarget >= 0)
   AND NOT EXISTS (SELECT FROM pg_depend AS e
                    WHERE e.objid = i.indexrelid AND e.classid = 'pg_class'::regclass AND e.deptype = 'e')
 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Index:
    """A plain index: its quoted name, the statement that makes it, its table's oid, whether it is a GIN."""

    name: str
    definition: str
    table: int
    gin: bool


def plain_indexes(conn: psycopg.Connection[Any], tables: Sequence[sql.Identifier]) -> list[Index]:
    """Return the indexes of *tables* that can be dropped and made again with nothing lost."""
    names = [table.as_string(conn) for table in tables]
    return [Index(*row) for row in conn.execute(_PLAIN, [names]).fetchall()]


def dropping(indexes: Iterable[Index]) -> list[sql.Composable]:
    """Return the statements that drop *indexes*; none for none."""
    # The names come from regclass, which quotes them where needed.
    names = [schema_text(index.name) for index in indexes]
    return [sql.SQL("DROP INDEX {}").format(sql.SQL(", ").join(names))] if names else []


def building(indexes: Sequence[Index]) -> list[sql.Composable]:
    """Return the statements that make *indexes* again, in the transaction that dropped them."""
    if not indexes:
        return []
    gins = [schema_text(index.definition) for index in indexes if index.gin]
    others = [schema_text(index.definition) for index in indexes if not index.gin]
    return [_MEMORY, *_BESIDE, *gins, *_ALONE, *others]


_MEMORY = sql.SQL("SET LOCAL maintenance_work_mem = '128MB'")
# A full-text index of a megabyte is worth a second process and no third, a B-tree not even that.
_BESIDE = (
    sql.SQL("SET LOCAL min_parallel_table_scan_size = '256kB'"),
    sql.SQL("SET LOCAL max_parallel_maintenance_workers = 1"),
)
_ALONE = (
    sql.SQL("SET LOCAL min_parallel_table_scan_size TO DEFAULT"),
    sql.SQL("SET LOCAL max_parallel_maintenance_workers TO DEFAULT"),
)


def together(conn: psycopg.Connection[Any], statements: Sequence[sql.Composable]) -> None:
    """Run *statements* as one message: a load has a dozen of them, and each answer would be waited for."""
    if statements:
        conn.execute(sql.SQL("; ").join(statements))
