"""What the database made of the rows of a load: a trigger that changes them, a type that encodes them.

An instance is compared with what was planned. Where the database does not store what it was given, it would
count as changed the moment it was loaded, so such differences are kept with it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg import sql

from scenarios.json_text import json_text
from scenarios.library.closure.extract import rows_of
from scenarios.library.closure.reach import name_of, relations
from scenarios.library.instances.alike import is_as_planned
from scenarios.library.planning.columns import key_columns, specs

if TYPE_CHECKING:
    import psycopg

    from scenarios.library.planning.plan import Plan
    from scenarios.library.planning.rows import Row

BECAME = "became"
"""Where a template keeps the values that the database stored in place of those it was given."""

# Tables with a trigger that is called for each row before it is inserted.
_CHANGING = """
SELECT w.place
  FROM unnest(%s::regclass[]) WITH ORDINALITY AS w (relation, place)
 WHERE EXISTS (SELECT FROM pg_trigger AS t
                WHERE t.tgrelid = w.relation AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
                  AND t.tgtype & 7 = 7)
"""


def plain(value: Any) -> Any:
    """Return *value* as JSON keeps it."""
    return json.loads(json_text(value))


def became(conn: psycopg.Connection[Any], plan: Plan) -> dict[str, dict[str, Any]]:
    """Return by handle the columns in which rows of *plan* were not stored as planned, with what they hold.

    Only tables are looked at where something can change a row on its way in.
    """
    tables = {row.table for row in plan.rows if key_columns(row.table)}
    tables = {each for each in tables if each.fullname not in plan.sections.domain.reference}
    names = {sql.Identifier(*name_of(each)).as_string(conn): each for each in tables}
    if not names:
        return {}
    listed = list(names)
    changing = {names[listed[place - 1]] for (place,) in conn.execute(_CHANGING, [listed]).fetchall()}
    changing |= {each for each in tables if any(_encodes(column) for column in each.columns)}
    found: dict[str, dict[str, Any]] = {}
    known = relations(conn) if changing else {}
    for table in changing:
        columns = key_columns(table)
        planned = {
            tuple(str(row.values[each]) for each in columns): row for row in plan.rows if row.table is table
        }
        relation = known[name_of(table)]
        if set(relation.columns) != set(columns):
            continue
        keys = [tuple(str(row.values[each]) for each in relation.columns) for row in planned.values()]
        for values in rows_of(conn, table, relation.among(keys), []):
            row = planned.get(tuple(str(values[each]) for each in columns))
            differing = _differing(conn, row, values) if row is not None else {}
            if row is not None and differing:
                found[row.handle] = differing
    return found


def _differing(conn: psycopg.Connection[Any], row: Row, values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: plain(values[name])
        for name in specs(row.table)
        if name in row.values and not is_as_planned(conn, row, name, values[name])
    }


def _encodes(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.TypeDecorator)
