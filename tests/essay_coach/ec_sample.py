"""Two institutions with people and essays, and a way to act as one of those people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

NORTH, SOUTH = 1, 2
ADMIN_N, EDUCATOR_N, ADA, BEN = 11, 12, 13, 14
ADMIN_S, EDUCATOR_S, CAI = 21, 22, 23
ADA_DONE, ADA_DRAFT, BEN_SUBMITTED, CAI_DONE = 101, 102, 103, 201
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

TEXT = (
    "My grandmother kept a notebook of the weather. Every evening she wrote two lines about the sky and one"
    " about what she had done under it. When I found the notebooks after she died I thought they would be"
    " dull. They were not. Read in order they show a woman deciding, one evening at a time, that an ordinary"
    " day was worth a record, and that conviction is the thing I inherited from her."
)


class World:
    """The ids of the sample's rows, and the people who can act."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    @contextmanager
    def acting(
        self, role: str, user: int | str | None = None, institution: int | str | None = None
    ) -> Iterator[None]:
        """Act with a database role on behalf of a user of an institution, as the application would."""
        self.conn.execute(
            "SELECT set_config('app.user_id', %s, true)", [str(user) if user is not None else ""]
        )
        self.conn.execute(
            "SELECT set_config('app.institution_id', %s, true)",
            [str(institution) if institution is not None else ""],
        )
        self.conn.execute(psycopg.sql.SQL("SET LOCAL ROLE {}").format(psycopg.sql.Identifier(f"ec_{role}")))
        try:
            yield
        finally:
            if self.conn.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
                self.conn.execute("RESET ROLE")
                self.conn.execute(
                    "SELECT set_config('app.user_id', '', true), set_config('app.institution_id', '', true)"
                )

    def values(self, query: str, *arguments: object) -> list:
        """Return the first column of a query's rows."""
        return [row[0] for row in self.conn.execute(query, arguments or None)]

    def value(self, query: str, *arguments: object) -> object:
        """Return the one value a query gives."""
        (found,) = self.values(query, *arguments)
        return found

    @contextmanager
    def refused(self, *errors: type[psycopg.Error]) -> Iterator[None]:
        """Expect one statement to be refused, and go on in the same transaction."""
        with pytest.raises(errors or psycopg.errors.InsufficientPrivilege), self.conn.transaction():
            yield


def fill(conn: psycopg.Connection) -> None:
    """Insert the sample."""
    conn.execute("SELECT set_config('app.audit', 'off', false)")
    conn.execute(
        "SELECT ensure_months(t, %s, %s) FROM unnest(ARRAY['analytics', 'logs', 'audit_log']) t",
        [START, START + timedelta(days=40)],
    )
    conn.execute(
        "INSERT INTO institutions (id, name, created_at) VALUES (1, 'North School', %s), (2, 'South"
        " School', %s)",
        [START, START],
    )
    people = [
        (ADMIN_N, NORTH, "admin"),
        (EDUCATOR_N, NORTH, "educator"),
        (ADA, NORTH, "student"),
        (BEN, NORTH, "student"),
        (ADMIN_S, SOUTH, "admin"),
        (EDUCATOR_S, SOUTH, "educator"),
        (CAI, SOUTH, "student"),
    ]
    for key, institution, role in people:
        conn.execute(
            "INSERT INTO users (id, institution_id, username, email, password, role, is_staff, date_joined,"
            " created_at, updated_at) VALUES (%s, %s, %s, %s, 'secret-hash', %s, %s, %s, %s, %s)",
            [
                key,
                institution,
                f"user{key}",
                f"user{key}@example.org",
                role,
                role == "admin",
                START,
                START,
                START,
            ],
        )
        conn.execute("INSERT INTO user_profiles (user_id) VALUES (%s)", [key])
    begun = START + timedelta(days=1)
    for key, institution, author, status in [
        (ADA_DONE, NORTH, ADA, "completed"),
        (ADA_DRAFT, NORTH, ADA, "draft"),
        (BEN_SUBMITTED, NORTH, BEN, "submitted"),
        (CAI_DONE, SOUTH, CAI, "completed"),
    ]:
        done, sent = status == "completed", status != "draft"
        conn.execute(
            "INSERT INTO essays (id, institution_id, user_id, category_id, title, content, status,"
            " word_count,"
            " character_count, reading_time_minutes, ai_processing_status, submitted_at,"
            " processing_started_at,"
            " processing_completed_at, created_at, updated_at)"
            " VALUES (%s, %s, %s, 1, %s, %s, %s, %s, %s, 1, %s, %s, %s, %s, %s, %s)",
            [
                key,
                institution,
                author,
                f"Essay {key}",
                f"{TEXT} ({key})",
                status,
                len(TEXT.split()) + 1,
                len(f"{TEXT} ({key})"),
                "succeeded" if done else "pending",
                begun + timedelta(hours=1) if sent else None,
                begun + timedelta(hours=1, seconds=5) if done else None,
                begun + timedelta(hours=1, seconds=65) if done else None,
                begun,
                begun + timedelta(hours=2),
            ],
        )
        if sent:
            conn.execute(
                "INSERT INTO submissions (essay_id, version_number, content, word_count, created_at)"
                " VALUES (%s, 1, %s, %s, %s)",
                [key, f"{TEXT} ({key})", len(TEXT.split()) + 1, begun + timedelta(hours=1)],
            )
        if done:
            for kind in (1, 2, 3, 4):
                at = begun + timedelta(hours=1, seconds=5 + 10 * kind)
                conn.execute(
                    "INSERT INTO ai_responses (essay_id, feedback_type_id, prompt, response, model_name,"
                    " model_version, tokens_used, processing_time_seconds, cost_usd, created_at)"
                    " VALUES (%s, %s, 'Read this.', %s, 'essay-reader', '3.1', 900, 9.5, 0.0045, %s)",
                    [key, kind, Jsonb({"score": 60 + 10 * kind}), at],
                )
                conn.execute(
                    "INSERT INTO feedback (essay_id, type_id, score, confidence, feedback, ai_model_version,"
                    " created_at) VALUES (%s, %s, %s, 0.9, 'Clear and specific.', '3.1', %s)",
                    [key, kind, 60 + 10 * kind, at + timedelta(seconds=1)],
                )
    for author, essay in ((ADA, ADA_DONE), (BEN, None), (CAI, CAI_DONE)):
        for month in (0, 31):
            conn.execute(
                "INSERT INTO analytics (user_id, metric_type_id, value, essay_id, created_at)"
                " VALUES (%s, 1, 81, %s, %s)",
                [author, essay, START + timedelta(days=month + 2)],
            )
    conn.execute(
        "INSERT INTO reports (user_id, report_type, title, is_public, created_at, updated_at) VALUES"
        " (%(n)s, 'class_performance', 'Whole class', true, %(at)s, %(at)s),"
        " (%(n)s, 'student_progress', 'Only for me', false, %(at)s, %(at)s),"
        " (%(s)s, 'class_performance', 'South class', true, %(at)s, %(at)s)",
        {"n": EDUCATOR_N, "s": EDUCATOR_S, "at": START},
    )
    conn.execute(
        "INSERT INTO logs (level, source, event, user_id, created_at) VALUES"
        " ('INFO', 'auth', 'login', %s, %s), ('INFO', 'auth', 'login', %s, %s), ('INFO', 'cron',"
        " 'tick', NULL, %s)",
        [ADA, START, CAI, START, START],
    )
    conn.execute(
        "SELECT setval(pg_get_serial_sequence(t, 'id'), 5000) FROM unnest(ARRAY['institutions',"
        " 'users', 'essays']) t"
    )
    conn.execute("SELECT set_config('app.audit', '', false)")
    conn.execute("SELECT refresh_views()")
