"""What must hold of loaded data beyond what the database refuses by itself.

A scenario whose completed essay lacks its feedback, or whose word count is not the text's, teaches the wrong
thing to whoever tests against it. The rules are the database's own view of breaches, so that the audit in
production and the check of a scenario can never disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scenarios.errors import ValidationError

if TYPE_CHECKING:
    import psycopg

_BREACHES = "SELECT rule, severity, table_name, row_pk, detail FROM data_quality_breaches ORDER BY 2, 1, 3, 4"


@dataclass(frozen=True, slots=True)
class Breach:
    """One row that breaks one rule; *severity* is ``"error"``, ``"warning"`` or ``"info"``."""

    rule: str
    severity: str
    table: str
    key: str
    detail: dict[str, Any]

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.detail.items() if value is not None)
        return f"{self.table} {self.key}: {self.rule}" + (f" ({facts})" if facts else "")


def breaches(conn: psycopg.Connection[Any], *, ignore: frozenset[str] = frozenset()) -> list[Breach]:
    """Return every breach of a rule in the database, except of the rules named in *ignore*."""
    rows = [Breach(*row) for row in conn.execute(_BREACHES)]
    return [breach for breach in rows if breach.rule not in ignore]


def validate(conn: psycopg.Connection[Any], *, ignore: frozenset[str] = frozenset()) -> None:
    """Check every rule.

    Raises:
        ValidationError: a row breaks one; the message lists the first ten.
    """
    found = breaches(conn, ignore=ignore)
    if found:
        listed = "; ".join(str(breach) for breach in found[:10])
        raise ValidationError(
            f"{len(found)} rows break a rule of EssayCoach",
            why=listed + ("; ..." if len(found) > 10 else ""),
            remedy="correct the scenario; the rules are in the view data_quality_breaches",
        )
