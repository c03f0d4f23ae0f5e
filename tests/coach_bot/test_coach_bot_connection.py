"""Engine and sessions come from settings when asked for; transactions end well or not at all."""

from __future__ import annotations

import asyncio
import socket
import uuid

import pytest
from psycopg import sql
from sqlalchemy import func, select, text
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from scenarios.domains.coach_bot import Chat, User
from scenarios.domains.coach_bot.connection import CoachBotDatabase, make_engine, make_sessions, run_script
from scenarios.domains.coach_bot.crud import users
from scenarios.domains.coach_bot.errors import CoachBotError, Conflict, Unavailable
from scenarios.domains.coach_bot.settings import CoachBotSettings, asyncpg_url, load_settings
from scenarios.errors import SettingsError

VARIABLES = (
    "DATABASE_URL",
    "POSTGRES_USER",
    "POSTGRES_PASSWORD",
    "POSTGRES_DB",
    "POSTGRES_HOST",
    "POSTGRES_PORT",
)


def settings_of(tmp_path, **variables):
    """The settings an .env with these lines gives."""
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), "utf-8")
    return load_settings(file)


@pytest.fixture(autouse=True)
def _no_variables_of_the_machine(monkeypatch):
    # The process's own environment would win over the .env files of these tests.
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_the_url_is_put_together_from_the_single_variables(tmp_path):
    url = settings_of(
        tmp_path, POSTGRES_USER="coach", POSTGRES_PASSWORD="p%40:/ss", POSTGRES_DB="coach_bot"
    ).url()
    assert url.render_as_string(hide_password=False) == (
        "postgresql+asyncpg://coach:p%2540%3A%2Fss@localhost:5432/coach_bot"
    )
    assert url.password == "p%40:/ss"


def test_database_url_wins_and_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    lines = {
        "DATABASE_URL": "postgresql://u:p@one/db",
        "POSTGRES_USER": "x",
        "POSTGRES_PASSWORD": "y",
        "POSTGRES_DB": "z",
    }
    assert settings_of(tmp_path, **lines).url().host == "one"
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@two/db")
    assert settings_of(tmp_path, **lines).url().host == "two"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h/db",
        "postgres://u:p@h/db",
        "postgresql+psycopg://u:p@h/db",
        "postgresql+psycopg2://u:p@h/db?sslmode=require",
    ],
)
def test_every_postgresql_url_becomes_asyncpgs(url):
    parsed = asyncpg_url(url)
    assert parsed.drivername == "postgresql+asyncpg"
    assert parsed.query.get("ssl") == ("require" if "sslmode" in url else None)


@pytest.mark.parametrize("url", ["mysql://u:secret@h/db", "not a url secret"])
def test_a_url_of_something_else_is_refused_without_its_password(url):
    with pytest.raises(SettingsError, match="DATABASE_URL") as caught:
        asyncpg_url(url)
    assert "secret" not in str(caught.value)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(SettingsError, match="neither DATABASE_URL nor POSTGRES_PASSWORD and POSTGRES_DB"):
        settings_of(tmp_path, POSTGRES_USER="coach").url()


def test_a_bad_value_is_named_and_secrets_stay_secret(tmp_path):
    with pytest.raises(SettingsError, match="COACH_BOT_POOL_SIZE") as caught:
        settings_of(tmp_path, COACH_BOT_POOL_SIZE="many", POSTGRES_PASSWORD="hunter2")
    assert "hunter2" not in str(caught.value)
    settings = settings_of(tmp_path, POSTGRES_PASSWORD="hunter2", DATABASE_URL="postgresql://u:hunter2@h/d")
    assert "hunter2" not in repr(settings)


def test_the_pool_has_the_settings_sizes(tmp_path):
    settings = settings_of(
        tmp_path,
        DATABASE_URL="postgresql://u:p@h/db",
        COACH_BOT_POOL_SIZE=2,
        COACH_BOT_POOL_OVERFLOW=1,
        COACH_BOT_POOL_TIMEOUT=0.5,
    )
    pool = make_engine(settings=settings).pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    assert (pool.size(), pool._max_overflow, pool._timeout) == (2, 1, 0.5)
    assert isinstance(make_engine(settings=settings, pooled=False).pool, NullPool)


@pytest.mark.asyncio
async def test_a_transaction_is_committed_or_rolled_back(database):
    async with database.transaction() as session:
        await users.create(session, {"username": "maya", "email": "maya@example.com"})

    async def create_and_fail():
        async with database.transaction() as session:
            await users.create(session, {"username": "omar", "email": "omar@example.com"})
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        await create_and_fail()
    async with database.transaction() as session:
        assert (await session.scalars(select(User.username))).all() == ["maya"]


@pytest.mark.asyncio
async def test_a_commit_that_is_refused_is_an_error_of_the_tree(database):
    async with database.engine.begin() as connection:
        await connection.execute(
            text("ALTER TABLE chats ALTER CONSTRAINT chats_user_id_fkey DEFERRABLE INITIALLY DEFERRED")
        )

    async def commit_a_chat_of_nobody():
        async with database.transaction() as session:
            session.add(Chat(user_id=uuid.uuid4()))

    with pytest.raises(Conflict, match="the chat's user does not exist"):
        await commit_a_chat_of_nobody()
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Chat)) == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [TimeoutError("the model"), ConnectionResetError("the model")])
async def test_what_others_break_in_a_transaction_is_not_blamed_on_the_database(database, error):
    async def ask_somebody_else():
        async with database.transaction() as session:
            await users.create(session, {"username": "maya", "email": "maya@example.com"})
            raise error

    with pytest.raises(type(error), match="the model"):
        await ask_somebody_else()
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0


@pytest.mark.asyncio
async def test_the_dependency_commits_and_rolls_back_like_a_transaction(database):
    steps = database.dependency()
    session = await anext(steps)
    await users.create(session, {"username": "maya", "email": "maya@example.com"})
    with pytest.raises(StopAsyncIteration):
        await anext(steps)
    steps = database.dependency()
    session = await anext(steps)
    await users.create(session, {"username": "omar", "email": "omar@example.com"})
    with pytest.raises(LookupError):
        await steps.athrow(LookupError())
    async with database.transaction() as session:
        assert (await session.scalars(select(User.username))).all() == ["maya"]


@pytest.mark.asyncio
async def test_everything_works_inside_a_savepoint_of_somebody_elses_transaction(database):
    async with database.engine.connect() as connection:
        outer = await connection.begin()
        async with make_sessions(connection)() as session:
            await users.create(session, {"username": "maya", "email": "maya@example.com"})
            # The code under test may commit: it only releases the savepoint.
            await session.commit()
            await users.create(session, {"username": "omar", "email": "omar@example.com"})
            await session.rollback()
            assert (await session.scalars(select(User.username))).all() == ["maya"]
        await outer.rollback()
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0


@pytest.mark.asyncio
async def test_the_probe_tells_whether_the_database_answers(coach_bot_db, database):
    assert await database.is_ready()
    await database.wait_until_ready(attempts=1)
    with socket.socket() as nobody:
        # Bound but not listening: nobody else can take the port, and nobody answers.
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://u:hunter2@127.0.0.1:{nobody.getsockname()[1]}/none"
        async with CoachBotDatabase(url, settings=CoachBotSettings.model_construct()) as absent:
            assert not await absent.is_ready()
            with pytest.raises(Unavailable, match="did not answer in 2 attempts") as caught:
                await absent.wait_until_ready(attempts=2, delay=0)
    assert "hunter2" not in str(caught.value)


@pytest.mark.asyncio
async def test_the_probe_waits_for_a_database_that_comes_up(coach_bot_db, database):
    guest = f"guest_of_{coach_bot_db.name}"
    with coach_bot_db.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(guest)))
        try:
            async with CoachBotDatabase(
                database.engine.url.set(username=guest, password="x"), pooled=False
            ) as late:
                assert not await late.is_ready()
                waiting = asyncio.create_task(late.wait_until_ready(attempts=200, delay=0.05))
                await asyncio.sleep(0)
                connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(guest)))
                await waiting
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(guest)))


@pytest.mark.asyncio
async def test_sessions_speak_utc_and_say_who_they_are(coach_bot_db, tmp_path):
    settings = settings_of(tmp_path, DATABASE_URL=coach_bot_db.url, COACH_BOT_STATEMENT_TIMEOUT=4321)
    async with (
        CoachBotDatabase(settings=settings, pooled=False) as database,
        database.transaction() as session,
    ):
        shown = await session.execute(
            text(
                "SELECT current_setting('TimeZone'), current_setting('application_name'),"
                " current_setting('statement_timeout')"
            )
        )
        assert shown.one() == ("UTC", "coach_bot", "4321ms")


@pytest.mark.asyncio
async def test_a_script_of_several_statements_runs_and_its_fault_is_told(database):
    async with database.engine.begin() as connection:
        await run_script(connection, "CREATE TABLE one (n int); INSERT INTO one VALUES (1), (2);")
        assert await connection.scalar(text("SELECT sum(n) FROM one")) == 3
    async with database.engine.connect() as connection:
        with pytest.raises(CoachBotError, match='"nowhere" does not exist'):
            await run_script(connection, "SELECT 1; SELECT * FROM nowhere")
