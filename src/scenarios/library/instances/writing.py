"""A plan's rows put into a database, in a transaction that somebody else holds open.

Loading and resetting write the same rows; written twice, one of them would forget what the other learned.
Keys that the database counts are drawn first, rows that instances share are left alone where they exist, and
a refusal names the place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import UniqueConstraint

from scenarios.database_errors import hint
from scenarios.errors import GraphError, LibraryError
from scenarios.graph import Graph, Written, write
from scenarios.graph.mapped import column_named
from scenarios.graph.steps import schema_text
from scenarios.library.instances.locking import ours
from scenarios.library.planning.columns import key_columns
from scenarios.library.planning.plan import Plan, Serial
from scenarios.library.planning.rows import Row

MADE = "made"
"""Where a template keeps what the database made for its rows, by handle and column."""
_QUOTED = re.compile(r"'([A-Za-z][\w.]*)'")


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
    graph = Graph()
    fill(graph, conn, plan, without=without)
    try:
        # Where the transaction is ours, nothing that is still to come could make good what is missing.
        return write(conn, graph, domain=plan.sections.domain, deferred=ours(conn))
    except GraphError as error:
        placed = _placed(error, plan)
        if placed is error:
            raise  # from itself it would be its own cause
        raise placed from error


def fill(graph: Graph, conn: psycopg.Connection[Any], plan: Plan, *, without: Collection[str] = ()) -> None:
    """Complete the rows of *plan* by what only the database can say, and put them into *graph*."""
    reserve(conn, plan)
    add_rows(graph, plan, missing=_missing(conn, plan), without=without)


def add_rows(graph: Graph, plan: Plan, *, missing: Collection[str], without: Collection[str] = ()) -> None:
    """Put the rows of *plan* into *graph*, with those that record its handles.

    Args:
        graph: where to.
        plan: complete rows.
        missing: handles of rows that instances share and the database does not have.
        without: tables to leave out.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for row in plan.rows:
        if row.section.table in plan.sections.domain.reference and row.handle not in missing:
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


def _placed(error: GraphError, plan: Plan) -> GraphError:
    """Return *error* with the place in the file of the row it names, or of the rows it is about."""
    for handle in _QUOTED.findall(f"{error.what} {error.where or ''}"):
        row = plan.by_handle.get(handle)
        if row is not None:
            where = f"{row.place}, {row.path}"
            return GraphError(error.what, where=where, why=error.why, hint=error.hint or "nothing was loaded")
    rows = plan.of(error.table) if error.table is not None else []
    if not rows:
        return error
    where = f"{rows[0].place}, {rows[0].path}" if len(rows) == 1 else f"{rows[0].place} and further on"
    return GraphError(
        error.what,
        where=f"{len(rows)} row{'' if len(rows) == 1 else 's'} of {error.table}: {where}",
        why=error.why,
        hint=error.hint,
    )


_DEFAULT = """
SELECT CASE WHEN a.attidentity <> ''
            THEN format('nextval(%%L::regclass)',
                        pg_get_serial_sequence(a.attrelid::regclass::text, a.attname))
            ELSE pg_get_expr(d.adbin, d.adrelid) END,
       format_type(a.atttypid, a.atttypmod)
  FROM pg_attribute AS a
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = %s::regclass AND a.attname = %s AND a.attgenerated = ''
"""
_DRAWS = 100
"""Times that a number is drawn again because a file gives it to another row."""


def reserve(conn: psycopg.Connection[Any], plan: Plan) -> None:
    """Have the database make the values that are its to make: identity columns, and any other default.

    A default cannot depend on its row, so it is evaluated before the rows are written, once for each.

    Raises:
        LibraryError: a column has no default there, or the database refuses to evaluate it.
    """
    waiting: dict[tuple[str, str], list[Serial]] = {}
    given: dict[tuple[str, str], set[Any]] = {}
    for row in plan.rows:
        for name, value in row.values.items():
            if isinstance(value, Serial):
                if value.row is row and value.column == name:
                    waiting.setdefault((row.section.table, name), []).append(value)
            elif column_named(row.table, name).primary_key:
                given.setdefault((row.section.table, name), set()).add(value)
    for (name, column), serials in waiting.items():
        made = _made(conn, plan, name, column, len(serials), given.get((name, column), set()))
        for serial, value in zip(serials, made, strict=True):
            serial.row.values[serial.column] = value
    plan.follow_counted()


def _made(
    conn: psycopg.Connection[Any], plan: Plan, name: str, column: str, count: int, taken: set[Any]
) -> list[Any]:
    """Return *count* values of a column's default, none of them *taken*."""
    table = plan.sections.domain.metadata.tables[name]
    quoted = sql.Identifier(*([table.schema] if table.schema else []), table.name).as_string(conn)
    try:
        with conn.transaction():
            found = conn.execute(_DEFAULT, [quoted, column]).fetchone()
            if found is None or found[0] is None:
                raise LibraryError(
                    f"the database does not make {name}.{column}",
                    why="the column has no sequence and no default there",
                    hint=f"give {column} in the file",
                )
            # Both texts are the server's own.
            query = sql.SQL("SELECT CAST({} AS {}) FROM generate_series(1, {})").format(
                schema_text(found[0]), schema_text(found[1]), sql.Literal(count)
            )
            made = [value for (value,) in conn.execute(query).fetchall()]
            for _ in range(_DRAWS):
                again = [place for place, value in enumerate(made) if value in taken]
                for place in again:
                    (made[place],) = conn.execute(query).fetchone() or (None,)
                if not again:
                    break
    except psycopg.DatabaseError as error:
        if error.sqlstate is None or isinstance(error, psycopg.errors.LockNotAvailable):
            raise
        raise LibraryError(
            f"the database does not make {name}.{column}; nothing was written",
            where=f"its default in database {conn.info.dbname!r}, as {conn.info.user!r}",
            why=str(error.diag.message_primary),
            hint=hint(error, conn.info.user)
            if error.sqlstate[:2] in ("25", "42", "53", "57")
            else f"give {column} in the file, or see what its default needs",
        ) from error
    return made


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
                    plan.seeded.at(row.handle).uuid(handles.table),
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


def made_of(plan: Plan, planned: Mapping[str, Collection[str]]) -> dict[str, dict[str, Any]]:
    """Return what the database made for the rows of *plan* besides their keys, as JSON can hold it.

    Args:
        plan: the rows as written.
        planned: by handle, the columns whose values were for the database to make.
    """
    found: dict[str, dict[str, Any]] = {}
    for handle, columns in planned.items():
        row = plan.by_handle[handle]
        values = {name: row.values[name] for name in columns if name not in key_columns(row.table)}
        if values:
            found[handle] = {
                name: value if isinstance(value, int) else str(value) for name, value in values.items()
            }
    return found


def to_make(plan: Plan) -> dict[str, list[str]]:
    """Return by handle the columns whose values are for the database to make."""
    return {
        row.handle: columns
        for row in plan.rows
        if (
            columns := [
                name
                for name, value in row.values.items()
                if isinstance(value, Serial) and value.row is row and value.column == name
            ]
        )
    }
