"""The factories of Dev Coach, one a table; start at `UserFactory`, which makes a person whole."""

from scenarios.factories.dev_coach.rows import (
    ActionFactory,
    ActionResultFactory,
    ChatMessageFactory,
    CoachingSessionFactory,
    CoachingSessionMessageFactory,
    CoachStateFactory,
    IdentityFactory,
    PromptFactory,
    TestScenarioChatMessageFactory,
    TestScenarioFactory,
    TestScenarioUserFactory,
    UserFactory,
    UserNoteFactory,
    UserProfileFactory,
    VerificationFactory,
)

__all__ = [
    "ActionFactory",
    "ActionResultFactory",
    "ChatMessageFactory",
    "CoachStateFactory",
    "CoachingSessionFactory",
    "CoachingSessionMessageFactory",
    "IdentityFactory",
    "PromptFactory",
    "TestScenarioChatMessageFactory",
    "TestScenarioFactory",
    "TestScenarioUserFactory",
    "UserFactory",
    "UserNoteFactory",
    "UserProfileFactory",
    "VerificationFactory",
]
