"""Reads and writes: right rows, stable order, no commit, and a refused write that spoils nothing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from scenarios.domains.coach_bot import Chat, Log, Message, User
from scenarios.domains.coach_bot.crud import chats, logs, messages, users
from scenarios.domains.coach_bot.errors import Conflict, Invalid, NotFound
from scenarios.domains.coach_bot.queries import Cursor, speakers
from scenarios.domains.coach_bot.schemas import MessageCreate, UserCreate, UserUpdate

pytestmark = pytest.mark.asyncio

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def a_user(session, name="maya"):
    return await users.create(session, UserCreate(username=name, email=f"{name}@example.com"))


async def a_chat(session, user):
    return await chats.create(session, {"user_id": user.id})


async def test_a_row_comes_back_with_what_the_database_filled_in(session):
    user = await a_user(session)
    assert isinstance(user.id, uuid.UUID)
    assert user.created_at.tzinfo is not None
    assert await users.get(session, user.id) is user
    assert users.read(user).model_dump()["email"] == "maya@example.com"


async def test_nothing_is_committed(database):
    async with database.sessions() as session:
        user = await a_user(session)
        await users.update(session, user, {"username": "Maya"})
        await session.rollback()
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0


async def test_a_missing_row_is_an_error_of_get_and_none_of_find(session):
    nobody = uuid.uuid4()
    assert await users.find(session, nobody) is None
    with pytest.raises(NotFound, match=f"there is no user {nobody}"):
        await users.get(session, nobody)
    with pytest.raises(NotFound, match="there is no log entry"):
        await logs.delete(session, nobody)


async def test_an_update_changes_the_given_fields_only(session):
    user = await a_user(session)
    await session.execute(text("UPDATE users SET email = 'elsewhere@example.com'"))
    changed = await users.update(session, user, UserUpdate(username="Maya K."))
    assert changed.username == "Maya K."
    stored = await session.execute(text("SELECT username, email FROM users"))
    assert stored.one() == ("Maya K.", "elsewhere@example.com")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nickname": "M"}, "nickname"),
        ({"username": "x" * 256}, "username"),
        ({"email": "not an address"}, "email"),
    ],
)
async def test_an_update_that_cannot_be_stored_is_invalid(session, changes, field):
    user = await a_user(session)
    with pytest.raises(Invalid) as caught:
        await users.update(session, user, changes)
    assert caught.value.field == field
    assert user.username == "maya"
    assert not hasattr(user, "nickname")


async def test_null_is_not_the_same_as_left_out(session):
    user = await a_user(session)
    with pytest.raises(Invalid, match="username: Input should be a valid string"):
        await users.update(session, user, {"username": None})
    chat = await a_chat(session, user)
    log = await logs.create(
        session, {"user_id": user.id, "chat_id": chat.id, "action": "seen", "details": {"n": 1}}
    )
    assert (await logs.update(session, log, {"details": None})).details is None
    assert await session.scalar(text("SELECT details IS NULL FROM logs"))


async def test_a_refused_write_leaves_the_transaction_and_the_row_usable(session):
    await a_user(session, "maya")
    omar = await a_user(session, "omar")
    with pytest.raises(Conflict) as caught:
        await users.update(session, omar, {"email": "maya@example.com"})
    assert caught.value.constraint == "users_email_key"
    assert "another user has this e-mail address" in str(caught.value)
    # Without the reload this line is a lazy load outside a greenlet.
    assert omar.email == "omar@example.com"
    with pytest.raises(Conflict):
        await a_user(session, "maya")
    assert await session.scalar(select(func.count()).select_from(User)) == 2
    await a_user(session, "lena")


async def test_an_address_differing_in_case_is_the_same_address(session):
    maya = await a_user(session)
    with pytest.raises(Conflict) as caught:
        await users.create(session, {"username": "Other", "email": "MAYA@example.com"})
    assert caught.value.constraint == "users_email_lower_key"
    assert await users.by_email(session, "Maya@Example.com") is maya
    assert await users.by_email(session, "nobody@example.com") is None


async def test_a_row_for_a_parent_that_does_not_exist_is_a_conflict_with_its_meaning(session):
    with pytest.raises(Conflict, match="the chat's user does not exist") as caught:
        await chats.create(session, {"user_id": uuid.uuid4()})
    assert caught.value.constraint == "chats_user_id_fkey"
    user = await a_user(session)
    with pytest.raises(Conflict, match="the message's chat does not exist"):
        await messages.create(
            session, MessageCreate(chat_id=uuid.uuid4(), sender_id=user.id, content="hello?")
        )


async def test_pages_of_all_rows_have_a_stable_order(session):
    made = [await a_user(session, f"user{number}") for number in range(7)]
    # All of them were made in one transaction, so their created_at is the same: the key decides.
    expected = sorted(user.id for user in made)
    read = [user.id for skip in range(0, 9, 3) for user in await users.get_multi(session, skip=skip, limit=3)]
    assert read == expected


@pytest.mark.parametrize("page", [{"skip": -1}, {"limit": 0}, {"limit": 1001}])
async def test_a_page_out_of_bounds_is_invalid(session, page):
    with pytest.raises(Invalid):
        await users.get_multi(session, **page)
    with pytest.raises(Invalid):
        await chats.of_user(session, uuid.uuid4(), **page)


async def test_a_users_chats_are_the_users_only_and_oldest_first(session):
    maya, omar = await a_user(session, "maya"), await a_user(session, "omar")
    for user, day in ((maya, 2), (omar, 1), (maya, 0)):
        session.add(Chat(user_id=user.id, created_at=NOON + timedelta(days=day)))
    await session.flush()
    found = await chats.of_user(session, maya.id)
    assert [chat.created_at for chat in found] == [NOON, NOON + timedelta(days=2)]
    assert await chats.of_user(session, maya.id, skip=1, limit=1) == found[1:]
    assert await chats.of_user(session, uuid.uuid4()) == []


@pytest.mark.parametrize("size", [1, 3, 10, 11])
async def test_pages_of_a_chat_neither_repeat_nor_lose_messages_with_equal_times(session, size):
    user = await a_user(session)
    chat, other = await a_chat(session, user), await a_chat(session, user)
    for number in range(10):
        session.add(
            Message(
                chat=chat, sender=user, content=str(number), sent_at=NOON + timedelta(seconds=number // 4)
            )
        )
        session.add(Message(chat=other, sender=user, content="elsewhere", sent_at=NOON))
    await session.flush()
    seen, cursor = [], None
    for _ in range(11):
        page = await messages.of_chat(session, chat.id, after=cursor, limit=size)
        seen.extend(page.rows)
        cursor = page.next
        if cursor is None:
            break
    assert cursor is None
    assert seen == sorted(seen, key=lambda message: (message.sent_at, message.id))
    assert sorted(message.content for message in seen) == [str(number) for number in range(10)]


async def test_the_latest_messages_come_in_the_order_they_were_sent(session):
    user = await a_user(session)
    chat = await a_chat(session, user)
    for number in range(5):
        session.add(
            Message(chat=chat, sender=user, content=str(number), sent_at=NOON + timedelta(hours=number))
        )
    await session.flush()
    assert [message.content for message in await messages.latest(session, chat.id, count=3)] == [
        "2",
        "3",
        "4",
    ]
    assert len(await messages.latest(session, chat.id)) == 5


@pytest.mark.parametrize(
    "written", ["", "x", "2026-03-02T12:00:00_x", f"2026-03-02T12:00:00_{uuid.UUID(int=1)}"]
)
async def test_a_cursor_survives_being_written_and_nonsense_is_invalid(written):
    cursor = Cursor(NOON, uuid.uuid4())
    assert Cursor.parse(str(cursor)) == cursor
    with pytest.raises(Invalid, match="place in"):
        Cursor.parse(written)


async def test_logs_of_a_chat_by_action_in_pages(session):
    user = await a_user(session)
    chat = await a_chat(session, user)
    for number in range(5):
        action = "send_message" if number % 2 else "opened"
        session.add(Log(chat=chat, user=user, action=action, logged_at=NOON + timedelta(minutes=number)))
    await session.flush()
    everything = await logs.of_chat(session, chat.id)
    assert [log.action for log in everything.rows] == ["opened", "send_message"] * 2 + ["opened"]
    first = await logs.of_chat(session, chat.id, action="opened", limit=2)
    last = await logs.of_chat(session, chat.id, action="opened", limit=2, after=first.next)
    assert [log.logged_at.minute for log in (*first.rows, *last.rows)] == [0, 2, 4]
    assert last.next is None


async def test_one_request_in_one_transaction_keeps_its_order(session):
    user = await a_user(session)
    chat = await a_chat(session, user)
    sent = []
    for number in range(3):
        message = await messages.create(
            session, MessageCreate(chat_id=chat.id, sender_id=user.id, content=f"question {number}")
        )
        log = await logs.sent(session, message)
        reply = await messages.create(
            session, MessageCreate(chat_id=chat.id, sender_id=user.id, content=f"answer {number}")
        )
        sent += [message.sent_at, log.logged_at, reply.sent_at]
    assert sent == sorted(sent)
    assert len(set(sent)) == len(sent)
    page = await messages.of_chat(session, chat.id)
    trail = await logs.of_chat(session, chat.id)
    assert speakers(page.rows, trail.rows) == ["user", "coach"] * 3


async def test_the_log_of_a_long_message_has_its_first_fifty_characters(session):
    user = await a_user(session)
    chat = await a_chat(session, user)
    for content in ("short", "x" * 50, "y" * 51):
        message = await messages.create(
            session, {"chat_id": chat.id, "sender_id": user.id, "content": content}
        )
        log = await logs.sent(session, message)
        assert log.details == {"text": f"Message sent: {content[:50]}..."}


async def test_deleting_a_user_deletes_everything_of_the_user(session):
    maya, omar = await a_user(session, "maya"), await a_user(session, "omar")
    for user in (maya, omar):
        chat = await a_chat(session, user)
        message = await messages.create(
            session, {"chat_id": chat.id, "sender_id": user.id, "content": "hello"}
        )
        await logs.sent(session, message)
    deleted = await users.delete(session, maya.id)
    assert deleted.username == "maya"
    for model in (User, Chat, Message, Log):
        assert await session.scalar(select(func.count()).select_from(model)) == 1
    with pytest.raises(NotFound):
        await users.get(session, maya.id)
