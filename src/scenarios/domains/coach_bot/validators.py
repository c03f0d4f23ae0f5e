"""What must hold in Coach Bot's data beyond its constraints, as checks.

The database accepts a reply before its question and a log of a message nobody sent: a scenario with either
loads, and every test on it proves something about a state the application cannot reach. The scenarios that
break a rule on purpose say which one.
"""

from __future__ import annotations

from scenarios.validation import SqlCheck, sql_checks

CHECKS: tuple[SqlCheck, ...] = sql_checks("scenarios.domains.coach_bot", "sql/checks.sql")
"""Every check, in the order of the document's reference."""
