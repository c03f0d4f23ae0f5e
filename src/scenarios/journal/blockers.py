"""Who stands in the way of a snapshot or a restore.

"canceling statement due to lock timeout" says that somebody has an open transaction, not who. A person then
looks for hours for the fixture that forgot to commit.
"""

from __future__ import annotations

from typing import Any

import psycopg

from scenarios.errors import JournalError, redact


def blocked(conn: psycopg.Connection[Any], action: str, wait: float, cause: psycopg.Error) -> JournalError:
    """Return the error that names every session with uncommitted writes.

    Args:
        conn: the connection that waited in vain; it must be able to run a query.
        action: what it wanted to do.
        wait: how long it waited, in seconds.
        cause: the error of the server.
    """
    rows = conn.execute(
        b"SELECT DISTINCT a.pid, a.application_name, a.usename, a.state, a.query,"
        b" extract(epoch FROM clock_timestamp() - a.xact_start)::float8"
        b" FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        b" WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        b" AND l.locktype = 'relation' AND l.granted AND a.pid <> pg_backend_pid()"
        b" AND (l.relation = 'scenarios_journal.touched'::regclass"
        b"      AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')"
        b"   OR l.mode = 'AccessExclusiveLock'"
        b"   OR EXISTS (SELECT FROM scenarios_journal.views v WHERE v.relation = l.relation)"
        b"   OR l.mode IN ('RowShareLock', 'RowExclusiveLock')"
        b"      AND EXISTS (SELECT FROM scenarios_journal.members m WHERE m.relation = l.relation))"
        b" ORDER BY a.pid"
    ).fetchall()
    lines = [
        f"pid {pid} ({user}, application {name or 'unnamed'!r}), {state},"
        f" transaction open for {age or 0:.1f} s,"
        f" last query: {redact(' '.join((query or '').split()))[:300]}"
        for pid, name, user, state, query, age in rows
    ]
    return JournalError(
        f"cannot {action}: another connection has an open transaction",
        where=f"database {conn.info.dbname!r}",
        why=f"waited {wait:g} s for "
        + ("; ".join(lines) if lines else f"a lock that is free by now ({str(cause).splitlines()[0]})"),
        remedy="commit, roll back or close it before the test ends",
    )
