"""The list of requirements is real: every place and every test it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
PLACE = re.compile(r"`((?:src|schema|scenario_library|docs|tests|examples|\.ci)/[\w./-]*|pyproject\.toml)`")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NOT_OURS = "*not ours*"


def statements():
    """The rows of all tables: statement, where, and what shows it."""
    rows = [line.strip("|").split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip() != "statement"]


@cache
def functions(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_all_five_documents_are_there():
    titles = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert [title.split(":")[0] for title in titles] == ["Dev Coach"] * 3 + ["Coach Bot", "EssayCoach"]
    assert len(statements()) > 200


@pytest.mark.parametrize("row", statements(), ids=[row[0] for row in statements()])
def test_a_statement_has_its_place_and_test_or_a_reason(row):
    said, where, shown = row
    assert said
    if where == NOT_OURS:
        assert len(shown) > 20, "a reason is a sentence"
        assert "::" not in shown
        return
    places = PLACE.findall(where)
    assert places, where
    for place in places:
        assert (ROOT / place).exists(), place
    tests = TEST.findall(shown)
    assert tests, shown
    for path, name in tests:
        assert name in functions(path), f"{path} has no {name}"
