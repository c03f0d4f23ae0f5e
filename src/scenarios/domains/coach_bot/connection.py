"""Engine, sessions, transactions and the readiness probe of Coach Bot, all made when asked for.

Nothing here exists at import: an engine made by an import is bound to one database before a test can say
which. The transaction belongs to this module alone; `scenarios.domains.coach_bot.crud` never commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from psycopg import sql
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import NullPool

from scenarios.domains.coach_bot.errors import CoachBotError, Unavailable, driver_errors
from scenarios.domains.coach_bot.settings import CoachBotSettings, asyncpg_url, load_settings
from scenarios.errors import SettingsError

_CREATED_MEANWHILE = {"42P04", "23505"}
"""Two creations at once: the loser is told of the name, or of the catalogue's unique index."""


def make_engine(
    url: str | URL | None = None, *, settings: CoachBotSettings | None = None, pooled: bool = True
) -> AsyncEngine:
    """Return an asyncpg engine; it connects on first use.

    Args:
        url: the database; None takes it from *settings*.
        settings: pool sizes and timeouts; None reads them from the environment and ``.env`` if *url* is None,
            and takes the defaults if a URL is given.
        pooled: False for throw-away databases: no connection outlives its use, so the database can be dropped
            and no prepared statement of an older schema stays behind.

    Raises:
        SettingsError: the settings cannot be used.
    """
    if settings is None:
        settings = load_settings() if url is None else CoachBotSettings.model_construct()
    target = settings.url() if url is None else asyncpg_url(url)
    server_settings = {
        "TimeZone": "UTC",
        "application_name": target.query.get("application_name", "coach_bot"),
        "statement_timeout": str(settings.statement_timeout),
    }
    target = target.difference_update_query(["application_name"])
    options: dict[str, Any] = {
        "echo": settings.echo,
        # Messages of errors end up in logs; what people wrote to their coach does not belong there.
        "hide_parameters": True,
        "connect_args": {"timeout": settings.connect_timeout, "server_settings": server_settings},
    }
    if pooled:
        options |= {
            "pool_size": settings.pool_size,
            "max_overflow": settings.pool_overflow,
            "pool_timeout": settings.pool_timeout,
            "pool_recycle": settings.pool_recycle,
            # A connection the server closed in the meantime is replaced instead of failing the next request.
            "pool_pre_ping": True,
        }
    else:
        options["poolclass"] = NullPool
    return create_async_engine(target, **options)


def make_sessions(bind: AsyncEngine | AsyncConnection) -> async_sessionmaker[AsyncSession]:
    """Return a maker of sessions on *bind*.

    On a connection that has a transaction open, a session works inside a savepoint of it: its commits and
    roll-backs stay inside, which is how a test keeps everything in one transaction of its own.
    """
    return async_sessionmaker(bind, expire_on_commit=False, join_transaction_mode="create_savepoint")


class CoachBotDatabase:
    """Coach Bot's database, for the life of an application.

    Args:
        url: the database; None takes it from the settings.
        settings: None reads them from the environment and ``.env`` now.
        pooled: False opens a connection for each transaction.

    Raises:
        SettingsError: the settings cannot be used.
    """

    def __init__(
        self, url: str | URL | None = None, *, settings: CoachBotSettings | None = None, pooled: bool = True
    ) -> None:
        self.engine = make_engine(url, settings=settings, pooled=pooled)
        self.sessions = make_sessions(self.engine)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose work is committed at the end of the block, or rolled back if it raises.

        Raises:
            CoachBotError: the database refused the work or the commit.
        """
        async with self.sessions() as session:
            # Closing the session rolls back what was not committed.
            with driver_errors("do the work of the transaction", network=False):
                yield session
            with driver_errors("commit the transaction"):
                await session.commit()

    async def dependency(self) -> AsyncIterator[AsyncSession]:
        """The same as a FastAPI dependency.

        Use it as ``Depends(database.dependency, scope="function")``: with the default scope FastAPI sends the
        response first, and a client would be told of rows whose commit then fails.
        """
        async with self.transaction() as session:
            yield session

    async def is_ready(self) -> bool:
        """Tell whether the database answers ``SELECT 1`` now."""
        try:
            await self._probe()
        except CoachBotError:
            return False
        return True

    async def wait_until_ready(self, *, attempts: int = 5, delay: float = 5.0) -> None:
        """Wait until the database answers: *attempts* times, *delay* seconds apart.

        Raises:
            Unavailable: it did not; with the last reason.
        """
        for attempt in range(1, attempts + 1):
            try:
                await self._probe()
            except CoachBotError as error:
                if attempt == attempts:
                    raise Unavailable(
                        f"the database did not answer in {attempts} attempts",
                        where=self.engine.url.render_as_string(hide_password=True),
                        why=error.why,
                        hint="start PostgreSQL, or correct DATABASE_URL",
                    ) from error
                await asyncio.sleep(delay)
            else:
                return

    async def _probe(self) -> None:
        with driver_errors("reach the database"):
            async with self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection of the pool."""
        await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def ensure_database(url: str | URL, *, maintenance: str = "postgres") -> bool:
    """Create the database of *url* if the server does not have it, and tell whether it was created.

    ``CREATE DATABASE`` runs in no transaction and in no function, so it cannot be made conditional in SQL:
    this looks first, and takes another's creation in between as its own.

    Args:
        url: the database; its user must be allowed to create databases.
        maintenance: a database of the server that is there already.

    Raises:
        SettingsError: the URL names no database.
        CoachBotError: the server cannot be reached, or refuses.
    """
    target = asyncpg_url(url)
    if not target.database:
        raise SettingsError("the URL names no database", hint="end it with /coach_bot, say")
    engine = make_engine(target.set(database=maintenance), pooled=False)
    try:
        with driver_errors(f"create the database {target.database}"):
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                known = text("SELECT EXISTS (SELECT FROM pg_database WHERE datname = :name)")
                if await connection.scalar(known, {"name": target.database}):
                    return False
                create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(target.database))
                try:
                    await connection.exec_driver_sql(create.as_string())
                except DBAPIError as error:
                    if getattr(error.orig, "sqlstate", None) not in _CREATED_MEANWHILE:
                        raise
                    return False
                return True
    finally:
        await engine.dispose()


async def run_script(connection: AsyncConnection, script: str) -> None:
    """Run a script of several statements.

    SQLAlchemy's asyncpg dialect prepares everything, and PostgreSQL prepares one statement at a time; the
    driver's own ``execute`` without arguments does not prepare.

    Raises:
        CoachBotError: the server refused a statement.
    """
    raw = await connection.get_raw_connection()
    with driver_errors("run the script"):
        await _simple_query(raw.driver_connection, script)


async def _simple_query(driver: Any, script: str) -> None:
    import asyncpg

    try:
        await driver.execute(script)
    except asyncpg.PostgresError as error:
        raise CoachBotError("the script was refused", why=str(error)) from error
