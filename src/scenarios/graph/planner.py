"""The order of rows: parents first, circles together.

Tables are ordered by the foreign keys that rows really use; `MetaData.sorted_tables` orders by those that
exist and gives up on a cycle. Where tables do depend on each other (a scenario is created by a user who
belongs to the scenario; a category has a parent), the *rows* are ordered: those that depend on earlier rows
only are copied in waves, and rows that refer to each other in a circle are inserted by one statement, at
whose end PostgreSQL checks the foreign keys. Unlike the usual "insert NULL, then UPDATE" this also works
for columns that must not be null, and leaves alone what an update trigger would touch.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from typing import Any

from psycopg import sql
from sqlalchemy import ForeignKeyConstraint, Table
from sqlalchemy.schema import Column

from scenarios.graph import encoding
from scenarios.graph.defaults import binds_in_sql, bound_in_sql
from scenarios.graph.graph import Collected, Graph
from scenarios.graph.rows import Batch, batches
from scenarios.graph.steps import Query, Rows, schema_text, table_name
from scenarios.graph.writing_steps import CopyIn, InsertTogether, Step

RowId = tuple[int, int]
"""A batch's number and a row's place in it."""


def plan(graph: Graph, collected: Collected) -> Generator[Step, Rows, list[Batch]]:
    """Yield the steps that write *graph*; returns the batches written.

    Raises:
        GraphError: the objects cannot be turned into rows.
    """
    found = yield from batches(graph, collected)
    yield from steps(found)
    return found


def steps(found: Sequence[Batch]) -> Generator[Step, Rows, None]:
    """Yield the steps that write the batches, parents first."""
    tables = list(dict.fromkeys(batch.table for batch in found))
    by_table: dict[Table, list[Batch]] = {table: [] for table in tables}
    for batch in found:
        by_table[batch.table].append(batch)
    parents = {table: _parents(table, by_table) for table in tables}
    for group in components(tables, parents):
        members = [batch for table in group for batch in by_table[table]]
        if len(group) == 1 and (len(members) == 1 or group[0] not in parents[group[0]]):
            # One COPY may refer to its own rows: the check comes at its end.
            for batch in members:
                yield from _write(batch)
        else:
            yield from _by_rows(members)


def _write(batch: Batch) -> Generator[Step, Rows, None]:
    """Yield the step that writes *batch* alone; several, where it goes through SQL and is large."""
    if not batch.needs_statement:
        names = tuple(column.name for column in batch.columns)
        yield CopyIn(batch, batch.table.schema, batch.table.name, names)
        return
    types = yield from _types([batch.table])
    count = len(batch.keep())
    for start in range(0, count, _AT_ONCE):
        part = batch if count <= _AT_ONCE else batch.part(range(start, min(start + _AT_ONCE, count)))
        yield _together([part], types)


_AT_ONCE = 10_000
"""Rows that one INSERT takes: its argument is one text, in memory here and there."""


def _parents(table: Table, by_table: dict[Table, list[Batch]]) -> list[Table]:
    return [
        constraint.referred_table
        for constraint in foreign_keys(table)
        if constraint.referred_table in by_table
        and any(_uses(batch, constraint) for batch in by_table[table])
    ]


def foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    """Return the table's foreign keys in a stable order."""
    return sorted(
        table.foreign_key_constraints, key=lambda fk: ([c.name for c in fk.columns], fk.referred_table.name)
    )


def _uses(batch: Batch, constraint: ForeignKeyConstraint) -> bool:
    places = _places(batch, [column.name for column in constraint.columns])
    if places is None:
        return False
    rows = batch.listed
    if rows is None:
        return True
    return any(all(row[place] is not None for place in places) for row in rows)


def _places(batch: Batch, names: Sequence[str]) -> list[int] | None:
    places = {column.name: place for place, column in enumerate(batch.columns)}
    return [places[name] for name in names] if all(name in places for name in names) else None


def _by_rows(members: Sequence[Batch]) -> Generator[Step, Rows, None]:
    for batch in members:
        batch.keep()
    ids = [(number, place) for number, batch in enumerate(members) for place in range(len(batch.keep()))]
    parents = _row_parents(members)
    wave_of: dict[RowId, int] = {}
    waves: list[tuple[list[RowId], list[list[RowId]]]] = []
    for circle in components(ids, parents):
        wave = 1 + max(
            (wave_of[parent] for row in circle for parent in parents.get(row, ()) if parent in wave_of),
            default=-1,
        )
        for row in circle:
            wave_of[row] = wave
        while len(waves) <= wave:
            waves.append(([], []))
        if len(circle) == 1:
            waves[wave][0].append(circle[0])
        else:
            waves[wave][1].append(circle)
    for singles, circles in waves:
        for number, batch in enumerate(members):
            places = sorted(place for owner, place in singles if owner == number)
            if places:
                yield from _write(batch if len(places) == len(batch.keep()) else batch.part(places))
        if circles:
            types = yield from _types(list(dict.fromkeys(batch.table for batch in members)))
            together = sorted(row for circle in circles for row in circle)
            yield _together(
                [
                    batch.part(places)
                    for number, batch in enumerate(members)
                    if (places := [place for owner, place in together if owner == number])
                ],
                types,
            )


def _row_parents(members: Sequence[Batch]) -> dict[RowId, list[RowId]]:
    """Return, for each row, the rows among *members* it refers to."""
    parents: dict[RowId, list[RowId]] = {}
    indexes: dict[tuple[Table, tuple[str, ...]], dict[tuple[str, ...], RowId]] = {}
    for number, batch in enumerate(members):
        for constraint in foreign_keys(batch.table):
            own = _places(batch, [column.name for column in constraint.columns])
            if own is None or not any(constraint.referred_table is other.table for other in members):
                continue
            referred = tuple(element.column.name for element in constraint.elements)
            address = (constraint.referred_table, referred)
            if address not in indexes:
                indexes[address] = _index(members, *address)
            index = indexes[address]
            encoders = [batch.encoders[place] for place in own]
            for place, row in enumerate(batch.keep()):
                values = [row[column] for column in own]
                if all(value is not None for value in values):
                    key = tuple(encode(value) for encode, value in zip(encoders, values, strict=True))
                    if key in index:
                        parents.setdefault((number, place), []).append(index[key])
    return parents


def _index(members: Sequence[Batch], table: Table, names: Sequence[str]) -> dict[tuple[str, ...], RowId]:
    index: dict[tuple[str, ...], RowId] = {}
    for number, batch in enumerate(members):
        if batch.table is not table:
            continue
        places = _places(batch, names)
        if places is None:
            continue
        encoders = [batch.encoders[place] for place in places]
        for place, row in enumerate(batch.keep()):
            values = [row[column] for column in places]
            if all(value is not None for value in values):
                key = tuple(encode(value) for encode, value in zip(encoders, values, strict=True))
                index[key] = (number, place)
    return index


_Types = dict[tuple[Table, str], str]


def _types(tables: Sequence[Table]) -> Generator[Step, Rows, _Types]:
    """Yield the query for the types of the columns of *tables*, and return them as the database calls them.

    Without their lengths: a cast cuts off what a column would refuse. A model need not know them at all.
    """
    names = sql.SQL(", ").join(sql.Literal(table_name(table).as_string(None)) for table in tables)
    rows = yield Query(
        sql.SQL(
            "SELECT t.place, a.attname::text, format_type(a.atttypid, -1)"
            " FROM unnest(ARRAY[{}]::regclass[]) WITH ORDINALITY AS t (relation, place)"
            " JOIN pg_attribute AS a ON a.attrelid = t.relation WHERE a.attnum > 0 AND NOT a.attisdropped"
        )
        .format(names)
        .as_string(None)
    )
    return {(tables[place - 1], name): kind for place, name, kind in rows}


def _value_text(column: Column[Any], place: int, types: _Types) -> sql.Composable:
    """Return the SQL of a row's value for *column*, which is the text at *place* of a JSON array."""
    text = f"(item ->> {place})"
    if binds_in_sql(column.type):
        return schema_text(bound_in_sql(column.type, text))
    return schema_text(f"{text}::{types.get((column.table, column.name), 'text')}")


def _together(parts: Sequence[Batch], types: _Types) -> InsertTogether:
    """Return one statement that inserts all rows of *parts*."""
    inserts = []
    for number, batch in enumerate(parts):
        names = [column.name for column in (*batch.columns, *(column for column, _ in batch.computed))]
        values = [_value_text(column, place, types) for place, column in enumerate(batch.columns)]
        values += [schema_text(text) for _, text in batch.computed]
        inserts.append(
            sql.SQL(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE"
                " SELECT {} FROM jsonb_array_elements($1::text::jsonb -> {}) AS item"
            ).format(
                table_name(batch.table),
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join(values),
                sql.Literal(number),
            )
        )
        batch.count = len(batch.keep())
    if len(inserts) == 1:
        # By itself: a table with a rule for INSERT takes none inside WITH.
        text = inserts[0].as_string(None)
    else:
        named = [
            sql.SQL("{} AS ({})").format(sql.Identifier(f"part_{number}"), insert)
            for number, insert in enumerate(inserts)
        ]
        text = sql.SQL("WITH {} SELECT 1").format(sql.SQL(", ").join(named)).as_string(None)
    data = [
        [
            [
                None if value is None else _unescaped(encode(value))
                for encode, value in zip(batch.encoders, row, strict=True)
            ]
            for row in batch.keep()
        ]
        for batch in parts
    ]
    return InsertTogether(tuple(parts), text, json.dumps(data))


_UNESCAPE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "\\": "\\"}


def _unescaped(text: str) -> str | None:
    if text == encoding.NULL:
        return None
    if "\\" not in text:
        return text
    pieces = iter(text)
    return "".join(_UNESCAPE[next(pieces)] if char == "\\" else char for char in pieces)


def components(items: Iterable[Any], parents: Any) -> list[list[Any]]:
    """Return the strongly connected components of *items*, parents before children, in a stable order.

    Tarjan's algorithm (1972) without recursion, since a chain of a hundred thousand rows is legal.
    """
    number: dict[Any, int] = {}
    low: dict[Any, int] = {}
    stack: list[Any] = []
    on_stack: set[Any] = set()
    found: list[list[Any]] = []
    get = parents.get
    for root in items:
        if root in number:
            continue
        work = [(root, iter(get(root, ())))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            item, remaining = work[-1]
            for parent in remaining:
                if parent not in number:
                    number[parent] = low[parent] = len(number)
                    stack.append(parent)
                    on_stack.add(parent)
                    work.append((parent, iter(get(parent, ()))))
                    break
                if parent in on_stack:
                    low[item] = min(low[item], number[parent])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[item])
                if low[item] == number[item]:
                    circle = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        circle.append(member)
                        if member == item:
                            break
                    found.append(circle[::-1])
    return found
