"""The area *chat_messages*: every turn of every conversation, the table that grows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import sql
from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domains.dev_coach.base import (
    Base,
    IdMixin,
    ScopedMixin,
    json_object,
    not_personal,
    personal,
)
from scenarios.domains.dev_coach.enums import MessageRole, column_type, vocabulary

if TYPE_CHECKING:
    from scenarios.domains.dev_coach.actions import Action
    from scenarios.domains.dev_coach.coach_states import CoachingSession, CoachingSessionMessage
    from scenarios.domains.dev_coach.test_scenario import TestScenario, TestScenarioChatMessage
    from scenarios.domains.dev_coach.user_notes import UserNote
    from scenarios.domains.dev_coach.users import User

RECENT_CUTOFF = "2025-07-25 00:00:00+00"
"""Where the recent-messages index of a new database begins: 30 days before the indexes page was written.

The page's own predicate contains ``NOW()``, which PostgreSQL refuses in an index (42P17), so the cut-off is a
literal; `scenarios.domains.dev_coach.maintenance.rebuild_recent_messages_index` moves it.
"""


class ChatMessage(IdMixin, ScopedMixin, Base):
    """One turn of a conversation. The order of a conversation is that of ``timestamp``."""

    __tablename__ = "chat_messages_chatmessage"
    __table_args__ = (
        # What the composite foreign keys of actions, notes and session links refer to.
        UniqueConstraint("id", "user_id"),
        vocabulary("role", MessageRole),
        json_object("metadata"),
        Index(None, "user_id"),
        Index(None, "timestamp"),
        Index(None, "user_id", "role"),
        Index(
            "chat_messages_chatmessage_content_gin_idx",
            text("to_tsvector('english', content)"),
            postgresql_using="gin",
        ),
        Index(
            "chat_messages_chatmessage_recent_idx",
            "user_id",
            "timestamp",
            postgresql_where=text(
                sql.SQL("timestamp > {}::timestamptz").format(sql.Literal(RECENT_CUTOFF)).as_string()
            ),
        ),
        Index(
            "chat_messages_chatmessage_test_scenario_idx",
            "test_scenario_id",
            postgresql_where=text("test_scenario_id IS NOT NULL"),
        ),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    role: Mapped[MessageRole] = mapped_column(column_type(MessageRole, 32), info=not_personal())
    content: Mapped[str] = mapped_column(Text, info=personal("text"))
    timestamp: Mapped[dt.datetime] = mapped_column(server_default=text("clock_timestamp()"))
    metadata_: Mapped[dict[str, Any] | None] = mapped_column(
        "metadata", MutableDict.as_mutable(JSONB()), info=personal("text")
    )

    user: Mapped[User] = relationship(back_populates="chat_messages")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="chat_messages")
    triggered_actions: Mapped[list[Action]] = relationship(
        back_populates="coach_message",
        primaryjoin="ChatMessage.id == foreign(Action.coach_message_id)",
        passive_deletes=True,
        cascade="all, delete-orphan",
        order_by="Action.timestamp",
    )
    source_notes: Mapped[list[UserNote]] = relationship(
        back_populates="source_message",
        primaryjoin="ChatMessage.id == foreign(UserNote.source_message_id)",
        passive_deletes=True,
        order_by="UserNote.created_at",
    )
    session_links: Mapped[list[CoachingSessionMessage]] = relationship(
        back_populates="message",
        primaryjoin="ChatMessage.id == foreign(CoachingSessionMessage.message_id)",
        passive_deletes=True,
        cascade="all, delete-orphan",
    )
    sessions: Mapped[list[CoachingSession]] = relationship(
        secondary="coach_states_coachingsessionmessage",
        primaryjoin="ChatMessage.id == CoachingSessionMessage.message_id",
        secondaryjoin="CoachingSessionMessage.session_id == CoachingSession.id",
        back_populates="messages",
        viewonly=True,
        order_by="CoachingSession.started_at",
    )
    scenario_handles: Mapped[list[TestScenarioChatMessage]] = relationship(
        back_populates="message",
        primaryjoin="ChatMessage.id == foreign(TestScenarioChatMessage.message_id)",
        passive_deletes=True,
        cascade="all, delete-orphan",
    )

    def __repr__(self) -> str:
        return f"ChatMessage(role={self.role}, content={self.content[:40]!r})"
