"""Every example of the README is run, or, where it starts this very test run, checked."""

from __future__ import annotations

import re

import pytest
from doc_pages import ROOT, blocks, require_installed, run_shell
from sqlalchemy.orm import Session

README = ROOT / "README.md"
BLOCKS = blocks(README)
FILE = re.compile(r"(?:#|--) ([\w/]+\.\w+)\n")
"""The first line of an example that is a file."""


def containing(text):
    """The one block that contains *text*."""
    (found,) = [block.text for block in BLOCKS if text in block.text]
    return found


def test_every_example_is_tried_here():
    tried = ("make demo", "pip install", "scenarios list", "pytest -n auto", "import scenarios")
    for block in BLOCKS:
        assert FILE.match(block.text) or any(mark in block.text for mark in tried), block.text


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^make (\w+)", containing("make demo"), re.MULTILINE)
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)


def test_what_is_installed():
    require_installed(containing("pip install").strip())


@pytest.mark.thorough("the page is executed")
def test_the_whole_idea(tmp_path):
    files = {match[1]: block.text for block in BLOCKS if (match := FILE.match(block.text))}
    assert set(files) == {"pyproject.toml", "schema.sql", "states/waiting_order.yaml", "test_shipping.py"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    assert "2 passed" in run_shell(containing("pytest -n auto").replace("auto", "2"), tmp_path)
    assert "0 errors" in run_shell("scenarios check waiting_order", tmp_path)


@pytest.mark.thorough("the page is executed")
@pytest.mark.parametrize("schema", ["myproject.models:Base", "alembic.ini"])
def test_what_the_schema_may_be_besides(tmp_path, schema):
    assert "`package.models:Base`, or an `alembic.ini`" in README.read_text("utf-8")
    package = tmp_path / "myproject"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(
        "from sqlalchemy import Column, Integer, Table\n"
        "from sqlalchemy.orm import DeclarativeBase\n"
        "class Base(DeclarativeBase):\n    pass\n"
        "Table('thing', Base.metadata, Column('id', Integer, primary_key=True))\n"
    )
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (tmp_path / "migrations" / "env.py").write_text(
        "from alembic import context\n"
        "context.configure(connection=context.config.attributes['connection'])\n"
        "with context.begin_transaction():\n    context.run_migrations()\n"
    )
    (versions / "first.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\nrevision = '1'\ndown_revision = None\n"
        "def upgrade():\n    op.create_table('thing', sa.Column('id', sa.Integer, primary_key=True))\n"
    )
    (tmp_path / "pyproject.toml").write_text(f'[tool.scenarios]\nschema = "{schema}"\n')
    (tmp_path / "test_own.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('again', range(2))\n"
        "def test_it(scenario_db, again):\n"
        "    with scenario_db.connect() as connection:\n"
        "        assert connection.execute('SELECT count(*) FROM thing').fetchone() == (0,)\n"
        "        connection.execute('INSERT INTO thing DEFAULT VALUES')\n"
    )
    assert "2 passed" in run_shell("pytest", tmp_path)


@pytest.mark.thorough("the page is executed")
def test_the_session_of_a_qa_engineer(coach, tmp_path):
    from scenarios.factories import factory_context
    from scenarios.factories.dev_coach import UserFactory

    with Session(coach.engine) as session, factory_context("readme", session=session):
        UserFactory.create(email="maya@example.com")
        session.commit()
    before = coach.checksum()
    said = run_shell(containing("scenarios list"), tmp_path, URL=coach.url)
    assert "refinement_in_progress" in said
    assert "maya-1" in said
    frozen = (tmp_path / "what_i_saw.yaml").read_text("utf-8")
    assert "maya@example.com" not in frozen
    assert coach.checksum() == before, "the session leaves the database as it found it"


@pytest.mark.thorough("the page is executed")
def test_without_pytest(tmp_path):
    said = run_shell(f"python -W error - <<'END'\n{containing('import scenarios')}\nEND", tmp_path)
    assert "users_user" in said
