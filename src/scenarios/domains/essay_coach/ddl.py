"""The one script that creates EssayCoach in an empty database.

Tables and indexes are rendered from the models; everything the models cannot say (roles, partitions, rules,
audit, views, grants, policies) stands in the ``.sql`` files beside this module, in the order given here.
A hand-kept copy of the whole would differ from the models by the end of the week.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from sqlalchemy import Connection, event

from scenarios.domains.essay_coach.models import Base
from scenarios.schema.rendering import table_statements

AS_SUPERUSER_FIRST = ("roles",)
AS_OWNER = ("reference", "rules", "counters", "audit", "partitions", "tokens", "views", "quality", "health")
AS_SUPERUSER_LAST = ("access", "policies", "months")
"""The parts of the script around the tables, each a file ``sql/<name>.sql``, in order."""

_HEADING = "-- EssayCoach: the whole schema. Tables are rendered from the models, the rest is kept by hand."


def sql(name: str) -> str:
    """Return the text of ``sql/<name>.sql``."""
    return files("scenarios.domains.essay_coach").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@cache
def ddl() -> str:
    """Return the script that creates everything in an empty database; it must run as a superuser.

    Some of the roles it makes bypass row-level security, which only a superuser can grant. The objects belong
    to ``ec_owner``, ``ec_etl``, ``ec_auth``, ``ec_audit_writer`` and ``ec_monitor``, not to whoever runs it.
    """
    parts = [_HEADING]
    parts += [sql(name) for name in AS_SUPERUSER_FIRST]
    parts.append("SET ROLE ec_owner;")
    parts += [f"{statement};" for statement in table_statements(Base.metadata)]
    parts += [sql(name) for name in AS_OWNER]
    parts.append("RESET ROLE;")
    parts += [sql(name) for name in AS_SUPERUSER_LAST]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _run(connection: Connection, script: str) -> None:
    # Without parameters: psycopg then reads no % and takes several statements at once.
    connection.execution_options(no_parameters=True).exec_driver_sql(script)


@event.listens_for(Base.metadata, "before_create")
def _before_create(target: object, connection: Connection, tables: list[Any] | None = None, **_: Any) -> None:
    """Make ``metadata.create_all`` create what the script creates, for projects that use it."""
    if tables:
        for name in AS_SUPERUSER_FIRST:
            _run(connection, sql(name))
        _run(connection, "SET ROLE ec_owner")


@event.listens_for(Base.metadata, "after_create")
def _after_create(target: object, connection: Connection, tables: list[Any] | None = None, **_: Any) -> None:
    if tables:
        for name in AS_OWNER:
            _run(connection, sql(name))
        _run(connection, "RESET ROLE")
        for name in AS_SUPERUSER_LAST:
            _run(connection, sql(name))


@event.listens_for(Base.metadata, "before_drop")
def _before_drop(target: object, connection: Connection, tables: list[Any] | None = None, **_: Any) -> None:
    if tables:
        _run(connection, sql("teardown_views"))


@event.listens_for(Base.metadata, "after_drop")
def _after_drop(target: object, connection: Connection, tables: list[Any] | None = None, **_: Any) -> None:
    if tables:
        _run(connection, sql("teardown_functions"))
