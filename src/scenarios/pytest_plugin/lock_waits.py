"""Who a test waited for, when one of its connections gave up waiting for a lock.

A test that writes through the session it was given, and then the same row through a connection of its own,
waits for itself; PostgreSQL sees two strangers, one of them in no hurry. So connections of ours wait for a
limited time, and the error says whose transaction was open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scenarios.errors import ScenariosError, redact

if TYPE_CHECKING:
    from scenarios.pytest_plugin.isolated_test import Test

_LOCK_NOT_AVAILABLE = "55P03"
_OPEN = """
    SELECT pid, state, query FROM pg_stat_activity
     WHERE pid = ANY (%s) AND xact_start IS NOT NULL AND state <> 'idle in transaction (aborted)'
"""


def explain(error: Exception, test: Test) -> None:
    """Add to *error*, if a lock was waited for in vain, who has a transaction open in the test's database."""
    import psycopg

    from scenarios.journal.blockers import holders

    if not any(getattr(cause, "sqlstate", None) == _LOCK_NOT_AVAILABLE for cause in _causes(error)):
        return
    try:
        with test.database.connect() as conn:
            given = conn.execute(_OPEN, [list(test.given)]).fetchall()
            others = holders(conn)
    except (ScenariosError, psycopg.Error):
        return
    for pid, state, query in given:
        error.add_note(
            f"{test.given[pid]}, which the test was given, has a transaction open (pid {pid}, {state}); "
            f"its last statement: {redact(' '.join(query.split()))[:300]}\n"
            f"commit it before another connection needs the same rows, or do both by {test.given[pid]} "
            "(connections of the test's database wait for a lock as long as the setting lock_timeout says)"
        )
    if not given and others:
        error.add_note(f"the lock may be that of {'; '.join(others)}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error*, what it was raised from, and what SQLAlchemy wrapped, each once."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "orig", None)]
