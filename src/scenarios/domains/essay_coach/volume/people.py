"""What generated users of EssayCoach are: essays at every status, and everything that follows from them.

An essay's rows lie in seven tables and have to agree to the second: a version is the text, a score stands in
the AI's answer, in the feedback and in the measurement, a failure is in the log. Most students write a few
essays and some write forty; most essays are done, some are stuck or failed, the latest ones are on their way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from scenarios.domains.essay_coach.enums import EssayStatus, LogLevel, ProcessingStatus, RevokeReason, Role
from scenarios.factories.essay_coach.texts import (
    CHANGES,
    METRICS,
    MODEL,
    TYPES,
    VERSION,
    Verdict,
    cost,
    count_words,
    earlier_versions,
    essay_text,
    prompt_of,
    reading_minutes,
    verdict,
)
from scenarios.values import Row, Seeded, password_hash, slug
from scenarios.volume.parts import Collector
from scenarios.volume.rhythm import moments

OLDEST = 400
"""Days back to the first essay of anybody: an academic year and a bit."""

PER_USER = 1024
"""Keys of one user in each table; nobody comes near it."""

ESSAYS = 40
"""The most essays a student has."""

TABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "users",
        ("id", "institution_id", "username", "email", "password", "first_name", "last_name", "role",
         "grade_level", "is_active", "is_staff", "last_login", "date_joined", "created_at", "updated_at"),
    ),
    ("user_profiles", ("id", "user_id", "bio", "timezone", "preferences")),
    (
        "refresh_tokens",
        ("id", "user_id", "family_id", "jti", "token_hash", "issued_at", "expires_at", "revoked_at",
         "revoke_reason", "replaced_by", "user_agent", "ip"),
    ),
    (
        "essays",
        ("id", "institution_id", "user_id", "category_id", "title", "content", "status", "word_count",
         "character_count", "reading_time_minutes", "ai_processing_status", "processing_started_at",
         "processing_completed_at", "created_at", "updated_at", "submitted_at"),
    ),
    (
        "submissions",
        ("id", "essay_id", "version_number", "content", "word_count", "change_summary", "created_at"),
    ),
    (
        "ai_responses",
        ("id", "essay_id", "feedback_type_id", "prompt", "response", "model_name", "model_version",
         "tokens_used", "processing_time_seconds", "cost_usd", "created_at"),
    ),
    (
        "feedback",
        ("id", "essay_id", "type_id", "score", "max_score", "confidence", "feedback", "suggestions",
         "start_index", "end_index", "highlighted_text", "ai_model_version", "processing_time_seconds",
         "created_at"),
    ),
    ("analytics", ("id", "user_id", "metric_type_id", "value", "essay_id", "session_id", "metadata",
                   "created_at")),
    (
        "reports",
        ("id", "user_id", "report_type", "title", "data", "summary", "is_public", "expires_at", "created_at",
         "updated_at"),
    ),
    (
        "logs",
        ("id", "level", "source", "event", "message", "context", "user_id", "request_id", "created_at"),
    ),
)  # fmt: skip

_ROLES = ((Role.STUDENT, 95.0), (Role.EDUCATOR, 4.5), (Role.ADMIN, 0.5))
_FINISHED = (
    (EssayStatus.COMPLETED, 87.0), (EssayStatus.FAILED, 4.0), (EssayStatus.DRAFT, 9.0),
)  # fmt: skip
_LATEST = (
    (EssayStatus.COMPLETED, 62.0), (EssayStatus.DRAFT, 24.0), (EssayStatus.SUBMITTED, 6.0),
    (EssayStatus.PROCESSING, 4.0), (EssayStatus.FAILED, 4.0),
)  # fmt: skip
"""Only the latest essay of a student may be on its way."""

_CATEGORIES = ((1, 25.0), (2, 30.0), (3, 18.0), (4, 15.0), (5, 7.0), (6, 5.0))
_WEIGHTS = {"grammar": Decimal("0.25"), "structure": Decimal("0.30"), "content": Decimal("0.35"),
            "style": Decimal("0.10")}  # fmt: skip
_SKILLS = {"grammar_skill": "grammar", "logic_skill": "content", "tone_skill": "style"}
_AGENTS = ("Mozilla/5.0 Firefox/147.0", "Mozilla/5.0 Chrome/143.0", "EssayCoach/4.2 (iOS 26)")
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Chicago", "Asia/Tokyo")
_REASONS = (
    "The model did not answer within 60 seconds.", "The model's answer was not valid JSON.",
    "The model refused: rate limit reached.",
)  # fmt: skip
_SECOND = timedelta(seconds=1)
_WEEK = timedelta(days=7)


class Person:
    """Makes one user with everything of theirs.

    Args:
        seeded: the run's source of values.
        index: the user's number in the run.
        begin: the first key of the run in every table.
        school: the key of the user's institution.
        anchor: the data's present.
        rows: what is made is added to it.
    """

    def __init__(
        self, seeded: Seeded, index: int, begin: int, school: int, anchor: datetime, rows: Collector
    ) -> None:
        self.seeded, self.index, self.school, self.anchor, self.rows = seeded, index, school, anchor, rows
        self.handle = f"user-{index:08d}"
        self.row = seeded.at(self.handle)
        self.id = begin + index
        self._first = begin + index * PER_USER
        self._used: dict[str, int] = {}
        self._texts: set[str] = set()

    def make(self) -> None:
        """Add all rows."""
        row = self.row
        role = row.weighted("role", _ROLES)
        student = role is Role.STUDENT
        count = 0 if row.chance("never wrote", 0.07) else row.skewed("essays", 1, ESSAYS, 4)
        if not student:
            count = row.skewed("reports", 1, 30, 4)
        times = moments(row, self.anchor, max(1, count), row.skewed("age", 5, OLDEST, 120))[: count or 1]
        joined = times[0] - row.duration("joined", timedelta(hours=1), timedelta(hours=60))
        active = row.chance("active", 0.98)
        self._account(role, active, joined, times[-1] if count else joined)
        ability = row.integer("ability", 48, 90)
        for number in range(count):
            self._log(times[number] - timedelta(minutes=4), LogLevel.INFO, "auth", "login", "Signed in.")
            if student:
                # A student learns: the later essays are better.
                quality = min(97, ability + round(12 * number / ESSAYS))
                self._essay(number, number == count - 1, times[number], quality)
            else:
                self._report(role, number, times[number])
        if student and count and row.chance("reports", 0.1):
            self._report(role, 0, times[-1] + timedelta(days=1))

    def _key(self, table: str) -> int:
        """Return the next of the user's keys in *table*."""
        used = self._used.get(table, 0)
        assert used < PER_USER
        self._used[table] = used + 1
        return self._first + used

    # -- the account -----------------------------------------------------------------------------------

    def _account(self, role: Role, active: bool, joined: datetime, seen: datetime) -> None:
        row = self.row
        first, last = row.first_name(), row.last_name()
        login = seen - timedelta(minutes=4) if seen > joined else None
        name = f"{slug(first)}.{slug(last)}.{self.index}-{self.school % 997}"
        self.rows.add(
            "users",
            [(
                self.id, self.school, name, f"{name}.{self.id:x}@example.com", password_hash(), first, last,
                role.value, row.choice("grade", ("9", "10", "11", "12")) if role is Role.STUDENT else "",
                active, role is Role.ADMIN, login, joined, joined, login or joined,
            )],
        )  # fmt: skip
        self.rows.add(
            "user_profiles",
            [(
                self._key("user_profiles"), self.id, f"{row.job('bio')} in {row.city()}, one day."[:500],
                row.choice("zone", _ZONES),
                {"language": "en", "theme": "system", "email_notifications": row.chance("mail", 0.7)},
            )],
        )  # fmt: skip
        if login is not None:
            self._session(login, active)

    def _session(self, login: datetime, active: bool) -> None:
        """Add the refresh tokens of the latest session: each replaced by the next, a day later."""
        row = self.row
        family = row.uuid("family")
        tokens = min(row.skewed("tokens", 1, 6, 2), 1 + (self.anchor - login).days)
        live = active and row.chance("signed in", 0.6)
        made: list[tuple[Any, ...]] = []
        for number in range(tokens):
            issued = login + timedelta(days=number)
            last = number == tokens - 1
            revoked, reason, successor = None, None, None
            if not last:
                revoked, reason = login + timedelta(days=number + 1), RevokeReason.ROTATED
                successor = row.uuid(f"token {number + 1}")
            elif not live:
                # Not before it was issued, not after the present.
                revoked = min(issued + timedelta(hours=5), self.anchor)
                reason = RevokeReason.LOGOUT if active else RevokeReason.ADMIN
            key = row.uuid(f"token {number}")
            made.append((
                key, self.id, family, row.uuid(f"jti {number}"), sha256(key.bytes + b"token").digest(),
                issued, issued + _WEEK, revoked, reason, successor, row.choice("agent", _AGENTS),
                f"203.0.113.{row.integer('ip', 1, 254)}",
            ))  # fmt: skip
        self.rows.add("refresh_tokens", made)

    # -- essays ----------------------------------------------------------------------------------------

    def _essay(self, number: int, latest: bool, begun: datetime, quality: int) -> None:
        row = self.seeded.at(f"{self.handle}.essay-{number}")
        status = row.weighted("status", _LATEST if latest else _FINISHED)
        text = essay_text(row, number)
        content = text.content
        if content in self._texts:
            content = f"{content}\n\nThis is essay number {number + 1} of mine, and I am not done with it."
        self._texts.add(content)
        essay = self._key("essays")
        submitted, started, completed = self._times(row, status, begun)
        versions = self._versions(row, essay, status, content, begun, submitted)
        changed = max(filter(None, (begun, versions, submitted, started, completed)))
        step = {
            EssayStatus.PROCESSING: ProcessingStatus.RUNNING,
            EssayStatus.COMPLETED: ProcessingStatus.SUCCEEDED,
            EssayStatus.FAILED: ProcessingStatus.CANCELLED
            if row.chance("cancelled", 0.15) else ProcessingStatus.FAILED,
        }.get(status, ProcessingStatus.PENDING)  # fmt: skip
        if submitted is not None:
            self._log(submitted, LogLevel.INFO, "essays", "essay_submitted", "Handed in.", essay)
        if started is not None:
            if status is EssayStatus.FAILED:
                changed = self._failed(row, essay, text.title, started, step)
            else:
                self._judged(row, essay, text.title, content, started, completed, quality)
        self.rows.add(
            "essays",
            [(
                essay, self.school, self.id, row.weighted("category", _CATEGORIES), text.title, content,
                status, count_words(content), len(content), reading_minutes(content), step, started,
                completed, begun, changed, submitted,
            )],
        )  # fmt: skip

    def _times(
        self, row: Row, status: EssayStatus, begun: datetime
    ) -> tuple[datetime | None, datetime | None, datetime | None]:
        """Return when the essay was handed in, and when its processing began and ended."""
        if status is EssayStatus.DRAFT:
            return None, None, None
        if status is EssayStatus.SUBMITTED:
            return self.anchor - row.duration("waits", _SECOND, timedelta(minutes=20)), None, None
        if status is EssayStatus.PROCESSING:
            started = self.anchor - row.duration("runs", 40 * _SECOND, 55 * _SECOND)
            return started - row.duration("queue", _SECOND, timedelta(minutes=3)), started, None
        submitted = begun + row.duration("writing", timedelta(hours=1), timedelta(hours=20))
        started = submitted + _SECOND * row.skewed("queue", 1, 900, 6)
        if status is EssayStatus.FAILED:
            return submitted, started, None
        return submitted, started, started + row.duration("reading", 25 * _SECOND, 75 * _SECOND)

    def _versions(
        self,
        row: Row,
        essay: int,
        status: EssayStatus,
        content: str,
        begun: datetime,
        submitted: datetime | None,
    ) -> datetime | None:
        """Add the versions of the text; return when the last was made."""
        count = row.skewed("versions", 1, 8, 2)
        if status is EssayStatus.DRAFT:
            count -= 1
        end = submitted or begun + timedelta(hours=3)
        made = begun
        rows = []
        for number, text in enumerate(earlier_versions(content, count) if count else [], 1):
            made = begun + (end - begun) * number / count
            rows.append((
                self._key("submissions"), essay, number, text, count_words(text),
                CHANGES[(number - 1) % len(CHANGES)], made,
            ))  # fmt: skip
        self.rows.add("submissions", rows)
        return made

    def _judged(
        self, row: Row, essay: int, title: str, content: str, started: datetime, completed: datetime | None,
        quality: int,
    ) -> None:  # fmt: skip
        """Add the AI's answers and the feedback made of them; of an essay in processing, some."""
        kinds = list(TYPES) if completed is not None else list(TYPES)[: row.integer("so far", 0, 3)]
        pace = ((completed - started) if completed is not None else 36 * _SECOND) / (len(TYPES) + 1)
        said = []
        for number, kind in enumerate(kinds, 1):
            answered = started + pace * number
            if row.chance(f"retry {kind}", 0.04):
                self._answer(row, essay, title, kind, answered - pace / 2, None)
            unsure = row.chance(f"unsure {kind}", 0.05)
            found = verdict(row, kind, content, quality, row.number(kind, 0.35, 0.59) if unsure else None)
            self._answer(row, essay, title, kind, answered, found)
            self.rows.add(
                "feedback",
                [(
                    self._key("feedback"), essay, TYPES[kind], found.score, 100, found.confidence, found.text,
                    found.suggestions, found.start, found.end, found.excerpt, VERSION,
                    round(pace.total_seconds(), 2), answered + pace / 10,
                )],
            )  # fmt: skip
            said.append(found)
        if completed is not None:
            self._measured(row, essay, said, completed)
            self._log(
                completed, LogLevel.INFO, "ai_pipeline", "essay_processed", "All feedback is there.", essay
            )

    def _answer(
        self, row: Row, essay: int, title: str, kind: str, at: datetime, said: Verdict | None
    ) -> None:
        """Add one answer of the AI; *said* is None where it was of no use."""
        response = said.response if said is not None else {"error": row.choice(f"why {kind}", _REASONS)}
        tokens = said.tokens if said is not None else row.integer(f"wasted {kind}", 0, 120)
        self.rows.add(
            "ai_responses",
            [(
                self._key("ai_responses"), essay, TYPES[kind], prompt_of(kind, title), response, MODEL,
                VERSION, tokens, round(row.number(f"seconds {kind}", 3.5, 12.5), 2), cost(tokens), at,
            )],
        )  # fmt: skip

    def _failed(
        self, row: Row, essay: int, title: str, started: datetime, step: ProcessingStatus
    ) -> datetime:
        """Add what a failed essay leaves behind; return when it failed."""
        at = started + timedelta(seconds=30)
        if step is ProcessingStatus.CANCELLED:
            self._log(at, LogLevel.WARNING, "ai_pipeline", "processing_cancelled", "Cancelled.", essay)
            return at
        for kind in list(TYPES)[: row.integer("attempts", 0, 2)]:
            self._answer(row, essay, title, kind, started + timedelta(seconds=12), None)
        why = row.choice("why", _REASONS)
        self._log(at, LogLevel.ERROR, "ai_pipeline", "essay_processing_failed", why, essay)
        return at

    # -- what is learned from them ---------------------------------------------------------------------

    def _measured(self, row: Row, essay: int, said: Sequence[Verdict], at: datetime) -> None:
        scores = {each.kind: each.score for each in said}
        overall = sum((scores[kind] * weight for kind, weight in _WEIGHTS.items()), Decimal(0))
        values = {"essay_score": float(round(overall, 2))}
        values |= {metric: float(scores[kind]) for metric, kind in _SKILLS.items()}
        values["engagement_rate"] = round(100 * row.skewed("days", 1, 7, 2) / 7, 1)
        # About the essay, but for the week's engagement.
        self.rows.add(
            "analytics",
            [
                (self._key("analytics"), self.id, METRICS[metric], value,
                 None if metric == "engagement_rate" else essay, "", {}, at + _SECOND)
                for metric, value in values.items()
            ],
        )  # fmt: skip

    def _report(self, role: Role, number: int, at: datetime) -> None:
        row = self.row
        kind, title = {
            Role.STUDENT: ("student_progress", "My essays this term"),
            Role.EDUCATOR: ("class_performance", "The class this month"),
            Role.ADMIN: ("system_usage", "How the system is used"),
        }[role]
        expires = at + timedelta(days=90) if row.chance(f"expires {number}", 0.4) else None
        self.rows.add(
            "reports",
            [(
                self._key("reports"), self.id, kind, f"{title} ({at:%B %Y})",
                {"month": f"{at:%Y-%m}", "sections": ["summary", "scores", "pace"]},
                row.text("essay_coach.texts.feedback_strengths", f"summary {number}"),
                role is not Role.STUDENT and row.chance(f"public {number}", 0.3), expires, at, at,
            )],
        )  # fmt: skip

    def _log(
        self, at: datetime, level: LogLevel, source: str, event: str, message: str, essay: int | None = None
    ) -> None:
        key = self._key("logs")
        self.rows.add(
            "logs",
            [(
                key, level, source, event, message, {} if essay is None else {"essay_id": essay}, self.id,
                self.row.uuid(f"request {key}"), at,
            )],
        )  # fmt: skip
