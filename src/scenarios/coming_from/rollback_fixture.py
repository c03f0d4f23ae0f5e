"""What a hand-written rollback fixture becomes, and what it had hidden.

The recipe (one connection, one transaction, a session with ``join_transaction_mode="create_savepoint"``) is
right until the code under test commits from elsewhere, and blind to three things: code that forgot to commit,
since the test reads in the same transaction; a deferred constraint, which is asked at the commit that never
comes; and an application with an engine of its own, for which a test has to patch the place that makes
sessions. ``session`` keeps the fixture, warns of the first, and asks the constraint at each commit;
``redirected`` takes care of the third.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import ConnectionPoolEntry

    from scenarios.journal import Change, Changes


_ADDRESS = frozenset(
    {
        *("host", "hostaddr", "port", "unix_sock", "dbname", "database", "user", "password", "dsn"),
        *("conninfo", "service", "passfile", "requirepeer", "target_session_attrs", "load_balance_hosts"),
        *("require_auth", "channel_binding", "gssencmode", "krbsrvname", "gsslib", "gssdelegation"),
        *("ssl", "direct_tls", "ssl_context", "sslmode", "sslnegotiation", "sslcompression", "sslsni"),
        *("sslcert", "sslkey", "sslpassword", "sslcertmode", "sslrootcert", "sslcrl", "sslcrldir"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version"),
    }
)
"""What psycopg, psycopg2, asyncpg and pg8000 are told of where to connect, and how the way is guarded."""


class HiddenByRollback(UserWarning):
    """A test passed because its transaction was never committed.

    ``-W error::scenarios.coming_from.rollback_fixture.HiddenByRollback`` makes such tests fail.
    """


def session(*, check: bool = True) -> Callable[..., Iterator[Session]]:
    """Return a fixture that is `scenario_session` under the name the old one had.

    ``db_session = rollback_fixture.session()`` in ``conftest.py`` is the whole of it.

    Args:
        check: warn of what a rollback hid; it takes a millisecond or two in each test.
    """

    @pytest.fixture
    def rollback_session(
        scenario_session: Session, scenario_changes: Callable[[], Changes]
    ) -> Iterator[Session]:
        """A session on the test's database, as the old fixture gave it."""
        yield scenario_session
        if check:
            for what in hidden(scenario_session, scenario_changes):
                warnings.warn(HiddenByRollback(what), stacklevel=1)

    return rollback_session


def hidden(session: Session, changes: Callable[[], Changes]) -> list[str]:
    """Return what the test did that no other connection could have seen, as sentences.

    Rows that *session* has not committed are given up.

    Args:
        session: of a test that is over.
        changes: gives what the test has changed so far.
    """
    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    try:
        lost = _uncommitted(session, changes) if session.in_transaction() else []
    except (SQLAlchemyError, psycopg.Error):
        return []  # the transaction is broken: the test has seen that itself
    if not lost:
        return []
    tables = ", ".join(dict.fromkeys(row.table for row in lost))
    return [
        f"{len(lost)} changed row{'' if len(lost) == 1 else 's'} of {tables} were never committed: "
        f"nobody but this session could see them; the first is {lost[0]}"
    ]


def _uncommitted(session: Session, changes: Callable[[], Changes]) -> list[Change]:
    from scenarios import journal

    session.flush()
    raw: Any = session.connection().connection.driver_connection
    inside = journal.changes(raw, changes().since)
    session.rollback()
    committed = {str(row) for row in changes()}
    return [row for row in inside if str(row) not in committed]


@contextmanager
def redirected(engine: Engine | AsyncEngine, url: str) -> Iterator[None]:
    """Let an engine that the application made connect to the database at *url* for a while.

    Nothing of the application is patched: SQLAlchemy asks before each new connection where it leads. What
    else the engine tells its connections, by ``connect_args`` or its URL, stays. An asynchronous engine keeps
    no connection meanwhile, so that it serves every loop.

    Args:
        engine: made by the application, for whatever address and with whatever driver for PostgreSQL.
        url: `scenario_db_url`, say, which is the same for the whole run.
    """
    from sqlalchemy import event, make_url

    sync = getattr(engine, "sync_engine", engine)
    where = make_url(url)

    def elsewhere(dialect: object, record: object, args: list[object], named: dict[str, object]) -> None:
        place, given = sync.dialect.create_connect_args(where)
        kept = {name: value for name, value in named.items() if name not in _ADDRESS}
        args[:] = place
        named.clear()
        named.update({**kept, **given})

    def used_once(connection: object, record: ConnectionPoolEntry) -> None:
        record.close()  # The pool connects again when it is next asked.

    listeners: list[tuple[Any, str, Callable[..., None]]] = [(sync, "do_connect", elsewhere)]
    if sync is not engine:
        # An asynchronous connection belongs to the loop it was made on, and each test has its own.
        listeners.append((sync, "checkin", used_once))
    sync.dispose(close=sync is engine)
    for listener in listeners:
        event.listen(*listener)
    try:
        yield
    finally:
        for listener in listeners:
            event.remove(*listener)
        sync.dispose(close=sync is engine)  # an asynchronous connection belongs to a loop that may be over
