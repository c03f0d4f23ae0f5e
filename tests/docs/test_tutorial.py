"""The tutorial, followed to the letter in an empty directory."""

from __future__ import annotations

import pytest
from doc_pages import ROOT, blocks, execute

pytestmark = pytest.mark.thorough("the page is executed")

PAGE = ROOT / "docs" / "tutorial.md"


def test_following_the_tutorial_leads_to_a_passing_test(tmp_path):
    installed, looked, passed, in_parallel, failed, program = execute(PAGE, tmp_path)
    assert installed == ""
    shown = [block.text.splitlines() for block in blocks(PAGE) if block.language == "text"]
    for lines, said in zip(shown, (looked, passed), strict=True):
        for line in lines:
            assert line in said
    assert "3 passed" in passed
    assert "3 passed" in in_parallel
    assert "updated" in failed
    assert "'deleted': 1" in program
    assert {"pyproject.toml", "shop.py", "test_shipping.py"} <= {path.name for path in tmp_path.iterdir()}
