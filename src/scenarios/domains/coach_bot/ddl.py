"""Coach Bot's schema as one SQL script, the same text each time.

Templates are named by the hash of this script; a script whose order changed between runs would build a new
template for every run.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_mock_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from scenarios.domains.coach_bot.base import Base


def ddl() -> str:
    """Return the statements that create the tables, indexes, function and triggers in an empty database."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    statements: list[str] = []
    indexes: list[str] = []

    def flush_indexes() -> None:
        # A table's indexes are a set: SQLAlchemy emits them in another order in every process.
        statements.extend(sorted(indexes))
        indexes.clear()

    def collect(statement: Any, *_: Any, **__: Any) -> None:
        sql = str(statement.compile(dialect=dialect)).strip()
        if isinstance(statement, CreateIndex):
            indexes.append(sql)
        else:
            flush_indexes()
            statements.append(sql)

    engine = create_mock_engine("postgresql+psycopg://", collect)
    Base.metadata.create_all(engine, checkfirst=False)
    flush_indexes()
    return ";\n\n".join(statements) + ";\n"
