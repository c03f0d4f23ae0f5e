"""The state of an EssayCoach database as a person asks for it: connections, slow queries, disk, indexes,
vacuum, partitions, views, replication, and the quality of the data.

The checks themselves are views in the database (``sql/health.sql``), where monitoring can read them too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from scenarios.validation import Health

if TYPE_CHECKING:
    import psycopg

_CHECKS = "SELECT item, status, value, detail FROM health"
_VIOLATIONS = """
    SELECT rule, severity, count(*), min(table_name), (array_agg(row_pk ORDER BY row_pk))[1:3]
    FROM data_quality_breaches GROUP BY rule, severity ORDER BY severity, rule
"""


def health(conn: psycopg.Connection[Any]) -> list[Health]:
    """Return the state of the database *conn* is connected to, one entry a check.

    The role needs to be a member of ``ec_monitor`` and ``pg_monitor``, or a superuser.
    """
    found = [
        Health(item, status, float(value) if isinstance(value, Decimal) else value, detail)
        for item, status, value, detail in conn.execute(_CHECKS)
    ]
    violations = [
        Health(
            f"data: {rule}",
            "problem" if severity == "error" else "warning",
            float(count),
            f"{count} rows of {table} break this rule, the first {', '.join(keys)}",
        )
        for rule, severity, count, table, keys in conn.execute(_VIOLATIONS)
    ]
    return found + (violations or [Health("data quality", "ok", 0.0, "no row breaks a rule")])
