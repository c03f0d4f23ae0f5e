"""What has to happen around the rows of a scenario: their months made, the audit quiet, the views fresh.

A row without a month lands in the default partition, where it blocks the month's creation later; and an audit
trail that says the test tool inserted thirty students hides what the scenario wants to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scenarios.domains.essay_coach.models import PARTITIONED

if TYPE_CHECKING:
    import psycopg

_ENSURE = "SELECT ensure_months(%(parent)s, %(first)s, %(last)s)"
_QUIET = "SELECT set_config('app.audit', 'off', true)"
_REFRESH = "SELECT refresh_views(%(online)s)"
_NOW = "SELECT create_months_ahead(1)"


def before_load(conn: psycopg.Connection[Any], spans: Mapping[str, Any]) -> None:
    """Make the months the rows need (and this and the next one), and keep the loading out of the audit trail.

    Args:
        conn: the loading connection, inside its transaction.
        spans: for each table the first and the last time in its rows.
    """
    conn.execute(_NOW)
    for table in PARTITIONED:
        if table in spans:
            first, last = spans[table]
            conn.execute(_ENSURE, {"parent": table, "first": first, "last": last})
    conn.execute(_QUIET)


def after_load(conn: psycopg.Connection[Any]) -> None:
    """Refresh the materialized views without blocking their readers."""
    conn.execute(_REFRESH, {"online": True})
