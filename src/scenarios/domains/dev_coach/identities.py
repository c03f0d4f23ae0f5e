"""The area *identities*: who a person wants to be, one row for each area of life they work on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domains.dev_coach.base import (
    Base,
    CreatedMixin,
    IdMixin,
    ScopedMixin,
    UpdatedMixin,
    list_column,
    not_personal,
    personal,
    time_order,
)
from scenarios.domains.dev_coach.enums import IdentityCategory, IdentityState, column_type, vocabulary

if TYPE_CHECKING:
    from scenarios.domains.dev_coach.coach_states import CoachState
    from scenarios.domains.dev_coach.test_scenario import TestScenario
    from scenarios.domains.dev_coach.users import User


class Identity(IdMixin, CreatedMixin, UpdatedMixin, ScopedMixin, Base):
    """One identity of a person, from proposal to the end of its refinement."""

    __tablename__ = "identities_identity"
    __table_args__ = (
        # What the coach state's composite foreign keys refer to: an identity together with its owner.
        UniqueConstraint("id", "user_id"),
        vocabulary("state", IdentityState),
        vocabulary("category", IdentityCategory),
        time_order(),
        Index(None, "user_id"),
        Index(None, "created_at"),
        Index(None, "updated_at"),
        Index(None, "user_id", "category"),
        Index(None, "user_id", "state"),
        Index(
            "identities_identity_affirmation_gin_idx",
            text("to_tsvector('english', affirmation)"),
            postgresql_using="gin",
        ),
        Index(
            "identities_identity_visualization_gin_idx",
            text("to_tsvector('english', visualization)"),
            postgresql_using="gin",
        ),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id", ondelete="CASCADE"))
    name: Mapped[str | None] = mapped_column(String(255), info=personal("text"))
    affirmation: Mapped[str | None] = mapped_column(Text, info=personal("text"))
    visualization: Mapped[str | None] = mapped_column(Text, info=personal("text"))
    state: Mapped[IdentityState | None] = mapped_column(
        column_type(IdentityState, 32),
        default=IdentityState.ACCEPTED,
        server_default=IdentityState.ACCEPTED.value,
        info=not_personal(),
    )
    notes: Mapped[list[str]] = list_column(Text(), personal="text")
    category: Mapped[IdentityCategory] = mapped_column(column_type(IdentityCategory, 32), info=not_personal())

    user: Mapped[User] = relationship(back_populates="identities")
    test_scenario: Mapped[TestScenario | None] = relationship(back_populates="identities")
    current_in: Mapped[list[CoachState]] = relationship(
        back_populates="current_identity",
        primaryjoin="Identity.id == foreign(CoachState.current_identity_id)",
        passive_deletes=True,
    )
    proposed_in: Mapped[list[CoachState]] = relationship(
        back_populates="proposed_identity",
        primaryjoin="Identity.id == foreign(CoachState.proposed_identity_id)",
        passive_deletes=True,
    )

    def __repr__(self) -> str:
        return f"Identity(name={self.name!r}, category={self.category}, state={self.state})"
