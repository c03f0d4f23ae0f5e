"""Connecting to what was meant, with an error that says what to do.

libpq's own message for a refused login, a server that is full and a host that does not exist is a paragraph
of attempts; a person wants to know which it was and what to change. The password is in none of these
messages.

An accepted login says nothing about where it led: a variable in the shell sends libpq to another server, a
pooler's entry sends every name to one database. So what was reached is asked before anything is executed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.pq import Conninfo, ConnStatus, ExecStatus, TransactionStatus

from scenarios.database_errors import hint, reached
from scenarios.errors import SafetyError, ServerError
from scenarios.ownership import ask
from scenarios.postgres import urls

if TYPE_CHECKING:
    from scenarios.postgres.database import Database

APPLICATION = "pg-scenarios"
CONNECT_SECONDS = 10


_NOT_EMPTY = {
    "client_encoding": "UTF8",
    "connect_timeout": str(CONNECT_SECONDS),
    "sslcertmode": "allow",
    "require_auth": "scram-sha-256,md5,password",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
}
"""Parameters that libpq (18.6) or psycopg (3.3) cannot read when they are empty."""

_SESSION = {"PGDATESTYLE": ("DateStyle", "ISO, MDY"), "PGTZ": ("TimeZone", "UTC"), "PGGEQO": ("geqo", "on")}
"""Variables libpq sends as settings and no parameter overrules; with what our servers have."""

_REACHED = b"SELECT current_database(), pg_backend_pid(), current_setting('cluster_name')"


_DECIDED = sql.SQL("""
    SELECT set_config({name}, coalesce(
           (SELECT substr(s, strpos(s, '=') + 1) FROM pg_db_role_setting d, unnest(d.setconfig) s
             WHERE lower(split_part(s, '=', 1)) = lower({name})
               AND d.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
               AND d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             ORDER BY d.setrole > 0 DESC, d.setdatabase > 0 DESC LIMIT 1), {otherwise}), false)
""")
"""Gives a setting the value it has in a new session of the role in the database."""


def connect(
    parameters: Mapping[str, str],
    *,
    autocommit: bool = True,
    application: str = APPLICATION,
    cluster: str | None = None,
) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection with the libpq *parameters*.

    Args:
        parameters: what libpq is to know; for a server of ours it is told nothing else.
        autocommit: as psycopg's.
        application: the name the server shows.
        cluster: the ``cluster_name`` of the server of ours that must answer, in the database named in
            *parameters*; empty for a server of somebody else, which may have any; None asks nothing.

    Raises:
        ServerError: it is refused, or a connection pooler answers where a server must.
        SafetyError: it led to another server or another database.
    """
    given = {"connect_timeout": str(CONNECT_SECONDS), "application_name": application, **parameters}
    if cluster:
        given = sealed(given)
    try:
        conn: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(**given, autocommit=True)  # type: ignore[arg-type]  # names from libpq
    except psycopg.Error as error:
        raise ServerError(
            "cannot connect to PostgreSQL",
            where=urls.safe_url(parameters),
            why=_first_line(str(error)),
            hint=hint(error),
        ) from error
    reached(conn)
    try:
        if cluster is not None:
            arrive(conn, parameters, cluster)
        conn.autocommit = autocommit
    except BaseException:
        conn.close()
        raise
    return conn


def arrive(conn: psycopg.Connection[Any], parameters: Mapping[str, str], cluster: str) -> None:
    """See that *conn*, just opened, leads where *parameters* and *cluster* say; see `connect`."""
    _require_reached(conn, parameters, cluster)
    if cluster:
        _without_the_shells_settings(conn)


def sealed(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return *parameters* with all else that libpq would take from the environment or a service.

    A service that is named there and nowhere defined stays an error; libpq has no parameter against it.
    """
    service = "PGSERVICE" in os.environ
    named = {
        option.keyword.decode(): _NOT_EMPTY.get(option.keyword.decode(), (option.compiled or b"").decode())
        for option in Conninfo.get_defaults()
        if option.envvar and (service or option.envvar.decode() in os.environ)
    }
    named.pop("service", None)
    return {**named, **parameters}


def renew_session(conn: psycopg.Connection[Any]) -> None:
    """Give *conn* a new session in the same database; what was set in the old one is gone.

    For a connection whose statements were not prepared: the driver would look for them.

    Raises:
        OperationalError: it cannot be opened.
        SafetyError: it leads elsewhere than before.
    """
    (before,) = ask(conn, b"SELECT current_database()")
    server = ask(conn, b"SELECT current_setting('cluster_name')")[0]
    conn.pgconn.reset()
    if conn.pgconn.status != ConnStatus.OK:
        raise psycopg.OperationalError(conn.pgconn.error_message.decode(errors="replace").strip())
    arrive(conn, {**conn.info.get_parameters(), "dbname": before}, server)


def answers(conn: psycopg.Connection[Any], command: bytes = b"SELECT 1") -> bool:
    """Run *command* outside of the driver's transactions, in one round trip; False when it failed."""
    try:
        with conn.lock:  # two threads on one connection of libpq wait for each other's answers for ever
            answer = conn.pgconn.exec_(command)
    except psycopg.OperationalError:
        return False
    return answer.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


def stay_open(conn: psycopg.Connection[Any]) -> None:
    """Let *conn*, which is idle for as long as a test takes, outlast ``idle_session_timeout``."""
    conn.execute(b"SET idle_session_timeout = 0")


def like(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Return all libpq parameters with which *conn* was opened, wherever from, password included."""
    found = {option.keyword.decode(): option.val for option in conn.pgconn.info}
    return {name: value.decode() for name, value in found.items() if value is not None}


def _require_reached(conn: psycopg.Connection[Any], parameters: Mapping[str, str], cluster: str) -> None:
    wanted = parameters["dbname"]
    database, process, answering = ask(conn, _REACHED)
    if cluster and answering != cluster:
        raise SafetyError(
            "another PostgreSQL server answers than the one that was started; nothing was done to it",
            where=urls.safe_url(parameters),
            why=f"its cluster_name is {answering!r}, ours is {cluster!r}",
            hint="look for PG* variables that lead elsewhere (`env | grep ^PG`), or for who uses the port",
        )
    if database != wanted:
        raise SafetyError(
            f"the connection to the database {wanted!r} led to {database!r}; nothing was done to it",
            where=urls.safe_url(parameters),
            why="something between leads every name to one database: a pooler's entry `* = .. dbname=..`, or "
            "a server that has only one (PGlite)",
            hint="name PostgreSQL's own port, of a server on which databases can be created",
        )
    if process != str(conn.pgconn.backend_pid):
        raise ServerError(
            "a connection pooler (PgBouncer, for one) cannot be used as the server of a run",
            where=urls.safe_url(parameters),
            why=f"the process that executes ({process}) is not the one that answered the login: locks and "
            "settings of a session would be left to whoever is given that process next",
            hint="name PostgreSQL's own host and port, usually 5432; "
            "`load`, `reset`, `unload` and `freeze` work through a pooler",
        )


def _without_the_shells_settings(conn: psycopg.Connection[Any]) -> None:
    """Let the database decide where a variable of the shell was sent as a setting of the session."""
    for variable, (name, otherwise) in _SESSION.items():
        if variable in os.environ:
            query = _DECIDED.format(name=sql.Literal(name), otherwise=sql.Literal(otherwise))
            ask(conn, query.as_bytes(conn))


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
