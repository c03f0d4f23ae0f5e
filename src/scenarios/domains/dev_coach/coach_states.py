"""The area *coach_states*: where each person is, and the sessions that group their messages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domains.dev_coach.base import (
    Base,
    IdMixin,
    ScopedMixin,
    UpdatedMixin,
    json_object,
    list_column,
    not_personal,
    personal,
)
from scenarios.domains.dev_coach.enums import (
    CoachingPhase,
    GetToKnowYouQuestion,
    IdentityCategory,
    column_type,
    elements,
    vocabulary,
)

if TYPE_CHECKING:
    from scenarios.domains.dev_coach.chat_messages import ChatMessage
    from scenarios.domains.dev_coach.identities import Identity
    from scenarios.domains.dev_coach.test_scenario import TestScenario
    from scenarios.domains.dev_coach.users import User


class CoachState(IdMixin, UpdatedMixin, ScopedMixin, Base):
    """The state of a person's coaching: exactly one row for each user.

    Both identities belong to the same user: the foreign keys include ``user_id``, and a deleted identity
    empties only its own column.
    """

    __tablename__ = "coach_states_coachstate"
    __table_args__ = (
        UniqueConstraint("user_id"),
        # What a session's composite foreign key refers to.
        UniqueConstraint("id", "user_id"),
        ForeignKeyConstraint(
            ["current_identity_id", "user_id"],
            ["identities_identity.id", "identities_identity.user_id"],
            ondelete="SET NULL (current_identity_id)",
        ),
        ForeignKeyConstraint(
            ["proposed_identity_id", "user_id"],
            ["identities_identity.id", "identities_identity.user_id"],
            ondelete="SET NULL (proposed_identity_id)",
        ),
        vocabulary("current_phase", CoachingPhase),
        vocabulary("identity_focus", IdentityCategory),
        elements("skipped_identity_categories", IdentityCategory),
        elements("asked_questions", GetToKnowYouQuestion),
        json_object("metadata"),
        Index(None, "user_id"),
        Index(None, "current_identity_id"),
        Index(None, "proposed_identity_id"),
        Index(None, "updated_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    current_phase: Mapped[CoachingPhase] = mapped_column(
        column_type(CoachingPhase, 32),
        default=CoachingPhase.GET_TO_KNOW_YOU,
        server_default=CoachingPhase.GET_TO_KNOW_YOU.value,
        info=not_personal(),
    )
    current_identity_id: Mapped[UUID | None]
    proposed_identity_id: Mapped[UUID | None]
    identity_focus: Mapped[IdentityCategory] = mapped_column(
        column_type(IdentityCategory, 255),
        default=IdentityCategory.PASSIONS_AND_TALENTS,
        server_default=IdentityCategory.PASSIONS_AND_TALENTS.value,
        info=not_personal(),
    )
    skipped_identity_categories: Mapped[list[str]] = list_column(String(64), personal=None)
    who_you_are: Mapped[list[str]] = list_column(String(255), personal="text")
    who_you_want_to_be: Mapped[list[str]] = list_column(String(255), personal="text")
    asked_questions: Mapped[list[str]] = list_column(String(255), personal=None)
    # The attribute cannot be called like the column: `metadata` is SQLAlchemy's own.
    metadata_: Mapped[dict[str, Any] | None] = mapped_column(
        "metadata",
        MutableDict.as_mutable(JSONB()),
        default=dict,
        server_default=text("'{}'"),
        info=personal("text"),
    )

    user: Mapped[User] = relationship(back_populates="coach_state")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="coach_states")
    current_identity: Mapped[Identity | None] = relationship(
        back_populates="current_in", primaryjoin="foreign(CoachState.current_identity_id) == Identity.id"
    )
    proposed_identity: Mapped[Identity | None] = relationship(
        back_populates="proposed_in", primaryjoin="foreign(CoachState.proposed_identity_id) == Identity.id"
    )
    sessions: Mapped[list[CoachingSession]] = relationship(
        back_populates="coach_state",
        primaryjoin="CoachState.id == foreign(CoachingSession.coach_state_id)",
        passive_deletes=True,
        cascade="all, delete-orphan",
        order_by="CoachingSession.started_at",
    )

    def __repr__(self) -> str:
        return f"CoachState(current_phase={self.current_phase})"


class CoachingSession(IdMixin, ScopedMixin, Base):
    """A sitting with the coach; the link between a coach state and the messages exchanged in it."""

    __tablename__ = "coach_states_coachingsession"
    __table_args__ = (
        # What the message link's composite foreign key refers to.
        UniqueConstraint("id", "user_id"),
        ForeignKeyConstraint(
            ["coach_state_id", "user_id"],
            ["coach_states_coachstate.id", "coach_states_coachstate.user_id"],
            ondelete="CASCADE",
        ),
        vocabulary("phase", CoachingPhase),
        CheckConstraint("started_at <= ended_at", name="started_at_ended_at"),
        Index(None, "coach_state_id"),
        Index(None, "user_id", "started_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    coach_state_id: Mapped[UUID]
    phase: Mapped[CoachingPhase] = mapped_column(column_type(CoachingPhase, 32), info=not_personal())
    started_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    ended_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(back_populates="coaching_sessions")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="coaching_sessions")
    coach_state: Mapped[CoachState] = relationship(
        back_populates="sessions", primaryjoin="foreign(CoachingSession.coach_state_id) == CoachState.id"
    )
    message_links: Mapped[list[CoachingSessionMessage]] = relationship(
        back_populates="session",
        primaryjoin="CoachingSession.id == foreign(CoachingSessionMessage.session_id)",
        passive_deletes=True,
        cascade="all, delete-orphan",
    )
    messages: Mapped[list[ChatMessage]] = relationship(
        secondary="coach_states_coachingsessionmessage",
        primaryjoin="CoachingSession.id == CoachingSessionMessage.session_id",
        secondaryjoin="CoachingSessionMessage.message_id == ChatMessage.id",
        back_populates="sessions",
        viewonly=True,
        order_by="ChatMessage.timestamp",
    )


class CoachingSessionMessage(IdMixin, ScopedMixin, Base):
    """That a message belongs to a session, both of the same user."""

    __tablename__ = "coach_states_coachingsessionmessage"
    __table_args__ = (
        UniqueConstraint("session_id", "message_id"),
        ForeignKeyConstraint(
            ["session_id", "user_id"],
            ["coach_states_coachingsession.id", "coach_states_coachingsession.user_id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["message_id", "user_id"],
            ["chat_messages_chatmessage.id", "chat_messages_chatmessage.user_id"],
            ondelete="CASCADE",
        ),
        Index(None, "user_id"),
        Index(None, "message_id"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    session_id: Mapped[UUID]
    message_id: Mapped[UUID]

    user: Mapped[User] = relationship(back_populates="session_messages")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="session_messages")
    session: Mapped[CoachingSession] = relationship(
        back_populates="message_links",
        primaryjoin="foreign(CoachingSessionMessage.session_id) == CoachingSession.id",
    )
    message: Mapped[ChatMessage] = relationship(
        back_populates="session_links",
        primaryjoin="foreign(CoachingSessionMessage.message_id) == ChatMessage.id",
    )
