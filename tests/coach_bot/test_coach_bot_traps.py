"""The traps people fell into with this system, each kept shut by a test.

They were found by running the original: rows that lose their order, deletes that fail although the database
cascades, attributes that cannot be read under asyncio, times that move with the machine's zone.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql
from sqlalchemy import delete, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.orm import selectinload

from scenarios.domains.coach_bot import DOMAIN, Chat, Log, Message, User
from scenarios.domains.coach_bot.connection import (
    CoachBotDatabase,
    ensure_database,
    make_engine,
    make_sessions,
)
from scenarios.domains.coach_bot.crud import chats, messages, users
from scenarios.domains.coach_bot.errors import ConcurrentChange, Conflict, Invalid, NotFound, driver_errors
from scenarios.domains.coach_bot.settings import asyncpg_url

pytestmark = pytest.mark.asyncio

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def a_conversation(session, turns=3):
    """A user with one chat of some messages, flushed."""
    user = User(username="maya", email="maya@example.com")
    chat = Chat(user=user)
    session.add(chat)
    for number in range(turns):
        session.add(
            Message(chat=chat, sender=user, content=str(number), sent_at=NOON + timedelta(seconds=number))
        )
    session.add(Log(chat=chat, user=user, action="send_message"))
    await session.flush()
    return user, chat


@pytest.mark.parametrize("loaded", [True, False], ids=["children loaded", "children not loaded"])
async def test_the_orm_deletes_a_parent_and_the_database_cascades(session, loaded):
    user, _ = await a_conversation(session)
    if not loaded:
        session.expunge_all()
        user = await session.get(User, user.id)
    statements = []
    engine = session.bind.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    await session.delete(user)
    # Left to itself SQLAlchemy sets chats.user_id to NULL first (23502), or reads every child to delete it.
    await session.flush()
    if not loaded:
        assert len(statements) == 1
    for model in (Chat, Message, Log):
        assert await session.scalar(select(func.count()).select_from(model)) == 0


async def test_a_plain_delete_cascades_too(session):
    await a_conversation(session)
    await session.execute(delete(User))
    assert await session.scalar(select(func.count()).select_from(Message)) == 0


async def test_messages_of_one_transaction_have_times_of_their_own(session):
    user, chat = await a_conversation(session, turns=0)
    for number in range(5):
        await messages.create(session, {"chat_id": chat.id, "sender_id": user.id, "content": str(number)})
    times = (await session.scalars(select(Message.sent_at).order_by(Message.content))).all()
    assert times == sorted(times)
    assert len(set(times)) == 5
    # now() is the transaction's: a column that defaulted to it could not tell them apart.
    created = (await session.scalars(select(Message.created_at))).all()
    assert len(set(created)) == 1


async def test_equal_times_are_ordered_the_same_way_every_time(session):
    user, chat = await a_conversation(session, turns=0)
    session.add_all(
        Message(chat=chat, sender=user, content=str(number), sent_at=NOON) for number in range(20)
    )
    await session.flush()
    id = chat.id

    async def order():
        session.expire_all()
        return [message.id for message in (await messages.of_chat(session, id)).rows]

    first = await order()
    # A rewrite of the rows moves them in the table; without the key in the order the result moves too.
    await session.execute(text("UPDATE messages SET content = content || '!' WHERE content < '5'"))
    assert await order() == first == sorted(first)


async def test_relationships_are_loaded_eagerly_or_awaited(session):
    user, chat = await a_conversation(session)
    id = user.id
    session.expunge_all()
    user = await session.get(User, id)
    with pytest.raises(MissingGreenlet):
        _ = user.chats
    assert [found.id for found in await user.awaitable_attrs.chats] == [chat.id]
    session.expunge_all()
    query = select(User).options(selectinload(User.chats).selectinload(Chat.messages))
    user = (await session.scalars(query)).one()
    assert [message.content for message in user.chats[0].messages] == ["0", "1", "2"]


async def test_an_updated_row_can_be_read_after_a_flush(session):
    user, _ = await a_conversation(session, turns=0)
    before = user.updated_at
    user.username = "Maya"
    await session.flush()
    # Without eager_defaults this read is a lazy load outside a greenlet.
    assert user.updated_at >= before


async def test_a_roll_back_expires_rows_and_ids_are_kept_in_variables(database):
    async with database.sessions() as session:
        user = await users.create(session, {"username": "maya", "email": "maya@example.com"})
        await session.commit()
        # A commit expires nothing here.
        assert user.username == "maya"
        id = user.id
        await session.rollback()
        assert (await users.get(session, id)).username == "maya"


async def test_a_row_that_a_roll_back_expired_can_be_changed(database):
    async with database.sessions() as session:
        user = await users.create(session, {"username": "maya", "email": "maya@example.com"})
        await session.commit()
        seen = user.updated_at
        await session.rollback()
        await users.update(session, user, {"username": "Maya"}, unchanged_since=seen)
        await session.rollback()
        with pytest.raises(ConcurrentChange):
            await users.update(session, user, {"username": "Maya"}, unchanged_since=seen - timedelta(days=1))
        await users.update(session, user, {"username": "Maya K."})
        assert user.username == "Maya K."
        with pytest.raises(NotFound, match="never stored"):
            await users.update(session, User(username="x", email="x@example.com"), {"username": "y"})


async def test_a_row_stays_readable_after_a_refused_change(session):
    maya = await users.create(session, {"username": "maya", "email": "maya@example.com"})
    omar = await users.create(session, {"username": "omar", "email": "omar@example.com"})
    with pytest.raises(Conflict):
        await users.update(session, omar, {"email": maya.email})
    assert (maya.username, omar.username, omar.email) == ("maya", "omar", "omar@example.com")


async def test_code_that_commits_can_still_be_undone_as_a_whole(database):
    async with database.engine.connect() as connection:
        outer = await connection.begin()
        async with make_sessions(connection)() as session:
            await users.create(session, {"username": "maya", "email": "maya@example.com"})
            await session.commit()
        async with make_sessions(connection)() as session:
            assert await users.by_email(session, "maya@example.com") is not None
        await outer.rollback()
    async with database.transaction() as session:
        assert await users.by_email(session, "maya@example.com") is None


async def test_the_column_called_timestamp_works_in_plain_sql(session):
    await a_conversation(session, turns=1)
    statement = "SELECT timestamp FROM messages WHERE timestamp >= timestamptz '2026-03-02 12:00+00'"
    assert await session.scalar(text(statement)) == NOON


async def test_every_url_spells_its_driver():
    assert asyncpg_url("postgresql://u@h/d").drivername == "postgresql+asyncpg"
    assert make_engine("postgresql://u@h/d").dialect.driver == "asyncpg"


async def test_a_url_as_text_has_its_password():
    url = make_engine("postgresql://u:p%25w@h/d").url
    assert "***" in str(url)
    assert make_url(url.render_as_string(hide_password=False)).password == "p%w"


async def test_a_time_without_zone_is_refused_before_the_driver_guesses_one(session):
    naive = datetime(2026, 3, 2, 12)  # the mistake under test
    with pytest.raises(ValueError, match=r"Message.sent_at needs a time zone"):
        Message(content="hello", sent_at=naive)
    with pytest.raises(ValueError, match=r"User.created_at needs a time zone"):
        User(username="maya", email="maya@example.com", created_at=naive)


async def test_times_are_the_same_moment_whatever_the_machines_zone(coach_bot_db):
    program = (
        "import asyncio, sys\n"
        "from datetime import datetime, timedelta, timezone\n"
        "from scenarios.domains.coach_bot import User\n"
        "from scenarios.domains.coach_bot.connection import CoachBotDatabase\n"
        "async def main():\n"
        "    async with CoachBotDatabase(sys.argv[1], pooled=False) as database:\n"
        "        async with database.transaction() as session:\n"
        "            noon = datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=9)))\n"
        "            user = User(username='k', email=sys.argv[2], created_at=noon)\n"
        "            session.add(user)\n"
        "            await session.flush()\n"
        "            await session.refresh(user)\n"
        "            print(user.created_at.isoformat())\n"
        "asyncio.run(main())\n"
    )
    for number, zone in enumerate(("America/Los_Angeles", "Asia/Kathmandu")):
        result = subprocess.run(
            [sys.executable, "-c", program, coach_bot_db.url, f"kim{number}@example.com"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TZ": zone, "PGTZ": zone},
        )
        assert result.stdout.strip() == "2026-03-02T03:00:00+00:00"


async def test_ddl_under_a_pool_is_survived_by_trying_again_and_unseen_without_one(coach_bot_db, database):
    async with CoachBotDatabase(coach_bot_db.url) as pooled:

        async def read(source):
            async with source.transaction() as session:
                return (await session.scalars(select(User.username))).all()

        assert await read(pooled) == []
        assert await read(database) == []
        with coach_bot_db.connect() as connection:
            connection.execute("ALTER TABLE users ALTER COLUMN username TYPE text")
        with pytest.raises(ConcurrentChange, match="schema was changed"):
            await read(pooled)
        assert await read(pooled) == []
        assert await read(database) == []


async def test_an_address_in_another_case_is_the_same_person(session):
    await users.create(session, {"username": "maya", "email": "Maya@example.com"})
    with pytest.raises(Conflict, match="upper and lower case"):
        await users.create(session, {"username": "maya", "email": "maya@EXAMPLE.com"})


async def test_rows_made_without_the_orm_get_a_key_and_updates_move_their_time(session):
    await session.execute(text("INSERT INTO users (username, email) VALUES ('raw', 'raw@example.com')"))
    earlier = {"created_at": NOON, "updated_at": NOON}
    await session.execute(
        text("UPDATE users SET created_at = :created_at, updated_at = :updated_at"), earlier
    )
    assert await session.scalar(select(User.updated_at)) == NOON
    await session.execute(text("UPDATE users SET username = 'Raw'"))
    assert await session.scalar(select(User.updated_at)) > NOON
    assert await session.scalar(select(User.created_at)) == NOON


async def test_an_unknown_field_is_not_set_silently(session):
    user, _ = await a_conversation(session, turns=0)
    with pytest.raises(Exception, match="nickname: Extra inputs are not permitted"):
        await users.update(session, user, {"nickname": "M"})


async def test_a_chat_is_found_by_its_own_id(session):
    user, chat = await a_conversation(session, turns=0)
    assert await chats.get(session, chat.id) is chat
    with pytest.raises(NotFound):
        await chats.get(session, user.id)


async def test_a_message_needs_a_sender_and_a_log_its_user(session):
    _, chat = await a_conversation(session, turns=0)

    async def store(row):
        with driver_errors("store it"):
            async with session.begin_nested():
                session.add(row)

    with pytest.raises(Invalid, match="sender_id must have a value"):
        await store(Message(chat_id=chat.id, content="from nobody"))
    with pytest.raises(Invalid, match="user_id must have a value"):
        await store(Log(chat_id=chat.id, action="by nobody"))


async def test_a_database_is_created_once_though_several_try(server, coach_bot_db):
    name = f'{coach_bot_db.name}"odd: name'
    url = make_url(coach_bot_db.url).set(database=name)
    try:
        made = await asyncio.gather(*(ensure_database(url) for _ in range(4)))
        assert sorted(made) == [False, False, False, True]
        assert await ensure_database(url) is False
        async with CoachBotDatabase(url, pooled=False) as database:
            assert await database.is_ready()
    finally:
        with server.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


async def test_the_tables_names_do_not_meet_another_systems(server):
    with server.database(DOMAIN) as database, database.connect() as connection:
        connection.execute("CREATE SCHEMA other; CREATE TABLE other.users (id int)")
        connection.execute("INSERT INTO public.users (username, email) VALUES ('a', 'a@example.com')")
        assert connection.execute("SELECT count(*) FROM public.users").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM other.users").fetchone() == (0,)
