"""The fixed values of EssayCoach, one enum a concept.

The same values stand in the models, in the CHECK constraints and in the scenario files. Written three times
they would drift, and the first to notice would be an INSERT in production.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person may do; each value is a row of ``roles`` and a database role ``ec_<value>``."""

    STUDENT = "student"
    EDUCATOR = "educator"
    ADMIN = "admin"

    @classmethod
    def from_alias(cls, text: str) -> Role:
        """Return the role named by *text*, which may be one of the names other layers of the system use.

        Raises:
            ValueError: no role is called so.
        """
        return cls(ROLE_ALIASES.get(text.strip().lower(), text.strip().lower()))


ROLE_ALIASES = {
    "lecturer": "educator",
    "teacher": "educator",
    "coach": "educator",
    "administrator": "admin",
}
"""Names of roles in the system's other documents and clients, and what they are here."""


class AcademicLevel(StrEnum):
    """Whom a category of essays is for."""

    ELEMENTARY = "elementary"
    MIDDLE = "middle"
    HIGH = "high"
    UNDERGRADUATE = "undergraduate"
    GRADUATE = "graduate"


class EssayStatus(StrEnum):
    """Where an essay stands. ``TRANSITIONS`` says which status may follow which."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


TRANSITIONS: dict[EssayStatus, frozenset[EssayStatus]] = {
    EssayStatus.DRAFT: frozenset({EssayStatus.SUBMITTED}),
    EssayStatus.SUBMITTED: frozenset({EssayStatus.PROCESSING}),
    EssayStatus.PROCESSING: frozenset({EssayStatus.COMPLETED, EssayStatus.FAILED}),
    EssayStatus.COMPLETED: frozenset(),
    EssayStatus.FAILED: frozenset({EssayStatus.SUBMITTED, EssayStatus.PROCESSING}),
}
"""A draft is submitted once; only a failed essay goes back, for another attempt of the AI."""


class ProcessingStatus(StrEnum):
    """How the AI's work on an essay goes."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


PROCESSING_OF: dict[EssayStatus, tuple[ProcessingStatus, ...]] = {
    EssayStatus.DRAFT: (ProcessingStatus.PENDING,),
    EssayStatus.SUBMITTED: (ProcessingStatus.PENDING,),
    EssayStatus.PROCESSING: (ProcessingStatus.RUNNING,),
    EssayStatus.COMPLETED: (ProcessingStatus.SUCCEEDED,),
    EssayStatus.FAILED: (ProcessingStatus.FAILED, ProcessingStatus.CANCELLED),
}
"""The states of the AI's work an essay may be in at each of its own."""


class ReportType(StrEnum):
    """What a report is about."""

    STUDENT_PROGRESS = "student_progress"
    CLASS_PERFORMANCE = "class_performance"
    SYSTEM_USAGE = "system_usage"


class LogLevel(StrEnum):
    """How bad a logged event is."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class RevokeReason(StrEnum):
    """Why a refresh token is no longer valid."""

    ROTATED = "rotated"
    LOGOUT = "logout"
    REUSE_DETECTED = "reuse_detected"
    ADMIN = "admin"
    EXPIRED = "expired"


class AuditOperation(StrEnum):
    """What was done to an audited row."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    TRUNCATE = "TRUNCATE"


class Severity(StrEnum):
    """How bad a finding of the data quality audit is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


WORDS_MIN, WORDS_MAX = 50, 5000
"""The length of an essay that has been submitted, in words separated by white space."""

WORDS_PER_MINUTE = 200
"""How fast a reader is taken to read; the reading time is at least one minute."""
