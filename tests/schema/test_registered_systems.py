"""A system is what an entry point names: those that come with the project, and a stranger's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.domain import domain_names, get_domain
from scenarios.errors import DomainError, ValuesError
from scenarios.library.sections import sections_of
from scenarios.values.corpora import corpus, corpus_file
from scenarios.volume import recipe

BOOKSHOP = """
import sqlalchemy as sa
from scenarios.domain import Domain

metadata = sa.MetaData()
book = sa.Table("book", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text))
DOMAIN = Domain("bookshop", "The bookshop", metadata, lambda: "", parts={"volume": "bookshop.many"})
"""
MANY = "from bookshop import DOMAIN\nclass Many:\n    domain = DOMAIN\nRECIPE = Many()\n"


@pytest.fixture
def bookshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution as pip would unpack it, beside nothing of ours."""
    package, info = tmp_path / "bookshop", tmp_path / "bookshop-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text(BOOKSHOP)
    (package / "many.py").write_text(MANY)
    (package / "texts.toml").write_text('reviews = ["A page-turner.", "I gave it away."]\n')
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bookshop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[scenarios.domains]\nbookshop = bookshop:DOMAIN\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [each for each in sys.modules if each.partition(".")[0] == "bookshop"]:
        del sys.modules[name]
    corpus_file.cache_clear()


def test_a_strangers_system_is_registered_like_ours(bookshop):
    assert {"bookshop", "dev_coach", "coach_bot", "essay_coach"} <= set(domain_names())
    domain = get_domain("bookshop")
    assert (domain.title, sections_of(domain).domain) == ("The bookshop", domain)
    assert corpus("bookshop.reviews") == ("A page-turner.", "I gave it away.")
    assert recipe("bookshop").domain is domain


def test_what_a_system_does_not_bring_is_said(bookshop):
    domain = get_domain("bookshop")
    with pytest.raises(DomainError, match="The bookshop has no health"):
        domain.part("health")
    with pytest.raises(ValuesError, match=r"no text corpus 'bookshop\.titles'"):
        corpus("bookshop.titles")


def test_an_unknown_system_is_told_those_there_are(bookshop):
    with pytest.raises(DomainError, match="there is no system 'bookshup'") as error:
        get_domain("bookshup")
    assert "bookshop, coach_bot, dev_coach, essay_coach" in str(error.value)


def test_the_texts_of_a_system_come_without_its_models():
    code = (
        "import sys\nfrom scenarios.values import corpus\n"
        "assert corpus('dev_coach.texts.notes')\nassert 'sqlalchemy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
