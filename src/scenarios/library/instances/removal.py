"""An instance taken out of a database, with what was added to it, and word of what had to stay.

A delete by the keys that were loaded leaves the rows the application wrote since, and fails on the first that
refers to one of them. So the foreign keys say what hangs on the instance, what was added to it goes with it,
and rows of others that hang there are named before anything is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from scenarios.errors import LibraryError, RowsInTheWay
from scenarios.library.closure.reach import Name, Reach, emptied_links, name_of, shown
from scenarios.library.instances.ownership import InTheWay, extent_of
from scenarios.library.instances.registry import OwnRegistry
from scenarios.library.planning.columns import key_columns

if TYPE_CHECKING:
    from scenarios.library.instances.instance import Instance

MOST_NAMED = 50
"""Rows in the way that a message names; more are counted."""


@dataclass(frozen=True, slots=True)
class Unloaded:
    """What an unload did, or would do.

    Attributes:
        rows: rows removed, by table; what the system keeps about the instance itself does not count.
        added: how many of them the load did not write.
        left: what was left, as sentences.
        untouched: tables whose rows of the scenario are there still, and which they are nobody can tell.
        in_the_way: rows of others that hang on the instance, and what hangs on those. With ``with_added``
            they count as removed and added as well.
    """

    name: str
    rows: Mapping[str, int]
    added: int
    left: tuple[str, ...] = ()
    untouched: frozenset[str] = frozenset()
    in_the_way: tuple[InTheWay, ...] = ()

    def blocking(self, with_added: bool) -> tuple[InTheWay, ...]:
        """Return the rows on whose account nothing is removed; *with_added*, only other instances' are."""
        return tuple(each for each in self.in_the_way if not with_added or each.instance is not None)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {
            "instance": self.name,
            "removed": dict(self.rows),
            "added_by_others": self.added,
            "left": list(self.left),
            "in_the_way": [each.as_dict() for each in self.in_the_way],
        }


def remove(
    conn: psycopg.Connection[Any],
    instance: Instance,
    *,
    forget: bool = False,
    with_added: bool,
    dry_run: bool,
) -> Unloaded:
    """Remove the rows of *instance*, and those that were added to it since.

    Args:
        conn: a connection, in a transaction.
        instance: the instance.
        forget: the instance itself goes, too, and is not about to be written again.
        with_added: remove the rows of others that hang on it as well, but none that another instance loaded.
        dry_run: only tell what would be removed, and what is in the way.

    Raises:
        RowsInTheWay: rows of others hang on it.
        LibraryError: the database refuses.
    """
    extent = extent_of(conn, instance, removing=True, lock=not dry_run)
    reach = extent.reach
    blocking = Unloaded(instance.name, {}, 0, in_the_way=extent.in_the_way).blocking(with_added)
    if blocking and not dry_run:
        raise _in_the_way(instance, blocking)
    if with_added:
        reach.take_others()
    left = [
        f"{count} row{'' if count == 1 else 's'} of {shown(key.child)} "
        f"referred to it by {', '.join(key.columns)}; "
        f"{'the link was emptied' if count == 1 else 'the links were emptied'}"
        for key, count in emptied_links(conn, reach, extent.keys)
    ]
    sections = instance.definition.sections
    domain = sections.domain
    unseen = instance.plan.untrackable_rows(
        {table.fullname for table in domain.metadata.tables.values() if name_of(table) in reach.looked_at}
    )
    for lost, count in unseen.items():
        rows_of = f"{count} row{'' if count == 1 else 's'} of {lost}"
        left.append(f"{rows_of} stay: the table has no key to find them by")
    if forget:
        for table in sorted(domain.append_only):
            history = len(instance.plan.of(table))
            if history:
                left.append(
                    f"{history} row{'' if history == 1 else 's'} of {table} stay: nothing is removed from it"
                )
    rows = reach.counts
    added = {name: len(found) - extent.own.get(name, 0) for name, found in reach.rows.items()}
    refusing = {} if dry_run else _gone(conn, instance, reach, forget)
    for refused, why in refusing.items():
        count = rows.pop(shown(refused), 0)
        if count:
            left.append(f"{count} row{'' if count == 1 else 's'} of {shown(refused)} stay: {why}")
    if forget:
        for table in sorted(domain.reference):
            kept = len(instance.plan.of(table))
            if kept:
                left.append(f"{kept} row{'' if kept == 1 else 's'} of {table} stay: instances share them")
    for own in bookkeeping(instance):
        rows.pop(shown(own), None)
    total = sum(count for name, count in added.items() if name not in refusing)
    return Unloaded(instance.name, rows, total, tuple(left), frozenset(unseen), extent.in_the_way)


def _gone(conn: psycopg.Connection[Any], instance: Instance, reach: Reach, forget: bool) -> dict[Name, str]:
    """Delete what is within *reach*, and where asked the record of the instance; see `_delete`."""
    try:
        refusing = _delete(conn, reach)
        registry = OwnRegistry()
        if forget and registry.exists(conn, writing=True):
            registry.remove(conn, instance.name)
    except psycopg.errors.IntegrityError as error:
        diagnosis = error.diag
        raise LibraryError(
            f"cannot remove the instance {instance.name!r}; nothing was removed",
            where=f"{instance.db.safe_url}, table {diagnosis.table_name}",
            why=(diagnosis.message_detail or diagnosis.message_primary or str(error)).strip(),
            hint=f"remove the rows that need it first (constraint {diagnosis.constraint_name})",
        ) from error
    return refusing


def bookkeeping(instance: Instance) -> set[Name]:
    """Return the tables in which a system keeps its instances and their handles."""
    sections = instance.definition.sections
    found = {name_of(sections.domain.table(handles.table)) for handles in sections.handles}
    if sections.scoped and sections.domain.scope is not None:
        found.add(name_of(sections.domain.table(sections.domain.scope.table)))
    return found


def _in_the_way(instance: Instance, rows: Sequence[InTheWay]) -> RowsInTheWay:
    named = [str(each) for each in rows[:MOST_NAMED]]
    if len(rows) > MOST_NAMED:
        more = Counter(each.table for each in rows[MOST_NAMED:])
        named.append("and " + ", ".join(f"{count} more of {table}" for table, count in more.items()))
    instances = sorted({each.instance for each in rows if each.instance is not None})
    if instances:
        hint = "no instance takes the rows of another with it: unload or reset " + ", ".join(instances)
    else:
        hint = "have them refer to something else, or remove them knowingly: --with-added"
    error = RowsInTheWay(
        f"cannot remove the rows of the instance {instance.name!r}; nothing was removed",
        where=instance.db.safe_url,
        why=f"{len(rows)} row{'' if len(rows) == 1 else 's'} in the way that neither its load wrote nor "
        "provably came later\n         " + "\n         ".join(named),
        hint=hint,
    )
    error.rows = tuple(rows)
    return error


def roots_by_key(instance: Instance) -> dict[Name, sql.Composable]:
    """Return the conditions that select the rows an instance's load wrote, by table."""
    found: dict[Name, sql.Composable] = {}
    metadata = instance.definition.domain.metadata
    for name, keys in instance.keys.items():
        table = metadata.tables[name]
        columns = key_columns(table)
        if columns and keys:
            # Bare texts take the type of what they are compared with, whatever that is.
            found[name_of(table)] = sql.SQL("({}) IN ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join(
                    sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(str(value)) for value in key))
                    for key in keys
                ),
            )
    return found


def _delete(conn: psycopg.Connection[Any], reach: Reach) -> dict[Name, str]:
    """Delete what is within reach; return the tables that refuse, with what they say.

    One statement, at whose end foreign keys are checked, so that circles go. Where a table is append-only,
    each table is tried alone, children first, and the refusing ones stay.
    """
    order = list(reversed(reach.conditions.items()))
    if not order:
        return {}
    parts = [
        sql.SQL("{} AS (DELETE FROM {} WHERE {})").format(
            sql.Identifier(f"part_{number}"), reach.tables[table].source, condition
        )
        for number, (table, condition) in enumerate(order)
    ]
    try:
        with conn.transaction():
            conn.execute(sql.SQL("WITH {} SELECT 1").format(sql.SQL(", ").join(parts)))
    except psycopg.errors.InsufficientPrivilege:
        refusing: dict[Name, str] = {}
        for table, condition in order:
            query = sql.SQL("DELETE FROM {} WHERE {}").format(reach.tables[table].source, condition)
            try:
                with conn.transaction():
                    conn.execute(query)
            except psycopg.errors.InsufficientPrivilege as error:
                refusing[table] = str(error.diag.message_primary)
        return refusing
    return {}
