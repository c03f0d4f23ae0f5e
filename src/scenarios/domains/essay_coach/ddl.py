"""The one script that creates EssayCoach in an empty database.

Tables and indexes are rendered from the models; everything the models cannot say (roles, partitions, rules,
audit, views, grants, policies) stands in the ``.sql`` files beside this module, in the order given here.
A hand-kept copy of the whole would differ from the models by the end of the week.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from scenarios.domains.essay_coach.models import Base

AS_SUPERUSER_FIRST = ("roles",)
AS_OWNER = ("reference", "rules", "audit", "partitions", "tokens", "views", "quality", "health")
AS_SUPERUSER_LAST = ("access", "policies", "months")
"""The parts of the script around the tables, each a file ``sql/<name>.sql``, in order."""


def sql(name: str) -> str:
    """Return the text of ``sql/<name>.sql``."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def tables() -> list[Table]:
    """Return the tables in an order in which they can be created: referenced ones first."""
    return list(Base.metadata.sorted_tables)


def render_table(table: Table) -> str:
    """Return the statements that create *table* and its indexes."""
    # Named placeholders: with the positional style of a driver, every percent sign would be doubled.
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    statements = [str(CreateTable(table).compile(dialect=dialect)).strip()]
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    statements += [str(CreateIndex(index).compile(dialect=dialect)).strip() for index in indexes]
    lines = "\n\n".join(f"{statement};" for statement in statements)
    return "\n".join(line.rstrip() for line in lines.splitlines())


@cache
def ddl() -> str:
    """Return the script that creates everything in an empty database; it must run as a superuser.

    Two roles it makes bypass row-level security, which only a superuser can grant. The objects belong to
    ``ec_owner``, ``ec_etl``, ``ec_auth``, ``ec_audit_writer`` and ``ec_monitor``, not to whoever runs it.
    """
    parts = [sql(name) for name in AS_SUPERUSER_FIRST]
    parts.append("SET ROLE ec_owner;")
    parts += [render_table(table) for table in tables()]
    parts += [sql(name) for name in AS_OWNER]
    parts.append("RESET ROLE;")
    parts += [sql(name) for name in AS_SUPERUSER_LAST]
    return "\n\n".join(part.strip() for part in parts) + "\n"
