"""The rules that live in the database: which function guards which table, and the complete DDL.

A rule kept by the application only is broken by the first script that writes without it. Each table that
belongs to a user gets the same three triggers, composed here, so that a table added later cannot lack one.

The order of cost: loading must stay fast, so inheriting runs only for rows that come without a scope, and the
refusal looks at all rows of a statement at once.
"""

from __future__ import annotations

from functools import cache

from psycopg import sql
from sqlalchemy import Table

from scenarios.domains.dev_coach.base import Base
from scenarios.domains.dev_coach.enums import CoachingPhase
from scenarios.schema.rendering import SqlObject, render, sql_objects

_INHERIT = sql.SQL(
    "CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW\n"
    "    WHEN (NEW.test_scenario_id IS NULL) EXECUTE FUNCTION dev_coach_inherit_scope()"
)
_REFUSE_INSERT = sql.SQL(
    "CREATE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS changed_rows\n"
    "    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope()"
)
_REFUSE_UPDATE = sql.SQL(
    "CREATE TRIGGER {name} AFTER UPDATE ON {table} REFERENCING NEW TABLE AS changed_rows\n"
    "    FOR EACH STATEMENT EXECUTE FUNCTION dev_coach_refuse_scope()"
)
_PASS_ON = sql.SQL(
    "CREATE TRIGGER {name} AFTER UPDATE OF test_scenario_id ON {table} FOR EACH ROW\n"
    "    WHEN (OLD.test_scenario_id IS DISTINCT FROM NEW.test_scenario_id)\n"
    "    EXECUTE FUNCTION dev_coach_pass_scope_on({arguments})"
)
_TOUCH = sql.SQL(
    "CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW\n"
    "    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)\n"
    "    EXECUTE FUNCTION dev_coach_touch_updated_at({arguments})"
)
_PHASES = sql.SQL(
    "CREATE TRIGGER {name} BEFORE UPDATE OF current_phase ON {table} FOR EACH ROW\n"
    "    WHEN (OLD.current_phase IS DISTINCT FROM NEW.current_phase)\n"
    "    EXECUTE FUNCTION dev_coach_phase_transition({arguments})"
)


def _trigger(template: sql.SQL, table: Table, suffix: str, arguments: tuple[str, ...] = ()) -> SqlObject:
    name = f"{table.name}_{suffix}"
    text = template.format(
        name=sql.Identifier(name),
        table=sql.Identifier(table.name),
        arguments=sql.SQL(", ").join(map(sql.Literal, arguments)),
    ).as_string(None)
    return SqlObject(kind="trigger", name=name, create=text, table=table.name)


def owned_tables() -> list[Table]:
    """Return the tables whose rows belong to a user and share the user's scope."""
    return [
        table
        for _, table in sorted(Base.metadata.tables.items())
        if {"user_id", "test_scenario_id"} <= set(table.columns.keys())
    ]


def objects() -> list[SqlObject]:
    """Return the functions and triggers of the schema, in the order in which they can be created."""
    found = sql_objects("scenarios.domains.dev_coach.sql", "functions.sql")
    for table in owned_tables():
        found += [
            _trigger(_INHERIT, table, "inherit_scope"),
            _trigger(_REFUSE_INSERT, table, "scope_of_inserted"),
            _trigger(_REFUSE_UPDATE, table, "scope_of_updated"),
        ]
    users = Base.metadata.tables["users_user"]
    found.append(_trigger(_PASS_ON, users, "pass_scope_on", tuple(table.name for table in owned_tables())))
    for _, table in sorted(Base.metadata.tables.items()):
        if "updated_at" in table.columns:
            dated = ("created_at",) if "created_at" in table.columns else ()
            found.append(_trigger(_TOUCH, table, "touch", dated))
    states = Base.metadata.tables["coach_states_coachstate"]
    found.append(_trigger(_PHASES, states, "phase_transition", tuple(CoachingPhase)))
    return found


@cache
def ddl() -> str:
    """Return one SQL script that creates the whole schema in an empty database."""
    return render(Base.metadata, objects(), heading="Dev Coach: the whole schema. Rendered from the models.")
