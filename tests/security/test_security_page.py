"""The page of security claims names tests that exist, and no file of tests here is left out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = set(re.findall(r"`(tests/security/\w+\.py)::(\w+)`", PAGE))


def test_every_claim_has_a_test():
    claims = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| claim")]
    assert len(claims) > 15
    for line in claims:
        assert "::test_" in line, line
    for path, name in NAMED:
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), name


def test_every_file_of_this_folder_is_used():
    named = {Path(path).name for path, _ in NAMED} | {Path(__file__).name}
    assert {path.name for path in Path(__file__).parent.glob("test_*.py")} <= named
