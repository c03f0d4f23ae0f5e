"""Which rows hang on which: the reach of an instance or a person, in a live database.

Deleting "where test_scenario_id = X" leaves what the application added without that column, and copying a
user by a list of known tables loses the table somebody added last month. The foreign keys of the database
itself say what goes with a row: what ``ON DELETE CASCADE`` would delete, and what cannot be without it. Rows
are followed one by one and not table by table: of two ways to a table each may lead to other rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from scenarios.database_errors import hint
from scenarios.errors import LibraryError

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

# By what the rows of a table are told apart: its primary key, else a unique index without NULLs.
_TABLES = """
SELECT n.nspname, c.relname, rn.nspname, r.relname, c.relkind = 'p', k.names::text[], k.types::text[],
       has_any_column_privilege(c.oid, 'UPDATE')
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_class AS r ON r.oid = CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END
  JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
  LEFT JOIN LATERAL (
       SELECT array_agg(a.attname ORDER BY p.place) AS names,
              array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY p.place) AS types
         FROM pg_index AS i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS p (number, place)
         JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = p.number
        WHERE i.indrelid = r.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND i.indexprs IS NULL AND (i.indimmediate OR i.indisprimary) AND p.place <= i.indnkeyatts
        GROUP BY i.indexrelid, i.indisprimary
       HAVING bool_and(a.attnotnull)
        ORDER BY i.indisprimary DESC, count(*), i.indexrelid
        LIMIT 1) AS k ON true
 WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""

Name = tuple[str, str]
"""Schema and name of a table."""

Key = tuple[str, ...]
"""What tells a row from the others of its table, as the database's texts; without a key, where it lies."""


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

    @property
    def refuses(self) -> bool:
        """Whether the parent cannot go before the child's link is emptied by whoever wrote it."""
        return not self.owns and (self.on_delete in "ar" or (self.required and self.on_delete == "n"))


def foreign_keys(conn: psycopg.Connection[Any]) -> list[ForeignKey]:
    """Return all foreign keys of the database, partitions through their parents only."""
    rows = conn.execute(_FOREIGN_KEYS).fetchall()
    return [
        ForeignKey(name, (cs, ct), tuple(cols), (ps, pt), tuple(refs), kind, bool(required))
        for name, cs, ct, cols, ps, pt, refs, kind, required in rows
    ]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, and how its rows are found.

    Attributes:
        name: its name.
        root: the partitioned table it is a part of, else itself; its rows count for that.
        columns: the columns of its key, none where it has none.
        types: their types.
        may_lock: whether the role may lock rows of it.
    """

    name: Name
    root: Name
    partitioned: bool
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    may_lock: bool = False

    @property
    def source(self) -> sql.Composed:
        """What stands behind FROM: not the tables that inherit from it, which keys do not tell apart."""
        only = sql.SQL("") if self.partitioned else sql.SQL("ONLY ")
        return only + sql.Identifier(*self.name)

    def texts(self, *alias: str) -> sql.Composed:
        """Return the expressions of the key's texts."""
        names = self.columns or ("tableoid", "ctid")
        return sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(*alias, each)) for each in names)

    def among(self, keys: Iterable[Key], *alias: str, columns: Sequence[str] = ()) -> sql.Composed:
        """Return the condition that *columns*, by default those of the key, are one of *keys*."""
        names = columns or self.columns or ("tableoid", "ctid")
        types = self.types or ("oid", "tid")
        values = list(zip(*keys, strict=True)) or [()] * len(names)
        if len(names) == 1:
            return sql.SQL("{} = ANY ({}::{}[])").format(
                sql.Identifier(*alias, names[0]), _texts(values[0]), _type(types[0])
            )
        places = [sql.Identifier(f"c{place}") for place in range(len(names))]
        return sql.SQL("({}) IN (SELECT {} FROM unnest({}) AS wanted ({}))").format(
            sql.SQL(", ").join(sql.Identifier(*alias, each) for each in names),
            sql.SQL(", ").join(
                sql.SQL("{}::{}").format(place, _type(kind))
                for place, kind in zip(places, types, strict=True)
            ),
            sql.SQL(", ").join(sql.SQL("{}::text[]").format(_texts(each)) for each in values),
            sql.SQL(", ").join(places),
        )

    def shown(self, key: Key) -> dict[str, str]:
        """Return *key* by its columns."""
        return dict(zip(self.columns, key, strict=True)) if self.columns else {}


def _texts(values: Iterable[str]) -> sql.Literal:
    escaped = (each.replace("\\", "\\\\").replace('"', '\\"') for each in values)
    return sql.Literal("{" + ",".join(f'"{each}"' for each in escaped) + "}")


def _type(text: str) -> sql.SQL:
    return sql.SQL(text)  # pyright: ignore[reportArgumentType]  # written and quoted by the server


def relations(conn: psycopg.Connection[Any]) -> dict[Name, Relation]:
    """Return the tables of the database and of its partitions by name."""
    found = {}
    for schema, name, root_schema, root, partitioned, columns, types, may in conn.execute(_TABLES).fetchall():
        found[schema, name] = Relation(
            (schema, name), (root_schema, root), partitioned, tuple(columns or ()), tuple(types or ()), may
        )
    return found


Whose = Callable[[Relation, ForeignKey, Sequence[Key]], Collection[Key]]
"""Tells which of the rows that were found by a foreign key belong to what is followed."""


@dataclass(slots=True)
class Reach:
    """The rows within reach of a root, by table; partitions count for the table they are a part of.

    Attributes:
        rows: their keys, each with the foreign key by which it was found first (None for a root), in the
            order in which tables were reached: parents before children.
        others: the same of rows that hang there and belong to somebody else, with what hangs on those.
        looked_at: the tables in which rows were looked for.
        tables: what is known of all tables.
        cut: the rows that were passed over because of a limit, by table.
    """

    rows: dict[Name, dict[Key, ForeignKey | None]] = field(default_factory=dict)
    others: dict[Name, dict[Key, ForeignKey]] = field(default_factory=dict)
    looked_at: set[Name] = field(default_factory=set)
    tables: Mapping[Name, Relation] = field(default_factory=dict)
    cut: dict[Name, set[Key]] = field(default_factory=dict)

    @property
    def conditions(self) -> dict[Name, sql.Composable]:
        """By table the condition that selects its rows."""
        return {name: self.tables[name].among(keys) for name, keys in self.rows.items() if keys}

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows within reach by table, tables without any left out."""
        return {shown(name): len(keys) for name, keys in self.rows.items() if keys}

    def select(self, table: Name, columns: Sequence[str]) -> sql.Composed:
        """Return the SELECT of *columns* of the rows of *table* within reach."""
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            self.tables[table].source,
            self.tables[table].among(self.rows[table]),
        )

    def take_others(self) -> None:
        """Count what belongs to somebody else as within reach."""
        for name, keys in self.others.items():
            self.rows.setdefault(name, {}).update(keys)
        self.others = {}


def shown(table: Name) -> str:
    """Return the table's name as people write it."""
    return table[1] if table[0] == "public" else f"{table[0]}.{table[1]}"


def reach_of(
    conn: psycopg.Connection[Any],
    roots: Mapping[Name, sql.Composable],
    keys: Sequence[ForeignKey],
    *,
    whose: Whose | None = None,
    refusing: bool = False,
    lock: bool = False,
    limits: Mapping[Name, int] | None = None,
) -> Reach:
    """Return what is within reach of the rows that *roots* selects, by table.

    Args:
        conn: a connection, in a transaction.
        roots: conditions by table.
        keys: the foreign keys of the database.
        whose: tells which of the rows found belong to the roots; by default all do. The rest, and what hangs
            on it, are `Reach.others`.
        refusing: take rows whose link keeps a row within reach from going for others', too.
        lock: keep others from hanging something on the rows until the transaction ends.
        limits: by table, how many rows are taken of those that hang there: the first by key.

    Raises:
        LibraryError: the role may not read a table in which rows may hang on those within reach.
    """
    reach = Reach(tables=relations(conn))
    walk = _Walk(conn, reach, keys, lock)
    frontier: dict[Name, list[Key]] = {}
    for name, condition in roots.items():
        table = reach.tables[name]
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(table.texts(), table.source, condition)
        frontier[table.root] = [tuple(row) for row in asked(conn, query)]
        reach.rows.setdefault(table.root, {}).update(dict.fromkeys(frontier[table.root]))
        reach.looked_at.add(table.root)
    strangers: dict[Name, list[Key]] = {}
    while frontier:
        walk.hold(frontier)
        reach.looked_at |= walk.below_of(frontier)
        following: dict[Name, list[Key]] = {}
        for key, found in walk.hanging(frontier):
            child = reach.tables[key.child]
            known = reach.rows.setdefault(child.root, {})
            theirs = reach.others.setdefault(child.root, {})
            fresh = [each for each in found if each not in known and each not in theirs]
            if limits is not None and child.root in limits:
                room = max(0, limits[child.root] - len(known))
                fresh.sort(key=lambda each: [(len(text), text) for text in each])
                reach.cut.setdefault(child.root, set()).update(fresh[room:])
                fresh = fresh[:room]
            mine = fresh if whose is None or not fresh else set(whose(child, key, fresh))
            for each in fresh:
                if each in mine:
                    known[each] = key
                    following.setdefault(child.root, []).append(each)
                else:
                    theirs[each] = key
                    strangers.setdefault(child.root, []).append(each)
        frontier = following
    waiting = [strangers]
    if refusing:
        waiting.append({name: list(found) for name, found in reach.rows.items()})
    for strangers in waiting:
        while strangers:
            following = {}
            for key, found in walk.hanging(strangers, refusing=refusing):
                child = reach.tables[key.child]
                theirs = reach.others.setdefault(child.root, {})
                for each in found:
                    if each not in theirs and each not in reach.rows.get(child.root, {}):
                        theirs[each] = key
                        following.setdefault(child.root, []).append(each)
            strangers = following
    reach.rows = {name: keys_found for name, keys_found in reach.rows.items() if keys_found}
    reach.others = {name: theirs for name, theirs in reach.others.items() if theirs}
    return reach


def asked(conn: psycopg.Connection[Any], query: sql.Composed) -> list[tuple[Any, ...]]:
    """Return the answer to *query*, about which rows belong together.

    Raises:
        LibraryError: the role may not read one of its tables.
    """
    try:
        return conn.execute(query).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise LibraryError(
            "cannot see which rows are part of it",
            where=f"database {conn.info.dbname!r}, role {conn.info.user!r}",
            why=str(error.diag.message_primary),
            hint=hint(error, conn.info.user),
        ) from error


class _Walk:
    """Asks the database for the rows that hang on others."""

    def __init__(
        self, conn: psycopg.Connection[Any], reach: Reach, keys: Sequence[ForeignKey], lock: bool
    ) -> None:
        self.conn = conn
        self.tables = reach.tables
        self.lock = lock
        self.below: dict[Name, list[ForeignKey]] = {}
        for key in keys:
            if key.child in self.tables and key.parent in self.tables:
                self.below.setdefault(self.tables[key.parent].root, []).append(key)

    def hanging(
        self, rows: Mapping[Name, Sequence[Key]], *, refusing: bool = False
    ) -> list[tuple[ForeignKey, list[Key]]]:
        """Return by foreign key to *rows* the keys of the rows that refer to them; one query for all."""
        ways = [
            (key, found)
            for name, found in rows.items()
            if found
            for key in self.below.get(name, ())
            if key.owns or (refusing and key.refuses)
        ]
        if not ways:
            return []
        hanging: list[list[Key]] = [[] for _ in ways]
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, ARRAY[{}] FROM {} AS c WHERE {}").format(
                sql.Literal(number),
                self.tables[key.child].texts("c"),
                self.tables[key.child].source,
                refers(self.tables, key, found, "c"),
            )
            for number, (key, found) in enumerate(ways)
        )
        for number, texts in asked(self.conn, query):
            hanging[number].append(tuple(texts))
        return [(key, found) for (key, _), found in zip(ways, hanging, strict=True) if found]

    def below_of(self, rows: Iterable[Name]) -> set[Name]:
        """Return the tables whose rows go with rows of the tables *rows*."""
        keys = (key for name in rows for key in self.below.get(name, ()) if key.owns)
        return {self.tables[key.child].root for key in keys}

    def hold(self, rows: Mapping[Name, Sequence[Key]]) -> None:
        """Lock *rows*, as far as something can be hung on them and the role may."""
        for name, found in rows.items():
            table = self.tables[name]
            # Who may delete and not update cannot lock: then nobody is kept waiting.
            if self.lock and found and table.may_lock and self.below.get(name):
                self.conn.execute(
                    sql.SQL("SELECT FROM {} WHERE {} FOR UPDATE").format(table.source, table.among(found))
                )


def refers(
    tables: Mapping[Name, Relation], key: ForeignKey, rows: Iterable[Key], *alias: str
) -> sql.Composed:
    """Return the condition that a row refers by *key* to one of *rows*, given by their keys."""
    parent = tables[key.parent]
    if parent.name == parent.root and sorted(key.referred) == sorted(parent.columns):
        own = dict(zip(key.referred, key.columns, strict=True))
        return parent.among(rows, *alias, columns=[own[each] for each in parent.columns])
    return sql.SQL("({}) IN (SELECT {} FROM {} WHERE {})").format(
        sql.SQL(", ").join(sql.Identifier(*alias, each) for each in key.columns),
        sql.SQL(", ").join(map(sql.Identifier, key.referred)),
        parent.source,
        parent.among(rows),
    )


def emptied_links(
    conn: psycopg.Connection[Any], reach: Reach, keys: Sequence[ForeignKey]
) -> list[tuple[ForeignKey, int]]:
    """Return the foreign keys whose links are emptied when the rows within reach go, with how many are."""
    ways: list[ForeignKey] = []
    counts: list[sql.Composed] = []
    for key in keys:
        if key.on_delete not in "nd" or key.parent not in reach.tables or key.child not in reach.tables:
            continue
        parent, child = reach.tables[key.parent], reach.tables[key.child]
        rows = reach.rows.get(parent.root)
        if not rows:
            continue
        condition = refers(reach.tables, key, rows)
        own = reach.rows.get(child.root)
        if own:
            condition = sql.SQL("{} AND ({}) IS NOT TRUE").format(condition, child.among(own))
        counts.append(sql.SQL("(SELECT count(*) FROM {} WHERE {})").format(child.source, condition))
        ways.append(key)
    if not ways:
        return []
    found = conn.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(counts))).fetchone() or ()
    return [(key, count) for key, count in zip(ways, found, strict=True) if count]


def name_of(table: Any) -> Name:
    """Return schema and name of a SQLAlchemy table."""
    return (table.schema or "public", table.name)
