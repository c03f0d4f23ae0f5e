"""One at a time on an instance: whoever loads, resets, unloads or freezes it has it to themselves.

Two resets that interleave delete the same rows and write them twice, and the second fails on a key of the
first; an unload in the middle of a reset leaves rows that no instance owns. An advisory lock in the
transaction orders them, in whatever process or on whatever machine they run, and is gone with the transaction
however it ends. Nobody waits for ever: the error says who has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from scenarios.errors import GraphError, InstanceBusy, LibraryError
from scenarios.journal.blockers import holders
from scenarios.postgres.connections import transaction

if TYPE_CHECKING:
    from scenarios.postgres import Database

WAIT_SECONDS = 30.0
"""How long an operation waits for another one, or for rows that the application has locked."""

_UNAVAILABLE = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

_TAKE = sql.SQL(
    "SELECT set_config('lock_timeout', {wait}, true) WHERE current_setting('lock_timeout') = '0';"
    " SELECT pg_advisory_xact_lock(hashtextextended({name}, 0))"
)
_OPENED: WeakSet[psycopg.Connection[Any]] = WeakSet()
"""Connections whose transaction is ours from beginning to end."""

_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


@contextmanager
def alone(db: Database, name: str, connection: Any = None) -> Iterator[psycopg.Connection[Any]]:
    """Yield a transaction that has the instance *name* of *db* to itself, until it ends.

    Args:
        db: where the instance is, or will be.
        name: its name.
        connection: a connection to use instead of a new one; see `transaction`. Its lock is held until the
            outermost transaction on it ends.

    Raises:
        InstanceBusy: another operation, or the application, had the instance for `WAIT_SECONDS`.
        LibraryError: the database refused at the very end what it had taken until then.
    """
    done = False
    conn: psycopg.Connection[Any] | None = None
    outermost = connection is None or (
        connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE
    )
    try:
        with transaction(db, connection) as conn:
            if connection is None:
                # A database whose default is stricter would show the time before the wait.
                conn.execute(_COMMITTED)
            if outermost:
                _OPENED.add(conn)
            before = None if connection is None else conn.execute("SHOW lock_timeout").fetchone()
            take(conn, name)
            yield conn
            if before is not None:
                conn.execute("SELECT set_config('lock_timeout', %s, true)", before)
            done = True
    except _UNAVAILABLE as error:
        raise _in_use(db, name, error) from error
    except GraphError as error:
        cause = _unavailable(error)
        if cause is None:
            raise
        raise _in_use(db, name, cause) from error
    except psycopg.DatabaseError as error:
        if not done or error.sqlstate is None:
            raise
        raise LibraryError(
            f"the database refused the instance {name!r} in the end; nothing was changed",
            where=db.safe_url,
            why=". ".join(
                part.rstrip(".")
                for part in (error.diag.message_primary, error.diag.message_detail, error.diag.context)
                if part
            ),
        ) from error
    finally:
        if outermost and conn is not None:
            _OPENED.discard(conn)


def ours(conn: psycopg.Connection[Any]) -> bool:
    """Return whether the transaction of *conn* holds nothing but an operation on an instance."""
    return conn in _OPENED


def _unavailable(error: BaseException) -> BaseException | None:
    """Return the error among the causes of *error* that says that a lock was not to be had."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, _UNAVAILABLE):
            return cause
        seen.add(id(cause))
        cause = cause.__cause__
    return None


def take(conn: psycopg.Connection[Any], name: str) -> None:
    """Wait for the instance *name*, and have it until the transaction of *conn* ends."""
    conn.execute(
        _TAKE.format(
            wait=sql.Literal(f"{int(WAIT_SECONDS * 1000)}ms"), name=sql.Literal(f"scenarios:instance:{name}")
        )
    )


@contextmanager
def one_moment(db: Database, name: str | None, connection: Any = None) -> Iterator[psycopg.Connection[Any]]:
    """Yield a transaction that reads *db* as it is at one moment, and writes nothing.

    Args:
        db: what is read.
        name: an instance; whoever is at it is waited for. What begins later is not seen, so nobody has to
            wait for the reader.
        connection: a connection to use instead of a new one, as it is.

    Raises:
        InstanceBusy: another operation had the instance for `WAIT_SECONDS`.
    """
    if connection is not None:
        with transaction(db, connection) as conn:
            yield conn
        return
    with db.connect() as conn:
        if name is not None:
            with alone(db, name, conn):
                pass
        with conn.transaction():
            conn.execute(_MOMENT)
            yield conn


def _in_use(db: Database, name: str, cause: BaseException) -> InstanceBusy:
    with db.connect() as conn:
        who = holders(conn)
    return InstanceBusy(
        f"somebody else has a lock on rows of the instance {name!r}; nothing was changed",
        where=db.safe_url,
        why=f"waited {WAIT_SECONDS:g} s for " + "; ".join(who) if who else str(cause).strip().splitlines()[0],
        hint="end the open transaction of the application under test, then try again",
    )
