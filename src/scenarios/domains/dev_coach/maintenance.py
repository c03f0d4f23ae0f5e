"""What a person does to the database from time to time: move the recent-messages index, reindex, analyze.

The indexes page defines the index of recent messages with ``NOW()`` in its predicate, which PostgreSQL
refuses (42P17): an index cannot change by itself. So its predicate is a literal and goes
stale; here it is moved.

None of this runs inside a transaction, and none belongs into a test: it is DDL and cluster work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from scenarios.domains.dev_coach.base import Base
from scenarios.errors import DatabaseError

RECENT_INDEX = "chat_messages_chatmessage_recent_idx"
RECENT_DAYS = 30
"""How far back the page's recent-messages index reaches."""

BUSY_TABLES = ("users_user", "chat_messages_chatmessage", "actions_action")
"""The tables the page has reindexed, analyzed and vacuumed regularly."""

_CREATE_RECENT = sql.SQL(
    "CREATE INDEX CONCURRENTLY {name} ON chat_messages_chatmessage (user_id, timestamp)"
    " WHERE timestamp > {cutoff}::timestamptz"
)
_CUTOFF = re.compile(r'"?timestamp"? > \'(?P<cutoff>[^\']+)\'')


def recent_messages_cutoff(connection: psycopg.Connection[Any]) -> datetime:
    """Return the time after which messages are in the recent-messages index.

    A query uses the index only if it compares ``timestamp`` with a constant that is not before this time:
    ``NOW() - INTERVAL '30 days'`` in a query is no constant to the planner.

    Raises:
        DatabaseError: the database has no such index.
    """
    row = connection.execute(
        "SELECT pg_get_expr(i.indpred, i.indrelid) FROM pg_index i WHERE i.indexrelid = to_regclass(%s)",
        [RECENT_INDEX],
    ).fetchone()
    found = _CUTOFF.search(row[0]) if row is not None and row[0] else None
    if found is None:
        raise DatabaseError(
            "the index of recent messages is missing",
            where=connection.info.dbname,
            hint="rebuild_recent_messages_index makes it",
        )
    moment = connection.execute("SELECT %s::timestamptz", [found["cutoff"]]).fetchone()
    assert moment is not None  # a SELECT without FROM has one row
    value: datetime = moment[0]
    return value


def rebuild_recent_messages_index(
    connection: psycopg.Connection[Any], *, now: datetime | None = None, days: int = RECENT_DAYS
) -> datetime:
    """Move the recent-messages index to the last *days* days and return its new cut-off.

    The new index is built beside the old one, without blocking writers, and takes its name at the end; if the
    build fails, the old one is still there.

    Args:
        connection: in autocommit mode.
        now: the moment to count from (a scenario's clock); the present if None.
        days: how many days back the index reaches.

    Raises:
        DatabaseError: the connection is inside a transaction, or *now* has no time zone.
    """
    _outside_transaction(connection, "the index of recent messages cannot be rebuilt")
    now = now or datetime.now(UTC)
    if now.tzinfo is None:
        raise DatabaseError(
            "the index of recent messages cannot be rebuilt",
            why=f"{now.isoformat()} has no time zone",
            hint="give a moment with one, such as datetime.now(UTC)",
        )
    cutoff = (now - timedelta(days=days)).astimezone(UTC)
    fresh = sql.Identifier(f"{RECENT_INDEX}_new")
    # What a build that was interrupted has left behind.
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(fresh))
    connection.execute(_CREATE_RECENT.format(name=fresh, cutoff=sql.Literal(cutoff.isoformat())))
    with connection.transaction():
        connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier(RECENT_INDEX)))
        rename = sql.SQL("ALTER INDEX {} RENAME TO {}")
        connection.execute(rename.format(fresh, sql.Identifier(RECENT_INDEX)))
    return cutoff


def analyze(connection: psycopg.Connection[Any], tables: Sequence[str] = BUSY_TABLES) -> None:
    """Refresh the planner's statistics of *tables*, as after a large load."""
    for table in _known(tables):
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


def vacuum(connection: psycopg.Connection[Any], tables: Sequence[str] = BUSY_TABLES) -> None:
    """Vacuum and analyze *tables*; the connection is in autocommit mode."""
    _outside_transaction(connection, "the tables cannot be vacuumed")
    for table in _known(tables):
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))


def reindex(connection: psycopg.Connection[Any], tables: Sequence[str] = BUSY_TABLES) -> None:
    """Rebuild all indexes of *tables* without blocking writers; the connection is in autocommit mode."""
    _outside_transaction(connection, "the tables cannot be reindexed")
    for table in _known(tables):
        connection.execute(sql.SQL("REINDEX TABLE CONCURRENTLY {}").format(sql.Identifier(table)))


def normalise(kind: str, name: str, definition: str) -> str:
    """Even out the cut-off of the recent-messages index, which a live database moves on purpose."""
    if kind == "index" and name.endswith(f".{RECENT_INDEX}"):
        return _CUTOFF.sub("timestamp > <cut-off>", definition)
    return definition


def _known(tables: Sequence[str]) -> Sequence[str]:
    unknown = sorted(set(tables) - set(Base.metadata.tables))
    if unknown:
        raise DatabaseError(
            f"Dev Coach has no table {', '.join(unknown)}",
            hint=f"its tables are {', '.join(sorted(Base.metadata.tables))}",
        )
    return tables


def _outside_transaction(connection: psycopg.Connection[Any], what: str) -> None:
    if not connection.autocommit or connection.info.transaction_status != TransactionStatus.IDLE:
        raise DatabaseError(
            what,
            where=connection.info.dbname,
            why="PostgreSQL does this only outside a transaction",
            hint="use a connection in autocommit mode",
        )
