"""From objects to rows: keys first, then values.

Every key is known before the first row is written, because foreign keys repeat it. UUIDs are made here;
numbers are reserved from the column's own sequence, many with one query, so that the database's next insert
continues behind them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, repeat
from typing import Any
from uuid import uuid4

from psycopg import sql
from sqlalchemy import Table
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.schema import Column

from scenarios.errors import GraphError
from scenarios.graph import encoding
from scenarios.graph.defaults import (
    Default,
    RowContext,
    binds_in_sql,
    python_default,
    sql_default,
    text_of,
)
from scenarios.graph.graph import Collected, GeneratedBlock, Graph, Node, Source
from scenarios.graph.lazy import JoinedRows
from scenarios.graph.mapped import Field, Fields, columns_named, is_integer, is_uuid
from scenarios.graph.steps import Query, Rows, schema_text, table_name


@dataclass(slots=True)
class Batch:
    """Rows of one table that have values for the same columns."""

    table: Table
    columns: tuple[Column[Any], ...]
    rows: Iterable[Sequence[Any]]
    nodes: Sequence[Node] | None = None
    handles: Sequence[str | None] | None = None
    source: Source | None = None
    starts: list[int] = field(default_factory=list)
    """Where stretches begin that were joined into this batch; with `sources`."""
    sources: list[Source | None] = field(default_factory=list)
    encoders: tuple[encoding.Encoder, ...] = field(init=False)
    count: int = 0
    computed: tuple[tuple[Column[Any], str], ...] = ()
    """Columns that the database fills with what the model says: the column, and its SQL text."""

    def __post_init__(self) -> None:
        self.encoders = tuple(encoding.encoder(column) for column in self.columns)

    @property
    def needs_statement(self) -> bool:
        """Whether a COPY cannot write it: values go through SQL on their way in."""
        return bool(self.computed) or any(binds_in_sql(column.type) for column in self.columns)

    @property
    def listed(self) -> Sequence[Sequence[Any]] | None:
        """The rows, if they are kept."""
        return self.rows if isinstance(self.rows, Sequence) else None

    def keep(self) -> Sequence[Sequence[Any]]:
        """Return the rows as a list, kept from now on."""
        kept = self.rows if isinstance(self.rows, (list, tuple)) else list(self.rows)
        self.rows = kept
        return kept

    def handle(self, index: int) -> str | None:
        """Return the handle of the row at *index*."""
        if self.nodes is not None:
            return self.nodes[index].handle
        return self.handles[index] if self.handles is not None and index < len(self.handles) else None

    def place(self, index: int) -> Source | None:
        """Return file and line of the row at *index*."""
        if self.nodes is not None:
            return self.nodes[index].source
        return self.sources[bisect_right(self.starts, index) - 1] if self.starts else self.source

    def part(self, indexes: Sequence[int]) -> Batch:
        """Return a batch of some of its rows."""
        rows = self.keep()
        return Batch(
            self.table,
            self.columns,
            [rows[index] for index in indexes],
            [self.nodes[index] for index in indexes] if self.nodes is not None else None,
            [self.handle(index) for index in indexes] if self.handles is not None else None,
            self.source,
            list(range(len(indexes))) if self.starts else [],
            [self.place(index) for index in indexes] if self.starts else [],
            computed=self.computed,
        )

    @classmethod
    def of_stretches(
        cls,
        table: Table,
        columns: tuple[Column[Any], ...],
        stretches: Sequence[tuple[GeneratedBlock, Sequence[Any]]],
        computed: tuple[tuple[Column[Any], str], ...] = (),
    ) -> Batch:
        """Return the rows of several stretches as one batch: one COPY for all costs less than one each."""
        first, rows = stretches[0]
        if len(stretches) == 1:
            return cls(table, columns, rows, None, first.handles, first.source, computed=computed)
        parts = [rows for _, rows in stretches]
        handles: list[str | None] | None = None
        if any(stretch.handles is not None for stretch, _ in stretches):
            handles = [
                handle for stretch, rows in stretches for handle in stretch.handles or repeat(None, len(rows))
            ]
        starts = list(accumulate(map(len, parts), initial=0))[:-1]
        sources = [stretch.source for stretch, _ in stretches]
        return cls(
            table,
            columns,
            JoinedRows(parts),
            None,
            handles,
            first.source,
            starts,
            sources,
            computed=computed,
        )

    def counted(self) -> Iterator[Sequence[Any]]:
        """Yield the rows and count them."""
        self.count = 0
        for row in self.rows:
            self.count += 1
            yield row


def batches(graph: Graph, collected: Collected) -> Generator[Query, Rows, list[Batch]]:
    """Yield the queries that reserve keys, and return the rows of *graph* in batches.

    Raises:
        GraphError: a key cannot be found, or a value is an SQL expression.
    """
    yield from _assign_keys(graph, collected)
    found: dict[tuple[int, int], Batch] = {}
    for node in collected.nodes:
        if not node.stored:
            for table, fields in node.plan.tables:
                _add_row(found, node, table, fields)
    result = list(found.values())
    result += _link_rows(collected)
    together: dict[Any, list[tuple[GeneratedBlock, Any, _Filled]]] = {}
    for stretch in graph.stretches:
        columns = columns_named(stretch.table, stretch.columns)
        rows, filled = _with_defaults(stretch.table, columns, stretch.rows)
        # One that can be read once only stays alone, and so unread.
        kind = (stretch.table, stretch.columns) if isinstance(rows, Sequence) else id(stretch)
        together.setdefault(kind, []).append((stretch, rows, filled))
    for alike in together.values():
        stretch, _, filled = alike[0]
        parts = [(stretch, rows) for stretch, rows, _ in alike]
        result.append(Batch.of_stretches(stretch.table, filled.columns, parts, filled.computed))
    return result


def _link_rows(collected: Collected) -> list[Batch]:
    """Return the rows of the tables that only link others, in one batch for each."""
    found: dict[Any, tuple[Table, tuple[Column[Any], ...], list[Any], Source | None]] = {}
    for table, parts in collected.pairs:
        columns = tuple(column for column, _, _ in parts)
        kind = (table, tuple(column.name for column in columns))
        if kind not in found:
            found[kind] = (table, columns, [], parts[0][1].source)
        found[kind][2].append(tuple(_value(node, key) for _, node, key in parts))
    result = []
    for table, columns, rows, source in found.values():
        complete, filled = _with_defaults(table, columns, rows)
        result.append(Batch(table, filled.columns, complete, source=source, computed=filled.computed))
    return result


def _assign_keys(graph: Graph, collected: Collected) -> Generator[Query, Rows, None]:
    wanted: dict[Column[Any], list[tuple[Node, str]]] = {}
    unnamed: dict[Table, int] = {}
    for node in collected.nodes:
        held = node.state.dict
        for part in node.plan.key_fields:
            if part.key in node.parents or held.get(part.key) is not None:
                continue
            if node.stored:
                _existing_key(node)
                continue
            column = part.column
            if is_uuid(column) and (column.server_default is not None or _random(part)):
                if graph.seeded is None:
                    node.assign(part.key, uuid4())
                else:
                    name = node.handle
                    if name is None:
                        unnamed[column.table] = unnamed.get(column.table, 0) + 1
                        name = f"{column.table.name}#{unnamed[column.table]}"
                    node.assign(part.key, graph.seeded.at(name).uuid(column.name))
            elif part.default is not None:
                _made(node, part)
            else:
                wanted.setdefault(column, []).append((node, part.key))
    for node, key in collected.wanted:
        if _value(node, key) is not None:
            continue
        field = node.plan.by_key.get(key)
        if node.stored:
            node.assign(key, _loaded(node, key))
        elif field is not None and field.omit_none:
            waiting = wanted.setdefault(field.column, [])
            if (node, key) not in waiting[-1:]:
                waiting.append((node, key))
    for column, takers in wanted.items():
        rows = yield Query(_reserve(column, len(takers), takers[0][0]))
        if len(rows) != len(takers) or rows[0][0] is None:
            raise GraphError(
                f"no key for {takers[0][0].label}",
                where=f"column {column.table.fullname}.{column.name}",
                why="it has no value, no default and no sequence",
                hint=f"set {takers[0][1]!r} when the object is made",
            )
        for (node, key), row in zip(takers, rows, strict=True):
            node.assign(key, row[0])


def _random(part: Field) -> bool:
    default = part.column.default
    function = getattr(default, "arg", None)
    # SQLAlchemy wraps a function without parameters; the wrapped one keeps its name.
    return callable(function) and getattr(function, "__name__", "") in {"uuid4", "uuid1", "uuid7"}


def _loaded(node: Node, key: str) -> Any:
    """Return an attribute of an object whose row is stored, which it may have to look up."""
    try:
        return getattr(node.obj, key)
    except DetachedInstanceError as error:
        raise GraphError(
            f"{node.label} is stored, but its {key!r} is not known",
            why="a row refers to it, and the object is in no session that could load it",
            hint="load it with that column, or keep it in its session",
        ) from error


def _existing_key(node: Node) -> None:
    # A session's identity is as good as the attribute, which may be expired.
    if node.state.identity is None:
        raise GraphError(
            f"{node.label} is said to exist but has no key",
            where=f"{node.source[0]}:{node.source[1]}" if node.source else None,
            hint="load it through a session, or set its primary key",
        )
    for part, value in zip(node.plan.key_fields, node.state.identity, strict=True):
        node.assign(part.key, value)


def _reserve(column: Column[Any], count: int, node: Node) -> str:
    computed = sql_default(column)
    if computed is not None:
        source: sql.Composable = schema_text(computed)
    elif (expression := getattr(column.server_default, "arg", None)) is not None:
        # Evaluated once for each row that needs it. A plain string is a literal.
        source = sql.Literal(expression) if isinstance(expression, str) else schema_text(text_of(expression))
    elif is_integer(column):
        source = sql.SQL("nextval(pg_get_serial_sequence({}, {}))").format(
            sql.Literal(table_name(column.table).as_string(None)), sql.Literal(column.name)
        )
    else:
        raise GraphError(
            f"no key for {node.label}",
            where=f"column {column.table.fullname}.{column.name}",
            why="it has no value and no default",
            hint="set it when the object is made",
        )
    return sql.SQL("SELECT {} FROM generate_series(1, {})").format(source, sql.Literal(count)).as_string(None)


def _value(node: Node, key: str) -> Any:
    parent = node.parents.get(key)
    if parent is not None:
        value = _value(*parent)
        if node.state.dict.get(key) is not value:
            node.assign(key, value)
        return value
    if key in node.assigned:
        return node.assigned[key]
    value = node.state.dict.get(key)
    if value is None and not node.stored:
        part = node.plan.by_key.get(key)
        if part is not None and part.default is not None:
            return _made(node, part)
    return value


def _made(node: Node, part: Field) -> Any:
    """Return what *part*'s default comes to for a row that has no value, and let the object have it."""
    assert part.default is not None, "only a field with a default is made"
    value = part.default(RowContext(partial(_parameters, node, part), part.column))
    if part.assigned is not None:
        node.assign(part.assigned, value)
    return value


def _parameters(node: Node, part: Field) -> dict[str, Any]:
    """Return the row's values as far as they are known, by column key, as a session would bind them."""
    held = node.state.dict
    found: dict[str, Any] = {}
    for _, fields in node.plan.tables:
        if any(each is part for each in fields):
            for each in fields:
                if each.key in node.parents:
                    value = _value(node, each.key)
                else:
                    value = node.assigned.get(each.assigned or each.key, held.get(each.key))
                if value is not None or not (each.omit_none or each.default is not None):
                    found[each.column.key] = value
    return found


def _add_row(found: dict[tuple[int, int], Batch], node: Node, table: Table, fields: Fields) -> None:
    held, parents = node.state.dict, node.parents
    row: list[Any] = []
    mask = 0
    bit = 1
    for part in fields:
        key = part.key
        # What the writer assigned is what the object lacked, except for what a parent decides.
        value = _value(node, key) if parents and key in parents else held.get(key)
        if value is None:
            if node.assigned:
                value = node.assigned.get(key)
            if value is None and part.default is not None:
                value = _made(node, part)
        # As the unit of work does: None leaves a column with a default in SQL to the database.
        if value is not None or not part.omit_none:
            row.append(value)
            mask |= bit
        bit <<= 1
    # Of two classes on one table the same place can be another column.
    batch = found.get((id(fields), mask))
    if batch is None:
        columns = tuple(part.column for place, part in enumerate(fields) if mask >> place & 1)
        computed = tuple(
            (part.column, part.computed)
            for place, part in enumerate(fields)
            if part.computed is not None and not mask >> place & 1
        )
        batch = found[id(fields), mask] = Batch(table, columns, [], [], computed=computed)
    batch.rows.append(row)  # type: ignore[attr-defined]  # made as a list above
    batch.nodes.append(node)  # type: ignore[union-attr]  # made as a list above


@dataclass(frozen=True, slots=True)
class _Filled:
    """The columns of rows with defaults filled in: those that have values, and those SQL fills."""

    columns: tuple[Column[Any], ...]
    computed: tuple[tuple[Column[Any], str], ...] = ()


def _with_defaults(
    table: Table, columns: tuple[Column[Any], ...], rows: Iterable[Sequence[Any]]
) -> tuple[Iterable[Sequence[Any]], _Filled]:
    """Fill columns that only the model has a default for; the database does not know it."""
    extra: list[tuple[Column[Any], Default]] = []
    computed: list[tuple[Column[Any], str]] = []
    # By name: comparing columns with == builds an SQL expression each time, which cost more than the COPY.
    given = {column.name for column in columns}
    for column in table.columns:
        if column.name in given or column.computed is not None or column.default is None:
            continue
        default = python_default(column)
        if default is not None:
            extra.append((column, default))
        elif (text := sql_default(column)) is not None:
            computed.append((column, text))
    filled = _Filled((*columns, *(column for column, _ in extra)), tuple(computed))
    if not extra:
        return rows, filled
    keys = [column.key for column in columns]
    complete: Iterable[Sequence[Any]] = (_complete(keys, row, extra) for row in rows)
    if isinstance(rows, Sequence):
        complete = list(complete)
    return complete, filled


def _complete(
    keys: Sequence[str], row: Sequence[Any], extra: Sequence[tuple[Column[Any], Default]]
) -> Sequence[Any]:
    made: dict[str, Any] = {}
    for column, default in extra:
        context = RowContext(lambda: {**dict(zip(keys, row, strict=True)), **made}, column)
        made[column.key] = default(context)
    return (*row, *made.values())
