"""What has to happen around the rows of a scenario: their months made, the audit quiet, the views fresh.

A row without a month lands in the default partition, where it blocks the month's creation later; and an audit
trail that says the test tool inserted thirty students hides what the scenario wants to show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from scenarios.domain import Statement
from scenarios.domains.essay_coach.models import PARTITIONED

QUIET = Statement("SELECT set_config('app.audit', 'off', true)")
"""Keeps the rest of the transaction out of the audit trail."""

_NOW = Statement("SELECT create_months_ahead(1)")
_ENSURE = "SELECT ensure_months($1, $2, $3)"
_REFRESH = Statement("SELECT refresh_views(true)")


def before_load(spans: Mapping[str, tuple[datetime, datetime]]) -> Iterator[Statement]:
    """Make the months the rows need (and this and the next one), and keep the loading out of the audit trail.

    Args:
        spans: for each table the first and the last time in its rows.
    """
    yield _NOW
    for table in PARTITIONED:
        if table in spans:
            yield Statement(_ENSURE, (table, *spans[table]))
    yield QUIET


def after_load() -> Iterator[Statement]:
    """Refresh the materialized views without blocking their readers."""
    yield _REFRESH
