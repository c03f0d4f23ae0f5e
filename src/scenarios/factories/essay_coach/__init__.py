"""Factories of EssayCoach: `rows` has one for each table, `texts` the essays and what is said about them."""

from __future__ import annotations

from scenarios.factories.essay_coach.rows import (
    AIResponseFactory,
    AnalyticsFactory,
    AuditEntryFactory,
    CategoryFactory,
    EssayFactory,
    FeedbackFactory,
    FeedbackTypeFactory,
    InstitutionFactory,
    LogFactory,
    MetricTypeFactory,
    RefreshTokenFactory,
    ReportFactory,
    SubmissionFactory,
    UserFactory,
    UserProfileFactory,
)

__all__ = [
    "AIResponseFactory",
    "AnalyticsFactory",
    "AuditEntryFactory",
    "CategoryFactory",
    "EssayFactory",
    "FeedbackFactory",
    "FeedbackTypeFactory",
    "InstitutionFactory",
    "LogFactory",
    "MetricTypeFactory",
    "RefreshTokenFactory",
    "ReportFactory",
    "SubmissionFactory",
    "UserFactory",
    "UserProfileFactory",
]
