"""The area *actions*: what the coach did to a person's data, by which message, and with what outcome."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domains.dev_coach.base import (
    Base,
    CreatedMixin,
    IdMixin,
    ScopedMixin,
    json_object,
    not_personal,
    personal,
)
from scenarios.domains.dev_coach.enums import ActionType, column_type, vocabulary

if TYPE_CHECKING:
    from scenarios.domains.dev_coach.chat_messages import ChatMessage
    from scenarios.domains.dev_coach.test_scenario import TestScenario
    from scenarios.domains.dev_coach.users import User


class Action(IdMixin, ScopedMixin, Base):
    """An executed action, triggered by a message of the same user."""

    __tablename__ = "actions_action"
    __table_args__ = (
        # What the result's composite foreign key refers to.
        UniqueConstraint("id", "user_id"),
        ForeignKeyConstraint(
            ["coach_message_id", "user_id"],
            ["chat_messages_chatmessage.id", "chat_messages_chatmessage.user_id"],
            ondelete="CASCADE",
        ),
        vocabulary("action_type", ActionType),
        json_object("parameters"),
        Index(None, "user_id"),
        Index(None, "coach_message_id"),
        Index(None, "action_type"),
        Index(None, "timestamp"),
        Index(None, "user_id", "timestamp"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    action_type: Mapped[ActionType] = mapped_column(column_type(ActionType, 64), info=not_personal())
    parameters: Mapped[dict[str, Any]] = mapped_column(
        MutableDict.as_mutable(JSONB()), default=dict, server_default=text("'{}'"), info=personal("text")
    )
    result_summary: Mapped[str | None] = mapped_column(Text, info=personal("text"))
    timestamp: Mapped[dt.datetime] = mapped_column(server_default=text("clock_timestamp()"))
    coach_message_id: Mapped[UUID]

    user: Mapped[User] = relationship(back_populates="actions")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="actions")
    coach_message: Mapped[ChatMessage] = relationship(
        back_populates="triggered_actions", primaryjoin="foreign(Action.coach_message_id) == ChatMessage.id"
    )
    result: Mapped[ActionResult | None] = relationship(
        back_populates="action",
        primaryjoin="Action.id == foreign(ActionResult.action_id)",
        passive_deletes=True,
        cascade="all, delete-orphan",
    )

    def __repr__(self) -> str:
        return f"Action(action_type={self.action_type})"


class ActionResult(IdMixin, CreatedMixin, ScopedMixin, Base):
    """How the execution of an action ended; at most one for each action."""

    __tablename__ = "actions_actionresult"
    __table_args__ = (
        UniqueConstraint("action_id"),
        ForeignKeyConstraint(
            ["action_id", "user_id"], ["actions_action.id", "actions_action.user_id"], ondelete="CASCADE"
        ),
        Index(None, "user_id"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    action_id: Mapped[UUID]
    success: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    summary: Mapped[str | None] = mapped_column(Text, info=personal("text"))
    payload: Mapped[dict[str, Any] | None] = mapped_column(
        MutableDict.as_mutable(JSONB()), info=personal("text")
    )
    error: Mapped[str | None] = mapped_column(Text, info=personal("text"))

    user: Mapped[User] = relationship(back_populates="action_results")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="action_results")
    action: Mapped[Action] = relationship(
        back_populates="result", primaryjoin="foreign(ActionResult.action_id) == Action.id"
    )
