"""Dev Coach: users, their coaching, its messages and actions, and the scenarios to test it with.

The centre is `DOMAIN`; the models are in one module for each area, the vocabularies in `enums`, the rules
that live in the database in `rules`.
"""

from __future__ import annotations

from scenarios.domain import Domain, Scope
from scenarios.domains.dev_coach.actions import Action, ActionResult
from scenarios.domains.dev_coach.base import Base
from scenarios.domains.dev_coach.chat_messages import ChatMessage
from scenarios.domains.dev_coach.coach_states import CoachingSession, CoachingSessionMessage, CoachState
from scenarios.domains.dev_coach.enums import (
    ActionType,
    CoachingPhase,
    CoachingStyle,
    ContextKey,
    Frequency,
    GetToKnowYouQuestion,
    IdentityCategory,
    IdentityState,
    MessageRole,
    PromptType,
    Theme,
    VerificationType,
)
from scenarios.domains.dev_coach.identities import Identity
from scenarios.domains.dev_coach.prompts import Prompt
from scenarios.domains.dev_coach.rules import ddl, objects
from scenarios.domains.dev_coach.test_scenario import TestScenario, TestScenarioChatMessage, TestScenarioUser
from scenarios.domains.dev_coach.user_notes import UserNote
from scenarios.domains.dev_coach.users import User, UserProfile, Verification
from scenarios.schema.rendering import attach

attach(Base.metadata, objects())

DOMAIN = Domain(
    name="dev_coach",
    title="Dev Coach",
    metadata=Base.metadata,
    ddl=ddl,
    owner="users_user",
    scope=Scope(table="test_scenario_testscenario", column="test_scenario_id"),
    reference=frozenset({"prompts_prompt"}),
    suspendable=frozenset({"dev_coach_inherit_scope", "dev_coach_refuse_scope"}),
    parts={
        "builder": "scenarios.builders.dev_coach",
        "sections": "scenarios.domains.dev_coach.sections",
        "validators": "scenarios.domains.dev_coach.validators",
        "maintenance": "scenarios.domains.dev_coach.maintenance",
        "demo": "scenarios.domains.dev_coach.demo",
        "health": "scenarios.domains.dev_coach.health",
        "as_code": "scenarios.domains.dev_coach.as_code",
        "volume": "scenarios.domains.dev_coach.volume.recipe",
    },
)
"""Dev Coach as the framework sees it."""

__all__ = [
    "DOMAIN",
    "Action",
    "ActionResult",
    "ActionType",
    "Base",
    "ChatMessage",
    "CoachState",
    "CoachingPhase",
    "CoachingSession",
    "CoachingSessionMessage",
    "CoachingStyle",
    "ContextKey",
    "Frequency",
    "GetToKnowYouQuestion",
    "Identity",
    "IdentityCategory",
    "IdentityState",
    "MessageRole",
    "Prompt",
    "PromptType",
    "TestScenario",
    "TestScenarioChatMessage",
    "TestScenarioUser",
    "Theme",
    "User",
    "UserNote",
    "UserProfile",
    "Verification",
    "VerificationType",
]
