"""The queries of EssayCoach's database document, with real placeholders, by name.

The document writes ``?``, which PostgreSQL does not take. Here each query has named placeholders for psycopg,
says what it is for, and which indexes it is meant to use; a test holds it to that on 200,000 rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, LiteralString

if TYPE_CHECKING:
    import psycopg

DOCUMENT = "Database Design"


@dataclass(frozen=True, slots=True)
class Query:
    """A named query.

    Attributes:
        name: what to call it by.
        purpose: what it answers.
        sql: its text, with psycopg's named placeholders.
        parameters: the placeholders and what they take.
        source: the section of the document it comes from, or why it stands here.
        indexes: the indexes that serve it: for each table the plan uses one of those listed.
    """

    name: str
    purpose: str
    sql: LiteralString
    parameters: Mapping[str, str] = field(default_factory=dict)
    source: str = DOCUMENT
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def run(self, conn: psycopg.Connection[Any], **parameters: object) -> list[Any]:
        """Run the query on *conn* and return its rows.

        Raises:
            TypeError: a parameter is missing or unknown.
        """
        if set(parameters) != set(self.parameters):
            raise TypeError(
                f"{self.name} takes {', '.join(self.parameters) or 'no parameters'};"
                f" given were {', '.join(parameters) or 'none'}"
            )
        return conn.execute(self.sql, parameters).fetchall()


_BY_USER = ("idx_essays_user_id", "idx_essays_user_status", "idx_essays_user_created")

QUERIES: dict[str, Query] = {
    query.name: query
    for query in (
        Query(
            "essays_with_feedback_count",
            "All essays of a user, each with how many pieces of feedback it has.",
            """
            SELECT e.*, COUNT(f.id) AS feedback_count
            FROM essays e
            LEFT JOIN feedback f ON e.id = f.essay_id
            WHERE e.user_id = %(user_id)s
            GROUP BY e.id
            """,
            {"user_id": "the author's id"},
            source="Query Examples, Common Queries",
            indexes={
                "essays": _BY_USER,
                "feedback": ("idx_feedback_essay_id", "feedback_essay_id_type_id_key"),
            },
        ),
        Query(
            "essays_by_day",
            "Essays begun on each day between two moments, both included, as the document writes it: the day"
            " is the session's, and a date as the upper bound means its midnight.",
            """
            SELECT DATE(created_at) AS date, COUNT(*) AS submissions
            FROM essays
            WHERE created_at BETWEEN %(first)s AND %(last)s
            GROUP BY DATE(created_at)
            """,
            {"first": "the first moment (timestamptz)", "last": "the last moment (timestamptz)"},
            source="Query Examples, Common Queries",
            indexes={"essays": ("idx_essays_created_at",)},
        ),
        Query(
            "submissions_by_day",
            "Essays begun on each day (UTC) from one day up to, but not including, another. What the query"
            " above is usually meant to ask: no day is cut short, and adjacent ranges count nothing twice.",
            """
            SELECT (created_at AT TIME ZONE 'UTC')::date AS date, COUNT(*) AS submissions
            FROM essays
            WHERE created_at >= %(first_day)s::timestamp AT TIME ZONE 'UTC'
              AND created_at < %(day_after)s::timestamp AT TIME ZONE 'UTC'
            GROUP BY 1
            ORDER BY 1
            """,
            {"first_day": "the first day", "day_after": "the day after the last"},
            source="the half-open form of essays_by_day",
            indexes={"essays": ("idx_essays_created_at",)},
        ),
        Query(
            "completed_essays_plan",
            "How the completed essays of a user are found, and how long it takes. It runs the query.",
            "EXPLAIN ANALYZE SELECT * FROM essays WHERE user_id = %(user_id)s AND status = 'completed'",
            {"user_id": "the author's id"},
            source="Query Examples, Performance Queries",
            indexes={"essays": _BY_USER},
        ),
        Query(
            "essay_column_statistics",
            "What the planner knows of the columns of essays. The document calls it index usage; for that see"
            " index_usage.",
            """
            SELECT schemaname, tablename, attname, n_distinct
            FROM pg_stats
            WHERE tablename = 'essays'
            """,
            source="Query Examples, Performance Queries",
        ),
        Query(
            "index_usage",
            "How often each index was used, the least used first.",
            """
            SELECT relname AS table_name, indexrelname AS index_name, idx_scan AS scans,
                   pg_relation_size(indexrelid) AS bytes
            FROM pg_stat_user_indexes
            WHERE schemaname = 'public'
            ORDER BY idx_scan, pg_relation_size(indexrelid) DESC, indexrelname
            """,
            source="Monitoring and Maintenance, Index usage analysis",
        ),
        Query(
            "user_analytics",
            "The measurements of a user from one moment up to another, in order.",
            """
            SELECT a.created_at, m.name, a.value, m.unit
            FROM analytics a
            JOIN metric_types m ON m.id = a.metric_type_id
            WHERE a.user_id = %(user_id)s AND a.created_at >= %(first)s AND a.created_at < %(end)s
            ORDER BY a.created_at
            """,
            {"user_id": "the user's id", "first": "the first moment", "end": "the moment after the last"},
            source="Performance Optimizations, idx_analytics_user_created",
            indexes={"analytics": ("idx_analytics_user_created", "idx_analytics_user_metric_created")},
        ),
        Query(
            "user_by_email",
            "The account with an e-mail address, spelt exactly so.",
            "SELECT id, institution_id, role FROM users WHERE email = %(email)s",
            {"email": "the address"},
            source="Performance Optimizations, idx_users_email",
            indexes={"users": ("idx_users_email",)},
        ),
        Query(
            "essay_overall",
            "The overall score of each completed essay of a user, newest first.",
            """
            SELECT e.id, e.title, e.submitted_at, s.overall
            FROM essays e
            CROSS JOIN LATERAL (
                SELECT round(sum(f.score / f.max_score * 100 * t.weight) / sum(t.weight), 2) AS overall
                FROM feedback f JOIN feedback_types t ON t.id = f.type_id
                WHERE f.essay_id = e.id
            ) s
            WHERE e.user_id = %(user_id)s AND e.status = 'completed'
            ORDER BY e.submitted_at DESC
            """,
            {"user_id": "the author's id"},
            source="Performance Optimizations, complex analytics",
            indexes={
                "essays": _BY_USER,
                "feedback": ("idx_feedback_essay_id", "feedback_essay_id_type_id_key"),
            },
        ),
        Query(
            "low_confidence_feedback",
            "Feedback the AI was less sure of than a threshold, least sure first: what an educator reads.",
            """
            SELECT f.id, f.essay_id, t.name, f.confidence, f.feedback
            FROM feedback f
            JOIN feedback_types t ON t.id = f.type_id
            WHERE f.confidence < %(threshold)s
            ORDER BY f.confidence, f.id
            """,
            {"threshold": "between 0 and 1"},
            source="AI Feedback System, confidence scores",
        ),
        Query(
            "history_of_a_row",
            "Everything that was done to one row, oldest first.",
            """
            SELECT at, op, actor_id, db_role, acting_role, changed, old_row, new_row
            FROM audit_log
            WHERE table_name = %(table_name)s AND row_pk = %(row_pk)s
            ORDER BY at, id
            """,
            {"table_name": "the table", "row_pk": "the row's key, as text"},
            source="Data Security, Audit trails for data changes",
            indexes={"audit_log": ("idx_audit_log_row",)},
        ),
    )
}
"""All queries by name."""


def query(name: str) -> Query:
    """Return the query *name*.

    Raises:
        KeyError: there is none; the message lists those there are.
    """
    try:
        return QUERIES[name]
    except KeyError:
        raise KeyError(f"no query {name!r}; there are {', '.join(QUERIES)}") from None
