"""What must hold of loaded data beyond what the database refuses by itself.

A scenario whose completed essay lacks its feedback, or whose word count is not the text's, teaches the wrong
thing to whoever tests against it. The rules are the database's own view of violations, so that the audit in
production and the check of a scenario can never disagree; here each has its sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scenarios.errors import ValidationError
from scenarios.validation import Finding

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

RULES = {
    "completed_has_all_feedback": "A completed essay has feedback of every active type.",
    "unfinished_has_no_full_feedback": "Only a completed essay has all feedback, and one in processing some.",
    "feedback_has_response": "Feedback comes from an answer of the AI, of the same type and model version.",
    "no_response_before_processing": "The AI answers nothing before an essay is processed.",
    "submitted_has_version": "A submitted essay has at least one version.",
    "versions_without_gap": "The versions of an essay are numbered from 1 without a gap.",
    "versions_in_order": "A version is made after the one before it.",
    "latest_version_is_the_text": "The latest version is the essay's text.",
    "word_count_counts_words": "The word count is the number of words.",
    "character_count_is_length": "The character count is the text's length.",
    "reading_time_follows_words": "The reading time is a minute for each 200 words, at least one.",
    "highlight_is_in_the_text": "What feedback highlights is that part of the text.",
    "feedback_within_processing": "Feedback is made while the essay is processed.",
    "response_within_processing": "The AI answers between submission and completion.",
    "essay_after_joining": "Nobody writes an essay before joining.",
    "failed_has_error_log": "An essay on which the AI failed has an error in the log.",
    "analytics_is_the_authors": "A measurement about an essay is about its author.",
    "report_owner_may_report": "Reports about a class or the system are made by educators and admins.",
    "weights_sum_to_one": "The weights of the active feedback types sum to one.",
    "student_count_is_right": "An institution's count of students is right.",
    "user_has_profile": "Every user has a profile.",
    "suspended_has_no_live_token": "Who is suspended has no live refresh token.",
    "rotation_moves_forward": "A rotated token is replaced by a later one of the same session.",
    "text_handed_in_twice": "Nobody hands in the same text twice.",
    "confidence_stuck_at_default": "The AI's confidence is not always the default.",
    "scores_all_alike": "The AI does not give everybody the same score.",
    "nothing_from_the_future": "Nothing is dated in the future.",
    "default_partition_is_empty": "Every row lies in the partition of its month.",
}
"""What each rule of the view ``data_quality_breaches`` says."""

_VIOLATIONS = (
    "SELECT rule, severity, table_name, row_pk, detail FROM data_quality_breaches ORDER BY 2, 1, 3, 4"
)
_VIOLATIONS_OF = (
    "SELECT rule, severity, table_name, row_pk, detail FROM data_quality_breaches WHERE rule = %(rule)s"
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks one rule; *severity* is ``"error"``, ``"warning"`` or ``"info"``."""

    rule: str
    severity: str
    table: str
    key: str
    detail: dict[str, Any]

    @property
    def facts(self) -> str:
        """What of the row breaks the rule, as words."""
        return ", ".join(f"{name} {value}" for name, value in self.detail.items() if value is not None)

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.rule}" + (f" ({self.facts})" if self.facts else "")


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """One rule of the view as a check of `scenarios.validation`.

    Attributes:
        name: the rule's name, in kebab case.
        rule: the rule as a sentence that should hold.
    """

    name: str
    rule: str

    def run(self, connection: psycopg.Connection[Any], scope: UUID | None = None) -> list[Finding]:
        """Return the rows that break the rule; EssayCoach has no scope, so they are those of all."""
        rows = connection.execute(_VIOLATIONS_OF, {"rule": self.name.replace("-", "_")})
        found = [Violation(*row) for row in rows]
        return [Finding(self.name, each.table, each.key, each.facts or self.rule) for each in found]


CHECKS = tuple(RuleCheck(name.replace("_", "-"), rule) for name, rule in RULES.items())
"""The checks of the system, one a rule."""


def violations(conn: psycopg.Connection[Any], *, ignore: frozenset[str] = frozenset()) -> list[Violation]:
    """Return every violation of a rule in the database, except of the rules named in *ignore*."""
    rows = [Violation(*row) for row in conn.execute(_VIOLATIONS)]
    return [violation for violation in rows if violation.rule not in ignore]


def validate(conn: psycopg.Connection[Any], *, ignore: frozenset[str] = frozenset()) -> None:
    """Check every rule.

    Raises:
        ValidationError: a row breaks one; the message lists the first ten.
    """
    found = violations(conn, ignore=ignore)
    if found:
        listed = "; ".join(str(violation) for violation in found[:10])
        raise ValidationError(
            f"{len(found)} rows break a rule of EssayCoach",
            why=listed + ("; ..." if len(found) > 10 else ""),
            hint="correct the scenario; the rules are in the view data_quality_breaches",
        )
