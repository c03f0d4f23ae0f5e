"""The state of a Dev Coach database, when one asks for it: connections, slow queries, disk, indexes, vacuum,
replication, the index of recent messages, and the rules the data should keep.

The documents want these watched and name server-wide settings for it (``log_statement = 'all'``), which write
personal data into the log and need a superuser. Everything here is read from PostgreSQL's own statistics.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from scenarios.domains.dev_coach.maintenance import RECENT_DAYS, recent_messages_cutoff
from scenarios.domains.dev_coach.validators import CHECKS
from scenarios.errors import DatabaseError
from scenarios.validation import Health

if TYPE_CHECKING:
    import psycopg

SLOW_AFTER = timedelta(seconds=1)
"""From how long on a running statement is slow: the indexes page's ``log_min_duration_statement``."""


def health(conn: psycopg.Connection[Any], *, slow_after: timedelta = SLOW_AFTER) -> list[Health]:
    """Return the state of the database *conn* is connected to, one entry a check; nothing is written.

    Without membership in ``pg_monitor`` the statements of other roles are not seen.

    Raises:
        psycopg.Error: the connection does not show Dev Coach's schema.
    """
    statement = files("scenarios.domains.dev_coach.sql").joinpath("health.sql").read_bytes()
    found = [Health(*row) for row in conn.execute(statement, {"slow_after": slow_after})]
    return [*found, _recent_index(conn), *_data(conn)]


def _recent_index(conn: psycopg.Connection[Any]) -> Health:
    """Say how old the literal in the predicate of the recent-messages index has become."""
    item = "index of recent messages"
    try:
        cutoff = recent_messages_cutoff(conn)
    except DatabaseError as error:
        return Health(item, "problem", None, error.what)
    days = (datetime.now(UTC) - cutoff).days
    stale = days > 2 * RECENT_DAYS
    return Health(
        item,
        "warning" if stale else "ok",
        float(days),
        f"reaches {days} days back" + ("; rebuild_recent_messages_index moves it" if stale else ""),
    )


def _data(conn: psycopg.Connection[Any]) -> list[Health]:
    """Say which rules of the system rows break, in how many rows."""
    rules = {check.name: check.rule for check in CHECKS}
    broken = Counter(finding.check for check in CHECKS for finding in check.run(conn, None))
    if not broken:
        return [Health("data quality", "ok", 0.0, f"no row breaks one of {len(rules)} rules")]
    return [
        Health(f"data: {name}", "warning", float(count), f"{count} rows break this rule: {rules[name]}")
        for name, count in sorted(broken.items())
    ]
