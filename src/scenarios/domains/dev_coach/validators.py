"""The rules of Dev Coach that no constraint can hold, as checks over loaded data.

A constraint sees one row. That a conversation starts with the coach, that an identity's state fits its
person's phase, or that a transition was logged in order needs several; without these checks a scenario can
load and still be a state that no run of the application leads to. The queries are in ``sql/checks.sql``.

Left out, since the documents' vocabulary has no word for it: archived identities, breaks and videos,
appearance and images, and identities logged by their creation (the log may begin anywhere). A conversation
may end with the person's turn: the coach's answer is then what a test is about.
"""

from __future__ import annotations

from scenarios.validation import SqlCheck, sql_checks

CHECKS: tuple[SqlCheck, ...] = sql_checks("scenarios.domains.dev_coach.sql", "checks.sql")
"""Every check of Dev Coach; `scenarios.validation.validate` runs them."""
