"""Which rows of an instance are not as they were loaded, whoever changed them and in whatever database.

A tester who pressed a button wants to know what the application did. In a database of ours the journal knows;
in a colleague's shared database nothing may be installed, but an instance can be planned again, row for row,
from what the database remembers of it, and compared with what is there now. Both give the same answer, for
this instance alone, with the handles of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg import sql

from scenarios.domain import PERSONAL
from scenarios.errors import JournalError
from scenarios.journal import Change
from scenarios.library.closure.extract import extract
from scenarios.library.closure.reach import Name, Reach, name_of
from scenarios.library.instances.alike import is_as_planned
from scenarios.library.instances.became import BECAME, plain
from scenarios.library.instances.locking import one_moment
from scenarios.library.instances.ownership import extent_of
from scenarios.library.instances.start import name_of_start
from scenarios.library.planning.columns import key_columns, specs
from scenarios.library.planning.plan import Serial

if TYPE_CHECKING:
    import psycopg

    from scenarios.library.instances.instance import Instance
    from scenarios.library.planning.rows import Row

HIDDEN = "•••"
"""What is shown in place of a secret."""
_OPS = ("inserted", "updated", "deleted")


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that is not as it was loaded.

    Attributes:
        change: the row before and after; secrets are masked.
        handle: its handle, None for a row that the scenario did not have.
    """

    change: Change
    handle: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values."""
        change = self.change
        return {
            "table": change.table,
            "op": change.op,
            "handle": self.handle,
            "key": dict(change.key),
            "columns": {name: {"old": old, "new": new} for name, (old, new) in change.columns.items()},
        }


@dataclass(frozen=True, slots=True)
class InstanceChanges:
    """What changed in an instance since it was loaded; true when anything did.

    Attributes:
        rows: the changed rows, by table, then operation.
        how: ``"journal"`` where the database recorded it, ``"comparison"`` where it was found by comparing.
        notes: what rows cannot show, as sentences.
    """

    rows: tuple[ChangedRow, ...]
    how: Literal["journal", "comparison"]
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        # What the journal notes did happen; what a comparison notes it could not see.
        return bool(self.rows or (self.notes and self.how == "journal"))

    def __iter__(self) -> Iterator[ChangedRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        """A line for each changed row, with its handle; what rows cannot show follows."""
        lines = [f"{row.change}{f'  [{row.handle}]' if row.handle else ''}" for row in self.rows]
        return "\n".join([*lines, *self.notes]) or "nothing has changed"

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Rows by table and operation, tables without changes left out."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows:
            found.setdefault(row.change.table, dict.fromkeys(_OPS, 0))[row.change.op] += 1
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "how": self.how,
            "total": len(self.rows),
            "counts": self.counts,
            "notes": list(self.notes),
            "rows": [row.as_dict() for row in self.rows],
        }


def changed(instance: Instance, *, connection: Any = None) -> InstanceChanges:
    """Return which rows of *instance* are not as they were loaded.

    Where `remember_start` was called at its loading, the journal is asked.

    Raises:
        FreezeError: a table is not as this version of the system has it.
    """
    known = _known(instance)
    with one_moment(instance.db, instance.name, connection) as conn:
        if instance.db.owned:
            found = _from_journal(conn, instance, known)
            if found is not None:
                return found
        return _compared(conn, instance, known)


def _known(instance: Instance) -> dict[tuple[str, tuple[str, ...]], Row]:
    """Return the planned rows by table and key; not those that instances share, nor any without a key."""
    shared = instance.definition.domain.reference
    return {
        (row.table.fullname, _key(row.values[column] for column in key_columns(row.table))): row
        for row in instance.plan.rows
        if row.table.fullname not in shared and key_columns(row.table)
    }


def _key(values: Any) -> tuple[str, ...]:
    return tuple(map(str, values))


def _label(name: Name) -> str:
    return f"{name[0]}.{name[1]}"


def _bookkeeping(instance: Instance) -> set[str]:
    sections = instance.definition.sections
    found = {handles.table for handles in sections.handles}
    if sections.scoped and sections.domain.scope is not None:
        found.add(sections.domain.scope.table)
    return found


def _from_journal(
    conn: psycopg.Connection[Any], instance: Instance, known: Mapping[tuple[str, tuple[str, ...]], Row]
) -> InstanceChanges | None:
    try:
        changes = instance.db.changes(name_of_start(instance.name))
    except JournalError:
        return None
    tables = {
        _label(name_of(table)): table
        for table in instance.definition.domain.metadata.tables.values()
        if table.fullname not in _bookkeeping(instance)
    }
    conditions = _reach(conn, instance).conditions
    within: dict[str, set[tuple[str, ...]]] = {}
    rows: list[ChangedRow] = []
    for change in changes:
        table = tables.get(change.table)
        if table is None:
            continue
        columns = key_columns(table)
        key = _key(change.key.get(column) for column in columns)
        row = known.get((table.fullname, key))
        if row is None:
            if change.table not in within:
                within[change.table] = _keys_within(conn, conditions, name_of(table), columns)
            if key not in within[change.table]:
                continue
        rows.append(ChangedRow(_masked(change, table), row.handle if row is not None else None))
    return InstanceChanges(tuple(rows), "journal", changes.notes)


def _reach(conn: psycopg.Connection[Any], instance: Instance) -> Reach:
    """Return all that hangs on the instance: whosever it is, it has come there since the load."""
    reach = extent_of(conn, instance).reach
    reach.take_others()
    return reach


def _keys_within(
    conn: psycopg.Connection[Any],
    conditions: Mapping[Name, sql.Composable],
    name: Name,
    columns: list[str],
) -> set[tuple[str, ...]]:
    condition = conditions.get(name)
    if condition is None:
        return set()
    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(*name), condition
    )
    return {_key(row) for row in conn.execute(query).fetchall()}


def _compared(
    conn: psycopg.Connection[Any], instance: Instance, known: Mapping[tuple[str, tuple[str, ...]], Row]
) -> InstanceChanges:
    sections = instance.definition.sections
    reach = _reach(conn, instance)
    became = instance.template.get(BECAME, {})
    extraction = extract(conn, sections, reach, without=_bookkeeping(instance))
    rows: list[ChangedRow] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    unkeyed = {row.table.fullname for row in instance.plan.rows if not key_columns(row.table)}
    extraction.notes += [f"rows of {name} are not compared: the table has no key" for name in sorted(unkeyed)]
    for found in extraction.rows:
        if not found.key:
            continue
        identity = (found.table.fullname, _key(found.key))
        seen.add(identity)
        row = known.get(identity)
        label = _label(name_of(found.table))
        key = {column: found.values[column] for column in key_columns(found.table)}
        if row is None:
            rows.append(
                ChangedRow(_masked(Change(label, "inserted", key, None, found.values), found.table), None)
            )
            continue
        old = dict(found.values)
        for name in specs(found.table):
            if name in row.values and not _counted(row, name):
                value = found.values.get(name)
                if name in became.get(row.handle, {}):
                    if plain(value) != became[row.handle][name]:
                        old[name] = became[row.handle][name]
                elif not is_as_planned(conn, row, name, value):
                    old[name] = row.values[name]
        if any(old[name] is not found.values[name] for name in old):
            change = Change(label, "updated", key, old, found.values)
            rows.append(ChangedRow(_masked(change, found.table), row.handle))
    for identity, row in known.items():
        if identity not in seen:
            key = {column: row.values[column] for column in key_columns(row.table)}
            change = Change(_label(name_of(row.table)), "deleted", key, dict(row.values), None)
            rows.append(ChangedRow(_masked(change, row.table), row.handle))
    rows.sort(key=lambda each: (each.change.table, _OPS.index(each.change.op)))
    return InstanceChanges(tuple(rows), "comparison", tuple(extraction.notes))


def _counted(row: Row, name: str) -> bool:
    """Return whether the database, not the scenario, decides the value (a counter kept by a trigger)."""
    if isinstance(row.values[name], Serial):
        return True
    return name in row.section.hidden and name not in row.section.defaults


def _masked(change: Change, table: Any) -> Change:
    secrets = [column.name for column in table.columns if column.info.get(PERSONAL) == "secret"]
    if not secrets:
        return change

    def hide(row: Mapping[str, Any] | None, other: Mapping[str, Any] | None, mark: str) -> Any:
        if row is None:
            return None
        hidden = dict(row)
        for name in secrets:
            if hidden.get(name) is not None:
                same = other is None or other.get(name) == row[name]
                hidden[name] = HIDDEN if same else f"{HIDDEN} ({mark})"
        return hidden

    return Change(
        change.table,
        change.op,
        change.key,
        hide(change.old, change.new, "before"),
        hide(change.new, change.old, "after"),
    )
