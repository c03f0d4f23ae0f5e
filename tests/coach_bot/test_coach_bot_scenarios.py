"""The scenarios of the library: each loads, keeps the rules it does not name, and shows its point."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from scenarios.domains.coach_bot import DOMAIN, Chat, Log, Message, User
from scenarios.domains.coach_bot.crud import chats, logs, messages, users
from scenarios.domains.coach_bot.errors import Conflict, Invalid
from scenarios.domains.coach_bot.queries import speakers
from scenarios.library import Library
from scenarios.resources import resource
from scenarios.validation import validate

NAMES = sorted(path.stem for path in (resource("scenario_library") / "coach_bot").glob("*.yaml"))


@pytest.fixture(scope="module")
def library():
    """The project's own scenarios."""
    return Library()


def test_there_are_all_that_were_promised():
    assert {
        "happy_conversation",
        "long_conversation",
        "ai_outage",
        "missing_audit_rows",
        "same_username_twice",
        "busy_user",
        "longest_action",
        "identical_timestamps",
    } <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_loads_twice_and_keeps_the_rules_it_does_not_name(library, coach_bot_db, name):
    definition = library[name]
    definition.load(coach_bot_db)
    definition.load(coach_bot_db, as_name="another")
    with coach_bot_db.connect() as connection:
        broken = {finding.check for finding in validate(connection, DOMAIN)}
        assert connection.execute("SELECT count(*) = count(DISTINCT lower(email)) FROM users").fetchone() == (
            True,
        )
    named = set(re.findall(r"`([a-z-]+)`", definition.head.description))
    # Messages of one time without logs: the second rule follows from the first.
    assert broken - {"audit-row-for-each-question"} <= named
    assert named <= broken


@pytest.mark.asyncio
async def test_a_happy_conversation_is_answered_throughout(library, coach_bot_db, database):
    chat = library["happy_conversation"].load(coach_bot_db)["maya.evening"]
    async with database.transaction() as session:
        said = (await messages.of_chat(session, chat.id)).rows
        trail = (await logs.of_chat(session, chat.id)).rows
    assert speakers(said, trail) == ["user", "coach"] * 3
    assert [log.details["text"] for log in trail] == [
        f"Message sent: {message.content[:50]}..." for message in said[::2]
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", [7, 100])
async def test_a_long_conversation_is_read_page_by_page(library, coach_bot_db, database, limit):
    chat = library["long_conversation"].load(coach_bot_db, messages=50)["ana.everything"]
    async with database.transaction() as session:
        seen, after = [], None
        while True:
            page = await messages.of_chat(session, chat.id, after=after, limit=limit)
            seen += [message.id for message in page.rows]
            after = page.next
            if after is None:
                break
        whole = (await session.scalars(select(Message.id).order_by(Message.sent_at, Message.id))).all()
    assert seen == whole
    assert len(seen) == 51


@pytest.mark.asyncio
async def test_in_an_outage_questions_stay_and_replies_are_missing(library, coach_bot_db, database):
    instance = library["ai_outage"].load(coach_bot_db)
    async with database.transaction() as session:
        said = (await messages.of_chat(session, instance["maya.morning"].id)).rows
        trail = (await logs.of_chat(session, instance["maya.morning"].id)).rows
        assert speakers(said, trail) == ["user", "coach", "user", "user", "user", "coach"]
        lonely = await messages.of_chat(session, instance["omar.first"].id)
        assert len(lonely.rows) == 1


@pytest.mark.asyncio
async def test_missing_audit_rows_are_fewer_than_questions(library, coach_bot_db, database):
    instance = library["missing_audit_rows"].load(coach_bot_db)
    async with database.transaction() as session:
        partly = instance["maya.partly"].id
        assert len((await messages.of_chat(session, partly)).rows) == 8
        assert len((await logs.of_chat(session, partly, action="send_message")).rows) == 2
        assert (await logs.of_chat(session, instance["omar.unseen"].id)).rows == []


@pytest.mark.asyncio
async def test_one_username_is_two_people(library, coach_bot_db, database):
    library["same_username_twice"].load(coach_bot_db)
    async with database.transaction() as session:
        sams = (await session.scalars(select(User).where(User.username == "sam"))).all()
        assert len({sam.id for sam in sams}) == 2
        with pytest.raises(Conflict):
            await users.update(
                session, sams[0], {"email": sams[1].email.upper().replace("EXAMPLE.COM", "example.com")}
            )


@pytest.mark.asyncio
async def test_deleting_a_busy_user_leaves_the_neighbour(library, coach_bot_db, database):
    instance = library["busy_user"].load(coach_bot_db)
    async with database.transaction() as session:
        await users.delete(session, instance["busy"].id)
    async with database.transaction() as session:
        assert len(await chats.of_user(session, instance["neighbour"].id)) == 2
        for model, count in ((User, 1), (Chat, 2), (Message, 2), (Log, 2)):
            assert await session.scalar(select(func.count()).select_from(model)) == count


@pytest.mark.asyncio
async def test_the_longest_action_is_stored_and_one_more_character_is_not(library, coach_bot_db, database):
    instance = library["longest_action"].load(coach_bot_db)
    async with database.transaction() as session:
        trail = (await logs.of_chat(session, instance["maya.edge"].id)).rows
        preview, longest = trail
        assert len(longest.action) == 255
        assert len(preview.details["text"]) == 67
        with pytest.raises(Invalid):
            await logs.update(session, longest, {"action": longest.action + "x"})
        assert len(longest.action) == 255


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", [1, 4, 25])
async def test_pages_of_identical_timestamps_are_whole(library, coach_bot_db, database, limit):
    chat = library["identical_timestamps"].load(coach_bot_db)["imported.history"]
    async with database.transaction() as session:
        seen, after = [], None
        while True:
            page = await messages.of_chat(session, chat.id, after=after, limit=limit)
            seen += page.rows
            after = page.next
            if after is None:
                break
        assert len({message.sent_at for message in seen}) == 1
        assert len({message.id for message in seen}) == len(seen) == 25


@pytest.mark.asyncio
async def test_a_foreign_senders_message_goes_with_the_sender(library, coach_bot_db, database):
    instance = library["foreign_sender"].load(coach_bot_db)
    async with database.transaction() as session:
        await users.delete(session, instance["omar"].id)
        left = (await messages.of_chat(session, instance["maya.shared"].id)).rows
        assert len(left) == 3


def test_the_instances_of_a_database_without_scope_are_remembered_reset_and_removed(library, coach_bot_db):
    # Somebody else's rows in the same database.
    with coach_bot_db.connect() as connection:
        connection.execute("INSERT INTO users (username, email) VALUES ('other', 'other@example.com')")
    first = library["happy_conversation"].load(coach_bot_db)
    second = library["happy_conversation"].load(coach_bot_db, as_name="second")
    with coach_bot_db.connect() as connection:
        # The application adds to both and changes one.
        for instance in (first, second):
            connection.execute(
                "INSERT INTO messages (chat_id, sender_id, content) VALUES (%s, %s, 'later')",
                [instance["maya.evening"].id, instance["maya"].id],
            )
        connection.execute("UPDATE users SET username = 'renamed' WHERE id = %s", [first["maya"].id])
    first.reset()
    with coach_bot_db.connect() as connection:

        def count(instance):
            query = "SELECT count(*) FROM messages WHERE chat_id = %s"
            return connection.execute(query, [instance["maya.evening"].id]).fetchone()[0]

        assert (count(first), count(second)) == (6, 7)
        query = "SELECT username FROM users WHERE id = %s"
        assert connection.execute(query, [first["maya"].id]).fetchone() == ("maya",)
    second.unload()
    with coach_bot_db.connect() as connection:
        rows = connection.execute("SELECT username FROM users ORDER BY username").fetchall()
        assert rows == [("maya",), ("other",)]
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (6,)


def test_two_loads_are_the_same_but_for_keys_and_addresses(library, coach_bot_db):
    one = library["ai_outage"].load(coach_bot_db)
    other = library["ai_outage"].load(coach_bot_db, as_name="other")
    assert one["maya"].id != other["maya"].id
    assert other["maya"].email.startswith("maya.okafor+")
    first, second = (each["maya.morning.message_1"] for each in (one, other))
    assert (first.content, first.sent_at) == (second.content, second.sent_at)
