"""From objects to rows: keys first, then values.

Every key is known before the first row is written, because foreign keys repeat it. UUIDs are made here;
numbers are reserved from the column's own sequence, many with one query, so that the database's next insert
continues behind them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import Any
from uuid import uuid4

from psycopg import sql
from sqlalchemy import Sequence as SqlSequence
from sqlalchemy import Table
from sqlalchemy.schema import Column

from scenarios.errors import GraphError
from scenarios.graph import encoding
from scenarios.graph.graph import Collected, Graph, Node, Source, Stretch
from scenarios.graph.lazy import JoinedRows
from scenarios.graph.mapped import Field, field_of, is_integer, is_uuid
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

    def __post_init__(self) -> None:
        self.encoders = tuple(encoding.encoder(column) for column in self.columns)

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
        )

    @classmethod
    def of_stretches(
        cls,
        table: Table,
        columns: tuple[Column[Any], ...],
        stretches: Sequence[tuple[Stretch, Sequence[Any]]],
    ) -> Batch:
        """Return the rows of several stretches as one batch: one COPY for all costs less than one each."""
        first, rows = stretches[0]
        if len(stretches) == 1:
            return cls(table, columns, rows, None, first.handles, first.source)
        parts = [rows for _, rows in stretches]
        handles: list[str | None] | None = None
        if any(stretch.handles is not None for stretch, _ in stretches):
            handles = [
                handle for stretch, rows in stretches for handle in stretch.handles or repeat(None, len(rows))
            ]
        starts = list(accumulate(map(len, parts), initial=0))[:-1]
        sources = [stretch.source for stretch, _ in stretches]
        return cls(table, columns, JoinedRows(parts), None, handles, first.source, starts, sources)

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
    yield from _assign_keys(graph, collected.nodes)
    found: dict[tuple[Table, int], Batch] = {}
    for node in collected.nodes:
        if not node.stored:
            for table, fields in node.plan.tables:
                _add_row(found, node, table, fields)
    result = list(found.values())
    for table, parts in collected.pairs:
        columns = tuple(table.columns[name] for name, _, _ in parts)
        row = tuple(_value(node, key) for _, node, key in parts)
        for batch in result:
            if batch.table is table and batch.nodes is None and isinstance(batch.rows, list):
                batch.rows.append(row)
                break
        else:
            result.append(Batch(table, columns, [row], source=parts[0][1].source))
    together: dict[Any, list[tuple[Stretch, Any, tuple[Column[Any], ...]]]] = {}
    for stretch in graph.stretches:
        columns = tuple(stretch.table.columns[name] for name in stretch.columns)
        rows, columns = _with_defaults(stretch.table, columns, stretch.rows)
        # One that can be read once only stays alone, and so unread.
        kind = (stretch.table, stretch.columns) if isinstance(rows, Sequence) else id(stretch)
        together.setdefault(kind, []).append((stretch, rows, columns))
    for alike in together.values():
        stretch, _, columns = alike[0]
        result.append(
            Batch.of_stretches(stretch.table, columns, [(stretch, rows) for stretch, rows, _ in alike])
        )
    return result


def _assign_keys(graph: Graph, nodes: Sequence[Node]) -> Generator[Query, Rows, None]:
    wanted: dict[Column[Any], list[tuple[Node, str]]] = {}
    unnamed: dict[Table, int] = {}
    for node in nodes:
        held = node.state.dict
        for part in node.plan.key_fields:
            if part.key in node.parents or held.get(part.key) is not None:
                continue
            if node.stored:
                _existing_key(node)
                continue
            column = part.column
            if is_uuid(column) and (column.server_default is not None or _random(part)):
                if graph.keyed is None:
                    node.assign(part.key, uuid4())
                else:
                    name = node.handle
                    if name is None:
                        unnamed[column.table] = unnamed.get(column.table, 0) + 1
                        name = f"{column.table.name}#{unnamed[column.table]}"
                    node.assign(part.key, graph.keyed.at(name).uuid(column.name))
            elif part.default is not None:
                node.assign(part.key, part.default())
            else:
                wanted.setdefault(column, []).append((node, part.key))
    for column, takers in wanted.items():
        rows = yield Query(_reserve(column, len(takers), takers[0][0]))
        if len(rows) != len(takers) or rows[0][0] is None:
            raise GraphError(
                f"no key for {takers[0][0].label}",
                where=f"column {column.table.fullname}.{column.name}",
                why="it has no value, no default and no sequence",
                remedy=f"set {takers[0][1]!r} when the object is made",
            )
        for (node, key), row in zip(takers, rows, strict=True):
            node.assign(key, row[0])


def _random(part: Field) -> bool:
    default = part.column.default
    function = getattr(default, "arg", None)
    # SQLAlchemy wraps a function without parameters; the wrapped one keeps its name.
    return callable(function) and getattr(function, "__name__", "") in {"uuid4", "uuid1", "uuid7"}


def _existing_key(node: Node) -> None:
    # A session's identity is as good as the attribute, which may be expired.
    if node.state.identity is None:
        raise GraphError(
            f"{node.label} is said to exist but has no key",
            where=f"{node.source[0]}:{node.source[1]}" if node.source else None,
            remedy="load it through a session, or set its primary key",
        )
    for part, value in zip(node.plan.key_fields, node.state.identity, strict=True):
        node.assign(part.key, value)


def _reserve(column: Column[Any], count: int, node: Node) -> str:
    default = column.default
    if isinstance(default, SqlSequence):
        name = f"{default.schema}.{default.name}" if default.schema else default.name
        source: sql.Composable = sql.SQL("nextval({}::regclass)").format(sql.Literal(name))
    elif is_integer(column):
        source = sql.SQL("nextval(pg_get_serial_sequence({}, {}))").format(
            sql.Literal(table_name(column.table).as_string(None)), sql.Literal(column.name)
        )
    elif column.server_default is not None:
        # The default as the catalogue has it; evaluated once for each row that needs it.
        expression = str(getattr(column.server_default, "arg", ""))
        source = schema_text(expression)
    else:
        raise GraphError(
            f"no key for {node.label}",
            where=f"column {column.table.fullname}.{column.name}",
            why="it has no value and no default",
            remedy="set it when the object is made",
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
    if value is None:
        for _, fields in node.plan.tables:
            for part in fields:
                if part.key == key and part.default is not None:
                    value = part.default()
                    node.assign(key, value)
                    return value
    return value


def _add_row(
    found: dict[tuple[Table, int], Batch], node: Node, table: Table, fields: tuple[Field, ...]
) -> None:
    held, parents = node.state.dict, node.parents
    row: list[Any] = []
    mask = 0
    bit = 1
    for part in fields:
        key = part.key
        if key in parents:
            value = _value(node, key)
        elif key in node.assigned:
            value = node.assigned[key]
        else:
            value = held.get(key)
            if value is None and part.default is not None:
                value = part.default()
                node.assign(key, value)
        if value is None and node.plan.version is not None and key == node.plan.version[0]:
            value = node.plan.version[1](None)
            node.assign(key, value)
        # As the unit of work does: None leaves a column with a server default to the database.
        if value is not None or not part.omit_none:
            row.append(value)
            mask |= bit
        bit <<= 1
    batch = found.get((table, mask))
    if batch is None:
        columns = tuple(part.column for place, part in enumerate(fields) if mask >> place & 1)
        batch = found[table, mask] = Batch(table, columns, [], [])
    batch.rows.append(row)  # type: ignore[attr-defined]  # made as a list above
    batch.nodes.append(node)  # type: ignore[union-attr]  # made as a list above


def _with_defaults(
    table: Table, columns: tuple[Column[Any], ...], rows: Iterable[Sequence[Any]]
) -> tuple[Iterable[Sequence[Any]], tuple[Column[Any], ...]]:
    """Fill columns that only Python has a default for; the database cannot."""
    extra: list[tuple[Column[Any], Callable[[], Any]]] = []
    # By name: comparing columns with == builds an SQL expression each time, which cost more than the COPY.
    given = {column.name for column in columns}
    for column in table.columns:
        if column.name in given or column.server_default is not None or column.computed is not None:
            continue
        default = field_of(column, column.key).default
        if default is not None:
            extra.append((column, default))
    if not extra:
        return rows, columns
    makers = [maker for _, maker in extra]
    filled: Iterable[Sequence[Any]] = ((*row, *[make() for make in makers]) for row in rows)
    if isinstance(rows, Sequence):
        filled = list(filled)
    return filled, (*columns, *(column for column, _ in extra))
