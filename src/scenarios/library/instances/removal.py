"""An instance taken out of a database, with what the application added, and word of what had to stay.

A delete by the keys that were loaded leaves the rows the application wrote since, and fails on the first that
refers to one of them. So the foreign keys say what hangs on the instance, and what cannot go is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg
import sqlalchemy as sa
from psycopg import sql

from scenarios.errors import LibraryError
from scenarios.library.closure.reach import (
    Name,
    Reach,
    foreign_keys,
    links_from_outside,
    name_of,
    reach_of,
    shown,
)
from scenarios.library.instances.registry import registry_of
from scenarios.library.planning.columns import key_columns

if TYPE_CHECKING:
    from scenarios.domain import Domain
    from scenarios.library.instances.instance import Instance


@dataclass(frozen=True, slots=True)
class Unloaded:
    """What an unload did.

    Attributes:
        rows: rows removed, by table.
        added: how many of them were not part of the scenario: the application wrote them.
        left: what was left, as sentences.
        untouched: tables whose rows of the scenario are there still, and which they are nobody can tell.
    """

    name: str
    rows: Mapping[str, int]
    added: int
    left: tuple[str, ...] = ()
    untouched: frozenset[str] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {
            "instance": self.name,
            "removed": dict(self.rows),
            "added_by_others": self.added,
            "left": list(self.left),
        }


def remove(conn: psycopg.Connection[Any], instance: Instance, *, forget: bool = False) -> Unloaded:
    sections = instance.definition.sections
    domain = sections.domain
    registry = registry_of(sections)
    name = instance.name
    roots = instance.roots()
    keys = foreign_keys(conn)
    for table in domain.append_only:
        # Whoever wrote it down, it cannot be taken back.
        roots.pop(name_of(domain.table(table)), None)
    reach = reach_of(roots, keys)
    rows = reach.count(conn)
    links = links_from_outside(conn, reach, keys)
    left = [
        f"{count} row{'' if count == 1 else 's'} of {shown(key.child)} "
        f"referred to it by {', '.join(key.columns)}; "
        f"{'the link was emptied' if count == 1 else 'the links were emptied'}"
        for key, count in links
        if key.on_delete in "nd"
    ]
    unseen = instance.plan.lost_sight_of({table.fullname for table in _known(reach, domain)})
    for lost, count in unseen.items():
        rows_of = f"{count} row{'' if count == 1 else 's'} of {lost}"
        left.append(f"{rows_of} stay: the table has no key to find them by")
    for table in sorted(domain.append_only):
        history = len(instance.plan.of(table))
        if history and forget:
            left.append(
                f"{history} row{'' if history == 1 else 's'} of {table} stay: nothing is removed from it"
            )
    refusing: dict[Name, str] = {}
    try:
        if sections.scoped:
            registry.remove(conn, name)
        else:
            refusing = _delete_by_key(conn, reach)
            if forget:
                _forget(conn, name)
    except psycopg.errors.IntegrityError as error:
        diagnosis = error.diag
        raise LibraryError(
            f"cannot remove the instance {name!r}; nothing was removed",
            where=f"{instance.db.safe_url}, table {diagnosis.table_name}",
            why=(diagnosis.message_detail or diagnosis.message_primary or str(error)).strip(),
            remedy=f"remove the rows that need it first (constraint {diagnosis.constraint_name})",
        ) from error
    for refused, why in refusing.items():
        count = rows.pop(shown(refused), 0)
        if count:
            left.append(f"{count} row{'' if count == 1 else 's'} of {shown(refused)} stay: {why}")
    for table in sorted(domain.reference):
        kept = len(instance.plan.of(table))
        if kept and forget:
            left.append(f"{kept} row{'' if kept == 1 else 's'} of {table} stay: instances share them")
    own = instance.plan.counts
    scope_table = domain.scope.table if sections.scoped and domain.scope else None
    recorded = {handles.table for handles in sections.handles}
    added = sum(
        max(0, count - own.get(table, 0))
        for table, count in rows.items()
        if table != scope_table and table not in recorded
    )
    return Unloaded(name, rows, added, tuple(left), frozenset(unseen))


def _known(reach: Reach, domain: Domain) -> list[sa.Table]:
    return [table for table in domain.metadata.tables.values() if name_of(table) in reach.conditions]


def _forget(conn: psycopg.Connection[Any], name: str) -> None:
    from scenarios.library.instances.registry import OwnRegistry

    registry = OwnRegistry()
    if registry.exists(conn):
        registry.remove(conn, name)


def roots_by_key(instance: Instance) -> dict[tuple[str, str], sql.Composable]:
    found: dict[tuple[str, str], sql.Composable] = {}
    metadata = instance.definition.domain.metadata
    for name, keys in instance.keys.items():
        table = metadata.tables[name]
        columns = key_columns(table)
        if not columns or not keys:
            continue
        types = [sql.SQL(_text_type(table.columns[column])) for column in columns]
        tuples = sql.SQL(", ").join(
            sql.SQL("({})").format(
                sql.SQL(", ").join(
                    sql.SQL("{}::{}").format(sql.Literal(str(value)), kind)
                    for value, kind in zip(key, types, strict=True)
                )
            )
            for key in keys
        )
        found[name_of(table)] = sql.SQL("({}) IN ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), tuples
        )
    return found


def _text_type(column: sa.Column[Any]) -> LiteralString:
    """Return the type of *column* as CREATE TABLE would write it."""
    from sqlalchemy.dialects import postgresql

    text: Any = column.type.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]  # its own
    return cast(LiteralString, text)


def _delete_by_key(conn: psycopg.Connection[Any], reach: Reach) -> dict[Name, str]:
    """Delete what is within reach; return the tables that refuse, with what they say.

    One statement, at whose end foreign keys are checked, so that circles go. Where a table is append-only,
    each table is tried alone, children first, and the refusing ones stay.
    """
    order = list(reversed(reach.conditions.items()))
    if not order:
        return {}
    parts = [
        sql.SQL("{} AS (DELETE FROM {} WHERE {})").format(
            sql.Identifier(f"part_{number}"), sql.Identifier(*table), condition
        )
        for number, (table, condition) in enumerate(order)
    ]
    try:
        with conn.transaction():
            conn.execute(sql.SQL("WITH {} SELECT 1").format(sql.SQL(", ").join(parts)))
    except psycopg.errors.InsufficientPrivilege:
        refusing: dict[Name, str] = {}
        for table, condition in order:
            try:
                with conn.transaction():
                    conn.execute(sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(*table), condition))
            except psycopg.errors.InsufficientPrivilege as error:
                refusing[table] = str(error.diag.message_primary)
        return refusing
    return {}
