"""Coach Bot's volume: the same however it is split, continued after a kill, valid, with the odd outage."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from scenarios.domains.coach_bot import DOMAIN
from scenarios.validation import validate
from scenarios.values import DEFAULT_ANCHOR
from scenarios.volume import generate


@pytest.fixture
def bot(server):
    with server.database(DOMAIN) as database:
        yield database


def run(db, users=30, **options):
    return generate("coach_bot", users, db.dsn, **{"users_per_part": 8, "seed": "s", **options})


@pytest.fixture(scope="module")
def whole(server, every_row):
    """What one plain run of thirty users gives."""
    with server.database(DOMAIN) as database:
        run(database)
        yield every_row(database, DOMAIN)


@pytest.fixture(scope="module")
def many(server):
    """A database of a hundred and twenty users."""
    with server.database(DOMAIN) as database:
        assert run(database, users=120, users_per_part=50).tables["users"] == 120
        yield database


def test_the_data_keeps_every_rule(many):
    with many.connect() as conn:
        assert validate(conn, DOMAIN) == []
        row = conn.execute("SELECT max(timestamp) < %s FROM messages", [DEFAULT_ANCHOR]).fetchone()
        assert row == (True,)


def test_the_data_is_skewed_and_knows_failures(many):
    with many.connect() as conn:
        chats = [n for (n,) in conn.execute(
            "SELECT count(chats.id) FROM users LEFT JOIN chats ON user_id = users.id GROUP BY users.id"
        )]  # fmt: skip
        assert min(chats) == 0, "some never begin a chat"
        assert max(chats) > 10 * sorted(chats)[len(chats) // 2]
        empty, messages, logs = conn.execute(
            "SELECT (SELECT count(*) FROM chats AS c"
            " WHERE NOT EXISTS (SELECT FROM messages WHERE chat_id = c.id)),"
            " (SELECT count(*) FROM messages), (SELECT count(*) FROM logs)"
        ).fetchone()
        assert empty > 0
        # Each question has a log; replies have none, and some questions got no reply or no log.
        assert messages < 2 * logs * 1.01
        assert messages != 2 * logs


@pytest.mark.thorough("the same bytes however the work is cut")
@pytest.mark.parametrize("how", ["shards", "continued", "other parts", "indexes kept"])
def test_how_the_work_is_cut_does_not_matter(bot, whole, every_row, how):
    if how == "shards":
        for number in (3, 1, 2):
            run(bot, shard=(number, 3))
    elif how == "continued":
        run(bot, users=13)
        assert run(bot).skipped == 1
    elif how == "other parts":
        run(bot, users_per_part=7)
    else:
        run(bot, indexes_after=False)
    assert every_row(bot, DOMAIN) == whole


@pytest.mark.thorough("the same bytes however the work is cut")
def test_a_killed_run_is_continued(bot, whole, every_row):
    script = (
        "import os, sys\n"
        "from scenarios.volume import generate\n"
        "def stop(done, parts):\n"
        "    if done.parts == 2: os._exit(9)\n"
        "generate('coach_bot', 30, sys.argv[1], users_per_part=8, seed='s', progress=stop)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, bot.dsn], timeout=120).returncode == 9
    done = run(bot)
    assert (done.skipped, done.parts) == (2, 2)
    assert every_row(bot, DOMAIN) == whole
    assert run(bot).rows == 0


def test_the_command_generates(bot):
    script = "from scenarios.cli.main import run; run()"
    command = [
        sys.executable,
        "-c",
        script,
        "generate",
        "coach_bot",
        "--users",
        "20",
        "--to",
        bot.url,
        "--json",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["tables"]["users"] == 20
