"""What PostgreSQL or its driver refused, as an error for people: which table, which role, which statement.

A traceback of a driver names the line of ours that happened to ask; a person has to know what the database
had against it, and what to change. This is the one place that turns the one into the other, for the command
line, for the page, and for whoever connects.
"""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import sql

from scenarios.errors import DatabaseError, ScenariosError, ServerError

_SHOWN = 160
"""Characters of a statement that are shown."""

_REACHED: WeakKeyDictionary[psycopg.Connection[Any], tuple[str, str]] = WeakKeyDictionary()
"""Role and database of connections: when an error is told, its connection is closed and forgets them."""

_DENIED = re.compile(r"permission denied for (?P<kind>[a-z ]+?) (?P<name>\S+)$")
_RIGHTS = {
    "table": "GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {role}",
    "view": "GRANT SELECT ON {name} TO {role}",
    "materialized view": "GRANT SELECT ON {name} TO {role}",
    "sequence": "GRANT USAGE, SELECT ON SEQUENCE {name} TO {role}",
    "schema": "GRANT USAGE ON SCHEMA {name} TO {role}",
    "database": "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {name} TO {role}",
    "function": "GRANT EXECUTE ON FUNCTION {name} TO {role}",
    "type": "GRANT USAGE ON TYPE {name} TO {role}",
}
"""What an owner has to run, by what PostgreSQL calls the thing that was denied."""

_BY_STATE = {
    "25006": "name the primary server and a session that may write: default_transaction_read_only, and a "
    "standby, allow reading alone",
    "57014": "allow it more time: ALTER ROLE .. SET statement_timeout, or options=-c%20statement_timeout=0 "
    "in the URL",
    "55P03": "end the open transaction of the application under test, then try again",
    "40P01": "try again: two transactions waited for each other",
    "40001": "try again: another transaction was quicker",
    "25P03": "try again, or raise idle_in_transaction_session_timeout",
    "57P05": "try again, or raise idle_session_timeout",
    "53100": "make room on the server's disk",
    "53200": "raise max_locks_per_transaction where it says so, else give the server more memory",
    "53300": "use fewer workers, close idle connections, or raise max_connections",
    "3D000": "name a database that exists, or create it: createdb NAME",
    "42601": "correct the SQL",
    "0A000": "do without what this version of PostgreSQL does not have, or use a later one",
}
_BY_CLASS = {
    "08": "is the server running, and reachable from here? try again when it is",
    "23": "correct the rows, or see the constraint that refuses them",
    "28": "put the right password into the URL, ~/.pgpass or PGPASSWORD, or ask for access in pg_hba.conf",
    "53": "give the server more of what it lacks",
    "57": "is the server running? try again when it is",
    "P0": "see the function that refused it",
    "38": "see the function that refused it",
    "42": "compare the database with the schema the project has: its tables or columns differ",
}
_BY_WORDS = (
    ("definition of service", "define that service, or unset PGSERVICE; libpq reads it for every connection"),
    ("too many clients", _BY_STATE["53300"]),
    ("too many connections", _BY_STATE["53300"]),
    ("remaining connection", _BY_STATE["53300"]),
    ("does not support ssl", "the server has no TLS: write sslmode=prefer or sslmode=disable in the URL"),
    ("root certificate file", "name the authority's certificate: sslrootcert=FILE, or sslrootcert=system"),
    ("certificate verify failed", "name the authority's certificate: sslrootcert=FILE in the URL"),
    ("server certificate for", "name the host as the certificate does, or use sslmode=verify-ca"),
    ("no encryption", "let the connection be encrypted (sslmode=require), or have pg_hba.conf allow it"),
    ("invalid sslmode", "write one of disable, allow, prefer, require, verify-ca, verify-full"),
    ("password", _BY_CLASS["28"]),
    ("authentication", _BY_CLASS["28"]),
    ("no pg_hba.conf entry", _BY_CLASS["28"]),
    ("resolve host", "correct the host name in the URL"),
    ("translate host name", "correct the host name in the URL"),
    ("name or service not known", "correct the host name in the URL"),
    ("no such file", "start that server, or correct host and port in the URL"),
    ("connection refused", "start that server, or correct host and port in the URL"),
    ("timeout expired", "start that server, or correct host and port in the URL"),
)


def reached(conn: psycopg.Connection[Any]) -> None:
    """Keep in mind where *conn*, just opened, leads, for errors that are told when it is closed."""
    _REACHED[conn] = conn.info.user, conn.info.dbname


def as_error(error: BaseException) -> ScenariosError | None:
    """Return *error*, of psycopg or of SQLAlchemy, as one of ours; None where it is neither.

    It says what was refused, in which table, by which role of which database and in which statement, as far
    as PostgreSQL and the driver know.
    """
    original = getattr(error, "orig", None)
    if not isinstance(error, psycopg.Error) and isinstance(original, BaseException):
        found = as_error(original)  # SQLAlchemy wraps the driver's error
        if found is not None or getattr(original, "sqlstate", None) is None:
            return found
        return DatabaseError("the database refused", why=str(original), hint=hint(original))
    if not isinstance(error, psycopg.Error):
        return None
    statement, conn = _asked(error)
    if conn is not None and not conn.closed:
        reached(conn)
    role, database = _REACHED.get(conn, ("", "")) if conn is not None else ("", "")
    diag = error.diag
    table = ".".join(filter(None, (diag.schema_name, diag.table_name)))
    where = [
        f"table {table}" if table else "",
        f"database {database!r}, role {role!r}" if database else "",
        f"statement {statement}" if statement else "",
    ]
    state = error.sqlstate or ""
    # The detail of a CHECK or a NOT NULL is the whole row, secrets and all.
    detail = None if state in ("23502", "23514") else diag.message_detail
    said = [diag.message_primary or " ".join(str(error).split()), detail, diag.message_hint]
    lost = isinstance(error, psycopg.OperationalError) and (not state or state[:2] in ("08", "57", "53"))
    kind = ServerError if lost and state != "57014" else DatabaseError
    return kind(
        "the database does not answer"
        if kind is ServerError and state[:2] != "53"
        else "the database refused",
        where="; ".join(filter(None, where)) or None,
        why=". ".join(part.rstrip(".") for part in said if part),
        hint=hint(error, role),
    )


def hint(error: BaseException, role: str = "") -> str:
    """Return what to do about an error of a driver."""
    diag = getattr(error, "diag", None)
    return hint_for(
        getattr(error, "sqlstate", None) or "", getattr(diag, "message_primary", None) or str(error), role
    )


def hint_for(state: str, message: str, role: str = "") -> str:
    """Return what to do about an error with the SQLSTATE *state*, which may be empty, and *message*.

    Args:
        state: five characters; empty where none was sent, as when a connection fails.
        message: PostgreSQL's or libpq's message.
        role: the role that was refused, where it is known.
    """
    who = role or "that role"
    if "row-level security" in message:
        # Nor does COPY take rows from a role that policies apply to, whichever rows they are.
        return "policies forbid it to this role: connect as the owner, or with BYPASSRLS"
    if state == "42501":
        denied = _DENIED.search(message)
        if denied is not None and denied["kind"] in _RIGHTS:
            right = _RIGHTS[denied["kind"]].format(name=denied["name"], role=who)
            return f"let its owner run: {right}; or connect as another role"
        return f"let its owner give {who} the right, or connect as another role"
    if state in _BY_STATE:
        return _BY_STATE[state]
    if state[:2] in _BY_CLASS:
        return _BY_CLASS[state[:2]]
    said = message.lower()
    if "does not exist" in said and "database" in said:
        return _BY_STATE["3D000"]
    for words, what in _BY_WORDS:
        if words in said:
            return what
    if "role" in said and "does not exist" in said:
        return _BY_CLASS["28"]
    return "run `scenarios doctor`" if state else _BY_CLASS["08"]


def _asked(error: BaseException) -> tuple[str, psycopg.Connection[Any] | None]:
    """Return the statement that *error* was the answer to, and where it was asked; empty where nobody knows.

    psycopg (3.3) puts neither into its errors: they stand in the call that raised.
    """
    statement, conn = "", None
    trace = error.__traceback__
    while trace is not None:
        given = trace.tb_frame.f_locals
        asking = given.get("self")
        if isinstance(asking, psycopg.Cursor | psycopg.Copy):
            conn = asking.connection
            query = given.get("query", given.get("statement"))
            if isinstance(query, str | bytes | sql.Composable):
                statement = _shown(query, conn)
        elif isinstance(asking, psycopg.Connection):
            conn = asking
        trace = trace.tb_next
    return statement, conn


def _shown(query: str | bytes | sql.Composable, conn: psycopg.Connection[Any]) -> str:
    if isinstance(query, sql.Composable):
        query = query.as_string(None if conn.closed else conn)
    text = " ".join((query.decode(errors="replace") if isinstance(query, bytes) else query).split())
    if re.search(r"\bpassword\b", text, re.IGNORECASE):
        return f"{text.partition(' ')[0]} .."
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 2]} .."
