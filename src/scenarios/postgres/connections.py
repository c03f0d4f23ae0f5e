"""Connecting, with an error that says what to do.

libpq's own message for a refused login, a server that is full and a host that does not exist is a paragraph
of attempts; a person wants to know which it was and what to change. The password is in none of these
messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus

from scenarios.errors import ServerError
from scenarios.postgres import urls

if TYPE_CHECKING:
    from scenarios.postgres.database import Database

APPLICATION = "pg-scenarios"
CONNECT_SECONDS = 10


def connect(
    parameters: Mapping[str, str], *, autocommit: bool = True, application: str = APPLICATION
) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection with the libpq *parameters*.

    Raises:
        ServerError: it is refused.
    """
    given = {"connect_timeout": str(CONNECT_SECONDS), "application_name": application, **parameters}
    try:
        return psycopg.connect(**given, autocommit=autocommit)  # type: ignore[arg-type]  # names from libpq
    except psycopg.Error as error:
        raise ServerError(
            "cannot connect to PostgreSQL",
            where=urls.safe_url(parameters),
            why=_first_line(str(error)),
            remedy=_remedy(error),
        ) from error


@contextmanager
def transaction(db: Database, connection: Any = None) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection in a transaction: *connection*'s (a savepoint where one is open), or a new one's."""
    if connection is not None:
        if not connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
            # Otherwise the block below would be the outermost transaction, and commit what its owner may not.
            connection.execute("SELECT 1")
        with connection.transaction():
            yield connection
        return
    conn = db.connect()
    try:
        with conn.transaction():
            yield conn
    finally:
        conn.close()


def _first_line(text: str) -> str:
    return " ".join(part.strip() for part in text.strip().splitlines() if part.strip())


def _remedy(error: psycopg.Error) -> str:
    said = str(error).lower()
    if any(part in said for part in ("too many clients", "too many connections", "remaining connection")):
        return "use fewer workers, close idle connections, or raise max_connections"
    if "does not exist" in said and "database" in said:
        return "name a database that exists, `postgres` by preference"
    if "password" in said or "authentication" in said or "no pg_hba.conf entry" in said or "role" in said:
        return (
            "put the right password into the URL, ~/.pgpass or PGPASSWORD, or ask for access in pg_hba.conf"
        )
    if any(part in said for part in ("resolve host", "translate host name", "name or service not known")):
        return "mend the host name in the URL"
    if "no such file" in said or "connection refused" in said or "timeout" in said:
        return "start that server, or mend host and port in the URL"
    return "run `scenarios doctor`"
