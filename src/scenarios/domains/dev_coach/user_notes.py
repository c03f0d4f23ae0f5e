"""The area *user_notes*: what the system remembers about a person, with the message it learned it from."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domains.dev_coach.base import Base, CreatedMixin, IdMixin, ScopedMixin, personal

if TYPE_CHECKING:
    from scenarios.domains.dev_coach.chat_messages import ChatMessage
    from scenarios.domains.dev_coach.test_scenario import TestScenario
    from scenarios.domains.dev_coach.users import User


class UserNote(IdMixin, CreatedMixin, ScopedMixin, Base):
    """A fact about a person. It outlives the message it came from."""

    __tablename__ = "user_notes_usernote"
    __table_args__ = (
        ForeignKeyConstraint(
            ["source_message_id", "user_id"],
            ["chat_messages_chatmessage.id", "chat_messages_chatmessage.user_id"],
            ondelete="SET NULL (source_message_id)",
        ),
        Index(None, "user_id"),
        Index(None, "source_message_id"),
        Index(None, "created_at"),
        Index(
            "user_notes_usernote_note_gin_idx", text("to_tsvector('english', note)"), postgresql_using="gin"
        ),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    note: Mapped[str] = mapped_column(Text, info=personal("text"))
    source_message_id: Mapped[UUID | None]

    user: Mapped[User] = relationship(back_populates="user_notes")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="user_notes")
    source_message: Mapped[ChatMessage | None] = relationship(
        back_populates="source_notes", primaryjoin="foreign(UserNote.source_message_id) == ChatMessage.id"
    )

    def __repr__(self) -> str:
        return f"UserNote(note={self.note[:40]!r})"
