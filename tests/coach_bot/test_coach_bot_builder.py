"""Factories and the builder: rows that fit each other, said in sentences, loaded over any connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from scenarios.builders.coach_bot import a_scenario
from scenarios.domains.coach_bot import DOMAIN, Chat, Message, User
from scenarios.domains.coach_bot.crud import chats, logs, messages, users
from scenarios.domains.coach_bot.queries import speakers
from scenarios.errors import BuilderError
from scenarios.factories.coach_bot import ChatFactory, LogFactory, MessageFactory, UserFactory
from scenarios.factories.context import factory_context
from scenarios.graph import Graph, write
from scenarios.validation import validate


def an_evening(name="evening"):
    """Two people who talk; everything a chat can have."""
    return (
        a_scenario(name)
        .user("maya", email="maya.okafor@example.com")
        .chat("goals")
        .says("i keep saying i will paint again", handle="wish")
        .replies("What would the smallest painting look like?")
        .conversation(6)
        .logged("chat_exported", details={"pages": 2})
        .chat("night")
        .says("anyone there")
        .user("omar")
        .chats(2, messages=5)
        .build()
    )


def test_factories_make_rows_that_fit_their_parents():
    with factory_context("rows"):
        user = UserFactory.build(handle="maya")
        question = MessageFactory.build()
        log = LogFactory.build()
        reply = MessageFactory.build(reply=True)
        other = ChatFactory.build(user=None, user_id=user.id, created_at=question.sent_at)
    assert question.chat.user is user is log.user
    assert user.created_at <= question.chat.created_at < question.sent_at < log.logged_at < reply.sent_at
    assert log.details == {"text": f"Message sent: {question.content[:50]}..."}
    assert other.user is None
    assert user.email.startswith("maya.")


def test_factories_make_the_same_rows_each_time():
    def rows():
        with factory_context("rows"):
            message = MessageFactory.build()
            return (message.id, message.content, message.sent_at, message.sender.email)

    assert rows() == rows()


def test_what_factories_made_can_be_written(coach_bot_db):
    graph = Graph()
    with factory_context("rows", graph=graph):
        MessageFactory.create_batch(3)
        LogFactory.create(longest=True)
    with coach_bot_db.connect() as connection:
        write(connection, graph)
        assert connection.execute("SELECT count(*), count(DISTINCT chat_id) FROM messages").fetchone() == (
            3,
            1,
        )
        assert connection.execute("SELECT length(action) FROM logs").fetchone() == (255,)
        assert (
            validate(connection, DOMAIN, only=["chat-not-before-its-user", "message-not-before-its-chat"])
            == []
        )


def test_a_scenario_said_in_python_keeps_the_systems_rules(coach_bot_db):
    loaded = an_evening().load(coach_bot_db)
    with coach_bot_db.connect() as connection:
        assert validate(connection, DOMAIN) == []
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM chats),"
            " (SELECT count(*) FROM messages), (SELECT count(*) FROM logs)"
        ).fetchone()
    # Maya: 2 written, 6 generated, 1 unanswered; Omar: twice 5. Logged is what people say, and one export.
    assert counts == (2, 4, 9 + 10, 1 + 3 + 1 + 1 + 6)
    assert loaded["maya"].email == "maya.okafor@example.com"
    assert loaded["maya.goals.wish"].content == "i keep saying i will paint again"
    assert isinstance(loaded["maya.goals"], Chat)


def test_the_same_scenario_is_the_same_rows_and_an_instance_has_its_own():
    one, other = an_evening(), an_evening()
    assert one["maya"].id == other["maya"].id
    assert one["maya.goals.message_1"].sent_at == other["maya.goals.message_1"].sent_at
    second = one.render("second")
    assert second.handles["maya"].id != one["maya"].id
    assert second.handles["maya"].email not in {one["maya"].email, one["omar"].email}
    assert second.handles["maya.goals.wish"].content == one["maya.goals.wish"].content


def test_instances_stand_side_by_side_and_move_with_the_clock(coach_bot_db):
    scenario = an_evening()
    scenario.load(coach_bot_db)
    later = datetime(2030, 1, 1, tzinfo=UTC)
    moved = scenario.load(coach_bot_db, as_name="second", now=later)
    with coach_bot_db.connect() as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT email) FROM users").fetchone() == (4, 4)
        assert validate(connection, DOMAIN) == []
    distance = moved["maya"].created_at - scenario["maya"].created_at
    assert distance == later - datetime(2026, 3, 4, 16, tzinfo=UTC)


def test_a_load_that_fails_leaves_nothing(coach_bot_db):
    scenario = an_evening()
    scenario.load(coach_bot_db)
    with pytest.raises(Exception, match="users_pkey"):
        scenario.load(coach_bot_db)
    with coach_bot_db.connect() as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (2,)


@pytest.mark.asyncio
async def test_the_same_scenario_loads_from_asynchronous_code(coach_bot_db, database):
    async with database.transaction() as session:
        loaded = await an_evening().load_async(session)
        found = await messages.of_chat(session, loaded["maya.goals"].id)
        trail = await logs.of_chat(session, loaded["maya.goals"].id, action="send_message")
        assert speakers(found.rows, trail.rows) == ["user", "coach"] * 4
    async with database.transaction() as session:
        assert (await users.get(session, loaded["maya"].id)).username == "maya"
        assert len(await chats.of_user(session, loaded["omar"].id)) == 2
    url = make_url(coach_bot_db.url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    try:
        await an_evening().load_async(connection, as_name="bare")
    finally:
        await connection.close()
    async with database.transaction() as session:
        assert len(await users.get_multi(session)) == 4


@pytest.mark.asyncio
async def test_loading_into_a_session_stays_in_its_transaction(database):
    async with database.sessions() as session:
        await an_evening().load_async(session)
        assert len(await users.get_multi(session)) == 2
        await session.rollback()
    async with database.transaction() as session:
        assert await users.get_multi(session) == []


def test_times_that_are_given_are_kept_and_others_follow():
    built = (
        a_scenario("times")
        .user("maya", joined="-3d")
        .chat("a", started="-2h")
        .says("one", at="-1h 30m")
        .replies("two")
        .says("three", at="-1h 30m", handle="same")
        .build()
    )
    start = built["maya.a"].created_at
    assert built["maya.a.message_1"].sent_at == start + timedelta(minutes=30)
    assert built["maya.a.message_2"].sent_at > built["maya.a.message_1"].sent_at
    assert built["maya.a.same"].sent_at == built["maya.a.message_1"].sent_at
    assert built["maya"].created_at == start - timedelta(days=3) + timedelta(hours=2)


WRONG = {
    "an answer first": (lambda s: s.user("maya").chat().replies("hm"), "answers before anything was said"),
    "nothing said": (lambda s: s.user("maya").chat().says("  "), "nothing is said"),
    "a handle twice": (lambda s: s.user("maya").user("maya"), "taken by a user"),
    "an address in another case": (
        lambda s: s.user("maya", email="a@example.com").user("omar", email="A@example.com"),
        "maya has the address",
    ),
    "no address": (lambda s: s.user("maya", email="nowhere"), "is not an address"),
    "a long name": (lambda s: s.user("maya", username="x" * 256), "username has 256 characters"),
    "a long action": (lambda s: s.user("maya").chat().logged("x" * 256), "this has 256"),
    "an unknown sender": (lambda s: s.user("maya").chat().says("hi", sender="mya"), "there is no user 'mya'"),
    "an unreadable time": (lambda s: s.user("maya").chat(started="soon"), "soon"),
    "a naive time": (lambda s: s.user("maya", joined=datetime(2026, 1, 1)), "no time zone"),
    "a negative number": (lambda s: s.user("maya").chats(-1), "cannot be -1 chats"),
}


@pytest.mark.parametrize(("said", "complaint"), WRONG.values(), ids=WRONG)
def test_a_wrong_sentence_is_refused_where_it_is_said(said, complaint):
    with pytest.raises(BuilderError, match=complaint) as caught:
        said(a_scenario("wrong"))
    assert "test_coach_bot_builder.py" in (caught.value.where or "")


@pytest.mark.parametrize(
    "said",
    [
        lambda s: s.user("maya", joined="-1h").chat(started="-2h"),
        lambda s: s.user("maya").chat(started="-1h").says("early", at="-2h"),
    ],
)
def test_what_would_happen_too_early_is_refused_when_it_is_built(said):
    step = said(a_scenario("early"))
    with pytest.raises(BuilderError, match="before") as caught:
        step.build()
    assert "test_coach_bot_builder.py" in (caught.value.where or "")


BROKEN = {
    "chat-not-before-its-user": "UPDATE users SET created_at = now(), updated_at = now() + interval '1 day'",
    "message-not-before-its-chat": "UPDATE messages SET timestamp = timestamp - interval '1 year'",
    "log-not-before-its-chat": "UPDATE logs SET timestamp = timestamp - interval '1 year'",
    "changed-after-made": "UPDATE users SET updated_at = created_at - interval '1 second'",
    "log-follows-a-message": "DELETE FROM messages",
    "at-most-one-log-a-message": "INSERT INTO logs (user_id, chat_id, action, details, timestamp)"
    " SELECT user_id, chat_id, action, details, timestamp FROM logs",
    "audit-row-for-each-question": "DELETE FROM logs",
    "sender-owns-the-chat": "UPDATE messages SET sender_id = (SELECT id FROM users WHERE username = 'omar')",
    "log-of-the-chats-user": "UPDATE logs SET user_id = (SELECT id FROM users WHERE username = 'omar')",
    "distinct-times-in-a-chat": "UPDATE messages SET timestamp = timestamptz '2026-03-04 15:59+00'",
    "sent-details-are-a-preview": "UPDATE logs SET details = NULL",
    "address-domain-in-lower-case": "UPDATE users SET email = username || '@EXAMPLE.com'",
    "message-not-blank": "UPDATE messages SET content = E' \\n'",
}


def test_every_rule_has_a_case_that_breaks_it():
    from scenarios.domains.coach_bot.validators import CHECKS

    assert {check.name for check in CHECKS} == set(BROKEN)


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_found_with_the_row_that_breaks_it(coach_bot_db, rule):
    an_evening().load(coach_bot_db)
    with coach_bot_db.connect() as connection:
        connection.execute(BROKEN[rule])
        findings = validate(connection, DOMAIN, only=[rule])
        assert findings
        for finding in findings:
            row = connection.execute(f"SELECT 1 FROM {finding.table} WHERE id = %s", [finding.key]).fetchone()  # noqa: S608 - a table of ours
            assert row == (1,)


def test_a_builder_makes_models_and_plain_rows_of_one_kind(coach_bot_db):
    loaded = an_evening().load(coach_bot_db)
    assert {type(loaded[handle]) for handle in ("maya", "omar")} == {User}
    assert isinstance(loaded["maya.goals.message_1"], Message)
    assert loaded.sign_in[0] == {"handle": "maya", "username": "maya", "email": "maya.okafor@example.com"}
