"""What may come in and what goes out: Pydantic schemas to create, update and read each of the four tables.

The columns' limits are repeated here on purpose: a text the column cannot hold is refused before a
transaction begins, with the field's name, and the limits appear in the JSON Schema an API publishes.
"""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    JsonValue,
    StringConstraints,
)

from scenarios.domains.coach_bot.models import ACTION_LENGTH, EMAIL_LENGTH, USERNAME_LENGTH

NUL = "\x00"


def _storable_text(value: str) -> str:
    if NUL in value:
        raise ValueError("PostgreSQL cannot store the character U+0000")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


def _storable_json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("JSON has no NaN and no infinity") from None
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("PostgreSQL cannot store the character U+0000")
    return value


Username = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=USERNAME_LENGTH),
    AfterValidator(_storable_text),
]
Email = Annotated[EmailStr, Field(max_length=EMAIL_LENGTH)]
Content = Annotated[
    str, StringConstraints(min_length=1), AfterValidator(_storable_text), AfterValidator(_not_blank)
]
Action = Annotated[
    str,
    StringConstraints(min_length=1, max_length=ACTION_LENGTH),
    AfterValidator(_storable_text),
    AfterValidator(_not_blank),
]
Details = Annotated[dict[str, JsonValue], AfterValidator(_storable_json)]


class Incoming(BaseModel):
    """Base of what comes in: a field nobody knows is a mistake, not something to drop silently."""

    model_config = ConfigDict(extra="forbid")


class Partial(Incoming):
    """Base of changes: what is left out stays as it is; null is a value like any other, or refused.

    A field that was left out reads as None; `changes` tells it apart from one that was set.
    """

    def changes(self) -> dict[str, Any]:
        """Return the fields that were given."""
        return self.model_dump(exclude_unset=True)


class Outgoing(BaseModel):
    """Base of what goes out, read from a row: ``UserRead.model_validate(user)``."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: UUID
    created_at: AwareDatetime
    updated_at: AwareDatetime


def _left_out(schema: dict[str, Any]) -> None:
    # "default: null" would tell readers of the JSON Schema that null is allowed.
    schema.pop("default", None)


_LEFT_OUT: Any = Field(default=None, json_schema_extra=_left_out)


class UserCreate(Incoming):
    """A new user."""

    username: Username
    email: Email


class UserUpdate(Partial):
    """Changes of a user."""

    username: Username = _LEFT_OUT
    email: Email = _LEFT_OUT


class UserRead(Outgoing):
    """A user as others see it."""

    username: str
    email: str


class ChatCreate(Incoming):
    """A new chat."""

    user_id: UUID


class ChatUpdate(Partial):
    """Changes of a chat: hand it to another user."""

    user_id: UUID = _LEFT_OUT


class ChatRead(Outgoing):
    """A chat as others see it."""

    user_id: UUID


class MessageCreate(Incoming):
    """A new message; the database gives the time."""

    chat_id: UUID
    sender_id: UUID
    content: Content


class MessageUpdate(Partial):
    """Changes of a message: its text."""

    content: Content = _LEFT_OUT


class MessageRead(Outgoing):
    """A message as others see it; ``timestamp`` is when it was sent."""

    chat_id: UUID
    sender_id: UUID
    content: str
    timestamp: AwareDatetime = Field(validation_alias=AliasChoices("sent_at", "timestamp"))


class LogCreate(Incoming):
    """A new line of the audit trail; the database gives the time."""

    user_id: UUID
    chat_id: UUID
    action: Action
    details: Details | None = None


class LogUpdate(Partial):
    """Changes of a line of the audit trail; its details may be taken away."""

    action: Action = _LEFT_OUT
    details: Details | None = _LEFT_OUT


class LogRead(Outgoing):
    """A line of the audit trail as others see it; ``timestamp`` is when it happened."""

    user_id: UUID
    chat_id: UUID
    action: str
    details: dict[str, JsonValue] | None
    timestamp: AwareDatetime = Field(validation_alias=AliasChoices("logged_at", "timestamp"))
