"""The vocabularies of Dev Coach, each in exactly one place.

The CHECK constraints are generated from these enums (`vocabulary`, `elements`). Written twice, a value added
to one side would be accepted by the code and refused by the database, or the other way round. The values of
phases, roles and identity states are those of the indexes page; the other concepts have no values there and
take the names of the running system's concepts in the same upper-case style.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Enum


class CoachingPhase(StrEnum):
    """Where a person is in the programme, in the order in which it is walked."""

    GET_TO_KNOW_YOU = "GET_TO_KNOW_YOU"
    IDENTITY_CREATION = "IDENTITY_CREATION"
    IDENTITY_REFINEMENT = "IDENTITY_REFINEMENT"
    INTEGRATION = "INTEGRATION"
    COMPLETED = "COMPLETED"

    @property
    def number(self) -> int:
        """The phase's place in the order, from 0."""
        return list(CoachingPhase).index(self)

    @property
    def next(self) -> CoachingPhase | None:
        """The phase that follows, None after the last."""
        phases = list(CoachingPhase)
        return phases[self.number + 1] if self.number + 1 < len(phases) else None

    def may_become(self, other: CoachingPhase) -> bool:
        """Return whether the database allows going from this phase to *other*.

        Allowed are the same phase, the next one, and a restart (back to the first).
        """
        return other in (self, self.next, next(iter(CoachingPhase)))


class MessageRole(StrEnum):
    """Who speaks."""

    USER = "USER"
    COACH = "COACH"


class IdentityState(StrEnum):
    """How far the work on one identity has come."""

    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    REFINEMENT_COMPLETE = "REFINEMENT_COMPLETE"


class IdentityCategory(StrEnum):
    """The area of life an identity belongs to, in the order in which a coach asks for them."""

    PASSIONS_AND_TALENTS = "PASSIONS_AND_TALENTS"
    MAKER_OF_MONEY = "MAKER_OF_MONEY"
    KEEPER_OF_MONEY = "KEEPER_OF_MONEY"
    SPIRITUAL = "SPIRITUAL"
    PERSONAL_APPEARANCE = "PERSONAL_APPEARANCE"
    PHYSICAL_EXPRESSION = "PHYSICAL_EXPRESSION"
    FAMILIAL_RELATIONS = "FAMILIAL_RELATIONS"
    ROMANTIC_RELATION = "ROMANTIC_RELATION"
    DOER_OF_THINGS = "DOER_OF_THINGS"


class GetToKnowYouQuestion(StrEnum):
    """The topics of the first phase, in asking order."""

    BACKGROUND_UPBRINGING = "BACKGROUND_UPBRINGING"
    FAMILY_STRUCTURE = "FAMILY_STRUCTURE"
    WORK_LIVING = "WORK_LIVING"
    HOBBIES_INTERESTS = "HOBBIES_INTERESTS"
    WHY_HERE_HOPES = "WHY_HERE_HOPES"


class ActionType(StrEnum):
    """What the coach can do to a person's data."""

    CREATE_IDENTITY = "CREATE_IDENTITY"
    UPDATE_IDENTITY = "UPDATE_IDENTITY"
    UPDATE_IDENTITY_NAME = "UPDATE_IDENTITY_NAME"
    UPDATE_IDENTITY_AFFIRMATION = "UPDATE_IDENTITY_AFFIRMATION"
    UPDATE_IDENTITY_VISUALIZATION = "UPDATE_IDENTITY_VISUALIZATION"
    ACCEPT_IDENTITY = "ACCEPT_IDENTITY"
    ACCEPT_IDENTITY_REFINEMENT = "ACCEPT_IDENTITY_REFINEMENT"
    ACCEPT_IDENTITY_AFFIRMATION = "ACCEPT_IDENTITY_AFFIRMATION"
    ACCEPT_IDENTITY_VISUALIZATION = "ACCEPT_IDENTITY_VISUALIZATION"
    ADD_IDENTITY_NOTE = "ADD_IDENTITY_NOTE"
    TRANSITION_PHASE = "TRANSITION_PHASE"
    SELECT_IDENTITY_FOCUS = "SELECT_IDENTITY_FOCUS"
    SKIP_IDENTITY_CATEGORY = "SKIP_IDENTITY_CATEGORY"
    UNSKIP_IDENTITY_CATEGORY = "UNSKIP_IDENTITY_CATEGORY"
    UPDATE_WHO_YOU_ARE = "UPDATE_WHO_YOU_ARE"
    UPDATE_WHO_YOU_WANT_TO_BE = "UPDATE_WHO_YOU_WANT_TO_BE"
    UPDATE_ASKED_QUESTIONS = "UPDATE_ASKED_QUESTIONS"
    SET_CURRENT_IDENTITY = "SET_CURRENT_IDENTITY"
    ADD_USER_NOTE = "ADD_USER_NOTE"
    UPDATE_USER_NOTE = "UPDATE_USER_NOTE"
    DELETE_USER_NOTE = "DELETE_USER_NOTE"


class PromptType(StrEnum):
    """Which part of the application a prompt is for."""

    COACH = "COACH"
    SENTINEL = "SENTINEL"
    SYSTEM = "SYSTEM"


class ContextKey(StrEnum):
    """What a prompt's body can ask to be filled in."""

    USER_NAME = "USER_NAME"
    IDENTITIES = "IDENTITIES"
    NUMBER_OF_IDENTITIES = "NUMBER_OF_IDENTITIES"
    IDENTITY_FOCUS = "IDENTITY_FOCUS"
    WHO_YOU_ARE = "WHO_YOU_ARE"
    WHO_YOU_WANT_TO_BE = "WHO_YOU_WANT_TO_BE"
    FOCUSED_IDENTITIES = "FOCUSED_IDENTITIES"
    USER_NOTES = "USER_NOTES"
    CURRENT_MESSAGE = "CURRENT_MESSAGE"
    PREVIOUS_MESSAGE = "PREVIOUS_MESSAGE"
    CURRENT_PHASE = "CURRENT_PHASE"
    BRAINSTORMING_CATEGORY_CONTEXT = "BRAINSTORMING_CATEGORY_CONTEXT"
    CURRENT_IDENTITY = "CURRENT_IDENTITY"
    ASKED_QUESTIONS = "ASKED_QUESTIONS"
    REFINEMENT_IDENTITIES = "REFINEMENT_IDENTITIES"
    AFFIRMATION_IDENTITIES = "AFFIRMATION_IDENTITIES"
    VISUALIZATION_IDENTITIES = "VISUALIZATION_IDENTITIES"


class VerificationType(StrEnum):
    """What a token sent by e-mail proves."""

    EMAIL_VERIFICATION = "EMAIL_VERIFICATION"
    PASSWORD_RESET = "PASSWORD_RESET"
    EMAIL_CHANGE = "EMAIL_CHANGE"


class CoachingStyle(StrEnum):
    """How a person wants to be coached."""

    DIRECTIVE = "DIRECTIVE"
    SUPPORTIVE = "SUPPORTIVE"
    COLLABORATIVE = "COLLABORATIVE"
    CHALLENGING = "CHALLENGING"


class Frequency(StrEnum):
    """How often sessions or notifications come."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    BIWEEKLY = "BIWEEKLY"
    MONTHLY = "MONTHLY"


class Theme(StrEnum):
    """The look of the application."""

    LIGHT = "LIGHT"
    DARK = "DARK"


def column_type(values: type[StrEnum], length: int) -> Enum:
    """Return the column type for *values*: a varchar of *length* characters that yields enum members.

    Not a PostgreSQL enum: the documents prescribe CHECK constraints, which can be changed in one transaction.
    """
    return Enum(
        values,
        native_enum=False,
        create_constraint=False,
        validate_strings=True,
        length=length,
        values_callable=lambda members: [member.value for member in members],
    )


def _literals(values: type[StrEnum]) -> str:
    return ", ".join(f"'{member.value}'" for member in values)


def vocabulary(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the CHECK that *column* holds one of *values*, named ``<table>_<column>_check``."""
    return CheckConstraint(f"{column} IN ({_literals(values)})", name=column)


def elements(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the CHECK that every element of the array *column* is one of *values* (NULL is not)."""
    return CheckConstraint(f"{column} <@ ARRAY[{_literals(values)}]::varchar[]", name=column)
