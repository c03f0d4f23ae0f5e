"""Each example is a project of its own whose tests pass as its README says, alone and on two workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough("the example projects run their own tests")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "count"), [("fastapi_service", 10), ("async_service", 4), ("django_service", 4)]
)
def test_an_example_s_own_tests_pass(name, count):
    project = EXAMPLES / name
    outside = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTEST_", "SCENARIOS_")) or key.endswith(("_CACHE_DIR", "_RUNTIME_DIR"))
    }
    without = [f"-pno:{plugin}" for plugin in ("cacheprovider", "hypothesispytest", "django", "postgresql")]
    command = [sys.executable, "-m", "pytest", "-n2", *without]
    done = subprocess.run(command, cwd=project, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^=+ {count} passed in", done.stdout, re.MULTILINE), done.stdout
    assert f"scenarios: {count} tests isolated" in done.stdout
