"""Each example is a project of its own whose tests pass as its README says, alone and on two workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough("the example projects run their own tests")

EXAMPLES = Path(__file__).parents[2] / "examples"
QUOTED = {".py", ".yaml", ".toml"}


def outside() -> dict[str, str]:
    """Return the environment of somebody who has nothing of this run's."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTEST_", "SCENARIOS_")) or key.endswith(("_CACHE_DIR", "_RUNTIME_DIR"))
    }


WITHOUT = [f"-pno:{plugin}" for plugin in ("cacheprovider", "hypothesispytest", "django", "postgresql")]


@pytest.mark.parametrize(
    ("name", "count"), [("fastapi_service", 10), ("async_service", 4), ("django_service", 4)]
)
def test_an_example_s_own_tests_pass(name, count):
    project = EXAMPLES / name
    command = [sys.executable, "-m", "pytest", "-n2", *WITHOUT]
    done = subprocess.run(command, cwd=project, env=outside(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^=+ {count} passed in", done.stdout, re.MULTILINE), done.stdout
    assert f"scenarios: {count} tests isolated" in done.stdout


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """The environment in which the example's distribution is installed, as pip would install it."""
    project = EXAMPLES / "bike_workshop"
    settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    site = tmp_path_factory.mktemp("site")
    info = site / f"{settings['name'].replace('-', '_')}-{settings['version']}.dist-info"
    info.mkdir()
    text = f"Metadata-Version: 2.1\nName: {settings['name']}\nVersion: {settings['version']}\n"
    (info / "METADATA").write_text(text, "utf-8")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in settings["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points), "utf-8")
    return {**outside(), "PYTHONPATH": os.pathsep.join([str(site), str(project)])}


def test_a_system_of_one_s_own_is_a_distribution_of_its_own(workshop):
    command = [sys.executable, "-m", "pytest", *WITHOUT]
    project = EXAMPLES / "bike_workshop"
    done = subprocess.run(command, cwd=project, env=workshop, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^=+ 14 passed in", done.stdout, re.MULTILINE), done.stdout


def test_every_command_knows_a_system_of_one_s_own(workshop):
    def scenarios(*arguments):
        command = [str(Path(sys.executable).with_name("scenarios")), *arguments]
        project = EXAMPLES / "bike_workshop"
        done = subprocess.run(command, cwd=project, env=workshop, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "waiting_for_parts" in scenarios("list", "--system", "bike_workshop")
    assert "1 checked, 0 errors" in scenarios("check", "waiting_for_parts")
    assert "The cassette is worn" in scenarios("show", "waiting_for_parts")
    assert "CREATE TABLE remark" in scenarios("schema", "ddl", "bike_workshop")


def test_the_guide_quotes_the_example():
    page = (EXAMPLES.parent / "docs" / "howto" / "own_system.md").read_text("utf-8")
    files = [each for each in sorted((EXAMPLES / "bike_workshop").rglob("*")) if each.suffix in QUOTED]
    known = {line.strip() for each in files for line in each.read_text("utf-8").splitlines()}
    quoted = re.findall(r"^```(?:python|yaml|toml)[^\n]*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(quoted) >= 4
    for block in quoted:
        assert [line for line in block.splitlines() if line.strip() not in known] == []
