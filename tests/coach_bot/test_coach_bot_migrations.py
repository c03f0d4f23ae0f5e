"""The migrations lead to the models, up and down, online and offline, and no row is lost on the way."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import Jsonb

from scenarios.domains.coach_bot import DOMAIN
from scenarios.domains.coach_bot.connection import make_engine
from scenarios.domains.coach_bot.migrations import (
    alembic_config,
    check,
    current,
    downgrade,
    explained,
    upgrade,
)
from scenarios.errors import SchemaDriftError
from scenarios.resources import resource
from scenarios.schema.catalogue import read_catalogue

FIRST, JSON, DATA, MERGE, HEAD = (
    "5c80e2d2ca9c",
    "a41d7c09e3b6",
    "c2f05b8d1a97",
    "d86e91f3b540",
    "e7b3a2645c18",
)


@pytest.fixture
def engine(fresh_db):
    """An engine on an empty database; it holds no connection between uses."""
    return make_engine(fresh_db.url, pooled=False)


SESSION = """
import json, sys
from alembic.config import main

for arguments in json.loads(sys.argv[1]):
    code = 0
    try:
        main(arguments, prog="alembic")
    except SystemExit as left:
        code = left.code
    print(f"@@{code or 0}", flush=True)
"""


def alembic(*commands, url=None, cwd=None, config=None):
    """Give Alembic's own command line one command after the other; return each one's exit code and output."""
    common = ["-c", str(config or resource("schema") / "coach_bot" / "alembic.ini")]
    if url is not None:
        common += ["-x", f"url={url}"]
    result = subprocess.run(
        [sys.executable, "-c", SESSION, json.dumps([[*common, *command] for command in commands])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    parts = re.split(r"^@@(-?\d+)\n", result.stdout, flags=re.MULTILINE)
    return [(int(code), said) for said, code in zip(parts[::2], parts[1::2], strict=False)]


@contextmanager
def original(fresh_db):
    """A connection to a database at the first revision, with rows as the first version stored them."""
    with fresh_db.connect() as connection:
        connection.execute(
            """
            INSERT INTO users (id, username, email)
            VALUES ('00000000-0000-4000-8000-000000000001', 'maya', 'maya@example.com')
            """
        )
        connection.execute(
            """
            INSERT INTO chats (id, user_id)
            VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001')
            """
        )
        connection.execute(
            """
            INSERT INTO messages (id, chat_id, sender_id, content, timestamp)
            VALUES ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000002',
                    '00000000-0000-4000-8000-000000000001', 'hello', '2025-01-31 12:00+00')
            """
        )
        yield connection


DETAILS = {
    "a text": ("Message sent: hello...", {"text": "Message sent: hello..."}),
    "nothing": (None, None),
    "an empty text": ("", {"text": ""}),
    "a JSON object": ('{"n": [1, null]}', {"n": [1, None]}),
    "an object that looks like ours": ('{"text": "x"}', {"text": "x"}),
    "a text in ours that is an object": ('{"text": "{\\"a\\": 1}"}', {"text": '{"a": 1}'}),
    "a JSON number": ("42", {"text": "42"}),
    "a JSON list": ("[1]", {"text": "[1]"}),
    "broken JSON": ('{"n": ', {"text": '{"n": '}),
    "an escape JSON cannot hold": ('{"n": "\\u0000"}', {"text": '{"n": "\\u0000"}'}),
    "an object with an empty text": ('{"text": null}', {"text": None}),
}


@pytest.mark.asyncio
async def test_up_and_down_again_step_by_step_and_whole(engine):
    await upgrade(engine)
    assert await current(engine) == {HEAD}
    await check(engine)
    await downgrade(engine)
    assert await current(engine) == {MERGE}
    await upgrade(engine, "+1")
    assert await current(engine) == {HEAD}
    await downgrade(engine, MERGE)
    await downgrade(engine, "reference_data@base")
    assert await current(engine) == {JSON}
    await downgrade(engine, "core@-1")
    assert await current(engine) == {FIRST}
    await upgrade(engine, "core@+1")
    assert await current(engine) == {JSON}
    await downgrade(engine, "base")
    assert await current(engine) == set()
    await upgrade(engine)
    await check(engine)


@pytest.mark.asyncio
async def test_every_revision_can_be_undone_and_done_again(engine, fresh_db):
    def catalogue():
        with fresh_db.connect() as connection:
            return read_catalogue(connection).objects

    await upgrade(engine)
    whole = catalogue()
    script = ScriptDirectory.from_config(alembic_config())
    for step in reversed(list(script.walk_revisions())):
        await downgrade(engine, "base")
        assert catalogue() == {} or not any(kind == "table" for kind, _ in catalogue())
        await upgrade(engine, step.revision)
        before = catalogue()
        await upgrade(engine)
        assert catalogue() == whole
        await downgrade(engine, step.revision) if step.revision not in {DATA} else await downgrade(
            engine, "reference_data@base"
        )
        if step.revision not in {DATA, JSON}:
            assert catalogue() == before


@pytest.mark.asyncio
async def test_migrations_and_models_make_the_same_database(engine, fresh_db, coach_bot_db):
    await upgrade(engine)
    with fresh_db.connect() as migrated, coach_bot_db.connect() as modelled:
        assert read_catalogue(modelled).differences(read_catalogue(migrated)) == []


@pytest.mark.asyncio
async def test_a_database_of_the_first_version_keeps_its_rows(engine, fresh_db):
    await upgrade(engine, FIRST)
    with original(fresh_db) as connection:
        await upgrade(engine)
        row = connection.execute(
            "SELECT content, timestamp = created_at AND created_at = updated_at FROM messages"
        ).fetchone()
        assert row == ("hello", True)
        # There is a user already, so no administrator was made.
        assert connection.execute("SELECT array_agg(username) FROM users").fetchone() == (["maya"],)


@pytest.mark.asyncio
@pytest.mark.parametrize(("text", "document"), DETAILS.values(), ids=DETAILS)
async def test_details_become_json_and_survive_the_way_back(engine, fresh_db, text, document):
    await upgrade(engine, FIRST)
    with original(fresh_db) as connection:
        connection.execute(
            """
            INSERT INTO logs (id, user_id, chat_id, action, details)
            VALUES ('00000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-000000000001',
                    '00000000-0000-4000-8000-000000000002', 'send_message', %s)
            """,
            [text],
        )
        await upgrade(engine)
        assert connection.execute("SELECT details FROM logs").fetchone() == (document,)
        await downgrade(engine, FIRST)
        await upgrade(engine)
        assert connection.execute("SELECT details FROM logs").fetchone() == (document,)


TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
OBJECTS = st.dictionaries(
    st.one_of(st.just("text"), TEXTS),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), TEXTS, st.just('{"a": 1}')),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
        max_leaves=5,
    ),
    max_size=3,
)


@given(details=st.lists(OBJECTS, min_size=1, max_size=60))
@settings(max_examples=4, deadline=None)
def test_any_details_survive_a_downgrade_and_an_upgrade(server, details):
    with server.database() as database, database.connect() as connection:
        engine = make_engine(database.url, pooled=False)
        asyncio.run(upgrade(engine))
        connection.execute("INSERT INTO chats (user_id) SELECT id FROM users")
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO logs (user_id, chat_id, action, details) SELECT user_id, id, %s, %s FROM chats",
                [(str(number), Jsonb(document)) for number, document in enumerate(details)],
            )
        asyncio.run(downgrade(engine, FIRST))
        asyncio.run(upgrade(engine))
        found = connection.execute("SELECT details FROM logs ORDER BY action::int").fetchall()
        assert [document for (document,) in found] == details


@pytest.mark.asyncio
async def test_an_additive_step_loses_nothing_on_the_way_back(engine, fresh_db):
    await upgrade(engine)
    with fresh_db.connect() as connection:
        before = connection.execute("SELECT to_jsonb(users) FROM users").fetchall()
        assert [row[0]["username"] for row in before] == ["admin"]
        await downgrade(engine)
        await upgrade(engine)
        assert connection.execute("SELECT to_jsonb(users) FROM users").fetchall() == before


@pytest.mark.asyncio
async def test_the_administrator_goes_with_the_branch_unless_in_use(engine, fresh_db):
    await upgrade(engine)
    with fresh_db.connect() as connection:
        await downgrade(engine, MERGE)
        await downgrade(engine, "reference_data@base")
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
        await upgrade(engine)
        connection.execute("INSERT INTO chats (user_id) SELECT id FROM users")
        await downgrade(engine, MERGE)
        await downgrade(engine, "reference_data@base")
        assert connection.execute("SELECT username FROM users").fetchall() == [("admin",)]


@pytest.mark.asyncio
async def test_addresses_differing_in_case_are_named_before_the_index_is_tried(engine, fresh_db):
    await upgrade(engine, MERGE)
    with fresh_db.connect() as connection:
        connection.execute(
            "INSERT INTO users (username, email) VALUES ('a', 'Maya@example.com'), ('b', 'maya@example.com')"
        )
        ids = {str(id) for (id,) in connection.execute("SELECT id FROM users WHERE username <> 'admin'")}
        with pytest.raises(Exception, match="share an e-mail address but for its case") as caught:
            await upgrade(engine)
        assert all(id in str(caught.value) for id in ids)
        assert "aya@" not in str(caught.value)
        connection.execute("DELETE FROM users WHERE username = 'b'")
    await upgrade(engine)


@pytest.mark.asyncio
async def test_a_failed_migration_leaves_the_database_as_it_was(engine, fresh_db):
    await upgrade(engine, FIRST)
    with fresh_db.connect() as connection:
        # The second revision adds this column itself, after others.
        connection.execute("ALTER TABLE logs ADD COLUMN created_at int")
        before = read_catalogue(connection)
        with pytest.raises(Exception, match="already exists"):
            await upgrade(engine)
        assert before.differences(read_catalogue(connection)) == []
        assert await current(engine) == {FIRST}


@pytest.mark.asyncio
async def test_autogenerate_sees_types_and_server_defaults(engine, fresh_db):
    await upgrade(engine)
    await check(engine)
    for change in (
        "ALTER TABLE users ALTER COLUMN username TYPE varchar(200)",
        "ALTER TABLE messages ALTER COLUMN timestamp SET DEFAULT now()",
        "DROP INDEX ix_logs_user_id",
        "ALTER TABLE logs ALTER COLUMN details SET NOT NULL",
    ):
        with fresh_db.connect() as connection:
            connection.execute(change)
        with pytest.raises(SchemaDriftError, match="operations detected"):
            await check(engine)


@pytest.mark.asyncio
async def test_a_database_behind_the_head_is_told_apart_from_drift(engine):
    await upgrade(engine, MERGE)
    with pytest.raises(SchemaDriftError, match="not up to date"):
        await check(engine)


@pytest.mark.asyncio
async def test_a_database_of_another_history_gives_a_clear_message(engine, fresh_db):
    await upgrade(engine)
    with fresh_db.connect() as connection:
        connection.execute("UPDATE alembic_version SET version_num = '001'")
    with pytest.raises(SchemaDriftError, match="another version of this project") as caught:
        await upgrade(engine)
    assert "'001'" in str(caught.value)


@pytest.mark.asyncio
async def test_one_step_back_from_a_merge_is_not_one_place(engine):
    await upgrade(engine, MERGE)
    with pytest.raises(SchemaDriftError, match="the start of a branch as in reference_data@base"):
        await downgrade(engine)
    await downgrade(engine, "reference_data@base")
    assert await current(engine) == {JSON}


@pytest.fixture
def two_heads(tmp_path):
    """A copy of the migrations in which two people each made a revision after the last one."""
    home = tmp_path / "coach_bot"
    shutil.copytree(resource("schema") / "coach_bot", home, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("aaaa", "bbbb"):
        (home / "migrations" / "versions" / f"{name}_mine.py").write_text(
            f'"""Mine."""\nrevision = "{name}"\ndown_revision = "{HEAD}"\n'
            "def upgrade(): pass\ndef downgrade(): pass\n",
            "utf-8",
        )
    return home / "alembic.ini"


def test_two_heads_are_named_and_the_remedy_works(two_heads, fresh_db):
    (refused, message), (by_name, _), (merged, _), (up, said) = alembic(
        ["upgrade", "head"],
        ["upgrade", HEAD],
        ["merge", "-m", "merge", "aaaa", "bbbb"],
        ["upgrade", "head"],
        url=fresh_db.url,
        config=two_heads,
    )
    assert refused
    assert "Traceback" not in message
    assert "2 heads: aaaa, bbbb" in message
    assert "alembic merge -m 'merge' aaaa bbbb" in message
    # Who says which is meant is not held up, and the advice helps.
    assert (by_name, merged, up) == (0, 0, 0), said


def test_the_documents_commands_work(fresh_db, tmp_path):
    # Where the database is stands in .env, as the document has it; the password has a percent sign.
    role = f"migrator_of_{fresh_db.name}"
    with fresh_db.connect() as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD 'a%b'").format(sql.Identifier(role))
        )
    try:
        url = fresh_db.url.replace("postgresql+psycopg://", "").rpartition("@")[2]
        (tmp_path / ".env").write_text(f"DATABASE_URL=postgresql://{role}:a%25b@{url}\n", "utf-8")
        said = alembic(
            ["upgrade", "head"],
            ["downgrade", "-1"],
            ["current"],
            ["upgrade", "head"],
            ["check"],
            cwd=tmp_path,
        )
        assert [code for code, _ in said] == [0] * 5, said
        assert MERGE in said[2][1]
    finally:
        with fresh_db.connect() as connection:
            for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


def test_autogenerate_writes_a_revision_that_runs(fresh_db, tmp_path):
    home = tmp_path / "coach_bot"
    shutil.copytree(resource("schema") / "coach_bot", home, ignore=shutil.ignore_patterns("__pycache__"))
    asyncio.run(upgrade(make_engine(fresh_db.url, pooled=False)))
    with fresh_db.connect() as connection:
        connection.execute("DROP INDEX ix_logs_user_id")
    said = alembic(
        ["revision", "--autogenerate", "-m", "put it back"],
        ["upgrade", "head"],
        ["check"],
        url=fresh_db.url,
        config=home / "alembic.ini",
    )
    assert [code for code, _ in said] == [0] * 3, said
    (file,) = (home / "migrations" / "versions").glob("*put_it_back.py")
    assert "ix_logs_user_id" in file.read_text("utf-8")


def offline(direction, span):
    """The SQL of a migration that no database was asked for."""
    config = alembic_config()
    config.output_buffer = io.StringIO()
    with explained():
        getattr(command, direction)(config, span, sql=True)
    return config.output_buffer.getvalue()


def test_offline_sql_makes_the_same_database(fresh_db, coach_bot_db):
    script = offline("upgrade", "head")
    with fresh_db.connect() as connection, coach_bot_db.connect() as modelled:
        connection.execute(script)
        assert read_catalogue(modelled).differences(read_catalogue(connection)) == []
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
        connection.execute(offline("downgrade", f"{HEAD}:{MERGE}"))
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(MERGE,)]
        connection.execute(offline("upgrade", f"{MERGE}:{HEAD}"))
        assert read_catalogue(modelled).differences(read_catalogue(connection)) == []


@pytest.mark.postgres_matrix
def test_the_matrix_of_versions(any_server):
    with any_server.database() as migrated, any_server.database(DOMAIN) as modelled:

        async def there_and_back():
            engine = make_engine(migrated.url, pooled=False)
            await upgrade(engine)
            await check(engine)
            await downgrade(engine, "base")
            await upgrade(engine)

        asyncio.run(there_and_back())
        with migrated.connect() as one, modelled.connect() as other:
            assert read_catalogue(other).differences(read_catalogue(one)) == []


def test_there_is_one_head_and_every_revision_says_what_it_does():
    script = ScriptDirectory.from_config(alembic_config())
    assert script.get_heads() == [HEAD]
    for step in script.walk_revisions():
        assert step.doc
        assert Path(step.path).name.startswith(step.revision)
    data = script.get_revision(DATA)
    assert (data.dependencies, data.branch_labels) == (JSON, {"reference_data"})
    assert script.get_revision(MERGE).is_merge_point


def test_a_template_can_be_made_from_the_migrations(server):
    with server.database(alembic_config()) as database, database.connect() as connection:
        assert connection.execute("SELECT username FROM users").fetchall() == [("admin",)]
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO users (username, email) VALUES ('a', 'ADMIN@example.com')")
