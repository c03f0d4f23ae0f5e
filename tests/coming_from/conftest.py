"""Projects that move: runs of pytest in a directory of their own, on the server that all tests share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from forks import run_module
from scenarios.postgres import Server

OTHERS = ("cacheprovider", "randomly", "hypothesispytest", "benchmark", "faker", "postgresql", "django")
"""Plugins a run does without unless it names them."""


@dataclass(frozen=True)
class Run:
    """What a run of pytest said."""

    code: int
    text: str

    @property
    def outcomes(self) -> dict[str, int]:
        """Counts by outcome, from pytest's closing line."""
        closing = self.text.strip().splitlines()[-1]
        return {
            word: int(count)
            for count, word in re.findall(r"(\d+) (passed|failed|errors?|warnings?)", closing)
        }


Project = Callable[..., Run]


@pytest.fixture
def project(server: Server, tmp_path: Path) -> Project:
    """Run pytest in a directory: ``project(*options, plugins=("django",), test_x="...")``."""
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n", "utf-8"
    )

    def run(
        *options: str, plugins: tuple[str, ...] = (), environ: dict[str, str] | None = None, **files: str
    ):
        for name, text in files.items():
            path = tmp_path / f"{name}.py"
            path.write_text(dedent(text), "utf-8")
        without = [f"-pno:{plugin}" for plugin in OTHERS if plugin not in plugins]
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "SCENARIOS_", "PG")) or name.endswith("_CACHE_DIR")
        }
        here = {"COLUMNS": "160", "SCENARIOS_PROVIDER": server.admin_url, "PEER": server.admin_url}
        env = {**outside, **here, **(environ or {})}
        done = run_module("pytest", *without, *options, cwd=tmp_path, env=env, timeout=180)
        return Run(done.returncode, done.stdout + done.stderr)

    run.home = tmp_path
    return run
