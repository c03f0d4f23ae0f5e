"""`scripts/check_pages.py` finds what a page names and is not there, and nothing else."""

from __future__ import annotations

import subprocess
import sys

from doc_pages import ROOT

PAGE = """
In `src/there.py` and `src/gone.py`, [as](here.md) and [there](gone.md), not [elsewhere](https://example.com).

| statement | where | shown by, or why not |
|---|---|---|
| good | `src/there.py` | `tests/a/test_one.py::test_that` |
| short | `src/there.py` | `test_that` |
| the file | `src/there.py` | `test_one` |
| reason | *not ours* | an operator's task, whoever that is |
| no reason | *not ours* | no |
| no test | `src/there.py` | by hand |
| wrong name | `src/there.py` | `tests/a/test_one.py::test_this` |
| wrong file | `src/there.py` | `test_two.py::test_that` |
| no place | somewhere | `test_that` |

| what | test |
|---|---|
| short | `test_gone` |

| another table | remark |
|---|---|
| of columns | `test_column` |
"""


def test_each_fault_of_a_page_is_found(tmp_path):
    for name, text in {
        "docs/here.md": PAGE,
        "src/there.py": "",
        "tests/a/test_one.py": "def test_that(): ...\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_pages.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "docs/here.md:2: there is no src/gone.py",
        "docs/here.md:2: the link to gone.md leads nowhere",
        "docs/here.md:10: what is not ours has a reason of a sentence, and no test",
        "docs/here.md:11: the row names no test",
        "docs/here.md:12: there is no test test_this in tests/a/test_one.py",
        "docs/here.md:13: there is no test test_that in test_two.py",
        "docs/here.md:14: the row names no place",
        "docs/here.md:18: there is no test test_gone",
    ]
    assert done.returncode == 1
