"""Whatever the driver raises becomes one of the tree, with the cause and without anybody's data."""

from __future__ import annotations

import pickle
import uuid

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.pool import NullPool

from scenarios.domains.coach_bot import User
from scenarios.domains.coach_bot.errors import (
    CoachBotError,
    ConcurrentChange,
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
    driver_errors,
    translate,
)
from scenarios.errors import ScenariosError

REFUSED = {
    "unique": (
        "INSERT INTO users (username, email) VALUES ('b', 'maya@example.com')",
        Conflict,
        "e-mail address",
    ),
    "unique in another case": (
        "INSERT INTO users (username, email) VALUES ('b', 'MAYA@example.com')",
        Conflict,
        "upper and lower case",
    ),
    "foreign key": (
        "INSERT INTO chats (user_id) VALUES (gen_random_uuid())",
        Conflict,
        "user does not exist",
    ),
    "not null": ("INSERT INTO users (username) VALUES ('b')", Invalid, "email must have a value"),
    "too long": (
        "INSERT INTO users (username, email) VALUES (repeat('x', 256), 'b@example.com')",
        Invalid,
        "too long for type character varying\\(255\\)",
    ),
    "not json": (
        "INSERT INTO logs (user_id, chat_id, action, details)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), 'a', '{')",
        Invalid,
        "invalid input syntax for type json",
    ),
    "cancelled": (
        "SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)",
        ConcurrentChange,
        "longer than it may",
    ),
    "a mistake of ours": ("SELECT nonsense", CoachBotError, "does not exist"),
}


@pytest.fixture
def statements(coach_bot_db):
    """A synchronous connection with one user in it: the tree serves psycopg as well."""
    engine = create_engine(coach_bot_db.url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO users (username, email) VALUES ('maya', 'maya@example.com')"))
        yield connection


@pytest.mark.parametrize(("statement", "kind", "meaning"), REFUSED.values(), ids=REFUSED)
def test_psycopgs_errors_become_the_trees(statements, statement, kind, meaning):
    with pytest.raises(CoachBotError, match=meaning) as caught, driver_errors("do it"):
        statements.exec_driver_sql(statement)
    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, DBAPIError)
    assert caught.value.what == "could not do it"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("statement", "kind", "meaning"), [v for k, v in REFUSED.items() if k != "cancelled"]
)
async def test_asyncpgs_errors_become_the_trees(session, statement, kind, meaning):
    await session.execute(text("INSERT INTO users (username, email) VALUES ('maya', 'maya@example.com')"))
    with pytest.raises(CoachBotError, match=meaning) as caught, driver_errors("do it"):
        await session.execute(text(statement))
    assert type(caught.value) is kind


@pytest.mark.asyncio
@pytest.mark.parametrize("username", ["nul\x00 Maya Kowalska", 5])
async def test_a_value_the_driver_cannot_send_is_invalid_and_not_repeated(session, username):
    session.add(User(username=username, email="maya.kowalska@example.com"))
    with pytest.raises(Invalid) as caught, driver_errors("create the user"):
        await session.flush()
    assert isinstance(caught.value.__cause__, DBAPIError)
    for message in (str(caught.value), str(caught.value.__cause__)):
        assert "owalska" not in message


def test_other_errors_pass_through():
    with pytest.raises(KeyError), driver_errors("do it"):
        raise KeyError("mine")
    with pytest.raises(TypeError):
        translate(KeyError("mine"), "do it")


def test_a_dead_transaction_and_an_unreachable_server_are_unavailable():
    assert isinstance(translate(PendingRollbackError("over"), "do it"), Unavailable)
    assert isinstance(translate(ConnectionRefusedError("refused"), "do it"), Unavailable)
    wrapped = DBAPIError("SELECT 1", {}, psycopg.errors.TooManyConnections("too many clients already"))
    assert isinstance(translate(wrapped, "do it"), Unavailable)


def test_the_tree_is_one_tree_and_survives_pickling():
    for kind in (NotFound, Conflict, ConcurrentChange, Invalid, Unavailable):
        assert issubclass(kind, CoachBotError)
    assert issubclass(CoachBotError, ScenariosError)
    assert issubclass(ConcurrentChange, Conflict)
    error = Conflict("could not", constraint="users_email_key", why=f"because {uuid.UUID(int=1)}")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.constraint) == (str(error), "users_email_key")
