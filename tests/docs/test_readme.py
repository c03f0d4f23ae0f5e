"""Every example of the README is run, or, where it starts this very test run, checked."""

from __future__ import annotations

import re

import pytest
from doc_pages import ROOT, blocks, require_installed, run_shell
from sqlalchemy.orm import Session

README = ROOT / "README.md"
BLOCKS = blocks(README)


def containing(text):
    """The one block that contains *text*."""
    (found,) = [block.text for block in BLOCKS if text in block.text]
    return found


def test_every_example_is_tried_here():
    tried = (
        "make demo",
        "pip install",
        "test_refinement.py",
        "conftest.py",
        "scenarios list",
        "pytest -n auto",
        "import scenarios",
    )
    for block in BLOCKS:
        assert any(mark in block.text for mark in tried), block.text


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^make (\w+)", containing("make demo"), re.MULTILINE)
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)


def test_what_is_installed():
    require_installed(containing("pip install").strip())


def test_the_pytest_example(tmp_path):
    (tmp_path / "test_refinement.py").write_text(containing("test_refinement.py"), "utf-8")
    assert "1 passed" in run_shell(containing("pytest -n auto").replace("auto", "2"), tmp_path)


def test_the_fixture_for_your_own_schema(tmp_path):
    package = tmp_path / "myproject"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(
        "from sqlalchemy import Column, Integer, Table\n"
        "from sqlalchemy.orm import DeclarativeBase\n"
        "class Base(DeclarativeBase):\n    pass\n"
        "Table('thing', Base.metadata, Column('id', Integer, primary_key=True))\n"
    )
    (tmp_path / "conftest.py").write_text(containing("# conftest.py"), "utf-8")
    (tmp_path / "test_own.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('again', range(2))\n"
        "def test_it(scenario_db, again):\n"
        "    with scenario_db.connect() as connection:\n"
        "        assert connection.execute('SELECT count(*) FROM thing').fetchone() == (0,)\n"
        "        connection.execute('INSERT INTO thing DEFAULT VALUES')\n"
    )
    assert "2 passed" in run_shell("PYTHONPATH=. pytest", tmp_path)


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


def test_without_pytest(tmp_path):
    said = run_shell(f"python -W error - <<'END'\n{containing('import scenarios')}\nEND", tmp_path)
    assert "users_user" in said


LINKS = set(re.findall(r"\]\(([^)h#][^)#]*)", README.read_text("utf-8")))


@pytest.mark.parametrize("link", sorted(LINKS))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists(), link
