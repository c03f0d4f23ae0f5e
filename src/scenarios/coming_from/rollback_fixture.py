"""What a hand-written rollback fixture becomes, and what it had hidden.

The recipe (one connection, one transaction, a session with ``join_transaction_mode="create_savepoint"``) is
right until the code under test commits from elsewhere, and blind to three things: code that forgot to commit,
since the test reads in the same transaction; a deferred constraint, which is asked at the commit that never
comes; and an application with an engine of its own, for which a test has to patch the place that makes
sessions. ``session`` keeps the fixture and warns of the first two; ``redirected`` takes care of the third.
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

    from scenarios.journal import Change, Changes


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
    from sqlalchemy import Connection
    from sqlalchemy.exc import SQLAlchemyError

    try:
        lost = _uncommitted(session, changes) if session.in_transaction() else []
    except (SQLAlchemyError, psycopg.Error):
        return []  # the transaction is broken: the test has seen that itself
    found = []
    if lost:
        tables = ", ".join(dict.fromkeys(row.table for row in lost))
        found.append(
            f"{len(lost)} changed row{'' if len(lost) == 1 else 's'} of {tables} were never committed: "
            f"nobody but this session could see them; the first is {lost[0]}"
        )
    if isinstance(session.get_bind(), Connection):  # otherwise its commits were real
        found += _deferred(session)
    return found


def _uncommitted(session: Session, changes: Callable[[], Changes]) -> list[Change]:
    from scenarios import journal

    session.flush()
    raw: Any = session.connection().connection.driver_connection
    inside = journal.changes(raw, changes().since)
    session.rollback()
    committed = {str(row) for row in changes()}
    return [row for row in inside if str(row) not in committed]


def _deferred(session: Session) -> list[str]:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    try:
        session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    except DBAPIError as error:
        session.rollback()
        return [f"the commit would have been refused by a deferred constraint: {error.orig}"]
    return []


@contextmanager
def redirected(engine: Engine | AsyncEngine, url: str) -> Iterator[None]:
    """Let an engine that the application made connect to the database at *url* for a while.

    Nothing of the application is patched: SQLAlchemy asks before each new connection where it leads.

    Args:
        engine: made by the application, for whatever address and with whatever driver for PostgreSQL.
        url: `scenario_db_url`, say, which is the same for the whole run.
    """
    from sqlalchemy import event, make_url

    sync = getattr(engine, "sync_engine", engine)
    where = make_url(url)

    def elsewhere(dialect: object, record: object, args: list[object], named: dict[str, object]) -> None:
        place, given = sync.dialect.create_connect_args(where)
        args[:] = place
        named.clear()
        named.update(given)

    sync.dispose(close=sync is engine)
    event.listen(sync, "do_connect", elsewhere)
    try:
        yield
    finally:
        event.remove(sync, "do_connect", elsewhere)
        sync.dispose(close=sync is engine)  # an asynchronous connection belongs to a loop that may be over
