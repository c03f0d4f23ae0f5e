"""Analytics, reports, logs, the audit trail, and the bookkeeping of views and data quality.

Analytics, logs and the audit trail are partitioned by month: they only grow, nothing refers to them, and old
months are dropped in an instant instead of being deleted row by row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Double, ForeignKey, Identity, Index, LargeBinary, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domain import PERSONAL, REFERS_TO
from scenarios.domains.essay_coach.enums import AuditOperation, LogLevel, ReportType, Severity
from scenarios.domains.essay_coach.models.base import (
    Base,
    Created,
    Key,
    Time,
    blank,
    check,
    document,
    is_json,
    one_of,
    string,
)
from scenarios.domains.essay_coach.models.people import User
from scenarios.domains.essay_coach.models.writing import Essay

PARTITIONED = {"analytics": "created_at", "logs": "created_at", "audit_log": "at"}
"""The tables with a partition a month (UTC), and the column that decides the month."""


class MetricType(Base):
    """What a number in ``analytics`` measures, and its unit; shared by all institutions."""

    __tablename__ = "metric_types"

    id: Mapped[Key]
    name: Mapped[str] = string(50, unique=True)
    description: Mapped[str] = blank(None)
    unit: Mapped[str] = string(20)


class Analytics(Base):
    """One measurement about one user. The column ``metadata`` is mapped as ``details``."""

    __tablename__ = "analytics"
    __table_args__ = (
        check("value_is_a_number", "value <> 'NaN'"),
        is_json("metadata", "object"),
        Index("idx_analytics_user_created", "user_id", "created_at"),
        Index("idx_analytics_user_metric_created", "user_id", "metric_type_id", "created_at"),
        Index("idx_analytics_metric_created", "metric_type_id", "created_at"),
        Index("idx_analytics_essay_id", "essay_id"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    metric_type_id: Mapped[int] = mapped_column(ForeignKey("metric_types.id", ondelete="RESTRICT"))
    value: Mapped[float] = mapped_column(Double, info={PERSONAL: None})
    essay_id: Mapped[int | None] = mapped_column(ForeignKey("essays.id", ondelete="CASCADE"))
    session_id: Mapped[str] = blank(100)
    details: Mapped[dict[str, Any]] = document("{}", name="metadata")
    created_at: Mapped[datetime] = mapped_column(
        TIMESTAMP(timezone=True), primary_key=True, server_default=func.now()
    )

    user: Mapped[User] = relationship()
    metric_type: Mapped[MetricType] = relationship()
    essay: Mapped[Essay | None] = relationship()


class Report(Base):
    """A report somebody made, for themselves or (public) for their institution."""

    __tablename__ = "reports"
    __table_args__ = (
        one_of("report_type", ReportType),
        is_json("data", "object"),
        check("title_not_blank", "btrim(title) <> ''"),
        check("expires_after_created", "expires_at > created_at"),
        check("updated_after_created", "updated_at >= created_at"),
        Index("idx_reports_user_id", "user_id"),
    )

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    report_type: Mapped[str] = string(50)
    title: Mapped[str] = string(200, "text")
    data: Mapped[dict[str, Any]] = document("{}", "text")
    summary: Mapped[str] = blank(None, "text")
    is_public: Mapped[bool] = mapped_column(server_default=text("false"))
    expires_at: Mapped[Time | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]

    user: Mapped[User] = relationship()


class Log(Base):
    """One event of the system. It outlives the user it is about."""

    __tablename__ = "logs"
    __table_args__ = (
        one_of("level", LogLevel),
        is_json("context", "object"),
        Index("idx_logs_level_created", "level", "created_at"),
        Index("idx_logs_user_id", "user_id"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    id: Mapped[Key]
    level: Mapped[str] = string(10)
    source: Mapped[str] = string(100)
    event: Mapped[str] = string(100)
    message: Mapped[str] = blank(None, "text")
    context: Mapped[dict[str, Any]] = document("{}", "text")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    request_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(
        TIMESTAMP(timezone=True), primary_key=True, server_default=func.now()
    )

    user: Mapped[User | None] = relationship()


class AuditEntry(Base):
    """Who did what to which row, before and after. It has no foreign keys: history outlives its subject."""

    __tablename__ = "audit_log"
    __table_args__ = (
        one_of("op", AuditOperation),
        check(
            "rows_fit_operation",
            "CASE op WHEN 'INSERT' THEN old_row IS NULL AND new_row IS NOT NULL"
            " WHEN 'UPDATE' THEN old_row IS NOT NULL AND new_row IS NOT NULL"
            " WHEN 'DELETE' THEN old_row IS NOT NULL AND new_row IS NULL"
            " ELSE old_row IS NULL AND new_row IS NULL END",
        ),
        check("hash_is_sha256", "octet_length(payload_hash) = 32"),
        Index("idx_audit_log_row", "table_name", "row_pk", "at"),
        Index("idx_audit_log_actor", "actor_id", "at"),
        Index("idx_audit_log_institution", "institution_id", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(
        TIMESTAMP(timezone=True), primary_key=True, server_default=func.clock_timestamp()
    )
    table_name: Mapped[str] = mapped_column(Text, info={PERSONAL: None})
    row_pk: Mapped[str] = mapped_column(Text, info={PERSONAL: None})
    op: Mapped[str] = string(10)
    actor_id: Mapped[int | None] = mapped_column(BigInteger, info={REFERS_TO: "users.id"})
    institution_id: Mapped[int | None] = mapped_column(BigInteger, info={REFERS_TO: "institutions.id"})
    db_role: Mapped[str] = mapped_column(Text, server_default=text("SESSION_USER"), info={PERSONAL: None})
    acting_role: Mapped[str | None] = mapped_column(Text, info={PERSONAL: None})
    old_row: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info={PERSONAL: "text"})
    new_row: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info={PERSONAL: "text"})
    changed: Mapped[list[str] | None] = mapped_column(ARRAY(Text), info={PERSONAL: None})
    tx_id: Mapped[int] = mapped_column(BigInteger, server_default=text("txid_current()"))
    payload_hash: Mapped[bytes | None] = mapped_column(LargeBinary, info={PERSONAL: None})


class DataQualityFinding(Base):
    """One row that broke one rule when the data was audited."""

    __tablename__ = "data_quality_findings"
    __table_args__ = (one_of("severity", Severity), Index("idx_data_quality_findings_run", "run_id", "rule"))

    id: Mapped[Key]
    run_id: Mapped[UUID]
    rule: Mapped[str] = string(100)
    severity: Mapped[str] = string(10)
    table_name: Mapped[str] = mapped_column(Text, info={PERSONAL: None})
    row_pk: Mapped[str] = mapped_column(Text, info={PERSONAL: None})
    detail: Mapped[dict[str, Any]] = document("{}", "text")
    found_at: Mapped[Created]


class ViewRefresh(Base):
    """When a materialized view was last refreshed, and how many rows it then had."""

    __tablename__ = "view_refreshes"

    view_name: Mapped[str] = mapped_column(Text, primary_key=True, info={PERSONAL: None})
    refreshed_at: Mapped[Time]
    row_count: Mapped[int] = mapped_column(BigInteger)
