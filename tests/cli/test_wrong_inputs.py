"""What people get wrong: no traceback, and the way to what they wanted."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from forks import run_module


def scenarios(*arguments, **environment):
    return run_module("scenarios", *arguments, env={**os.environ, "COLUMNS": "120", **environment})


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["load", "."], "--library ."),
        (["show", "no/such/file.yaml"], "scenarios list says what there is by name"),
        (["check", "{home}/empty"], "there is no scenario file in the directory"),
        (["load", "one_team", "--to", "nowhere"], "postgresql://user@host:5432/dbname"),
        (["file-schema", "dev_coach", "--out", "/proc/x/y.json"], "cannot write"),
        (["catalogue", "--out", "/proc/x"], "cannot write"),
        (["list", "--library", "{home}/a.yaml"], "it is not a directory"),
        (["show", "refinement_in_progress", "--now", "0001-01-02"], "leaves the calendar"),
        (["import", "{home}/none.json", "--name", "x"], "there is no such seed file"),
    ],
)
def test_wrong_places(arguments, what, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.yaml").touch()
    done = scenarios(*[each.format(home=tmp_path) for each in arguments])
    assert done.returncode == 1
    assert what in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_misspelt_variable_is_told_and_the_work_is_done():
    done = scenarios("list", "--json", SCENARIOS_PROVDER="embedded", SCENARIOS_OF_THE_PLAY="2")
    assert done.returncode == 0
    assert (
        done.stderr
        == "note: SCENARIOS_PROVDER in the environment is no setting; did you mean SCENARIOS_PROVIDER?\n"
    )
    assert json.loads(done.stdout)


def test_a_directory_is_checked_file_by_file(tmp_path):
    (tmp_path / "dev_coach").mkdir()
    for name in ("one", "two"):
        (tmp_path / "dev_coach" / f"{name}.yaml").write_text(
            f"scenario: {name}\nusers: {{maya: {{}}}}\n", "utf-8"
        )
    done = scenarios("check", str(tmp_path))
    assert done.stdout == "2 checked, 0 errors\n", done.stderr


@pytest.mark.parametrize("command", ["list", "list --json", "show refinement_in_progress", "--help"])
def test_a_reader_that_has_seen_enough_is_no_error(command):
    line = f"{sys.executable} -m scenarios.cli.main {command} | head -1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120, check=False)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_a_terminal_that_knows_no_unicode_gets_question_marks_and_files_their_bytes():
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    done = scenarios("show", "every_script", **plain)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    shown = scenarios("show", "every_script", "--json", **plain)
    assert json.loads(shown.stdout) == json.loads(scenarios("show", "every_script", "--json").stdout)
    assert not shown.stdout.isascii()


@pytest.mark.parametrize("width", [40, 60])
def test_a_narrow_terminal_cuts_no_name(width):
    listed = scenarios("list", "refinement", COLUMNS=str(width)).stdout
    assert "refinement_in_progress" in listed
    sheet = scenarios("show", "one_team", COLUMNS=str(width)).stdout
    assert "Adaeze Obi" in sheet


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_an_error_is_red_on_a_terminal_unless_no_colour_is_wanted(environment, coloured):
    ours, theirs = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "scenarios.cli.main", "show", "nope"],
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:
        pass  # the terminal is gone when the process is
    os.close(ours)
    assert process.wait() == 1
    assert b"there is no scenario 'nope'" in said
    assert (b"31m" in said) is coloured
