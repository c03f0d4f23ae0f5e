"""The one error of the journal that callers treat in a way of their own."""

from __future__ import annotations

from typing import Any

import psycopg

from scenarios.errors import JournalError


class CannotRestoreInPlace(JournalError):
    """Something happened that rows and sequences cannot undo: DDL, large objects, a crash of the server.

    The next strategy is a fresh clone of the template; `Database.restore` takes it where it can.
    """


def out_of_memory(conn: psycopg.Connection[Any], action: str, cause: psycopg.Error) -> CannotRestoreInPlace:
    """Return the error for a server whose memory for locks, or at all, is too small for so many tables."""
    return CannotRestoreInPlace(
        f"cannot {action}: the server has too little memory for so many tables",
        where=f"database {conn.info.dbname!r}",
        why=cause.diag.message_primary or str(cause),
        hint="raise max_locks_per_transaction on the server, to 512 say; until then snapshots are copies",
    )
