"""What the page of Coach Bot says is so, and its examples work."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from scenarios.resources import resource

ROOT = resource("schema").parent
TEXT = (ROOT / "docs" / "coach_bot.md").read_text("utf-8")


def test_the_revisions_in_the_text_are_those_there_are():
    from alembic.script import ScriptDirectory

    from scenarios.domains.coach_bot.migrations import alembic_config

    script = ScriptDirectory.from_config(alembic_config())
    part = TEXT.partition("## Migrations")[2]
    assert set(re.findall(r"^([0-9a-f]{12}) ", part, re.MULTILINE)) == {
        step.revision for step in script.walk_revisions()
    }


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_in_the_text_compile(number):
    examples = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    compile(examples[number], "docs/coach_bot.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_scenario_in_the_text_is_one(tmp_path):
    from scenarios.library import Library

    body = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0]
    (tmp_path / "from_the_text.yaml").write_text(
        f"scenario: from_the_text\nsystem: coach_bot\nversion: 1\ntitle: From the text\n{body}", "utf-8"
    )
    definition = Library(tmp_path)["from_the_text"]
    plan = definition.plan(instance="x", now=None, parameters=definition.parameters({}))
    assert plan.counts == {"users": 1, "chats": 1, "messages": 42, "logs": 21}


@pytest.mark.thorough("runs mypy")
def test_the_type_checker_knows_the_rows_and_refuses_the_wrong_schema(tmp_path):
    program = tmp_path / "typed.py"
    program.write_text(
        "from uuid import UUID\n"
        "from sqlalchemy.ext.asyncio import AsyncSession\n"
        "from scenarios.domains.coach_bot.crud import messages, users\n"
        "from scenarios.domains.coach_bot.schemas import ChatCreate, UserCreate\n"
        "async def use(session: AsyncSession, id: UUID) -> None:\n"
        "    user = await users.create(session, UserCreate(username='a', email='a@example.com'))\n"
        "    reveal_type(user.username)\n"
        "    reveal_type(users.read(user))\n"
        "    reveal_type((await messages.of_chat(session, id)).rows[0].sent_at)\n"
        "    await users.create(session, ChatCreate(user_id=id))\n",
        "utf-8",
    )
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert 'Revealed type is "str"' in result.stdout
    assert 'UserRead"' in result.stdout
    assert 'Revealed type is "datetime.datetime"' in result.stdout
    assert re.search(r'typed.py:10: error: Argument 2 to "create".*"ChatCreate"', result.stdout), (
        result.stdout
    )
