"""Which rows were inserted, updated and deleted since a snapshot, whoever wrote them and however.

A failed test shows an exception, not what the code had done to the database by then. Everything needed to
say it is in the undo rows: what was there before and is gone, and what is there now and was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from psycopg import sql

from scenarios.errors import JournalError
from scenarios.exact import exact_cursor
from scenarios.journal.install import Connection, is_installed, plain_rows
from scenarios.journal.snapshots import Snapshot, find
from scenarios.journal.tables import label_of

if TYPE_CHECKING:
    from rich.table import Table as RichTable

Op = Literal["inserted", "updated", "deleted"]
OPS: tuple[Op, ...] = ("inserted", "updated", "deleted")
M = TypeVar("M")

_END = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is not what it was.

    Attributes:
        table: ``schema.table``; a row of a partition counts for the partitioned table.
        op: what became of it. A changed key is a deleted and an inserted row.
        key: its key columns; all columns where the table has no key.
        old: its columns before, None for an inserted row. Generated columns are left out.
        new: its columns now, None for a deleted row.
        differing: names of an updated row's columns whose values PostgreSQL tells apart; None: by Python.
    """

    table: str
    op: Op
    key: Mapping[str, Any]
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    differing: frozenset[str] | None = field(default=None, compare=False, repr=False)

    @property
    def columns(self) -> dict[str, tuple[Any, Any]]:
        """The columns that differ, each with its old and new value; for an inserted or deleted row, all."""
        old, new = self.old or {}, self.new or {}
        return {
            name: (old.get(name), new.get(name))
            for name in old or new
            if self.op != "updated" or self._differs(name, old.get(name), new.get(name))
        }

    def _differs(self, name: str, old: Any, new: Any) -> bool:
        # Python takes true and 1 for equal, 1.0 and 1.00, 0.0 and -0.0, and NaN not for itself.
        if self.differing is not None:
            return name in self.differing
        return type(old) is not type(new) or (old != new and not (old != old and new != new))

    def __str__(self) -> str:
        key = ", ".join(f"{name}={_shown(value)}" for name, value in self.key.items())
        if self.op == "updated":
            what = ", ".join(f"{n}: {_shown(a)} -> {_shown(b)}" for n, (a, b) in self.columns.items())
        else:
            row = self.new if self.op == "inserted" else self.old
            what = ", ".join(f"{n}={_shown(v)}" for n, v in (row or {}).items() if n not in self.key)
        return f"{self.op} {self.table}({key}){' ' + what if what else ''}"


def _shown(value: Any, width: int = 60) -> str:
    text = repr(value) if isinstance(value, (str, bytes, int, float, bool, type(None))) else str(value)
    return text if len(text) <= width else text[: width - 1] + "…"


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a database since a snapshot; true when anything did.

    Attributes:
        rows: every changed row, by table, then operation.
        since: the snapshot.
        notes: what rows cannot show, such as DDL; the rows of an altered table are missing then.
    """

    rows: Sequence[Change]
    since: Snapshot
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.notes)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.rows)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Rows by table and operation; tables without changes are missing."""
        counts: dict[str, dict[str, int]] = {}
        for row in self.rows:
            table = counts.setdefault(row.table, dict.fromkeys(OPS, 0))
            table[row.op] += 1
        return counts

    def of(self, what: Any, op: Op | None = None) -> list[Change]:
        """The changes of one table.

        Args:
            what: a mapped class, a SQLAlchemy table, ``"table"`` or ``"schema.table"``.
            op: only these.
        """
        matches = matcher(what)
        return [row for row in self.rows if matches(row.table) and op in (None, row.op)]

    def inserted(self, model: type[M]) -> list[M]:
        """The inserted rows as detached objects of the mapped class *model*."""
        return _as_objects(model, [change.new for change in self.of(model, "inserted")])

    def updated(self, model: type[M]) -> list[M]:
        """The updated rows, as they are now, as detached objects of the mapped class *model*."""
        return _as_objects(model, [change.new for change in self.of(model, "updated")])

    def deleted(self, model: type[M]) -> list[M]:
        """The deleted rows, as they were, as detached objects of the mapped class *model*."""
        return _as_objects(model, [change.old for change in self.of(model, "deleted")])

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values: tables, operations, rows with key, old and new columns."""
        return {
            "since": {"number": self.since.number, "name": self.since.name},
            "counts": self.counts,
            "notes": list(self.notes),
            "rows": [
                {
                    "table": row.table,
                    "op": row.op,
                    "key": dict(row.key),
                    "old": None if row.old is None else dict(row.old),
                    "new": None if row.new is None else dict(row.new),
                }
                for row in self.rows
            ],
        }

    def table(self, limit: int = 50) -> RichTable:
        """A table a person can read, of at most *limit* rows."""
        from rich.table import Table as RichTable
        from rich.text import Text

        shown = RichTable(title=self.summary(), title_justify="left", expand=False)
        for heading in ("table", "change", "key", "columns"):
            shown.add_column(heading, overflow="fold")
        colours = {"inserted": "green", "updated": "yellow", "deleted": "red"}
        for row in self.rows[:limit]:
            if row.op == "updated":
                what = "\n".join(f"{n}: {_shown(a)} → {_shown(b)}" for n, (a, b) in row.columns.items())
            else:
                columns = (row.new if row.op == "inserted" else row.old) or {}
                what = "\n".join(f"{n}: {_shown(v)}" for n, v in columns.items() if n not in row.key)
            key = ", ".join(f"{n}={_shown(v)}" for n, v in row.key.items())
            shown.add_row(
                Text(row.table), Text(row.op, colours[row.op]), Text(key), Text(what), end_section=False
            )
        if len(self.rows) > limit:
            shown.caption = f"and {len(self.rows) - limit} more"
        return shown

    def summary(self) -> str:
        """One line: counts by table."""
        if not self.rows:
            return "; ".join(self.notes) or "no changes"
        parts = [
            f"{table}: " + ", ".join(f"{count} {op}" for op, count in counts.items() if count)
            for table, counts in self.counts.items()
        ]
        return "; ".join([*parts, *self.notes])

    def __str__(self) -> str:
        return "\n".join([*(str(row) for row in self.rows), *self.notes]) or "no changes"


@plain_rows
def changes(conn: Connection, since: Snapshot | str | int) -> Changes:
    """Return what changed since the snapshot *since*: committed rows only, net of what cancelled.

    Raises:
        JournalError: there is no such snapshot.
    """
    return _read(conn, find_live(conn, since), None)


@plain_rows
def changes_between(conn: Connection, one: Snapshot | str | int, other: Snapshot | str | int) -> Changes:
    """Return what changed from snapshot *one* to the later snapshot *other* of the same database.

    Raises:
        JournalError: there is no such snapshot, or they are in the wrong order.
    """
    first, second = find_live(conn, one), find_live(conn, other)
    if first.number > second.number:
        raise JournalError(f"snapshot {first} is later than {second}", hint="name the earlier one first")
    return _read(conn, first, second)


def find_live(conn: Connection, wanted: Snapshot | str | int) -> Snapshot:
    """Like `find`, but sure that the database still has the snapshot."""
    if isinstance(wanted, Snapshot):
        return find(conn, wanted.number)
    return find(conn, wanted)


def _read(conn: Connection, since: Snapshot, until: Snapshot | None) -> Changes:
    if not is_installed(conn):
        raise JournalError("the database has no journal", where=f"database {conn.info.dbname!r}")
    with conn.transaction():
        # Rows are told apart by their text; no session setting may make two of them look alike.
        conn.execute(
            b"SET LOCAL extra_float_digits = 1; SET LOCAL \"DateStyle\" = 'ISO';"
            b"SET LOCAL \"IntervalStyle\" = 'postgres'; SET LOCAL jit = off"
        )
        row = conn.execute(
            "SELECT s.mark,"
            " coalesce((SELECT u.base FROM scenarios_journal.snapshots u WHERE u.number = %s), %s),"
            " scenarios_journal.dead_since(s.number)::text, scenarios_journal.beyond(s.number)"
            " FROM scenarios_journal.snapshots s WHERE s.number = %s",
            [until.number if until else None, _END, since.number],
        ).fetchone()
        if row is None:
            raise JournalError(f"there is no snapshot {since}", where=f"database {conn.info.dbname!r}")
        mark, end, dead, beyond = row
        tables = conn.execute(
            "SELECT t.id, t.label, t.columns, t.key FROM scenarios_journal.tracked t WHERE t.id IN ("
            "SELECT k.tracked FROM scenarios_journal.touched k WHERE k.n >= %s) ORDER BY t.label",
            [mark],
        ).fetchall()
        rows: list[Change] = []
        for number, label, columns, key in tables:
            rows += _table_changes(conn, number, label, columns, key, (mark, end, dead))
    return Changes(rows, since, (beyond,) if beyond and until is None else ())


def _table_changes(
    conn: Connection,
    number: int,
    label: str,
    columns: list[str],
    key: list[int],
    window: tuple[int, int, str],
) -> list[Change]:
    identity = (
        sql.SQL("ROW({})::text").format(sql.SQL(", ").join(sql.Identifier(f"c{place}") for place in key))
        if key
        else sql.SQL("NULL::text")
    )
    # Each value twice: for Python, and as the text by which the journal itself tells values apart.
    own_names = [sql.Identifier(f"c{place}") for place in range(1, len(columns) + 1)]
    query = sql.SQL(
        "SELECT op, {}, ARRAY[{}]::text[]{} FROM {}(%s, %s, %s::int8multirange) ORDER BY 2, content"
    ).format(
        identity,
        sql.SQL(", ").join(sql.SQL("{}::text").format(name) for name in own_names),
        sql.Composed([sql.SQL(", {}").format(name) for name in own_names]),
        sql.Identifier("scenarios_journal", f"n_{number}"),
    )
    with exact_cursor(conn) as cursor:
        found = cursor.execute(query, window).fetchall()
    key_names = [columns[place - 1] for place in key]
    before: dict[str, tuple[dict[str, Any], list[str | None]]] = {}
    changed: dict[Op, list[Change]] = {op: [] for op in OPS}

    def add(
        op: Op,
        old: dict[str, Any] | None,
        new: dict[str, Any] | None,
        differing: frozenset[str] | None = None,
    ) -> None:
        row = new if new is not None else old or {}
        identity = {name: row[name] for name in key_names} if key else row
        changed[op].append(Change(label, op, identity, old, new, differing))

    for op, identified, texts, *values in found:
        if op > 0 and identified is not None:
            before[identified] = dict(zip(columns, values, strict=True)), texts
    for op, identified, texts, *values in found:
        row = dict(zip(columns, values, strict=True))
        if op > 0:
            if identified is None:
                add("deleted", row, None)
        elif identified in before:
            old, was = before.pop(identified)
            pairs = zip(columns, was, texts, strict=True)
            add("updated", old, row, frozenset(name for name, one, other in pairs if one != other))
        else:
            add("inserted", None, row)
    for old, _ in before.values():
        add("deleted", old, None)
    return [change for op in OPS for change in changed[op]]


def matcher(what: Any) -> Callable[[str], bool]:
    """Return a test for the label of the table *what*, a mapped class, SQLAlchemy table, or name.

    Raises:
        JournalError: it is none of these.
    """
    if isinstance(what, str):
        return (lambda label: label == what) if "." in what else _in_any_schema(what)
    table = getattr(what, "__table__", what)
    name, schema = getattr(table, "name", None), getattr(table, "schema", None)
    if not isinstance(name, str):
        raise JournalError(
            f"cannot tell which table {what!r} is",
            hint="give a mapped class, a SQLAlchemy table, 'table' or 'schema.table'",
        )
    return matcher(label_of(schema, name)) if schema else _in_any_schema(name)


def _in_any_schema(name: str) -> Callable[[str], bool]:
    return lambda label: label.endswith((f".{name}", f'."{name}"'))


_NUMBERS = {Decimal: 1700, float: 701, int: 20}
"""PostgreSQL's types of what numbers were read as, which SQLAlchemy's processors ask for."""


def _as_objects(model: type[M], rows: Sequence[Mapping[str, Any] | None]) -> list[M]:
    """Return *rows* as objects of *model*, and of what inherits from it where the rows say so."""
    from sqlalchemy import inspect

    mapper = inspect(model)
    kind = mapper.polymorphic_on
    made = []
    for row in rows:
        values = row or {}
        own = mapper
        if getattr(kind, "name", None) in values:
            own = mapper.polymorphic_map.get(_as_loaded(kind, values[kind.name]), mapper)
        if issubclass(own.class_, model):
            made.append(_as_object(own, values))
    return made


def _as_loaded(column: Any, value: Any) -> Any:
    from sqlalchemy.dialects import registry

    dialect = registry.load("postgresql.psycopg")()
    process = column.type.dialect_impl(dialect).result_processor(dialect, _NUMBERS.get(type(value)))
    return process(value) if process else value


def _as_object(mapper: Any, row: Mapping[str, Any]) -> Any:
    from sqlalchemy.orm import make_transient_to_detached
    from sqlalchemy.orm.attributes import set_committed_value

    made = mapper.class_manager.new_instance()
    for attribute in mapper.column_attrs:
        for column in attribute.columns:
            if getattr(column, "name", None) in row:
                set_committed_value(made, attribute.key, _as_loaded(column, row[column.name]))
                break
    make_transient_to_detached(made)
    return made
