"""Copying a database, by the way that is quickest on the server at hand.

`FILE_COPY` takes 10 ms in memory and three times the default's time on some disks; PostgreSQL 18 can let the
file system share the blocks. Which one wins depends on the server's version and storage, so it is measured
once with the template that is to be cloned, and remembered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from scenarios.errors import DatabaseError

STRATEGIES: Mapping[str, tuple[LiteralString, LiteralString | None]] = {
    "wal_log": ("WAL_LOG", None),
    "file_copy": ("FILE_COPY", "SET file_copy_method = copy"),
    "file_clone": ("FILE_COPY", "SET file_copy_method = clone"),
}
"""Name of each way to the strategy of CREATE DATABASE and the setting it needs on PostgreSQL 18."""

_CLONE_SINCE = 180000
_ROUNDS = 2
BUSY_SECONDS = 5.0


def copy_database(conn: psycopg.Connection[Any], name: str, template: str, strategy: str) -> None:
    """Create the database *name* as a copy of *template*.

    Raises:
        DatabaseError: it cannot be created; the message says what stands in the way.
    """
    word, setting = STRATEGIES[strategy]
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
        sql.Identifier(name), sql.Identifier(template), sql.SQL(word)
    )
    try:
        if setting is not None and conn.info.server_version >= _CLONE_SINCE:
            conn.execute(setting)
        conn.execute(statement)
    except psycopg.Error as error:
        raise refusal(conn, name, template, error) from error


def refusal(conn: psycopg.Connection[Any], name: str, source: str, error: psycopg.Error) -> DatabaseError:
    """Return the error for *name* not having become a database made from *source*."""
    return DatabaseError(
        f"cannot create the database {name!r}",
        where=f"{conn.info.host or 'local socket'} port {conn.info.port}, from {source!r}",
        why=f"{error.diag.sqlstate or type(error).__name__} {str(error).strip()}",
        hint=_hint(error),
    )


def _hint(error: psycopg.Error) -> str:
    if isinstance(error, errors.InsufficientPrivilege):
        return "let an administrator run: ALTER ROLE .. CREATEDB"
    if isinstance(error, errors.DuplicateDatabase):
        return "choose another name, or drop that database yourself if it may go"
    if isinstance(error, errors.ObjectInUse):
        return "end the connections to the source database first"
    if isinstance(error, errors.DiskFull) or "no space left" in str(error).lower():
        return "free space (`scenarios gc`), or put servers elsewhere with SCENARIOS_RUNTIME_DIR"
    if isinstance(error, errors.TooManyConnections):
        return "use fewer workers or raise max_connections"
    return "run `scenarios doctor` against this server"


def quickest(conn: psycopg.Connection[Any], template: str, scratch: str) -> tuple[str, Mapping[str, float]]:
    """Measure the ways to copy *template* and return the quickest, with milliseconds for each that works.

    Args:
        scratch: a free database name to try with; nothing of that name is left behind.
    """
    took: dict[str, float] = {}
    for strategy in STRATEGIES:
        if strategy == "file_clone" and conn.info.server_version < _CLONE_SINCE:
            continue
        for _ in range(_ROUNDS):
            begun = time.perf_counter()
            try:
                copy_database(conn, scratch, template, strategy)
            except DatabaseError:
                # Not every file system can share blocks; the default way may say what is wrong.
                if strategy == "wal_log":
                    raise
                break
            elapsed = (time.perf_counter() - begun) * 1000
            conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(scratch)))
            took[strategy] = min(elapsed, took.get(strategy, elapsed))
    return min(took, key=lambda strategy: took[strategy]), took
