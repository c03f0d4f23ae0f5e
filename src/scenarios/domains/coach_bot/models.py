"""The four tables of Coach Bot: users, chats, messages and the audit log.

Columns and delete rules are those of the system's code at the commit its document was written for; the
mixins are on all four tables and ``logs.details`` is JSONB, because the document says so. Every foreign key
cascades: nothing of a user survives the user.

The columns called ``timestamp`` are the attributes `Message.sent_at` and `Log.logged_at`: the bare name is
also a type in SQL and an import in Python.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from sqlalchemy import DateTime, ForeignKey, Index, String, Text, func, literal_column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domain import PERSONAL
from scenarios.domains.coach_bot.base import Base, Timestamps, UuidKey

USERNAME_LENGTH: Final = 255
EMAIL_LENGTH: Final = 255
ACTION_LENGTH: Final = 255

SEND_MESSAGE: Final = "send_message"
"""``Log.action`` of a message a person sent."""

# The time of the statement, not of the transaction: a request stores the message, its log and the reply in
# one transaction, and now() would give the three the same time, so that no order could be read back.
_STATEMENT_TIME: Final = text("clock_timestamp()")


class User(UuidKey, Timestamps, Base):
    """A person who talks to the coach. There is no password, role or status in this system."""

    __tablename__ = "users"
    __table_args__ = (Index("users_email_lower_key", func.lower(literal_column("email")), unique=True),)

    username: Mapped[str] = mapped_column(String(USERNAME_LENGTH), info={PERSONAL: "username"})
    email: Mapped[str] = mapped_column(String(EMAIL_LENGTH), unique=True, info={PERSONAL: "email"})

    # passive_deletes: the database cascades. Without it SQLAlchemy would first set the children's keys to
    # NULL, which the columns refuse.
    chats: Mapped[list[Chat]] = relationship(
        back_populates="user",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="(Chat.created_at, Chat.id)",
    )
    messages: Mapped[list[Message]] = relationship(
        back_populates="sender",
        cascade="all",
        passive_deletes=True,
        order_by="(Message.sent_at, Message.id)",
    )
    logs: Mapped[list[Log]] = relationship(
        back_populates="user", cascade="all", passive_deletes=True, order_by="(Log.logged_at, Log.id)"
    )

    def __repr__(self) -> str:
        return f"<User {self.id}>"


class Chat(UuidKey, Timestamps, Base):
    """A conversation of one user. Adding a message does not touch it."""

    __tablename__ = "chats"

    user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True, info={PERSONAL: None}
    )

    user: Mapped[User] = relationship(back_populates="chats")
    messages: Mapped[list[Message]] = relationship(
        back_populates="chat",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="(Message.sent_at, Message.id)",
    )
    logs: Mapped[list[Log]] = relationship(
        back_populates="chat",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="(Log.logged_at, Log.id)",
    )

    def __repr__(self) -> str:
        return f"<Chat {self.id}>"


class Message(UuidKey, Timestamps, Base):
    """One text in a chat.

    The coach's replies carry the user's `sender_id` too: who spoke can only be told from the order
    (see `scenarios.domains.coach_bot.queries.speakers`).
    """

    __tablename__ = "messages"
    __table_args__ = (Index(None, "chat_id", "timestamp", "id"),)

    chat_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("chats.id", ondelete="CASCADE"), info={PERSONAL: None}
    )
    sender_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True, info={PERSONAL: None}
    )
    content: Mapped[str] = mapped_column(Text, info={PERSONAL: "text"})
    sent_at: Mapped[datetime] = mapped_column(
        "timestamp", DateTime(timezone=True), server_default=_STATEMENT_TIME, info={PERSONAL: None}
    )

    chat: Mapped[Chat] = relationship(back_populates="messages")
    sender: Mapped[User] = relationship(back_populates="messages")

    def __repr__(self) -> str:
        return f"<Message {self.id}>"


class Log(UuidKey, Timestamps, Base):
    """One line of the audit trail: what a user did in a chat."""

    __tablename__ = "logs"
    __table_args__ = (Index(None, "chat_id", "timestamp", "id"),)

    user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True, info={PERSONAL: None}
    )
    chat_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("chats.id", ondelete="CASCADE"), info={PERSONAL: None}
    )
    action: Mapped[str] = mapped_column(String(ACTION_LENGTH), info={PERSONAL: None})
    # none_as_null: an absent detail is SQL's NULL, never JSON's null, so that one test finds both.
    details: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info={PERSONAL: "text"})
    logged_at: Mapped[datetime] = mapped_column(
        "timestamp", DateTime(timezone=True), server_default=_STATEMENT_TIME, info={PERSONAL: None}
    )

    user: Mapped[User] = relationship(back_populates="logs")
    chat: Mapped[Chat] = relationship(back_populates="logs")

    def __repr__(self) -> str:
        return f"<Log {self.id}>"


METADATA: Final = Base.metadata
"""The four tables: with the models defined, nothing is added any more."""
