"""Whose row it is: an instance's own, added to it since, or somebody else's that merely hangs on it.

A foreign key says what a row needs, and not who wrote it: a customer that somebody moved to the instance's
shop hangs on it as a new one does. So a row is the instance's when its load wrote it; it was added to it when
it provably came later, by the journal, by an identity column beyond those there were, or by the column that
says to which instance a row belongs; and it is never the instance's when another one loaded it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from psycopg import sql

from scenarios.errors import JournalError, ScenariosError
from scenarios.library.closure.extract import rows_of
from scenarios.library.closure.reach import (
    ForeignKey,
    Key,
    Name,
    Reach,
    Relation,
    foreign_keys,
    name_of,
    reach_of,
    shown,
)
from scenarios.library.instances.alike import alike
from scenarios.library.instances.registry import OwnRegistry
from scenarios.library.instances.start import name_of_start
from scenarios.library.planning.columns import key_columns

if TYPE_CHECKING:
    import sqlalchemy as sa

    from scenarios.domain import Domain
    from scenarios.library.instances.instance import Instance
    from scenarios.library.planning.plan import Plan
    from scenarios.postgres import Database

COUNTED = "counted"
"""Where a template keeps, by table, a counted column of the key and how far it had been counted."""

# Of the tables whose rows may come to hang on those given: the leading column of a primary key whose numbers
# come from a sequence that only grows.
_COUNTERS = """
WITH RECURSIVE below (oid) AS (
    SELECT to_regclass(name)::oid FROM unnest(%s::text[]) AS name
     UNION
    SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid)
      FROM below JOIN pg_constraint AS k ON k.confrelid = below.oid
     WHERE k.contype = 'f' AND k.confdeltype IN ('c', 'a', 'r')
)
SELECT n.nspname, c.relname, c.relkind = 'p', a.attname, q.seqrelid::regclass::text,
       has_table_privilege(c.oid, 'SELECT') AND has_sequence_privilege(q.seqrelid, 'USAGE, SELECT')
  FROM below
  JOIN pg_class AS c ON c.oid = below.oid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
  JOIN LATERAL (
       SELECT d.objid AS oid FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
       UNION
       SELECT d.refobjid FROM pg_attrdef AS v
         JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid
          AND d.refclassid = 'pg_class'::regclass
        WHERE v.adrelid = c.oid AND v.adnum = a.attnum) AS s ON true
  JOIN pg_sequence AS q ON q.seqrelid = s.oid AND q.seqincrement > 0 AND NOT q.seqcycle
 WHERE a.atttypid IN (20, 21, 23)
"""

_LOADED: WeakKeyDictionary[Database, WeakSet[Instance]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A row that hangs on an instance and is not part of it.

    Attributes:
        table: its table.
        key: its key; empty where the table has none.
        foreign_key: the name of the foreign key by which it hangs there.
        columns: the columns of that.
        refers_to: the table those refer to.
        instance: the instance that loaded it, None for a row that no instance did.
    """

    table: str
    key: Mapping[str, str]
    foreign_key: str
    columns: tuple[str, ...]
    refers_to: str
    instance: str | None = None

    def __str__(self) -> str:
        key = ", ".join(f"{name}={value}" for name, value in self.key.items()) or "a row without a key"
        whose = f"; the instance {self.instance!r} loaded it" if self.instance is not None else ""
        return (
            f"{self.table} {key}: refers to {self.refers_to} by {', '.join(self.columns)}"
            f" ({self.foreign_key}){whose}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the row for ``--json``."""
        return {
            "table": self.table,
            "key": dict(self.key),
            "foreign_key": self.foreign_key,
            "columns": list(self.columns),
            "refers_to": self.refers_to,
            "instance": self.instance,
        }


@dataclass(frozen=True, slots=True)
class Extent:
    """The rows of an instance in its database at one moment.

    Attributes:
        reach: its rows, with those that were added to it since.
        own: how many of them its load wrote, by table.
        in_the_way: rows of others that hang on it, and what hangs on those.
        keys: the foreign keys of the database.
    """

    reach: Reach
    own: Mapping[Name, int]
    in_the_way: tuple[InTheWay, ...]
    keys: Sequence[ForeignKey]


def extent_of(
    conn: psycopg.Connection[Any], instance: Instance, *, removing: bool = False, lock: bool = False
) -> Extent:
    """Return which rows are *instance*'s, and which hang on it and are not.

    Args:
        conn: a connection, in a transaction.
        instance: the instance.
        removing: its rows are to go: what keeps them from going is in the way, too.
        lock: keep others from hanging something on its rows until the transaction ends.

    Raises:
        LibraryError: the role may not read a table in which rows may hang on the instance's.
    """
    whose = _Whose(conn, instance)
    roots = instance.roots()
    for table in instance.definition.domain.append_only:
        if removing:
            # Whoever wrote it down, it cannot be taken back.
            roots.pop(name_of(instance.definition.domain.table(table)), None)
    keys = sorted(foreign_keys(conn), key=lambda key: not whose.by_scope(key))
    reach = reach_of(conn, roots, keys, whose=whose, refusing=removing, lock=lock)
    own = {name: whose.loaded(reach.tables[name], found) for name, found in reach.rows.items()}
    found = []
    for name, theirs in reach.others.items():
        loaded_by = whose.instances(reach.tables[name], list(theirs))
        for key, by in theirs.items():
            found.append(
                InTheWay(
                    shown(name),
                    reach.tables[name].shown(key),
                    by.name,
                    by.columns,
                    shown(by.parent),
                    loaded_by.get(key),
                )
            )
    return Extent(reach, own, tuple(found), keys)


class _Whose:
    """Tells which rows that hang on an instance were added to it."""

    def __init__(self, conn: psycopg.Connection[Any], instance: Instance) -> None:
        self.conn = conn
        self.instance = instance
        self.domain = instance.definition.domain
        self.scoped = instance.definition.sections.scoped
        self.counted: Mapping[str, Any] = instance.template.get(COUNTED) or {}
        self.unkeyed: dict[Name, int] = {}
        self._planned: dict[Name, list[Mapping[str, Any]]] = {}
        # Asked for before anything is locked or written: the journal has a connection of its own.
        self._inserted = _inserted(instance)

    @cached_property
    def scope(self) -> Name | None:
        """The table of instances, where the system has one."""
        scope = self.domain.scope
        return name_of(self.domain.table(scope.table)) if self.scoped and scope is not None else None

    def by_scope(self, key: ForeignKey) -> bool:
        """Return whether *key* is the column that says to which instance a row belongs."""
        return (
            self.domain.scope is not None
            and key.parent == self.scope
            and key.columns == (self.domain.scope.column,)
        )

    def __call__(self, table: Relation, key: ForeignKey, found: Sequence[Key]) -> Collection[Key]:
        if self.by_scope(key):
            return found
        if not table.columns:
            return self._like_planned(table, found)
        later = [each for each in found if self._counted_later(table, each) or self._recorded(table, each)]
        if later:
            others = self.instances(table, later)
            later = [each for each in later if each not in others]
        return set(later)

    def _counted_later(self, table: Relation, key: Key) -> bool:
        column, number = self.counted.get(".".join(table.root), (None, 0))
        return column in table.columns and int(key[table.columns.index(column)]) > number

    def _recorded(self, table: Relation, key: Key) -> bool:
        columns, keys = self._inserted.get(".".join(table.root), ((), frozenset()))
        if set(columns) != set(table.columns):
            return False
        by_name = dict(zip(table.columns, key, strict=True))
        return tuple(by_name[each] for each in columns) in keys

    def loaded(self, table: Relation, found: Mapping[Key, ForeignKey | None]) -> int:
        """Return how many of the rows *found* of a table the load wrote."""
        if not table.columns:
            return self.unkeyed.get(table.name, 0)
        if not self.scoped:
            return sum(key is None for key in found.values())
        known = self._known(table)
        if known is None:
            return 0
        if known.fullname in {handles.table for handles in self.instance.definition.sections.handles}:
            return len(found)
        planned = {
            tuple(str(row.values[each]) for each in table.columns)
            for row in self.instance.plan.of(known.fullname)
        }
        return sum(key is None or each in planned for each, key in found.items())

    def _known(self, table: Relation) -> sa.Table | None:
        tables = self.domain.metadata.tables.values()
        return next((each for each in tables if name_of(each) == table.root), None)

    def _like_planned(self, table: Relation, found: Sequence[Key]) -> set[Key]:
        """Return the rows of a table without a key that are as the scenario has them."""
        known = self._known(table)
        if known is None:
            return set()
        if table.root not in self._planned:
            plan = self.instance.plan
            self._planned[table.root] = [row.values for row in plan.rows if row.table is known]
        planned = self._planned[table.root]
        mine: set[Key] = set()
        for key in found:
            (values,) = rows_of(self.conn, known, table.among([key]), [])
            at = next((at for at, row in enumerate(planned) if _is(row, values)), None)
            if at is not None:
                del planned[at]
                mine.add(key)
        self.unkeyed[table.root] = self.unkeyed.get(table.root, 0) + len(mine)
        return mine

    def instances(self, table: Relation, keys: Sequence[Key]) -> dict[Key, str]:
        """Return which of the rows *keys* were loaded by other instances, each with that one's name."""
        if not table.columns:
            return {}
        if self.scoped:
            return self._of_scope(table, keys)
        found: dict[Key, str] = {}
        wanted = set(keys)
        known = self._known(table)
        if known is None:
            return {}
        order = [key_columns(known).index(each) for each in table.columns if each in key_columns(known)]
        if len(order) != len(table.columns):
            return {}
        for name, rows in self._others:
            for row in rows.get(known.fullname, ()):
                key = tuple(str(row[place]) for place in order)
                if key in wanted:
                    found[key] = name
        return found

    def _of_scope(self, table: Relation, keys: Sequence[Key]) -> dict[Key, str]:
        scope = self.domain.scope
        assert scope is not None
        known = self._known(table)
        if known is None or scope.column not in known.columns or self.scope is None:
            return {}
        query = sql.SQL("SELECT s.name, {} FROM {} AS c JOIN {} AS s ON s.id = c.{} WHERE {}").format(
            table.texts("c"),
            table.source,
            sql.Identifier(*self.scope),
            sql.Identifier(scope.column),
            table.among(keys, "c"),
        )
        return {tuple(key): name for name, *key in self.conn.execute(query).fetchall()}

    @cached_property
    def _others(self) -> list[tuple[str, Mapping[str, list[list[Any]]]]]:
        """The other instances there are, with the keys of their rows by table."""
        name = self.instance.name
        found = [(each.name, each.rows) for each in OwnRegistry().find(self.conn) if each.name != name]
        for other in _LOADED.get(self.instance.db, ()):
            if other is not self.instance and other.name != name and not other.remembered and _there(other):
                found.append((other.name, other.keys))
        return found


def _is(planned: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return all(alike(wanted, values.get(name)) for name, wanted in planned.items() if name in values)


def remember(instance: Instance) -> None:
    """Keep in mind, as long as somebody has it, an instance of which the database keeps no record."""
    if not instance.remembered:
        _LOADED.setdefault(instance.db, WeakSet()).add(instance)


def forget(instance: Instance) -> None:
    """An instance is gone."""
    _LOADED.get(instance.db, WeakSet()).discard(instance)


def _there(instance: Instance) -> bool:
    """Return whether *instance* is there still, as far as the journal knows: a restore may have undone it."""
    if instance.start is None:
        return True
    try:
        return instance.db.changes(name_of_start(instance.name)).since.number == instance.start
    except ScenariosError:
        return False


def _inserted(instance: Instance) -> dict[str, tuple[tuple[str, ...], frozenset[Key]]]:
    """Return the keys of the rows that the journal saw come since the load, by table, with their columns."""
    if not instance.db.owned:
        return {}
    try:
        changes = instance.db.changes(name_of_start(instance.name))
    except JournalError:
        return {}
    if instance.start not in (None, changes.since.number):
        return {}
    own = {
        (".".join(name_of(instance.definition.domain.metadata.tables[name])), tuple(map(str, key)))
        for name, keys in instance.keys.items()
        for key in keys
    }
    found: dict[str, tuple[tuple[str, ...], set[Key]]] = {}
    moved: set[str] = set()
    for change in changes:
        key = tuple(map(str, change.key.values()))
        if change.op == "inserted":
            found.setdefault(change.table, (tuple(change.key), set()))[1].add(key)
        elif change.op == "deleted" and (change.table, key) not in own:
            # A row whose key was changed is deleted and inserted, as the journal tells it.
            moved.add(change.table)
    return {
        table: (columns, frozenset(keys)) for table, (columns, keys) in found.items() if table not in moved
    }


def counted_so_far(conn: psycopg.Connection[Any], domain: Domain, plan: Plan) -> dict[str, list[Any]]:
    """Return how far the keys of what may come to hang on rows of *plan* are counted.

    Returns:
        by table, a column of its key and the greatest number that it has, or that its sequence gave away.
    """
    names = {name_of(row.table) for row in plan.rows}
    if plan.sections.scoped and domain.scope is not None:
        names.add(name_of(domain.table(domain.scope.table)))
    quoted = [sql.Identifier(*name).as_string(conn) for name in sorted(names)]
    counters = conn.execute(_COUNTERS, [quoted]).fetchall()
    if not any(readable for *_, readable in counters):
        return {}
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT {}, {}, greatest((SELECT max({}) FROM {}), pg_sequence_last_value({}::regclass))"
        ).format(
            sql.Literal(f"{schema}.{table}"),
            sql.Literal(column),
            sql.Identifier(column),
            sql.SQL("" if partitioned else "ONLY ") + sql.Identifier(schema, table),
            sql.Literal(sequence),
        )
        for schema, table, partitioned, column, sequence, readable in counters
        if readable
    )
    return {label: [column, number or 0] for label, column, number in conn.execute(query).fetchall()}
