"""The pages of how-tos and of coming from elsewhere, followed to the letter."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from doc_pages import ROOT, execute

pytestmark = pytest.mark.thorough("the pages are executed")

DOCS = ROOT / "docs"
HOWTOS = sorted(path.stem for path in (DOCS / "howto").glob("*.md"))
ELSEWHERE = sorted(path.stem for path in (DOCS / "coming_from").glob("*.md"))
NOTHING_TO_RUN = {"ci", "editors", "own_system"}  # what the last one quotes runs as an example


@pytest.mark.parametrize("name", sorted(set(HOWTOS) - NOTHING_TO_RUN))
def test_a_how_to_works(name, coach, tmp_path):
    said = execute(DOCS / "howto" / f"{name}.md", tmp_path, URL=coach.url)
    assert said, "nothing on the page was run"
    for output in said:
        assert not re.search(r"\b[1-9]\d* (failed|error|skipped)", output), output


@pytest.mark.parametrize("name", ELSEWHERE)
def test_coming_from_elsewhere_works(name, tmp_path):
    said = execute(DOCS / "coming_from" / f"{name}.md", tmp_path)
    assert re.search(r"\d+ passed", said[-1])
    assert not re.search(r"\b[1-9]\d* (failed|error|skipped)", said[-1]), said[-1]


def test_the_pages_that_run_nothing_are_covered_otherwise():
    assert set(HOWTOS) >= NOTHING_TO_RUN
    hooks = {
        hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    }
    page = (DOCS / "howto" / "editors.md").read_text("utf-8")
    for hook in hooks:
        assert f"id: {hook}" in page


def test_the_pre_commit_hooks_run(tmp_path):
    from doc_pages import run_shell

    hooks = {
        hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    }
    files = re.compile(hooks["scenarios-check"]["files"])
    good = "scenario_library/dev_coach/just_registered.yaml"
    assert files.search(good)
    assert not files.search("docs/index.md")
    assert "0 errors" in run_shell(f"{hooks['scenarios-check']['entry']} {ROOT / good}", tmp_path)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "wrong.yaml").write_text("scenario: wrong\nsystem: dev_coach\nusers: 7\n")
    with pytest.raises(AssertionError, match="users"):
        run_shell(f"{hooks['scenarios-check']['entry']} scenarios/wrong.yaml", tmp_path)


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_ci_files_use_commands_and_settings_that_exist(name):
    from typer.main import get_command

    from scenarios.cli import main
    from scenarios.settings import SPECS

    text = (ROOT / "examples" / "ci" / name).read_text("utf-8")
    loaded = yaml.safe_load(text)
    assert loaded
    main._register()
    commands = get_command(main.app).commands
    used = set(re.findall(r"(?:^|\s)scenarios (\w+)", text, re.MULTILINE))
    assert used
    assert used <= set(commands)
    assert {each.lower() for each in re.findall(r"SCENARIOS_([A-Z_]+)", text)} <= set(SPECS)
    assert "pytest -n auto" in text
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    supported = [each.rpartition(" ")[2] for each in classifiers if re.search(r":: Python :: 3\.\d+$", each)]
    (versions,) = re.findall(r"(?:python|PYTHON): (\[.*\])", text)
    assert yaml.safe_load(versions) == supported
    assert name in (DOCS / "howto" / "ci.md").read_text("utf-8")
