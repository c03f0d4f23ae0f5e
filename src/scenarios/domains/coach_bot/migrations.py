"""Coach Bot's migrations: run under asyncio or without it, online or as a script.

The revisions are in ``schema/coach_bot/migrations``. Left to itself Alembic reads the address of the database
from an ini file, where a percent sign in a password ends it, knows nothing of asyncpg, and explains two heads
or a database of another history in terms of its own walk through the revisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url

from scenarios.domains.coach_bot.connection import make_engine
from scenarios.domains.coach_bot.settings import load_settings
from scenarios.errors import SchemaDriftError
from scenarios.resources import resource

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.ext.asyncio import AsyncEngine

OPTIONS: dict[str, Any] = {"compare_type": True, "compare_server_default": True}
"""What autogenerate compares besides tables, columns, keys and indexes."""


def alembic_config(url: str | URL | None = None, *, connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for Coach Bot.

    Args:
        url: the database; None leaves it to ``-x url=``, ``DATABASE_URL`` and its like.
        connection: an open connection to use instead; its transaction stays the caller's.
    """
    from alembic.config import Config

    config = Config(resource("schema") / "coach_bot" / "alembic.ini")
    # Attributes, not options: the ini parser would read a % in a password.
    if url is not None:
        config.attributes["url"] = url
    if connection is not None:
        config.attributes["connection"] = connection
    return config


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the database up to *revision*, in one transaction.

    Raises:
        SchemaDriftError: there are two heads, or the database is of another history.
    """
    from alembic import command

    await _run(engine, lambda config: command.upgrade(config, revision))


async def downgrade(engine: AsyncEngine, revision: str = "-1") -> None:
    """Take the database back to *revision*, by default one step, in one transaction.

    Raises:
        SchemaDriftError: the revision is unknown, or one step back is not one place.
    """
    from alembic import command

    await _run(engine, lambda config: command.downgrade(config, revision))


async def check(engine: AsyncEngine) -> None:
    """Make sure that the migrations lead to what the models say.

    Raises:
        SchemaDriftError: autogenerate finds a difference, or the database is not at the head.
    """
    from alembic import command

    await _run(engine, command.check)


async def current(engine: AsyncEngine) -> set[str]:
    """Return the revisions the database is at: none for an unmigrated one."""
    from alembic.runtime.migration import MigrationContext

    async with engine.connect() as connection:
        return set(
            await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_heads())
        )


async def _run(engine: AsyncEngine, work: Callable[[Config], object]) -> None:
    def inside(connection: Connection) -> None:
        with explained():
            work(alembic_config(connection=connection))

    async with engine.begin() as connection:
        await connection.run_sync(inside)


@contextmanager
def explained() -> Iterator[None]:
    """Turn Alembic's complaints into one that says what to do.

    Raises:
        SchemaDriftError: with Alembic's words as the reason.
    """
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    try:
        yield
    except (CommandError, RevisionError) as error:
        if isinstance(error, SchemaDriftError):
            raise
        message = str(error)
        hint = None
        if "Can't locate revision" in message:
            hint = (
                "the database was migrated by another version of this project: use that version, or stamp "
                "the revision its tables really have"
            )
        elif "not up to date" in message:
            hint = "run alembic upgrade head first"
        elif "mbiguous" in message or "ultiple head" in message:
            hint = "name where to stop: a revision, or the start of a branch as in reference_data@base"
        raise SchemaDriftError("Coach Bot's migrations cannot be run", why=message, hint=hint) from error


def run_environment() -> None:
    """Be Coach Bot's ``env.py``: called by Alembic, which has prepared its context.

    The database is ``config.attributes["connection"]``, else ``config.attributes["url"]``, else ``-x url=``,
    else the option ``sqlalchemy.url``, else what the settings say.

    Raises:
        SettingsError: none of them says where the database is.
        SchemaDriftError: there is more than one head and the command does not say which it means.
    """
    from alembic import context

    from scenarios.domains.coach_bot import DOMAIN

    config = context.config
    one_head()
    if config.config_file_name is not None and config.attributes.get("connection") is None:
        _configure_logging(config)
    options: dict[str, Any] = {**OPTIONS, "target_metadata": DOMAIN.metadata}
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", literal_binds=True, **options)
        with context.begin_transaction():
            context.run_migrations()
        return

    def migrate(connection: Connection) -> None:
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()

    given = config.attributes.get("connection")
    if given is not None:
        migrate(given)
    else:
        asyncio.run(_migrate_async(_address(config), migrate))


def one_head() -> None:
    """Refuse to go to "the" head where history has several.

    Raises:
        SchemaDriftError: naming the heads, and how to join them. Alembic's command line shows it as its own.
    """
    from alembic import context
    from alembic.util import CommandError

    class SeveralHeads(SchemaDriftError, CommandError):
        """Both: ours for callers, Alembic's for its command line, which prints it without a traceback."""

    try:
        context.get_revision_argument()
    except KeyError:
        return  # a command that goes nowhere, such as `current`
    except CommandError as error:
        heads = sorted(context.script.get_heads())
        if len(heads) < 2:
            raise
        raise SeveralHeads(
            f"Coach Bot's migrations have {len(heads)} heads: {', '.join(heads)}",
            where=str(context.script.dir),
            why="two revisions were made after the same one",
            hint=f"join them: alembic merge -m 'merge' {' '.join(heads)}",
        ) from error


def _address(config: Config) -> str | URL:
    from alembic import context

    given = config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    return given or config.get_main_option("sqlalchemy.url") or load_settings().url()


async def _migrate_async(url: str | URL, migrate: Callable[[Connection], None]) -> None:
    engine = make_engine(make_url(url), pooled=False)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


def _configure_logging(config: Config) -> None:
    from logging.config import fileConfig

    assert config.config_file_name is not None
    # Otherwise every logger made so far would fall silent.
    fileConfig(config.config_file_name, disable_existing_loggers=False)
