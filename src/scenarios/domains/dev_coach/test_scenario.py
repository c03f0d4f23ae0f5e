"""The area *test_scenario*: instances of scenarios, and which handle became which row.

A row of `TestScenario` is one loading of a scenario; everything it owns carries its id, and deleting the row
deletes exactly that. The handle tables let a person find ``maya`` in the database without the framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domains.dev_coach.base import (
    Base,
    CreatedMixin,
    IdMixin,
    UpdatedMixin,
    json_object,
    not_personal,
    personal,
    time_order,
)

if TYPE_CHECKING:
    from scenarios.domains.dev_coach.actions import Action, ActionResult
    from scenarios.domains.dev_coach.chat_messages import ChatMessage
    from scenarios.domains.dev_coach.coach_states import CoachingSession, CoachingSessionMessage, CoachState
    from scenarios.domains.dev_coach.identities import Identity
    from scenarios.domains.dev_coach.user_notes import UserNote
    from scenarios.domains.dev_coach.users import User, UserProfile, Verification


class TestScenario(IdMixin, CreatedMixin, UpdatedMixin, Base):
    """An instance of a scenario: its name, its template as loaded, and who loaded it.

    ``created_by`` and `User.test_scenario` form a cycle. Its foreign key is added after both tables
    (``use_alter``) and written after both rows (``post_update``).
    """

    __test__: ClassVar[bool] = False  # not a test, whatever pytest thinks of the name
    __tablename__ = "test_scenario_testscenario"
    __table_args__ = (
        UniqueConstraint("name"),
        json_object("template"),
        time_order(),
        Index(None, "created_by_id"),
        Index(None, "created_at"),
        Index(None, "updated_at"),
    )

    name: Mapped[str] = mapped_column(String(255), info=not_personal())
    description: Mapped[str] = mapped_column(Text, default="", server_default="", info=not_personal())
    template: Mapped[dict[str, Any]] = mapped_column(MutableDict.as_mutable(JSONB()), info=personal("text"))
    created_by_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users_user.id", ondelete="SET NULL", use_alter=True)
    )

    created_by: Mapped[User | None] = relationship(
        back_populates="created_scenarios", foreign_keys=[created_by_id], post_update=True
    )
    users: Mapped[list[User]] = relationship(
        back_populates="test_scenario",
        foreign_keys="User.test_scenario_id",
        passive_deletes=True,
        cascade="save-update, merge, delete",
    )
    user_profiles: Mapped[list[UserProfile]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    verifications: Mapped[list[Verification]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    coach_states: Mapped[list[CoachState]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    coaching_sessions: Mapped[list[CoachingSession]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    session_messages: Mapped[list[CoachingSessionMessage]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    identities: Mapped[list[Identity]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    chat_messages: Mapped[list[ChatMessage]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    actions: Mapped[list[Action]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    action_results: Mapped[list[ActionResult]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    user_notes: Mapped[list[UserNote]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="save-update, merge, delete"
    )
    user_handles: Mapped[list[TestScenarioUser]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="all, delete-orphan"
    )
    message_handles: Mapped[list[TestScenarioChatMessage]] = relationship(
        back_populates="test_scenario", passive_deletes=True, cascade="all, delete-orphan"
    )

    def __repr__(self) -> str:
        return f"TestScenario(name={self.name!r})"


class TestScenarioUser(IdMixin, CreatedMixin, Base):
    """That a scenario's handle (``maya``) became this user."""

    __test__: ClassVar[bool] = False
    __tablename__ = "test_scenario_testscenariouser"
    __table_args__ = (
        UniqueConstraint("test_scenario_id", "handle", name="test_scenario_testscenariouser_handle_key"),
        UniqueConstraint("user_id"),
    )

    test_scenario_id: Mapped[UUID] = mapped_column(
        ForeignKey("test_scenario_testscenario.id", ondelete="CASCADE"), sort_order=-50
    )
    handle: Mapped[str] = mapped_column(String(255), info=not_personal())
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))

    test_scenario: Mapped[TestScenario] = relationship(back_populates="user_handles")
    user: Mapped[User] = relationship(back_populates="scenario_handles")


class TestScenarioChatMessage(IdMixin, CreatedMixin, Base):
    """That a scenario's handle (``maya.message_3``) became this message."""

    __test__: ClassVar[bool] = False
    __tablename__ = "test_scenario_testscenariochatmessage"
    __table_args__ = (
        # Named: by the convention it would have 65 characters, and PostgreSQL's names end at 63.
        UniqueConstraint(
            "test_scenario_id", "handle", name="test_scenario_testscenariochatmessage_handle_key"
        ),
        UniqueConstraint("message_id"),
        ForeignKeyConstraint(
            ["message_id", "user_id"],
            ["chat_messages_chatmessage.id", "chat_messages_chatmessage.user_id"],
            ondelete="CASCADE",
        ),
        Index(None, "user_id"),
    )

    test_scenario_id: Mapped[UUID] = mapped_column(
        ForeignKey("test_scenario_testscenario.id", ondelete="CASCADE"), sort_order=-50
    )
    handle: Mapped[str] = mapped_column(String(255), info=not_personal())
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    message_id: Mapped[UUID]

    test_scenario: Mapped[TestScenario] = relationship(back_populates="message_handles")
    user: Mapped[User] = relationship(back_populates="scenario_message_handles")
    message: Mapped[ChatMessage] = relationship(
        back_populates="scenario_handles",
        primaryjoin="foreign(TestScenarioChatMessage.message_id) == ChatMessage.id",
    )
