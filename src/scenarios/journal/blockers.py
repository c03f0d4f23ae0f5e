"""Who stands in the way of a snapshot or a restore.

"canceling statement due to lock timeout" says that somebody has an open transaction, not who. A person then
looks for hours for the fixture that forgot to commit.
"""

from __future__ import annotations

from typing import Any

import psycopg

from scenarios.errors import JournalError, redact

_HOLDERS = """
    SELECT a.pid, a.application_name, a.usename, a.state, a.query,
           extract(epoch FROM clock_timestamp() - a.xact_start)::float8
      FROM pg_stat_activity a
     WHERE a.pid <> pg_backend_pid() AND EXISTS (
           SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
             JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation'
              AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
              AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
              AND (l.mode <> 'AccessShareLock' OR c.relkind = 'm' OR %s))
     ORDER BY a.pid
"""

# A prepared transaction has no process, and keeps its locks after a restart of the server.
_PREPARED = b"""
    SELECT p.gid, p.owner, extract(epoch FROM clock_timestamp() - p.prepared)::float8
      FROM pg_prepared_xacts p WHERE p.database = current_database() ORDER BY p.prepared
"""


def blocked(conn: psycopg.Connection[Any], action: str, wait: float, cause: psycopg.Error) -> JournalError:
    """Return the error that names every session, and every prepared transaction, with uncommitted writes.

    Args:
        conn: the connection that waited in vain; it must be able to run a query.
        action: what it wanted to do.
        wait: how long it waited, in seconds.
        cause: the error of the server.
    """
    lines = holders(conn) or holders(conn, readers=True)
    lines += [
        f"prepared transaction {gid!r} ({owner}), prepared {age:.1f} s ago, which needs COMMIT PREPARED or"
        " ROLLBACK PREPARED"
        for gid, owner, age in conn.execute(_PREPARED).fetchall()
    ]
    return JournalError(
        f"cannot {action}: another connection has an open transaction",
        where=f"database {conn.info.dbname!r}",
        why=f"waited {wait:g} s for "
        + ("; ".join(lines) if lines else f"a lock that is free by now ({str(cause).splitlines()[0]})"),
        hint="commit, roll back or close it before the test ends",
    )


def holders(conn: psycopg.Connection[Any], *, readers: bool = False) -> list[str]:
    """Return every other session that has a lock on a table of the database, as a sentence each.

    Args:
        conn: a connection to the database.
        readers: also those that only read, which is in the way of little: of a rule that has to be silenced,
            or of triggers that are taken off.
    """
    return [
        f"pid {pid} ({user}, application {name or 'unnamed'!r}), {state},"
        f" transaction open for {age or 0:.1f} s,"
        f" last query: {redact(' '.join((query or '').split()))[:300]}"
        for pid, name, user, state, query, age in conn.execute(_HOLDERS, [readers]).fetchall()
    ]
