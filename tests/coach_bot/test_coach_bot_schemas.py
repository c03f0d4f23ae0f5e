"""What comes in fits the columns; what goes out is read from rows; the JSON Schema tells both."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from sqlalchemy import String

from scenarios.domains.coach_bot import DOMAIN, Log, Message, schemas
from scenarios.domains.coach_bot.models import ACTION_LENGTH, EMAIL_LENGTH, USERNAME_LENGTH

ID = uuid.uuid4()
ALL = [
    getattr(schemas, entity + kind)
    for entity in ("User", "Chat", "Message", "Log")
    for kind in ("Create", "Update", "Read")
]


def test_the_limits_are_those_of_the_columns():
    lengths = {
        (table.name, column.name): column.type.length
        for table in DOMAIN.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, String) and column.type.length
    }
    assert lengths == {
        ("users", "username"): USERNAME_LENGTH,
        ("users", "email"): EMAIL_LENGTH,
        ("logs", "action"): ACTION_LENGTH,
    }
    for (_, field), length in lengths.items():
        schema = schemas.LogCreate if field == "action" else schemas.UserCreate
        assert schema.model_json_schema()["properties"][field]["maxLength"] == length


@pytest.mark.parametrize("length", [255, 256])
def test_an_action_of_255_characters_fits_and_one_more_does_not(length):
    def build():
        return schemas.LogCreate(user_id=ID, chat_id=ID, action="a" * length)

    if length == 255:
        assert len(build().action) == 255
    else:
        with pytest.raises(ValidationError, match="at most 255 characters"):
            build()


@pytest.mark.parametrize(
    "email",
    ["maya@example.test", "maya@localhost", "maya@x.invalid", "maya", "@example.com", "a b@example.com"],
)
def test_addresses_that_cannot_be_real_are_refused(email):
    with pytest.raises(ValidationError):
        schemas.UserCreate(username="maya", email=email)


def test_an_addresses_domain_is_lowered_and_a_name_is_stripped():
    user = schemas.UserCreate(username="  Maya  ", email="Maya.K@EXAMPLE.com")
    assert (user.username, user.email) == ("Maya", "Maya.K@example.com")


@pytest.mark.parametrize("content", ["", "   \n\t", "nul\x00"])
def test_a_message_needs_text_that_can_be_stored(content):
    with pytest.raises(ValidationError):
        schemas.MessageCreate(chat_id=ID, sender_id=ID, content=content)
    with pytest.raises(ValidationError):
        schemas.MessageUpdate(content=content)


@pytest.mark.parametrize(
    "details", [{"x": float("nan")}, {"x": [float("inf")]}, {"x": {"y": "\x00"}}, {"x": object()}, ["list"]]
)
def test_details_that_jsonb_refuses_are_refused(details):
    with pytest.raises(ValidationError):
        schemas.LogCreate(user_id=ID, chat_id=ID, action="a", details=details)


def test_details_with_a_literal_backslash_are_kept():
    details = {"text": "the escape \\u0000 spelt out"}
    assert schemas.LogCreate(user_id=ID, chat_id=ID, action="a", details=details).details == details


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.__name__)
def test_unknown_fields_are_refused_in_and_the_json_schema_is_valid(schema):
    described = schema.model_json_schema()
    Draft202012Validator.check_schema(described)
    if not schema.__name__.endswith("Read"):
        assert described["additionalProperties"] is False
        with pytest.raises(ValidationError, match="Extra inputs"):
            schema.model_validate({"id": str(ID), "nickname": "x"})


def test_the_json_schema_of_changes_does_not_offer_null():
    described = schemas.UserUpdate.model_json_schema()
    assert "required" not in described
    validator = Draft202012Validator(described)
    assert validator.is_valid({})
    assert not validator.is_valid({"username": None})


def test_changes_are_the_fields_that_were_given():
    assert schemas.UserUpdate(username="M").changes() == {"username": "M"}
    assert schemas.LogUpdate(details=None).changes() == {"details": None}
    assert schemas.LogUpdate().changes() == {}
    with pytest.raises(ValidationError):
        schemas.UserUpdate(username=None)


@pytest.mark.parametrize(
    ("model", "schema", "attribute"),
    [(Message, schemas.MessageRead, "sent_at"), (Log, schemas.LogRead, "logged_at")],
)
def test_a_row_is_read_with_its_time_under_the_documents_name(model, schema, attribute):
    now = datetime.now(UTC)
    shared = {"id": ID, "chat_id": ID, "created_at": now, "updated_at": now, attribute: now}
    row = (
        model(**shared, sender_id=ID, content="hello")
        if model is Message
        else model(**shared, user_id=ID, action="a", details={"n": [1, None]})
    )
    read = schema.model_validate(row)
    assert read.timestamp == now
    assert schema.model_validate_json(read.model_dump_json()) == read
