"""The fenced blocks of a page, and how each kind is executed.

A page's blocks are run in the order in which they stand, in one empty directory:

- a block with ``title="name"`` is a file of that name, and a later one of the same name replaces it;
- ``sh`` is run by a shell that stops at the first command that fails;
- ``python`` without a title is run as a program;
- ``text``, ``console`` and ``mermaid`` show something and are not run.

Commands that make a virtual environment are not repeated; what ``pip install`` names must be installed here.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_ENVIRONMENT = ("python3 -m venv", ". .venv/bin/activate")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    title: str | None
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of *page*, in their order."""
    found = []
    for indent, language, rest, text in _FENCE.findall(page.read_text("utf-8")):
        title = _TITLE.search(rest)
        lines = [line.removeprefix(indent) for line in text.splitlines()]
        found.append(Block(language, title[1] if title else None, "\n".join(lines) + "\n"))
    return found


def require_installed(command: str) -> None:
    """Fail unless what a ``pip install`` names, with the extras, is installed here."""
    for word in shlex.split(command)[2:]:
        wanted = Requirement(word)
        assert wanted.specifier.contains(version(wanted.name)), word
        for line in requires(wanted.name) or ():
            needed = Requirement(line)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                try:
                    version(needed.name)
                except PackageNotFoundError:
                    raise AssertionError(f"{word} needs {needed.name}, which is not installed") from None


def environment() -> dict[str, str]:
    """Return the environment of a reader's shell: this installation first, none of this run's settings."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("SCENARIOS_", "PYTEST_", "COV_", "VIRTUAL_ENV"))
    }
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "COLUMNS": "120"}


def run_shell(text: str, directory: Path, **more: str) -> str:
    """Run the commands of a shell block and return what they printed."""
    kept = []
    for line in text.splitlines():
        if line.startswith("pip install"):
            require_installed(line)
        elif not line.startswith(_ENVIRONMENT):
            kept.append(line)
    return _run(["bash", "-euo", "pipefail", "-c", "\n".join(kept)], directory, more)


def _run(command: list[str], directory: Path, more: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        env={**environment(), **more},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"
    return done.stdout


def execute(page: Path, directory: Path, **more: str) -> list[str]:
    """Execute the blocks of *page* in *directory*; return what each of those that ran printed."""
    said = []
    for block in blocks(page):
        if block.title is not None:
            path = directory / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        elif block.language == "sh":
            said.append(run_shell(block.text, directory, **more))
        elif block.language == "python":
            said.append(_run([sys.executable, "-W", "error", "-c", block.text], directory, more))
    return said
