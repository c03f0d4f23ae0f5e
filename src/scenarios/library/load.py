"""Plan to database: one transaction that leaves a whole instance, or nothing.

A state built row by row is half there whenever something fails, and two people who load the same scenario at
once collide on its name and addresses. Here the rows are complete before the database is touched, names are
taken under a lock, and everything is written by one COPY per table in a single transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from sqlalchemy import UniqueConstraint

from scenarios.errors import GraphError, LibraryError, SafetyError
from scenarios.graph import Graph, Written, write
from scenarios.library.columns import specs
from scenarios.library.instances import Instance
from scenarios.library.plan import Plan, Serial, key_columns
from scenarios.library.registry import Record, registry_of
from scenarios.library.rows import Row

if TYPE_CHECKING:
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.postgres import Database

NAME_LIMIT = 200
"""Characters of an instance's name, so that with its handles it fits where names are kept."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*\Z")
_QUOTED = re.compile(r"'([A-Za-z][\w.]*)'")


@contextmanager
def transaction(db: Database, connection: Any = None) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection in a transaction: *connection*'s (a savepoint where one is open), or a new one's."""
    if connection is not None:
        if not connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
            # Otherwise the block below would be the outermost transaction, and commit what its owner may not.
            connection.execute("SELECT 1")
        with connection.transaction():
            yield connection
        return
    conn = db.connect()
    try:
        with conn.transaction():
            yield conn
    finally:
        conn.close()


def load(
    definition: ScenarioDefinition,
    db: Database,
    *,
    as_name: str | None = None,
    now: datetime | None = None,
    connection: Any = None,
    parameters: Mapping[str, Any] | None = None,
    remember: bool | None = None,
) -> Instance:
    """Load an instance; see `ScenarioDefinition.load`.

    Args:
        remember: keep a record of the instance in a schema that has no place for one; by default only in
            databases that are not ours.
    """
    values = definition.parameters(parameters or {})
    if as_name is not None:
        _check_name(as_name)
    # Planned before the database is touched: a faulty scenario never opens a transaction.
    plan = definition.plan(instance=as_name or definition.name, now=now, parameters=values)
    registry = registry_of(definition.sections)
    with transaction(db, connection) as conn:
        lock = f"scenarios:{definition.domain.name}:{as_name or definition.name}"
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])
        _require_schema(conn, definition, db)
        taken = registry.names(conn, as_name or definition.name)
        name = as_name or _free(definition.name, taken)
        if name in taken:
            raise LibraryError(
                f"an instance called {name!r} is loaded already",
                where=db.safe_url,
                remedy=f"choose another name, or remove it: scenarios unload {name}",
            )
        if name != plan.instance:
            plan = definition.plan(instance=name, now=now, parameters=values)
        template = definition.template(plan, values)
        record = Record(name, template, plan.anchor, plan.scope_id)
        if definition.sections.scoped:
            registry.add(conn, record, definition.head.title or definition.head.description)
        written = write_plan(conn, plan)
        keys = keys_of(plan)
        if not definition.sections.scoped and (remember if remember is not None else not db.owned):
            registry.add(conn, Record(name, template, plan.anchor, None, keys), definition.head.title)
    return Instance(db, definition, plan, template, written=written, keys=keys)


def write_plan(
    conn: psycopg.Connection[Any], plan: Plan, *, without: frozenset[str] = frozenset()
) -> Written:
    """Write the rows of *plan*; rows that instances share are left alone where they exist.

    Args:
        conn: a connection in a transaction.
        plan: the rows.
        without: tables to leave as they are.

    Raises:
        GraphError: the database refused a row; the message names its place in the file.
    """
    reserve(conn, plan)
    graph = Graph()
    shared = _missing(conn, plan)
    groups: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for row in plan.rows:
        if row.section.table in plan.sections.domain.reference and row.handle not in shared:
            continue
        if row.table.fullname in without:
            continue
        groups.setdefault((row.section.table, tuple(row.values)), []).append(row)
    for (table, columns), rows in groups.items():
        graph.add_rows(
            plan.sections.domain.metadata.tables[table],
            columns,
            [list(row.values.values()) for row in rows],
            [row.handle for row in rows],
        )
    for table, names, values in handle_rows(plan):
        graph.add_rows(plan.sections.domain.table(table), names, values)
    try:
        return write(conn, graph, domain=plan.sections.domain)
    except GraphError as error:
        raise _placed(error, plan) from error


def _placed(error: GraphError, plan: Plan) -> GraphError:
    """Return *error* with the place in the file of the row it names."""
    for handle in _QUOTED.findall(f"{error.what} {error.where or ''}"):
        row = plan.by_handle.get(handle)
        if row is not None:
            where = f"{row.place}, {row.path}"
            return GraphError(
                error.what, where=where, why=error.why, remedy=error.remedy or "nothing was loaded"
            )
    return error


def reserve(conn: psycopg.Connection[Any], plan: Plan) -> None:
    """Give every key that the database counts its number."""
    waiting: dict[tuple[str, str], list[Serial]] = {}
    for row in plan.rows:
        for name, value in row.values.items():
            if isinstance(value, Serial) and value.row is row and value.column == name:
                waiting.setdefault((row.section.table, name), []).append(value)
    for (name, column), serials in waiting.items():
        table = plan.sections.domain.metadata.tables[name]
        quoted = sql.Identifier(*([table.schema] if table.schema else []), table.name).as_string(conn)
        found = conn.execute("SELECT pg_get_serial_sequence(%s, %s)", [quoted, column]).fetchone()
        if found is None or found[0] is None:
            raise LibraryError(
                f"the keys of {name} are not counted by the database",
                why=f"{name}.{column} has no sequence",
                remedy=f"give {column} in the file",
            )
        numbers = conn.execute(
            "SELECT nextval(%s::regclass) FROM generate_series(1, %s)", [found[0], len(serials)]
        ).fetchall()
        for serial, (number,) in zip(serials, numbers, strict=True):
            _set_serial(serial, number)
    for row in plan.rows:
        for name, value in row.values.items():
            if isinstance(value, Serial) and value.row is not row:
                row.values[name] = value.row.values[value.column]


def _set_serial(serial: Serial, number: int) -> None:
    serial.row.values[serial.column] = number


def _missing(conn: psycopg.Connection[Any], plan: Plan) -> set[str]:
    """Return the handles of shared rows that the database does not have yet.

    A row is there when its key is, or its values in any unique constraint are.
    """
    missing: set[str] = set()
    for name in plan.sections.domain.reference:
        rows = plan.of(name)
        if not rows:
            continue
        table = plan.sections.domain.metadata.tables[name]
        conn.execute(
            sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(
                sql.Identifier(table.schema or "public", table.name)
            )
        )
        uniques = [key_columns(table)]
        uniques += [
            [column.name for column in constraint.columns]
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint)
        ]
        for row in rows:
            tests = [
                sql.SQL("({})").format(
                    sql.SQL(" AND ").join(
                        sql.SQL("{} IS NOT DISTINCT FROM %s").format(sql.Identifier(each)) for each in columns
                    )
                )
                for columns in uniques
                if all(each in row.values for each in columns)
            ]
            values = [
                row.values[each]
                for columns in uniques
                if all(each in row.values for each in columns)
                for each in columns
            ]
            query = sql.SQL("SELECT 1 FROM {} WHERE {} LIMIT 1").format(
                sql.Identifier(table.schema or "public", table.name), sql.SQL(" OR ").join(tests)
            )
            if conn.execute(query, values).fetchone() is None:
                missing.add(row.handle)
    return missing


def handle_rows(plan: Plan) -> Iterator[tuple[str, list[str], list[list[Any]]]]:
    """Yield the rows of the tables that record handles: table, columns, rows."""
    scope = plan.sections.domain.scope
    if scope is None or not plan.sections.scoped:
        return
    for handles in plan.sections.handles:
        rows = plan.of(handles.of)
        if rows:
            columns = ["id", scope.column, handles.handle, *handles.links, "created_at"]
            values = [
                [
                    plan.keyed.at(row.handle).uuid(handles.table),
                    plan.scope_id,
                    row.handle,
                    *(row.values[column] for column in handles.links.values()),
                    plan.anchor,
                ]
                for row in rows
            ]
            yield handles.table, columns, values


def keys_of(plan: Plan) -> dict[str, list[list[Any]]]:
    """Return the keys of the plan's rows by table, as JSON can hold them, shared rows left out."""
    found: dict[str, list[list[Any]]] = {}
    for row in plan.rows:
        if row.section.table in plan.sections.domain.reference:
            continue
        key = [row.values.get(column) for column in key_columns(row.table)]
        found.setdefault(row.table.fullname, []).append(
            [each if isinstance(each, int) else str(each) for each in key]
        )
    return found


def _free(base: str, taken: set[str]) -> str:
    if base not in taken:
        return base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def _check_name(name: str) -> None:
    if len(name) > NAME_LIMIT or not _NAME.match(name):
        raise LibraryError(
            f"{name[:60]!r} is not an instance's name",
            remedy=f"use letters, digits, spaces, . _ and -, at most {NAME_LIMIT} characters",
        )


def _require_schema(conn: psycopg.Connection[Any], definition: ScenarioDefinition, db: Database) -> None:
    domain = definition.domain
    scope = domain.scope.table if domain.scope is not None else next(iter(domain.metadata.tables))
    table = domain.metadata.tables[scope]
    row = conn.execute(
        "SELECT to_regclass(%s) IS NOT NULL",
        [sql.Identifier(*([table.schema] if table.schema else []), table.name).as_string(conn)],
    ).fetchone()
    if row is None or not row[0]:
        raise LibraryError(
            f"this is not a database of {domain.title}",
            where=db.safe_url,
            why=f"it has no table {table.fullname}",
            remedy=f"create the schema first: scenarios schema ddl {domain.name} | psql ...",
        )


# -- the fast way back ---------------------------------------------------------------------------------

_ENTERED: WeakKeyDictionary[Any, dict[Any, tuple[Any, Instance]]] = WeakKeyDictionary()


def enter(
    definition: ScenarioDefinition,
    db: Database,
    *,
    now: datetime | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Instance:
    """Put a throwaway database into a state; see `ScenarioDefinition.enter`."""
    if not db.owned:
        raise SafetyError(
            f"will not put {db.name} back into the state of {definition.name}",
            where=db.safe_url,
            why="the database was not made by this project, and everything written since would be lost",
            remedy="use load(), which adds an instance, or a database of start_server()",
        )
    values = definition.parameters(parameters or {})
    moment = definition.head.anchor.at(now)
    state = (definition.source, definition.head.version, id(definition), moment, repr(sorted(values.items())))
    states = _ENTERED.setdefault(db, {})
    if state in states:
        snapshot, instance = states[state]
        db.restore(snapshot)
        # Restoring an outer snapshot ends the inner ones.
        for other, (inner, _) in list(states.items()):
            if inner.number > snapshot.number:
                del states[other]
        return instance
    if states:
        empty, _ = states[_EMPTY]
        db.restore(empty)
        states.clear()
        states[_EMPTY] = (empty, None)  # type: ignore[assignment]  # the empty state has no instance
    else:
        states[_EMPTY] = (db.snapshot(), None)  # type: ignore[assignment]  # the empty state has no instance
    instance = load(definition, db, now=moment, parameters=values)
    states[state] = (db.snapshot(), instance)
    return instance


_EMPTY = ("", 0, 0, None, "")


def columns_of(row: Row) -> list[str]:
    """Return the names of the columns the plan writes for *row*."""
    return [name for name in specs(row.table) if name in row.values]
