"""The area *users*: accounts, profiles and the tokens that prove an e-mail address.

Everything else hangs off `User`; deleting one deletes what they own, in the database.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domains.dev_coach.base import (
    Base,
    CreatedMixin,
    IdMixin,
    ScopedMixin,
    UpdatedMixin,
    json_object,
    not_personal,
    personal,
    time_order,
)
from scenarios.domains.dev_coach.enums import (
    CoachingStyle,
    Frequency,
    Theme,
    VerificationType,
    column_type,
    vocabulary,
)

if TYPE_CHECKING:
    from scenarios.domains.dev_coach.actions import Action, ActionResult
    from scenarios.domains.dev_coach.chat_messages import ChatMessage
    from scenarios.domains.dev_coach.coach_states import CoachingSession, CoachingSessionMessage, CoachState
    from scenarios.domains.dev_coach.identities import Identity
    from scenarios.domains.dev_coach.test_scenario import (
        TestScenario,
        TestScenarioChatMessage,
        TestScenarioUser,
    )
    from scenarios.domains.dev_coach.user_notes import UserNote

EMAIL_PATTERN = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$"
"""The e-mail format of the indexes page, matched without regard to case; it accepts ``a..b@x.com``, too."""


class User(IdMixin, CreatedMixin, UpdatedMixin, ScopedMixin, Base):
    """A person's account. The e-mail address is the login name, unique whatever its case."""

    __tablename__ = "users_user"
    __table_args__ = (
        UniqueConstraint("email"),
        UniqueConstraint("username"),
        CheckConstraint(f"email ~* '{EMAIL_PATTERN}'", name="email"),
        time_order(),
        Index("users_user_email_lower_key", func.lower(text("email")), unique=True),
        Index(None, "created_at"),
        Index(None, "updated_at"),
        Index(None, "last_login"),
        Index(
            "users_user_real_users_idx",
            "email",
            "created_at",
            postgresql_where=text("test_scenario_id IS NULL"),
        ),
        Index(
            "users_user_test_scenario_idx",
            "test_scenario_id",
            postgresql_where=text("test_scenario_id IS NOT NULL"),
        ),
    )

    email: Mapped[str] = mapped_column(String(254), info=personal("email"))
    # Last, as where it was added to tables that had rows already.
    username: Mapped[str | None] = mapped_column(String(150), sort_order=99, info=personal("username"))
    password: Mapped[str] = mapped_column(String(128), info=personal("secret"))
    first_name: Mapped[str] = mapped_column(
        String(150), default="", server_default="", info=personal("first_name")
    )
    last_name: Mapped[str] = mapped_column(
        String(150), default="", server_default="", info=personal("last_name")
    )
    is_staff: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    is_superuser: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    verification_token: Mapped[str] = mapped_column(
        String(100), default="", server_default="", info=personal("secret")
    )
    email_verification_sent_at: Mapped[datetime | None]
    last_login: Mapped[datetime | None]
    date_joined: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    test_scenario: Mapped[TestScenario | None] = relationship(
        back_populates="users", foreign_keys="User.test_scenario_id"
    )
    created_scenarios: Mapped[list[TestScenario]] = relationship(
        back_populates="created_by",
        foreign_keys="TestScenario.created_by_id",
        passive_deletes=True,
        post_update=True,
    )
    profile: Mapped[UserProfile | None] = relationship(
        back_populates="user", passive_deletes=True, cascade="all, delete-orphan"
    )
    verifications: Mapped[list[Verification]] = relationship(
        back_populates="user", passive_deletes=True, cascade="all, delete-orphan"
    )
    coach_state: Mapped[CoachState | None] = relationship(
        back_populates="user", passive_deletes=True, cascade="all, delete-orphan"
    )
    coaching_sessions: Mapped[list[CoachingSession]] = relationship(
        back_populates="user",
        passive_deletes=True,
        cascade="all, delete-orphan",
        order_by="CoachingSession.started_at",
    )
    session_messages: Mapped[list[CoachingSessionMessage]] = relationship(
        back_populates="user", passive_deletes=True, cascade="all, delete-orphan"
    )
    identities: Mapped[list[Identity]] = relationship(
        back_populates="user",
        passive_deletes=True,
        cascade="all, delete-orphan",
        order_by="Identity.created_at",
    )
    chat_messages: Mapped[list[ChatMessage]] = relationship(
        back_populates="user",
        passive_deletes=True,
        cascade="all, delete-orphan",
        order_by="ChatMessage.timestamp",
    )
    actions: Mapped[list[Action]] = relationship(
        back_populates="user", passive_deletes=True, cascade="all, delete-orphan", order_by="Action.timestamp"
    )
    action_results: Mapped[list[ActionResult]] = relationship(
        back_populates="user", passive_deletes=True, cascade="all, delete-orphan"
    )
    user_notes: Mapped[list[UserNote]] = relationship(
        back_populates="user",
        passive_deletes=True,
        cascade="all, delete-orphan",
        order_by="UserNote.created_at",
    )
    scenario_handles: Mapped[list[TestScenarioUser]] = relationship(
        back_populates="user", passive_deletes=True, cascade="all, delete-orphan"
    )
    scenario_message_handles: Mapped[list[TestScenarioChatMessage]] = relationship(
        back_populates="user", passive_deletes=True, cascade="all, delete-orphan"
    )

    def __repr__(self) -> str:
        return f"User(email={self.email!r})"


class UserProfile(IdMixin, CreatedMixin, UpdatedMixin, ScopedMixin, Base):
    """What a person tells about themselves and how they want to be treated; at most one for each user."""

    __tablename__ = "users_userprofile"
    __table_args__ = (
        UniqueConstraint("user_id"),
        CheckConstraint("char_length(bio) <= 500", name="bio"),
        vocabulary("preferred_coaching_style", CoachingStyle),
        vocabulary("session_frequency", Frequency),
        vocabulary("notification_frequency", Frequency),
        vocabulary("theme", Theme),
        json_object("coaching_goals"),
        time_order(),
        Index(None, "timezone"),
        Index(None, "created_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    bio: Mapped[str | None] = mapped_column(Text, info=personal("text"))
    timezone: Mapped[str] = mapped_column(
        String(50), default="UTC", server_default="UTC", info=not_personal()
    )
    date_of_birth: Mapped[date | None] = mapped_column(info=personal("date_of_birth"))
    coaching_goals: Mapped[dict[str, Any]] = mapped_column(
        MutableDict.as_mutable(JSONB()), default=dict, server_default=text("'{}'"), info=personal("text")
    )
    preferred_coaching_style: Mapped[CoachingStyle | None] = mapped_column(
        column_type(CoachingStyle, 50), info=not_personal()
    )
    session_frequency: Mapped[Frequency | None] = mapped_column(
        column_type(Frequency, 20), info=not_personal()
    )
    email_notifications: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    push_notifications: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    notification_frequency: Mapped[Frequency] = mapped_column(
        column_type(Frequency, 20),
        default=Frequency.DAILY,
        server_default=Frequency.DAILY.value,
        info=not_personal(),
    )
    theme: Mapped[Theme] = mapped_column(
        column_type(Theme, 20), default=Theme.LIGHT, server_default=Theme.LIGHT.value, info=not_personal()
    )
    language: Mapped[str] = mapped_column(String(10), default="en", server_default="en", info=not_personal())

    user: Mapped[User] = relationship(back_populates="profile")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="user_profiles")


class Verification(IdMixin, CreatedMixin, ScopedMixin, Base):
    """A token sent by e-mail: single use, for one purpose, until it expires."""

    __tablename__ = "authentication_verification"
    __table_args__ = (
        UniqueConstraint("token"),
        vocabulary("verification_type", VerificationType),
        CheckConstraint("created_at < expires_at", name="created_at_expires_at"),
        Index(None, "user_id"),
        Index(None, "expires_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    token: Mapped[str] = mapped_column(String(100), info=personal("secret"))
    email: Mapped[str] = mapped_column(String(254), info=personal("email"))
    verification_type: Mapped[VerificationType] = mapped_column(
        column_type(VerificationType, 20), info=not_personal()
    )
    is_used: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    expires_at: Mapped[datetime]

    user: Mapped[User] = relationship(back_populates="verifications")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="verifications")
