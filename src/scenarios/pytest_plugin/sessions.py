"""What SQLAlchemy sessions on a test's database need, whatever undoes their effects.

The asynchronous ones are bound to the loop of the test: an engine that is carried to another loop hangs or
fails far from the cause, so the engine here says at once what happened.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from scenarios.errors import ScenariosError

if TYPE_CHECKING:
    import pytest

    from scenarios.postgres import Database


def end(roll_back: Callable[[], None]) -> None:
    """Roll back by *roll_back*; where the test has ended the connection, the server has done it."""
    try:
        roll_back()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise


def note_processes(session: Session, given: dict[int, str], fixture: str) -> None:
    """Note in *given* which server processes work for *session*, for who later waits for one of them."""

    @event.listens_for(session, "after_begin")
    def begun(_: Session, transaction: object, connection: Connection) -> None:
        raw: Any = connection.connection.driver_connection
        pid = raw.info.backend_pid if hasattr(raw, "info") else raw.get_server_pid()
        given[pid] = fixture


_DEFERRED = """
    SELECT DISTINCT quote_ident(n.nspname) || '.' || quote_ident(c.conname)
      FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.condeferred
"""


def commit_asks_what_waits_for_it(session: Session) -> None:
    """Let a commit that is only a savepoint do what a real one does first: deferred constraints and triggers.

    They are deferred again afterwards, as they are at the beginning of a transaction.
    """
    deferred: list[str] | None = None

    @event.listens_for(session, "before_commit")
    def ask(_: Session) -> None:
        nonlocal deferred
        if session.in_nested_transaction():
            return  # a savepoint of the test's own
        session.flush()
        connection = session.connection()
        if deferred is None:
            deferred = list(connection.scalars(text(_DEFERRED)))
        if deferred:
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            names = ", ".join(deferred).replace(":", r"\:")
            connection.execute(text(f"SET CONSTRAINTS {names} DEFERRED"))


def driver_connection(session: Session) -> psycopg.Connection[Any]:
    """Return the connection below *session*, in whose transaction its changes can be seen."""
    raw: psycopg.Connection[Any] | None = session.connection().connection.driver_connection
    assert raw is not None, "a session that was closed"
    return raw


def end_failed_transaction(session: Session) -> bool:
    """Roll back a transaction in which a statement failed, since nothing can be read in it; say if it was."""
    if session.is_active:
        status = driver_connection(session).info.transaction_status
        if status != psycopg.pq.TransactionStatus.INERROR:
            return False
    session.rollback()
    return True


@asynccontextmanager
async def async_engine_for(database: Database) -> AsyncIterator[AsyncEngine]:
    """An engine without a pool, on the driver the database prefers, that stays on the running loop."""
    engine = create_async_engine(database.async_engine.url, poolclass=NullPool)
    database.limit_waits(engine)
    _bind_to_running_loop(engine)
    try:
        yield engine
    finally:
        await engine.dispose()


def _bind_to_running_loop(engine: AsyncEngine) -> None:
    shared = asyncio.get_running_loop()

    @event.listens_for(engine.sync_engine, "do_connect")
    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def same_loop(*_: Any) -> None:
        if asyncio.get_running_loop() is not shared:
            raise ScenariosError(
                "this asynchronous session belongs to another event loop",
                why="it was made on the loop of the test and is used on another one, a test client's, say",
                hint="give the other loop a session of its own: "
                "create_async_engine(scenario_db.async_url, poolclass=NullPool); "
                "beside anyio, leave pytest-asyncio in its strict mode",
            )


def async_fixture_name(request: pytest.FixtureRequest) -> str:
    """Return the fixture that makes the asynchronous session under the test's own plugin and on its loop.

    Raises:
        ScenariosError: the test is not asynchronous, or no plugin that runs such tests is installed.
    """
    node = request.node
    manager = request.config.pluginmanager
    if not inspect.iscoroutinefunction(inspect.unwrap(getattr(node, "obj", None) or (lambda: None))):
        raise ScenariosError(
            "scenario_async_session needs a test that is asynchronous",
            where=node.nodeid,
            hint="write it with async def and @pytest.mark.asyncio (or anyio), or use scenario_session",
        )
    if manager.hasplugin("anyio") and (
        node.get_closest_marker("anyio") is not None or "anyio_backend" in request.fixturenames
    ):
        return "_scenario_anyio_session"
    if manager.hasplugin("asyncio"):
        mark = node.get_closest_marker("asyncio")
        scope = mark.kwargs.get("loop_scope") if mark is not None else None
        scope = scope or request.config.getini("asyncio_default_test_loop_scope") or "function"
        return f"_scenario_asyncio_session_{scope}"
    raise ScenariosError(
        "scenario_async_session needs a plugin that runs asynchronous tests",
        where=node.nodeid,
        hint="install pytest-asyncio and mark the test with @pytest.mark.asyncio, "
        "or install anyio and mark it with @pytest.mark.anyio",
    )
