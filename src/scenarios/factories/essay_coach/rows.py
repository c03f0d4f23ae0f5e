"""Factories of EssayCoach's tables.

Rows made by hand break this system's many rules one at a time: a completed essay needs its times, its word
count the words, a highlight the text. Here a row fits by default: say ``status="completed"`` and the times
follow, build feedback and it is about the essay built last.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from factory.declarations import LazyAttribute, Trait

from scenarios.domains.essay_coach import defaults
from scenarios.domains.essay_coach.enums import (
    AuditOperation,
    EssayStatus,
    LogLevel,
    ProcessingStatus,
    ReportType,
    RevokeReason,
    Role,
)
from scenarios.domains.essay_coach.models import (
    AIResponse,
    Analytics,
    AuditEntry,
    Category,
    Essay,
    Feedback,
    FeedbackType,
    Institution,
    Log,
    MetricType,
    RefreshToken,
    Report,
    Submission,
    User,
    UserProfile,
)
from scenarios.factories.base import Ago, Parent, RowFactory, RowId, Value
from scenarios.factories.context import FactoryContext, current_context
from scenarios.factories.essay_coach.texts import (
    CHANGES,
    METRICS,
    MODEL,
    TYPES,
    VERSION,
    Verdict,
    cost,
    count_words,
    essay_text,
    prompt_of,
    reading_minutes,
    verdict,
)
from scenarios.values import Row, instance_word, password_hash

T = TypeVar("T")

QUEUE = timedelta(seconds=5)
"""How long a submitted essay waits before it is processed."""
READING = timedelta(seconds=45)
"""How long the AI reads an essay, all sides together."""
_SECOND = timedelta(seconds=1)

PROCESSING = {
    EssayStatus.DRAFT: ProcessingStatus.PENDING,
    EssayStatus.SUBMITTED: ProcessingStatus.PENDING,
    EssayStatus.PROCESSING: ProcessingStatus.RUNNING,
    EssayStatus.COMPLETED: ProcessingStatus.SUCCEEDED,
    EssayStatus.FAILED: ProcessingStatus.FAILED,
}
"""How far the AI is with an essay of each status."""


def _of(make: Callable[[Any], T]) -> LazyAttribute[Any, T]:
    """Return the declaration of what *make* computes from the row's other values."""
    return LazyAttribute(make)


def _row(handle: str) -> Row:
    return current_context().row(handle)


def _word() -> str:
    """Return a word that no other instance has."""
    return instance_word(current_context().instance, 24)


def token_hash(context: FactoryContext, handle: str) -> bytes:
    """Return what is stored of the refresh token *handle*: no other instance has it."""
    return sha256(f"{context.instance}/{handle}".encode()).digest()


class InstitutionFactory(RowFactory[Institution]):
    """A school."""

    class Meta:
        model = Institution

    name: Any = _of(lambda o: defaults.institution_name(_row(o.handle), current_context().instance))
    created_at = _of(lambda o: defaults.founded(current_context().clock.now))


class CategoryFactory(RowFactory[Category]):
    """A kind of essay beyond those every database has."""

    class Meta:
        model = Category

    name: Any = _of(lambda o: f"{o.handle} {_word()}"[:50])
    description = "What a teacher added for one class."
    academic_level = "high"
    is_active = True


class FeedbackTypeFactory(RowFactory[FeedbackType]):
    """A side of an essay beyond the four every database has; inactive, since their weights sum to one."""

    class Meta:
        model = FeedbackType

    name: Any = _of(lambda o: f"{o.handle} {_word()}"[:50])
    description = "An experiment."
    weight = 0.1
    is_active = False
    sort_order = 9


class MetricTypeFactory(RowFactory[MetricType]):
    """A metric beyond those every database has."""

    class Meta:
        model = MetricType

    name: Any = _of(lambda o: f"{o.handle} {_word()}"[:50])
    description = "An experiment."
    unit = "percent"


class UserFactory(RowFactory[User]):
    """A student of the institution built last; ``educator=True`` and ``admin=True`` make another."""

    class Meta:
        model = User

    class Params:
        educator: Any = Trait(role=Role.EDUCATOR.value)
        admin: Any = Trait(role=Role.ADMIN.value, is_staff=True)
        suspended: Any = Trait(is_active=False)

    institution = Parent(InstitutionFactory)
    first_name = Value(lambda row: row.given_name())
    last_name = Value(lambda row: row.last_name())
    username: Any = _of(lambda o: defaults.username(_row(o.handle), current_context().instance))
    email: Any = _of(lambda o: defaults.email(_row(o.handle), o.last_name, current_context().instance))
    password: Any = _of(lambda o: password_hash())
    role: Any = Role.STUDENT.value
    grade_level: Any = _of(lambda o: defaults.grade_level(_row(o.handle), o.role))
    is_active = True
    is_staff = False
    is_superuser = False
    last_login = None
    date_joined: Any = _of(lambda o: defaults.joined(current_context().clock.now))
    created_at: Any = _of(lambda o: o.date_joined)
    updated_at: Any = _of(lambda o: defaults.updated(o.created_at, o.last_login))


class UserProfileFactory(RowFactory[UserProfile]):
    """The profile of the user built last."""

    class Meta:
        model = UserProfile

    user = Parent(UserFactory, fits=lambda user, row: user.profile is None)
    bio = Value(defaults.bio)
    timezone = "UTC"
    preferences: Any = _of(lambda o: defaults.preferences())


class RefreshTokenFactory(RowFactory[RefreshToken]):
    """A live token of the user built last; ``revoked=True`` one that was logged out."""

    class Meta:
        model = RefreshToken

    class Params:
        revoked: Any = Trait(
            revoked_at=LazyAttribute(lambda o: o.issued_at + timedelta(hours=1)),
            revoke_reason=RevokeReason.LOGOUT.value,
        )

    id = RowId()
    user = Parent(UserFactory)
    family_id = Value(lambda row: row.uuid("family"))
    jti = Value(lambda row: row.uuid("jti"))
    token_hash: Any = _of(lambda o: token_hash(current_context(), o.handle))
    issued_at: Any = Ago(hours=20)
    expires_at: Any = _of(lambda o: o.issued_at + timedelta(days=7))
    revoked_at: Any = None
    revoke_reason: Any = None
    user_agent = Value(
        lambda row: row.choice("agent", ("EssayCoach/4.2 (iOS 26)", "Mozilla/5.0 Firefox/147.0"))
    )
    ip = "203.0.113.7"


def _submitted(o: Any) -> datetime | None:
    return None if o.status == EssayStatus.DRAFT else o.created_at + timedelta(days=1)


def _started(o: Any) -> datetime | None:
    waiting = o.status in (EssayStatus.DRAFT, EssayStatus.SUBMITTED)
    return None if waiting or o.submitted_at is None else o.submitted_at + QUEUE


def _completed(o: Any) -> datetime | None:
    if o.status != EssayStatus.COMPLETED or o.processing_started_at is None:
        return None
    found: datetime = o.processing_started_at + READING
    return found


def _latest(o: Any) -> datetime:
    times: list[datetime | None] = [
        o.created_at,
        o.submitted_at,
        o.processing_started_at,
        o.processing_completed_at,
    ]
    return max(time for time in times if time is not None)


class EssayFactory(RowFactory[Essay]):
    """An essay of the student built last, at the status given; a draft otherwise."""

    class Meta:
        model = Essay

    class Params:
        number = 0
        text: Any = _of(lambda o: essay_text(current_context().row(o.handle), o.number))

    author = Parent(UserFactory, fits=lambda user, row: user.role == Role.STUDENT)
    category_id: Any = Value(lambda row: row.integer("category", 1, 4))
    title: Any = _of(lambda o: o.text.title)
    content: Any = _of(lambda o: o.text.content)
    status: Any = EssayStatus.DRAFT.value
    word_count: Any = _of(lambda o: count_words(o.content))
    character_count: Any = _of(lambda o: len(o.content))
    reading_time_minutes: Any = _of(lambda o: reading_minutes(o.content))
    ai_processing_status: Any = _of(lambda o: PROCESSING[EssayStatus(o.status)].value)
    created_at: Any = Ago(days=5)
    submitted_at: Any = _of(_submitted)
    processing_started_at: Any = _of(_started)
    processing_completed_at: Any = _of(_completed)
    updated_at: Any = _of(_latest)


class SubmissionFactory(RowFactory[Submission]):
    """The first version of the essay built last, with its text."""

    class Meta:
        model = Submission

    essay = Parent(EssayFactory)
    version_number: Any = 1
    content: Any = _of(lambda o: o.essay.content)
    word_count: Any = _of(lambda o: count_words(o.content))
    change_summary: Any = _of(lambda o: CHANGES[(o.version_number - 1) % len(CHANGES)])
    created_at: Any = _of(lambda o: o.essay.submitted_at or o.essay.created_at)


def _verdict(o: Any) -> Verdict:
    row = current_context().row(o.handle)
    return verdict(row, o.kind, o.essay.content, o.quality, o.sure)


def _read_at(o: Any) -> datetime:
    started = o.essay.processing_started_at or o.essay.created_at
    found: datetime = started + READING * (list(TYPES).index(o.kind) + 1) / (len(TYPES) + 1)
    return found


def _completed_essay(essay: Essay, _row: Any) -> bool:
    return essay.processing_started_at is not None


class AIResponseFactory(RowFactory[AIResponse]):
    """The AI's raw answer about one side (``kind``) of the essay built last."""

    class Meta:
        model = AIResponse

    class Params:
        kind = "content"
        quality = 75
        sure = None
        said: Any = _of(_verdict)

    essay = Parent(EssayFactory, fits=_completed_essay, status=lambda o: EssayStatus.COMPLETED.value)
    feedback_type_id: Any = _of(lambda o: TYPES[o.kind])
    prompt: Any = _of(lambda o: prompt_of(o.kind, o.essay.title))
    response: Any = _of(lambda o: o.said.response)
    model_name = MODEL
    model_version = VERSION
    tokens_used: Any = _of(lambda o: o.said.tokens)
    processing_time_seconds = Value(lambda row: round(row.number("seconds", 6.5, 9.5), 2))
    cost_usd: Any = _of(lambda o: cost(o.tokens_used))
    created_at: Any = _of(_read_at)


class FeedbackFactory(RowFactory[Feedback]):
    """Feedback on one side (``kind``) of the essay built last."""

    class Meta:
        model = Feedback

    class Params:
        kind = "content"
        quality = 75
        sure = None
        said: Any = _of(_verdict)

    essay = Parent(EssayFactory, fits=_completed_essay, status=lambda o: EssayStatus.COMPLETED.value)
    type_id: Any = _of(lambda o: TYPES[o.kind])
    score: Any = _of(lambda o: o.said.score)
    max_score: Any = 100
    confidence: Any = _of(lambda o: o.said.confidence)
    text: Any = _of(lambda o: o.said.text)
    suggestions: Any = _of(lambda o: o.said.suggestions)
    start_index: Any = _of(lambda o: o.said.start)
    end_index: Any = _of(lambda o: o.said.end)
    highlighted_text: Any = _of(lambda o: o.said.excerpt)
    ai_model_version = VERSION
    processing_time_seconds = Value(lambda row: round(row.number("seconds", 6.5, 9.5), 2))
    created_at: Any = _of(lambda o: _read_at(o) + _SECOND)


class AnalyticsFactory(RowFactory[Analytics]):
    """A measurement of the user built last."""

    class Meta:
        model = Analytics

    class Params:
        metric = "essay_score"

    user = Parent(UserFactory)
    metric_type_id: Any = _of(lambda o: METRICS[o.metric])
    value: Any = Value(lambda row: round(row.number("value", 40, 95), 1))
    session_id = ""
    details: Any = _of(lambda o: {})
    created_at: Any = Ago(hours=2)


class ReportFactory(RowFactory[Report]):
    """A report of the user built last; an educator is made when that is a student."""

    class Meta:
        model = Report

    user = Parent(UserFactory, fits=lambda user, row: user.role != Role.STUDENT, educator=lambda o: True)
    report_type: Any = ReportType.CLASS_PERFORMANCE.value
    title: Any = "The class this term"
    data: Any = _of(lambda o: {})
    summary: Any = "Openings have become shorter and better."
    is_public = False
    created_at: Any = Ago(days=1)
    updated_at: Any = _of(lambda o: o.created_at)


class LogFactory(RowFactory[Log]):
    """An event about the user built last."""

    class Meta:
        model = Log

    user = Parent(UserFactory)
    level: Any = LogLevel.INFO.value
    source: Any = "auth"
    event: Any = "login"
    message: Any = "Signed in."
    context: Any = _of(lambda o: {})
    created_at: Any = Ago(hours=1)


class AuditEntryFactory(RowFactory[AuditEntry]):
    """An entry of the audit trail; it refers to nothing by foreign key."""

    class Meta:
        model = AuditEntry

    at: Any = Ago(hours=1)
    table_name: Any = "essays"
    row_pk: Any = "1"
    op: Any = AuditOperation.UPDATE.value
    db_role = "ec_app"
    acting_role: Any = "ec_student"
    old_row: Any = _of(lambda o: {"title": "Street"})
    new_row: Any = _of(lambda o: {"title": "A Map of Our Street"})
    changed: Any = _of(lambda o: sorted(o.new_row) if o.old_row and o.new_row else None)
    tx_id: Any = Value(lambda row: row.integer("tx", 1000, 900_000))
