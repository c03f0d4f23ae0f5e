"""Categories, essays, their versions, the AI's raw answers and the feedback made of them.

The status of an essay decides which of its times are set and how far the AI's work can be; the CHECKs say so,
since an essay that is "completed" without ever having been processed misleads every report built on it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domain import PERSONAL
from scenarios.domains.essay_coach.enums import (
    PROCESSING_OF,
    WORDS_MAX,
    WORDS_MIN,
    AcademicLevel,
    EssayStatus,
    ProcessingStatus,
)
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

_ALLOWED_PAIRS = " OR ".join(
    "(status = '{}' AND ai_processing_status IN ({}))".format(
        status, ", ".join(f"'{step}'" for step in steps)
    )
    for status, steps in PROCESSING_OF.items()
)


class Category(Base):
    """A kind of essay, for one academic level; shared by all institutions."""

    __tablename__ = "categories"
    __table_args__ = (one_of("academic_level", AcademicLevel), check("name_not_blank", "btrim(name) <> ''"))

    id: Mapped[Key]
    name: Mapped[str] = string(50, unique=True)
    description: Mapped[str] = blank(None)
    academic_level: Mapped[str] = string(20)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))


class Essay(Base):
    """A student's essay. Its institution is its author's, by a foreign key over both."""

    __tablename__ = "essays"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "institution_id"],
            ["users.id", "users.institution_id"],
            ondelete="CASCADE",
            onupdate="CASCADE",
            name="essays_author_fkey",
        ),
        one_of("status", EssayStatus),
        one_of("ai_processing_status", ProcessingStatus),
        check("status_allows_processing", _ALLOWED_PAIRS),
        check("submitted_unless_draft", "(submitted_at IS NOT NULL) = (status <> 'draft')"),
        check(
            "started_when_processed",
            "(processing_started_at IS NOT NULL) = (status IN ('processing', 'completed', 'failed'))",
        ),
        check("finished_when_completed", "(processing_completed_at IS NOT NULL) = (status = 'completed')"),
        check("submitted_after_created", "submitted_at >= created_at"),
        check("started_after_submitted", "processing_started_at >= submitted_at"),
        check("finished_after_started", "processing_completed_at >= processing_started_at"),
        check("updated_after_created", "updated_at >= created_at"),
        check("title_not_blank", "btrim(title) <> ''"),
        check(
            "counts_not_negative", "word_count >= 0 AND character_count >= 0 AND reading_time_minutes >= 0"
        ),
        check("length_when_submitted", f"status = 'draft' OR word_count BETWEEN {WORDS_MIN} AND {WORDS_MAX}"),
        Index("idx_essays_user_id", "user_id"),
        Index("idx_essays_user_status", "user_id", "status"),
        Index("idx_essays_status_created", "status", "created_at"),
        Index("idx_essays_category_created", "category_id", "created_at"),
        Index("idx_essays_user_created", "user_id", text("created_at DESC")),
        Index("idx_essays_institution_id", "institution_id"),
        Index("idx_essays_created_at", "created_at"),
    )

    id: Mapped[Key]
    institution_id: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"))
    title: Mapped[str] = string(200, "text")
    content: Mapped[str] = mapped_column(Text, info={PERSONAL: "text"})
    status: Mapped[str] = string(20, server_default=text("'draft'"))
    word_count: Mapped[int] = mapped_column(server_default=text("0"))
    character_count: Mapped[int] = mapped_column(server_default=text("0"))
    reading_time_minutes: Mapped[int] = mapped_column(server_default=text("0"))
    ai_processing_status: Mapped[str] = string(20, server_default=text("'pending'"))
    processing_started_at: Mapped[Time | None]
    processing_completed_at: Mapped[Time | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    submitted_at: Mapped[Time | None]

    author: Mapped[User] = relationship()
    category: Mapped[Category | None] = relationship()
    submissions: Mapped[list[Submission]] = relationship(back_populates="essay", passive_deletes=True)
    feedback: Mapped[list[Feedback]] = relationship(back_populates="essay", passive_deletes=True)


class Submission(Base):
    """One version of an essay's text; the latest version is the essay's text."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("essay_id", "version_number"),
        check("version_from_one", "version_number >= 1"),
        check("word_count_not_negative", "word_count >= 0"),
    )

    id: Mapped[Key]
    essay_id: Mapped[int] = mapped_column(ForeignKey("essays.id", ondelete="CASCADE"))
    version_number: Mapped[int]
    content: Mapped[str] = mapped_column(Text, info={PERSONAL: "text"})
    word_count: Mapped[int] = mapped_column(server_default=text("0"))
    change_summary: Mapped[str] = blank(None, "text")
    created_at: Mapped[Created]

    essay: Mapped[Essay] = relationship(back_populates="submissions")


class FeedbackType(Base):
    """What feedback looks at (grammar, structure, content, style), and how much it counts."""

    __tablename__ = "feedback_types"
    __table_args__ = (
        check("weight_range", "weight > 0 AND weight <= 1"),
        check("order_not_negative", '"order" >= 0'),
    )

    id: Mapped[Key]
    name: Mapped[str] = string(50, unique=True)
    description: Mapped[str] = blank(None)
    weight: Mapped[Decimal] = mapped_column(Numeric(4, 3), server_default=text("1.0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    sort_order: Mapped[int] = mapped_column("order", server_default=text("0"))


class AIResponse(Base):
    """One raw answer of the AI, kept for debugging; several attempts for one essay and type are possible."""

    __tablename__ = "ai_responses"
    __table_args__ = (
        check("tokens_not_negative", "tokens_used >= 0"),
        check("cost_not_negative", "cost_usd >= 0"),
        check("time_not_negative", "processing_time_seconds >= 0 AND processing_time_seconds <> 'NaN'"),
        is_json("response", "object"),
        Index("idx_ai_responses_essay_id", "essay_id"),
        Index("idx_ai_responses_feedback_type_id", "feedback_type_id"),
    )

    id: Mapped[Key]
    essay_id: Mapped[int] = mapped_column(ForeignKey("essays.id", ondelete="CASCADE"))
    feedback_type_id: Mapped[int] = mapped_column(ForeignKey("feedback_types.id", ondelete="RESTRICT"))
    prompt: Mapped[str] = mapped_column(Text, info={PERSONAL: "text"})
    response: Mapped[dict[str, Any]] = document("{}", "text")
    model_name: Mapped[str] = string(100)
    model_version: Mapped[str] = string(50)
    tokens_used: Mapped[int]
    processing_time_seconds: Mapped[float] = mapped_column(Double, info={PERSONAL: None})
    cost_usd: Mapped[Decimal] = mapped_column(Numeric(10, 6))
    created_at: Mapped[Created]

    essay: Mapped[Essay] = relationship()
    feedback_type: Mapped[FeedbackType] = relationship()


class Feedback(Base):
    """What the AI says about one side of an essay, with a score and how sure it is.

    The column ``feedback`` has its table's name, so it is mapped as ``text``.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("essay_id", "type_id"),
        check("max_score_positive", "max_score > 0"),
        check("score_in_range", "score >= 0 AND score <= max_score"),
        check("confidence_in_range", "confidence >= 0 AND confidence <= 1"),
        check("range_both_or_none", "(start_index IS NULL) = (end_index IS NULL)"),
        check("range_order", "start_index >= 0 AND end_index > start_index"),
        check("time_not_negative", "processing_time_seconds >= 0 AND processing_time_seconds <> 'NaN'"),
        is_json("suggestions", "array"),
        Index("idx_feedback_essay_id", "essay_id"),
        Index("idx_feedback_type_id", "type_id"),
    )

    id: Mapped[Key]
    essay_id: Mapped[int] = mapped_column(ForeignKey("essays.id", ondelete="CASCADE"))
    type_id: Mapped[int] = mapped_column(ForeignKey("feedback_types.id", ondelete="RESTRICT"))
    score: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    max_score: Mapped[Decimal] = mapped_column(Numeric(6, 2), server_default=text("100"))
    confidence: Mapped[Decimal] = mapped_column(Numeric(4, 3), server_default=text("0.8"))
    text: Mapped[str] = mapped_column("feedback", Text, info={PERSONAL: "text"})
    suggestions: Mapped[list[Any]] = document("[]", "text")
    start_index: Mapped[int | None]
    end_index: Mapped[int | None]
    highlighted_text: Mapped[str] = blank(None, "text")
    ai_model_version: Mapped[str] = string(50)
    processing_time_seconds: Mapped[float | None] = mapped_column(Double, info={PERSONAL: None})
    created_at: Mapped[Created]

    essay: Mapped[Essay] = relationship(back_populates="feedback")
    type: Mapped[FeedbackType] = relationship()
