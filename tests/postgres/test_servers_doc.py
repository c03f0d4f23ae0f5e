"""What docs/servers.md says is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import typer

from scenarios.cli import server as commands
from scenarios.settings import SPECS

PAGE = Path(__file__).parents[2] / "docs" / "servers.md"


def test_the_first_example_runs(tmp_path: Path, own_runtime: Path) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    (tmp_path / "schema.sql").write_text("CREATE TABLE things (id int PRIMARY KEY);")
    said = subprocess.run(
        [sys.executable, "-c", example[1]],
        cwd=tmp_path,
        env={**os.environ, "SCENARIOS_RUNTIME_DIR": str(own_runtime)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("postgresql+psycopg://")
    assert list(own_runtime.iterdir()) == []


def test_every_setting_it_names_exists() -> None:
    named = set(re.findall(r"SCENARIOS_([A-Z_]+)", PAGE.read_text("utf-8")))
    assert named
    assert {name.lower() for name in named} <= SPECS.keys()


def test_every_command_it_names_exists() -> None:
    app = typer.Typer()
    commands.register(app)
    known = {command.name for command in app.registered_commands}
    named = set(re.findall(r"`?scenarios (up|down|status|doctor|gc)\b", PAGE.read_text("utf-8")))
    assert named == known
