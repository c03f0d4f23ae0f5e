"""The area *prompts*: the versioned texts that instruct the coach. They belong to no user and no scenario."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from scenarios.domains.dev_coach.base import (
    Base,
    CreatedMixin,
    IdMixin,
    UpdatedMixin,
    list_column,
    not_personal,
    time_order,
)
from scenarios.domains.dev_coach.enums import (
    ActionType,
    CoachingPhase,
    ContextKey,
    PromptType,
    column_type,
    elements,
    vocabulary,
)


class Prompt(IdMixin, CreatedMixin, UpdatedMixin, Base):
    """One version of the prompt of a phase; without a phase, of the whole system."""

    __tablename__ = "prompts_prompt"
    __table_args__ = (
        # A prompt without a phase has versions, too: two NULL phases count as the same.
        UniqueConstraint("coaching_phase", "version", postgresql_nulls_not_distinct=True),
        CheckConstraint("version > 0", name="version"),
        vocabulary("coaching_phase", CoachingPhase),
        vocabulary("prompt_type", PromptType),
        elements("required_context_keys", ContextKey),
        elements("allowed_actions", ActionType),
        time_order(),
        Index(
            "prompts_prompt_active_idx",
            "coaching_phase",
            "version",
            postgresql_where=text("is_active = true"),
        ),
    )

    coaching_phase: Mapped[CoachingPhase | None] = mapped_column(
        column_type(CoachingPhase, 32), info=not_personal()
    )
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    name: Mapped[str | None] = mapped_column(String(255), info=not_personal())
    description: Mapped[str | None] = mapped_column(Text, info=not_personal())
    body: Mapped[str] = mapped_column(Text, info=not_personal())
    required_context_keys: Mapped[list[str]] = list_column(String(64), personal=None)
    allowed_actions: Mapped[list[str]] = list_column(String(64), personal=None)
    prompt_type: Mapped[PromptType] = mapped_column(
        column_type(PromptType, 32),
        default=PromptType.COACH,
        server_default=PromptType.COACH.value,
        info=not_personal(),
    )
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))

    def __repr__(self) -> str:
        return f"Prompt(coaching_phase={self.coaching_phase}, version={self.version})"
