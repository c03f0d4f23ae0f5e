"""Snapshot and restore: a number, and the way back to it in one call.

Dropping and cloning a database, or truncating and loading it again, costs by what is *in* it, and new
connections besides. Here a snapshot reads a clock and the sequences, and a restore costs by what *changed*.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.pq import TransactionStatus

from scenarios.errors import JournalError
from scenarios.journal.blockers import blocked
from scenarios.journal.errors import CannotRestoreInPlace, out_of_memory
from scenarios.journal.install import (
    WAIT,
    Connection,
    install,
    is_installed,
    plain_rows,
    require_idle,
    require_ownership,
)

#: After how many restores of a snapshot its undo rows are thrown away and the touched tables vacuumed.
TIDY_EVERY = 100


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A point in a database's journal.

    Attributes:
        number: identifies it in its database, greater than those of earlier ones.
        name: what it was called; the latest snapshot of a name is the one that name means.
        taken_at: the server's time.
        database: the database's name.
        pristine: nothing had been written since the database was cloned from a template that has the journal,
            so that a fresh clone is the same state.
    """

    number: int
    name: str | None = None
    taken_at: datetime | None = None
    database: str = ""
    pristine: bool = False

    def __str__(self) -> str:
        return self.name or f"#{self.number}"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        tables: rows put back or taken away, by ``schema.table``; tables whose changes cancelled are missing.
        rows: their sum.
        ms: duration as seen by the caller, in milliseconds.
        in_place: rows were put back; otherwise the database was made anew from its template.
        why: why it was not in place.
        dropped: what DDL had added since and is gone again, with its rows: ``table public.extra``.
        notes: what was seen but cannot be undone, such as roles, which belong to the whole server.
    """

    tables: Mapping[str, int] = field(default_factory=dict)
    rows: int = 0
    ms: float = 0.0
    in_place: bool = True
    why: str | None = None
    notes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@plain_rows
def snapshot(conn: Connection, name: str | None = None, *, wait: float = WAIT) -> Snapshot:
    """Remember the state of the database, whatever its size, in a fraction of a millisecond.

    Installs the journal on first use and fits it to tables created or altered since.

    Args:
        conn: a connection with no open transaction.
        name: to find it again by; an earlier snapshot of that name stays, without its name.
        wait: how long to wait for open transactions that have written, in seconds.

    Raises:
        JournalError: somebody's transaction stays open, named with process, application and query.
        SafetyError: the database is not one this project created.
    """
    require_idle(conn, "take a snapshot")
    require_ownership(conn, "take a snapshot")
    row = None
    try:
        row = _call(conn, "take a snapshot", "take_snapshot", [name, _ms(wait)], wait)
    except (pg.InvalidSchemaName, pg.UndefinedFunction):
        _clear(conn)
    if row is None:
        install(conn, wait=wait)
        row = _call(conn, "take a snapshot", "take_snapshot", [name, _ms(wait)], wait)
    if row is None:
        raise JournalError(
            "cannot take a snapshot",
            where=f"database {conn.info.dbname!r}",
            why="its tables are altered faster than the journal can be fitted to them",
        )
    return Snapshot(row[0], name, row[1], conn.info.dbname, row[2])


@plain_rows
def restore(
    conn: Connection, to: Snapshot | str | int, *, wait: float = WAIT, tidy_every: int = TIDY_EVERY
) -> Restored:
    """Put every row, sequence and materialized view back to what it was at the snapshot *to*.

    What DDL has added since (tables with their rows, partitions, schemas, views, indexes, functions, types)
    is dropped, if that brings the whole catalogue back to what it was.

    One round trip and one transaction. Later snapshots are discarded; *to* itself can be restored any number
    of times. Connections, prepared statements and listeners of others live on.

    Args:
        conn: a connection with no open transaction.
        to: a snapshot, its name, or its number.
        wait: how long to wait for open transactions that have written, in seconds.
        tidy_every: after how many restores to throw away old undo rows and vacuum what was touched.

    Raises:
        CannotRestoreInPlace: something happened that rows cannot undo.
        JournalError: the snapshot is unknown, or somebody's transaction stays open.
        SafetyError: the database is not one this project created.
    """
    started = time.perf_counter()
    require_idle(conn, "restore a snapshot")
    require_ownership(conn, "restore a snapshot")
    number = find(conn, to).number
    row = _call(conn, f"restore snapshot {to}", "restore", [number, _ms(wait), tidy_every], wait)
    if row is None:
        raise JournalError(f"restoring snapshot {to} gave no answer")
    labels, counts, notes, tidy, dropped = row
    if tidy:
        _vacuum(conn, tidy)
    tables = dict(zip(labels, counts, strict=True))
    return Restored(
        tables=tables,
        rows=sum(tables.values()),
        ms=(time.perf_counter() - started) * 1000,
        notes=tuple(notes or ()),
        dropped=tuple(dropped or ()),
    )


@contextmanager
def restored(conn: Connection, *, wait: float = WAIT) -> Iterator[Snapshot]:
    """Take a snapshot, run the block, and put the database back however the block ends."""
    taken = snapshot(conn, wait=wait)
    try:
        yield taken
    finally:
        restore(conn, taken, wait=wait)
        forget(conn, taken, wait=wait)


@plain_rows
def find(conn: Connection, wanted: Snapshot | str | int) -> Snapshot:
    """Return a snapshot by itself, its name or its number.

    Raises:
        JournalError: there is none of that name; the message lists those there are.
    """
    if isinstance(wanted, Snapshot):
        return wanted
    known = list_snapshots(conn)
    for one in reversed(known):
        if one.number == wanted or one.name == wanted:
            return one
    raise _unknown(conn, wanted, known)


@plain_rows
def list_snapshots(conn: Connection) -> list[Snapshot]:
    """Return the snapshots of the database, oldest first."""
    if not is_installed(conn):
        return []
    rows = conn.execute(
        b"SELECT number, name, taken_at, pristine FROM scenarios_journal.snapshots ORDER BY number"
    ).fetchall()
    return [Snapshot(number, name, at, conn.info.dbname, pristine) for number, name, at, pristine in rows]


@plain_rows
def forget(conn: Connection, what: Snapshot | str | int, *, wait: float = WAIT) -> None:
    """Give up a snapshot; does nothing when it is gone already.

    Raises:
        JournalError: somebody's transaction stays open.
    """
    require_idle(conn, "forget a snapshot")
    require_ownership(conn, "forget a snapshot")
    if is_installed(conn):
        _call(conn, "forget a snapshot", "forget", [find(conn, what).number, _ms(wait)], wait)


def dedicate(conn: Connection) -> None:
    """Keep *conn* for the journal alone, which makes its restores cheaper.

    A restore works with ``session_replication_role = replica``; going into it and out again makes the server
    throw away every plan of the session. A connection that stays in it keeps its plans, and must therefore
    not be used for anything else: neither triggers nor foreign keys work on it. A role that may not do this
    keeps an ordinary connection.
    """
    with suppress(pg.InsufficientPrivilege):
        conn.execute(b"SET session_replication_role = replica")


def _ms(seconds: float) -> int:
    # 0 would mean to wait for ever.
    return max(1, int(seconds * 1000))


@cache
def _call_of(function: str, arguments: int) -> bytes:
    """Compose the call of one of our functions; once, since a restore must not pay for it."""
    places = sql.SQL(", ").join([sql.Placeholder()] * arguments)
    call = sql.SQL("SELECT * FROM {}({})").format(sql.Identifier("scenarios_journal", function), places)
    return call.as_bytes(None)


def _call(
    conn: Connection, action: str, function: str, arguments: list[Any], wait: float
) -> tuple[Any, ...] | None:
    query = _call_of(function, len(arguments))
    try:
        try:
            row = conn.execute(query, arguments, prepare=True).fetchone()
            if not conn.autocommit:
                conn.commit()
        except psycopg.Error as error:
            if error.sqlstate != "SJ003":
                raise
            # The database's default isolation would look at the time before the wait.
            _clear(conn)
            with conn.transaction():
                conn.execute(b"SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
                row = conn.execute(query, arguments).fetchone()
    except psycopg.Error as error:
        _clear(conn)
        raise _explained(conn, action, function, arguments, wait, error) from error
    return row


# Classes of errors that say nothing about the rows: the connection, resources, the operator, the server.
_NOT_THE_ROWS = frozenset({"", "08", "53", "57", "58", "XX"})


def _explained(
    conn: Connection, action: str, function: str, arguments: list[Any], wait: float, error: psycopg.Error
) -> Exception:
    state = error.sqlstate or ""
    message = error.diag.message_primary or str(error)
    missing = (
        isinstance(error, (pg.InvalidSchemaName, pg.UndefinedFunction)) and "scenarios_journal" in message
    )
    if missing and function == "take_snapshot":
        return error
    if isinstance(error, (pg.LockNotAvailable, pg.DeadlockDetected)):
        return blocked(conn, action, wait, error)
    if isinstance(error, pg.OutOfMemory):
        return out_of_memory(conn, action, error)
    if state == "SJ004":
        return _unknown(conn, arguments[0], list_snapshots(conn))
    if function == "restore" and state[:2] not in _NOT_THE_ROWS:
        return CannotRestoreInPlace(
            f"cannot {action} in place",
            where=f"database {conn.info.dbname!r}",
            why=f"the journal was taken out since the snapshot ({message})" if missing else message,
            hint="take a fresh clone of the template (Database.recreate)",
        )
    return JournalError(f"cannot {action}", where=f"database {conn.info.dbname!r}", why=message)


def _unknown(conn: Connection, wanted: object, known: list[Snapshot]) -> JournalError:
    return JournalError(
        f"there is no snapshot {str(wanted)!r}",
        where=f"database {conn.info.dbname!r}",
        why="it was never taken, or restoring an earlier one has discarded it",
        hint="snapshots there are: " + (", ".join(str(one) for one in known) or "none"),
    )


def _clear(conn: Connection) -> None:
    if not conn.closed and conn.info.transaction_status != TransactionStatus.IDLE:
        conn.rollback()


def _vacuum(conn: Connection, relations: list[str]) -> None:
    """Let the space of dead rows be used again; nobody waits for it, and nobody is made to wait."""
    names = ", ".join(dict.fromkeys(relations))  # quoted by the server
    command = f"VACUUM (SKIP_LOCKED, TRUNCATE false) {names}"
    autocommit = conn.autocommit
    try:
        if not autocommit:
            conn.autocommit = True
        conn.execute(command.encode())
    except (pg.InsufficientPrivilege, pg.UndefinedTable, pg.QueryCanceled):
        # Vacuuming is a courtesy; the server's own does it as well, later.
        pass
    finally:
        if not autocommit:
            conn.autocommit = False
