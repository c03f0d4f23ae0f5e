"""A QA engineer's task list with what ``--help`` teaches, and nothing else, on a throwaway server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from forks import run_module
from scenarios.postgres.binaries import find_binaries
from scenarios.settings import Settings

BIN = Path(sys.executable).parent


class Shell:
    """Types commands in a directory; a command or an option that no help names cannot be typed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("SCENARIOS_") or key.endswith(("_CACHE_DIR", "_RUNTIME_DIR"))
        }
        # The commands of this installation first, and psql of the server's binaries where there is no other.
        path = os.pathsep.join([str(BIN), os.environ["PATH"], str(find_binaries(Settings()).bin)])
        self.environment |= {"PATH": path, "COLUMNS": "100"}
        self._taught: dict[str, str] = {}

    def help(self, *words: str) -> str:
        """Return what ``scenarios WORDS --help`` says, on one line."""
        key = " ".join(words)
        if key not in self._taught:
            said = self.run(f"scenarios {key} --help").stdout
            self._taught[key] = " ".join(re.sub(r"[│╭╮╰╯─]", " ", said).split())
        return self._taught[key]

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        if not set("|&;<>$`") & set(line):
            name, *arguments = shlex.split(line)
            assert name == "scenarios"
            return run_module(name, *arguments, cwd=self.home, env=self.environment, timeout=180)
        return subprocess.run(
            line, shell=True, cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=180
        )

    def types(self, line: str) -> str:
        """Run *line*, whose command and options must stand in the help, and return what it printed."""
        words = shlex.split(line)[1:]
        assert re.search(rf"(^| ){words[0]} ", self.help()), f"no help names {words[0]}"
        depth = 1
        if "COMMAND" in self.help(words[0]):
            assert re.search(rf" {words[1]} ", self.help(words[0])), f"no help names {words[0]} {words[1]}"
            depth = 2
        for word in words[depth:]:
            if word.startswith("-"):
                assert word in self.help(*words[:depth]), f"the help of {words[0]} does not name {word}"
        done = self.run(line)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def shell(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'qa'\nversion = '1'\n", "utf-8")
    found = Shell(tmp_path)
    yield found
    found.run("scenarios down")


def test_load_look_change_reset_freeze_reload_unload(shell):
    begin = re.search(r"Begin with: (scenarios demo)\. Then: (.*?)\.$", shell.help())
    assert begin, "the first page says where to begin"
    assert begin[2] == "scenarios list, scenarios show NAME, scenarios load NAME"
    advice = shell.types("scenarios up")
    assert "scenarios load NAME" in advice
    assert "scenarios down" in advice

    name = re.search(r"^  (refinement\w+)", shell.types("scenarios list refinement"), re.MULTILINE)
    assert name is not None
    assert "Maya Okafor" in shell.types(f"scenarios show {name[1]} --user maya --messages 3")

    loaded = shell.types(f"scenarios load {name[1]} --as friday --param identities=5")
    assert "maya.okafor+friday@example.com" in loaded
    line = re.search(r"^export (SCENARIOS_DATABASE)='(.+?)' (PGPASSFILE)='(.+?)'$", loaded, re.MULTILINE)
    assert line is not None, "the load says how the next command finds the database"
    shell.environment |= {line[1]: line[2], line[3]: line[4]}

    assert "friday" in shell.types("scenarios instances")
    psql = shell.types("scenarios open friday").splitlines()[-1]
    assert psql.startswith("psql ")
    statement = shlex.quote("UPDATE users_user SET first_name = 'Somebody'")
    changed = shell.run(f"{psql} -c {statement}")
    assert changed.stdout == "UPDATE 2\n", changed.stderr

    assert "what_i_saw.yaml" in shell.types("scenarios freeze friday --name what_i_saw")
    assert "0 errors" in shell.types("scenarios check what_i_saw.yaml")
    assert "friday is as it was loaded" in shell.types("scenarios reset friday")
    assert "Maya Okafor" in shell.types("scenarios open friday")
    again = shell.types("scenarios load what_i_saw.yaml --as monday")
    assert "Somebody Okafor" in again
    assert "monday is gone" in shell.types("scenarios unload monday")
    assert "friday is gone" in shell.types("scenarios unload friday")
    assert "No instance is loaded" in shell.types("scenarios instances")

    shell.types("scenarios snapshot save before")
    shell.types("scenarios snapshot list")
    assert "no differences" in shell.types("scenarios diff before")
    assert "ended" in shell.types("scenarios down")
    assert "no server" in shell.types("scenarios down")


def test_the_first_page_of_help_groups_every_command(shell):
    said = shell.run("scenarios --help").stdout
    titles = re.findall(r"^╭─ ([A-Z][\w ]+?) ─+╮$", said, re.MULTILINE)
    assert titles[:3] == ["Options", "Start here", "Scenarios"]
    assert "Commands" not in titles, "no command is left without a group"
