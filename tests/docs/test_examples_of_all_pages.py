"""Every example in every page is real: code compiles, imports resolve, commands and their options exist.

Pages whose examples are whole programs are run elsewhere; this finds the fragment that a change forgot.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
import tomllib
from functools import cache

import pytest
import yaml
from doc_pages import ROOT, blocks

PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "scenario_library" / "README.md"])
SHELLS = frozenset({"sh", "bash", "console", "text"})
DATA = frozenset({"yaml", "toml", "json"})
COMMAND = re.compile(r"^(?:\$ )?(scenarios [a-z-].*)$", re.MULTILINE)


def examples_of(languages, pattern=""):
    """The blocks in *languages* that hold *pattern*, of each page that has any."""
    found = {page: [each for each in blocks(page) if each.language in languages] for page in PAGES}
    found = {page: [each for each in held if re.search(pattern, each.text)] for page, held in found.items()}
    return [pytest.param(held, id=str(page.relative_to(ROOT))) for page, held in found.items() if held]


@cache
def commands():
    """The options of each command, by the words that name it."""
    from typer.main import get_command

    from scenarios.cli import main

    main._register()
    found = {}

    def walk(words, command):
        options = {"--help", "-h"}
        for each in command.params:
            options |= {*each.opts, *each.secondary_opts}
        found[words] = options
        for name, child in getattr(command, "commands", {}).items():
            walk((*words, name), child)

    walk((), get_command(main.app))
    return found


def require_command(line):
    """Fail unless the ``scenarios`` command in *line* exists with the options it is given."""
    words = shlex.split(line.partition(" # ")[0].partition(" | ")[0].partition(" > ")[0])[1:]
    known = commands()
    name = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
    if words and words[0].startswith("-"):
        name = ()
    assert name in known, line
    for word in words:
        if re.match(r"--?[a-z]", word):
            assert word.partition("=")[0] in known[name] | known[()], f"{word} in: {line}"


@pytest.mark.parametrize("examples", examples_of({"python"}))
def test_python(examples):
    for block in examples:
        tree = ast.parse(block.text) if "await" not in block.text else _async(block.text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "scenarios":
                module = importlib.import_module(str(node.module))
                for name in node.names:
                    if not hasattr(module, name.name):
                        importlib.import_module(f"{node.module}.{name.name}")
            elif isinstance(node, ast.Import):
                for name in node.names:
                    if name.name.split(".")[0] == "scenarios":
                        importlib.import_module(name.name)


def _async(text):
    """Parse *text* as it may stand in an asynchronous function."""
    return compile(text, "example", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("examples", examples_of(SHELLS, COMMAND))
def test_commands(examples):
    for block in examples:
        for line in COMMAND.findall(block.text):
            require_command(line)


@pytest.mark.parametrize("examples", examples_of(DATA))
def test_data_files(examples):
    readers = {"yaml": yaml.safe_load, "toml": tomllib.loads, "json": json.loads}
    for block in examples:
        readers[block.language](block.text)


def test_a_wrong_command_would_be_seen():
    with pytest.raises(AssertionError):
        require_command("scenarios lod refinement_in_progress")
    with pytest.raises(AssertionError):
        require_command("scenarios load refinement_in_progress --nowhere")
