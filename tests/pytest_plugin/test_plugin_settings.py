"""The plugin is silent and free when unused, and refuses what is wrong before the first test."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

from scenarios.pytest_plugin import fixtures


def test_without_a_test_that_asks_nothing_happens(project):
    run = project(
        test_plain="""
        import sys


        def test_nothing_was_imported(pytestconfig):
            ours = {name for name in sys.modules if name.startswith("scenarios.")}
            ours = {name for name in ours if "pytest_plugin" not in name}
            assert ours == {"scenarios.errors", "scenarios.settings"}
        """,
        conftest="",
        environ={"PYTHONNODEBUGRANGES": "1"},  # Python's own: no fork, which has imported all
    )
    assert run.outcomes == {"passed": 1}, run.text
    run.lacks("scenarios:")


def test_what_is_imported_in_every_run_is_little():
    code = (
        "import pytest, sys; before = set(sys.modules); import scenarios.pytest_plugin.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("scenarios")}
    assert ours == {
        "scenarios",
        "scenarios.pytest_plugin",
        "scenarios.pytest_plugin.fixtures",
        "scenarios.pytest_plugin.keys",
        "scenarios.pytest_plugin.plugin",
        "scenarios.pytest_plugin.reporter",
    }
    assert not {"sqlalchemy", "psycopg", "yaml"} & set(done.stdout.split())


def test_wrong_markers_are_refused_together_before_the_run(project):
    module = """
    import pytest


    @pytest.mark.scenario
    def test_no_name():
        raise AssertionError("not reached")


    @pytest.mark.scenario_isolation("savepoint")
    def test_no_rung():
        raise AssertionError("not reached")


    def test_fine():
        raise AssertionError("not reached")
    """
    for options, code, start in (((), 4, "ERROR: "), (("-n2",), 2, "Interrupted: wrong markers\n")):
        run = project(*options, test_markers=module)
        assert run.code == code, run.text
        run.has(
            rf"{start}test_markers.py::test_no_name: @pytest.mark.scenario takes the name of one scenario",
            r"test_markers.py::test_no_rung: @pytest.mark.scenario_isolation takes one of rollback, restore",
        )
        run.lacks("not reached")
        run.lacks("INTERNALERROR")


def test_wrong_settings_are_refused_with_their_source(project):
    for options, environ, pieces in (
        (
            ("--scenarios-provider=floppy",),
            {},
            (r"setting 'provider' cannot be 'floppy'", "the command line"),
        ),
        ((), {"SCENARIOS_MAX_ROWS": "few"}, (r"setting 'max_rows' cannot be 'few'", "SCENARIOS_MAX_ROWS")),
        (
            (),
            {"SCENARIOS_REPORT": "pdf"},
            (r"setting 'report' cannot be 'pdf'", "SCENARIOS_REPORT", "html or json"),
        ),
    ):
        run = project(*options, environ=environ, test_any="def test_any():\n    pass\n")
        assert run.code == 4, run.text
        run.has("ERROR: ", *pieces)
        run.lacks("Traceback")


def test_a_server_that_is_not_there_is_said_once_without_a_traceback(project):
    run = project(
        "--scenarios-provider=postgresql://nobody:secret@127.0.0.1:9/none",
        test_server="""
        def test_one(scenario_db):
            raise AssertionError("not reached")


        def test_two(scenario_db):
            raise AssertionError("not reached")
        """,
    )
    assert run.outcomes == {"errors": 2}, run.text
    run.has(
        r"ERROR at setup of test_one", r"127\.0\.0\.1", r"ERROR at setup of test_two", r"; see .*::test_one"
    )
    assert len(re.findall(r"^  do: ", run.text, re.M)) == 1
    run.lacks("secret")
    run.lacks("Traceback")


def test_a_misspelt_variable_is_told_and_somebody_elses_is_not(project):
    run = project(
        environ={"SCENARIOS_SEDE": "1", "SCENARIOS_OF_THE_PLAY": "2"},
        test_seed="""
        def test_one(scenario_db):
            pass
        """,
    )
    assert run.outcomes == {"passed": 1}, run.text
    run.has(r"scenarios: SCENARIOS_SEDE in the environment is no setting; did you mean SCENARIOS_SEED\?")
    run.lacks("SCENARIOS_OF_THE_PLAY")


def test_options_and_markers_are_documented(pytestconfig):
    documented = " ".join(pytestconfig.getini("markers"))
    for marker in ("scenario(name, /, **params): ", "scenario_isolation(strategy): ", "scenario_readonly: "):
        assert marker in documented
    text = (Path(__file__).parents[2] / "docs" / "pytest.md").read_text("utf-8")
    for option in ("provider", "seed", "keep-failed", "report", "max-rows", "coverage"):
        assert f"`--scenarios-{option}" in text
        assert f"scenarios_{option.replace('-', '_')}" in vars(pytestconfig.option)
    for fixture in re.findall(r"^def (scenario\w*|load_scenario)\(", inspect.getsource(fixtures), re.M):
        assert f"`{fixture}`" in text, fixture
