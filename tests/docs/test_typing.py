"""What type checkers must know of the public names, and must refuse: ``typing_tests/``, read by two of them.

In strict mode mypy reports an ``ignore`` that ignores nothing: a mistake no longer found fails here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough("make lint runs the same checkers")

ROOT = Path(__file__).resolve().parents[2]


def check(*command):
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_mypy_agrees():
    done = check("mypy", "typing_tests")
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_agrees():
    done = check("pyright", "--pythonpath", sys.executable, "--outputjson", "typing_tests")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)["summary"]
    assert summary["filesAnalyzed"] == len(list((ROOT / "typing_tests").glob("*.py")))
    assert summary["errorCount"] == 0


def test_a_mistake_would_be_found(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import scenarios\n\nserver: int = scenarios.start_server()\n")
    assert check("mypy", str(wrong)).returncode == 1
