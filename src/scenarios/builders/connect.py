"""Whatever a caller has that leads to PostgreSQL, as the driver connection the writer wants.

Without it `load` would take one kind of thing, and a test with an SQLAlchemy session in hand would have to
write its scenario over a second connection that does not see the session's transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from scenarios.errors import BuilderError


@contextmanager
def psycopg_connection(db: Any) -> Iterator[psycopg.Connection[Any]]:
    """Yield a psycopg connection to *db*; one that was opened here is closed at the end.

    Args:
        db: a `scenarios.Database`, a psycopg connection, or an SQLAlchemy engine, connection or session.
            The connection of a session or an SQLAlchemy connection stays in its transaction: the caller
            commits.

    Raises:
        BuilderError: it is nothing of these, or SQLAlchemy uses another driver.
    """
    if isinstance(db, psycopg.Connection):
        yield db
    elif isinstance(db, Session):
        db.flush()
        yield _driver(db.connection())
    elif isinstance(db, Connection):
        yield _driver(db)
    elif isinstance(db, Engine):
        with db.begin() as connection:
            yield _driver(connection)
    elif hasattr(db, "connect") and hasattr(db, "dsn"):
        with db.connect() as connection:
            yield connection
    else:
        raise BuilderError(
            f"cannot load into a {type(db).__name__}",
            hint="give a Database, a psycopg connection, or an SQLAlchemy engine, connection or session",
        )


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    # A transaction of SQLAlchemy's exists only from its first statement on; without one the writer's
    # transaction would be the outermost and commit.
    connection.exec_driver_sql("SELECT 1")
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise BuilderError(
            f"cannot load through SQLAlchemy's driver {connection.dialect.driver}",
            hint="use a postgresql+psycopg:// URL, or load_async() for asyncpg",
        )
    return raw


@asynccontextmanager
async def async_connection(db: Any) -> AsyncIterator[Any]:
    """Yield a psycopg `AsyncConnection` or an asyncpg connection to *db*.

    Args:
        db: a `scenarios.Database`, such a connection, or an SQLAlchemy async engine, connection or session.

    Raises:
        BuilderError: it is nothing of these.
    """
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

    if isinstance(db, psycopg.AsyncConnection) or type(db).__module__.startswith("asyncpg"):
        yield db
    elif isinstance(db, AsyncSession):
        await db.flush()
        yield await _async_driver(await db.connection())
    elif isinstance(db, AsyncConnection):
        yield await _async_driver(db)
    elif isinstance(db, AsyncEngine):
        async with db.begin() as connection:
            yield await _async_driver(connection)
    elif hasattr(db, "connect") and hasattr(db, "dsn"):
        async with await psycopg.AsyncConnection.connect(db.dsn, autocommit=True) as connection:
            yield connection
    else:
        raise BuilderError(
            f"cannot load into a {type(db).__name__}",
            hint="give a Database, a psycopg or asyncpg connection, or an SQLAlchemy async engine, "
            "connection or session",
        )


async def _async_driver(connection: Any) -> Any:
    await connection.exec_driver_sql("SELECT 1")  # as in _driver
    raw = await connection.get_raw_connection()
    return raw.driver_connection
