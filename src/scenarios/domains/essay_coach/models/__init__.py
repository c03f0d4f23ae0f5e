"""EssayCoach's tables as SQLAlchemy models; `writing` is the centre."""

from __future__ import annotations

from scenarios.domains.essay_coach.models.base import Base
from scenarios.domains.essay_coach.models.insight import (
    PARTITIONED,
    Analytics,
    AuditEntry,
    DataQualityFinding,
    Log,
    MetricType,
    Report,
    ViewRefresh,
)
from scenarios.domains.essay_coach.models.people import Institution, RefreshToken, RoleRow, User, UserProfile
from scenarios.domains.essay_coach.models.writing import (
    AIResponse,
    Category,
    Essay,
    Feedback,
    FeedbackType,
    Submission,
)

__all__ = [
    "PARTITIONED",
    "AIResponse",
    "Analytics",
    "AuditEntry",
    "Base",
    "Category",
    "DataQualityFinding",
    "Essay",
    "Feedback",
    "FeedbackType",
    "Institution",
    "Log",
    "MetricType",
    "RefreshToken",
    "Report",
    "RoleRow",
    "Submission",
    "User",
    "UserProfile",
    "ViewRefresh",
]
