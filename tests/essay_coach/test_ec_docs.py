"""The places and tests that the documentation of EssayCoach names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "essay_coach.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `(.+?)` \| `(tests/.+?)::(\w+)` \|$", TEXT, re.MULTILINE)


def test_every_line_of_the_table_was_read():
    section = TEXT.split("## The document, line by line")[1].split("## Decisions")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert len(ROWS) == len(lines) - 2
    assert len(ROWS) > 40


@pytest.mark.parametrize(("line", "place", "file", "name"), ROWS, ids=[row[0] for row in ROWS])
def test_place_and_test_exist(line, place, file, name):
    assert (ROOT / place).exists(), line
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), line


def test_other_places_exist():
    for place in re.findall(r"`((?:src|schema|scenario_library|tests)/[\w./]+)`", TEXT):
        assert (ROOT / place).exists(), place


def test_every_test_file_of_the_folder_is_named():
    named = set(re.findall(r"test_ec_\w+\.py", TEXT)) | {
        "test_ec_builder.py",
        "test_ec_docs.py",
        "test_ec_freeze.py",
    }
    assert {path.name for path in Path(__file__).parent.glob("test_ec_*.py")} <= named


def test_passwords_are_djangos(ec_db):
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    from scenarios.builders.essay_coach import a_scenario
    from scenarios.values import TEST_PASSWORD

    loaded = a_scenario("hashed").institution("east").student("lena").load(ec_db)
    stored = loaded["lena"].password
    assert stored.startswith("pbkdf2_sha256$")
    assert PBKDF2PasswordHasher().verify(TEST_PASSWORD, stored)
