"""Two sessions on one row, a full pool, a killed connection: each ends in an error that says so."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select, text

from scenarios.domains.coach_bot.connection import CoachBotDatabase
from scenarios.domains.coach_bot.crud import chats, messages, users
from scenarios.domains.coach_bot.errors import ConcurrentChange, Conflict, NotFound, Unavailable
from scenarios.domains.coach_bot.settings import CoachBotSettings

pytestmark = pytest.mark.asyncio


async def store_user(database, name="maya"):
    """A committed user's id."""
    async with database.transaction() as session:
        user = await users.create(session, {"username": name, "email": f"{name}@example.com"})
        return user.id


async def until_someone_waits(coach_bot_db, task):
    """Return once a session of the database waits for a lock (or *task*, which should wait, is over)."""
    with coach_bot_db.connect() as watcher:
        while not task.done():
            (waiting,) = watcher.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            if waiting:
                return
            await asyncio.sleep(0.01)


async def test_of_two_edits_of_what_both_saw_the_second_is_refused(database, coach_bot_db):
    id = await store_user(database)
    async with database.sessions() as first, database.sessions() as second:
        seen_first, seen_second = await users.get(first, id), await users.get(second, id)
        seen = seen_second.updated_at
        await users.update(first, seen_first, {"username": "Maya A."}, unchanged_since=seen)
        later = asyncio.create_task(
            users.update(second, seen_second, {"username": "Maya B."}, unchanged_since=seen)
        )
        await until_someone_waits(coach_bot_db, later)
        assert not later.done()
        await first.commit()
        with pytest.raises(ConcurrentChange, match="was changed in the meantime"):
            await later
        # The session goes on, and shows what is there now.
        assert seen_second.username == "Maya A."
        await users.update(
            second, seen_second, {"username": "Maya B."}, unchanged_since=seen_second.updated_at
        )
        await second.commit()
    async with database.transaction() as session:
        assert (await users.get(session, id)).username == "Maya B."


async def test_edits_of_different_fields_do_not_undo_each_other(database, coach_bot_db):
    id = await store_user(database)
    async with database.sessions() as first, database.sessions() as second:
        one, two = await users.get(first, id), await users.get(second, id)
        await users.update(first, one, {"username": "Maya A."})
        later = asyncio.create_task(users.update(second, two, {"email": "new@example.com"}))
        await until_someone_waits(coach_bot_db, later)
        await first.commit()
        await later
        await second.commit()
    async with database.transaction() as session:
        user = await users.get(session, id)
        assert (user.username, user.email) == ("Maya A.", "new@example.com")


async def test_an_edit_of_a_row_deleted_meanwhile_finds_nothing(database, coach_bot_db):
    id = await store_user(database)
    async with database.sessions() as first, database.sessions() as second:
        seen = await users.get(second, id)
        await users.delete(first, id)
        later = asyncio.create_task(users.update(second, seen, {"username": "Late"}))
        await until_someone_waits(coach_bot_db, later)
        await first.commit()
        with pytest.raises(NotFound, match="deleted in the meantime"):
            await later
        # The transaction of the second session is still good.
        assert await second.scalar(text("SELECT count(*) FROM users")) == 0


async def test_of_two_deletes_the_second_finds_nothing(database, coach_bot_db):
    id = await store_user(database)
    async with database.sessions() as first, database.sessions() as second:
        await users.delete(first, id)
        later = asyncio.create_task(users.delete(second, id))
        await until_someone_waits(coach_bot_db, later)
        await first.commit()
        with pytest.raises(NotFound):
            await later


async def test_of_two_users_with_one_address_the_second_is_refused_when_the_first_commits(
    database, coach_bot_db
):
    async with database.sessions() as first, database.sessions() as second:
        await users.create(first, {"username": "one", "email": "maya@example.com"})
        later = asyncio.create_task(users.create(second, {"username": "two", "email": "maya@example.com"}))
        await until_someone_waits(coach_bot_db, later)
        await first.commit()
        with pytest.raises(Conflict, match="another user has this e-mail address"):
            await later


async def test_a_chat_for_a_user_being_deleted_is_refused(database, coach_bot_db):
    id = await store_user(database)
    async with database.sessions() as first, database.sessions() as second:
        await users.delete(first, id)
        later = asyncio.create_task(chats.create(second, {"user_id": id}))
        await until_someone_waits(coach_bot_db, later)
        await first.commit()
        with pytest.raises(Conflict, match="the chat's user does not exist"):
            await later


async def test_of_two_sessions_waiting_for_each_other_one_gives_way(database, coach_bot_db):
    one, two = await store_user(database, "maya"), await store_user(database, "omar")
    async with database.sessions() as first, database.sessions() as second:
        await users.get(first, one, lock=True)
        await users.get(second, two, lock=True)
        waiting = asyncio.create_task(users.get(first, two, lock=True))
        await until_someone_waits(coach_bot_db, waiting)
        results = await asyncio.gather(waiting, users.get(second, one, lock=True), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ConcurrentChange)]
    assert len(refused) == 1
    assert "waited for each other" in str(refused[0])


async def test_a_row_somebody_holds_is_a_concurrent_change_where_waiting_is_bounded(database):
    id = await store_user(database)
    async with database.sessions() as first, database.sessions() as second:
        await users.get(first, id, lock=True)
        await second.execute(text("SET LOCAL lock_timeout = '20ms'"))
        with pytest.raises(ConcurrentChange, match="another transaction holds the row"):
            await users.get(second, id, lock=True)


async def test_a_serializable_transaction_overtaken_is_a_concurrent_change(database):
    id = await store_user(database)
    async with database.sessions() as first, database.sessions() as second:
        await second.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        seen = await users.get(second, id)
        await users.update(first, await users.get(first, id), {"username": "Maya A."})
        await first.commit()
        with pytest.raises(ConcurrentChange, match="changed the same rows"):
            await users.update(second, seen, {"username": "Maya B."})


async def test_a_full_pool_says_so_and_serves_again_when_a_connection_is_back(coach_bot_db):
    settings = CoachBotSettings.model_construct(pool_size=1, pool_overflow=1, pool_timeout=0.05)
    async with CoachBotDatabase(coach_bot_db.url, settings=settings) as database:
        async with database.transaction() as one, database.transaction() as two:
            await one.execute(text("SELECT 1"))
            await two.execute(text("SELECT 1"))

            async def third():
                async with database.transaction() as session:
                    await session.execute(text("SELECT 1"))

            with pytest.raises(Unavailable, match="every connection of the pool is in use"):
                await third()
            assert not await database.is_ready()
        await third()
        assert await database.is_ready()


async def test_many_requests_share_a_small_pool(coach_bot_db):
    settings = CoachBotSettings.model_construct(pool_size=2, pool_overflow=0, pool_timeout=20.0)
    async with CoachBotDatabase(coach_bot_db.url, settings=settings) as database:
        id = await store_user(database)

        async def say(number):
            async with database.transaction() as session:
                chat = await chats.create(session, {"user_id": id})
                await messages.create(
                    session, {"chat_id": chat.id, "sender_id": id, "content": f"message {number}"}
                )

        await asyncio.gather(*(say(number) for number in range(20)))
        async with database.transaction() as session:
            assert len(await chats.of_user(session, id)) == 20


async def kill(coach_bot_db, pid):
    """End the server process of a connection, and wait until it is gone."""
    with coach_bot_db.connect() as killer:
        killer.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


async def test_a_connection_killed_in_a_transaction_loses_it_and_says_so(coach_bot_db):
    async with CoachBotDatabase(coach_bot_db.url) as database:
        id = await store_user(database)

        async def write_and_be_killed():
            async with database.transaction() as session:
                await users.update(session, await users.get(session, id), {"username": "lost"})
                await kill(coach_bot_db, await session.scalar(select(func.pg_backend_pid())))
                await chats.create(session, {"user_id": id})

        with pytest.raises(Unavailable, match="begin a new transaction"):
            await write_and_be_killed()
        # The pool replaces the connection; what was not committed is gone.
        async with database.transaction() as session:
            assert (await users.get(session, id)).username == "maya"


async def test_a_connection_killed_before_the_commit_does_not_pretend_to_have_committed(coach_bot_db):
    async with CoachBotDatabase(coach_bot_db.url) as database:

        async def write_and_be_killed():
            async with database.transaction() as session:
                await users.create(session, {"username": "lost", "email": "lost@example.com"})
                await kill(coach_bot_db, await session.scalar(select(func.pg_backend_pid())))

        with pytest.raises(Unavailable):
            await write_and_be_killed()
        async with database.transaction() as session:
            assert await session.scalar(text("SELECT count(*) FROM users")) == 0


async def test_idle_connections_the_server_closed_are_replaced_unnoticed(coach_bot_db):
    async with CoachBotDatabase(coach_bot_db.url) as database:
        async with database.transaction() as session:
            pid = await session.scalar(select(func.pg_backend_pid()))
        await kill(coach_bot_db, pid)
        async with database.transaction() as session:
            assert await session.scalar(select(func.pg_backend_pid())) != pid


async def test_a_cancelled_request_leaves_nothing_and_gives_its_connection_back(coach_bot_db):
    settings = CoachBotSettings.model_construct(pool_size=1, pool_overflow=0, pool_timeout=5.0)
    async with CoachBotDatabase(coach_bot_db.url, settings=settings) as database:
        started = asyncio.Event()

        async def slow():
            async with database.transaction() as session:
                await users.create(session, {"username": "gone", "email": "gone@example.com"})
                started.set()
                await session.execute(text("SELECT pg_sleep(30)"))

        task = asyncio.create_task(slow())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with database.transaction() as session:
            assert await session.scalar(text("SELECT count(*) FROM users")) == 0
