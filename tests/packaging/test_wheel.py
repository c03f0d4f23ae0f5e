"""The wheel holds everything an installation needs, not only what an editable checkout finds beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough("a wheel is built")

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(CHECKOUT)],
        check=True,
        capture_output=True,
        text=True,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run(unpacked: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command from the unpacked wheel, far from the checkout."""
    program = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r});"
        "import scenarios; assert scenarios.__file__.startswith(sys.path[0]), scenarios.__file__;"
        "from scenarios.cli.main import run; run()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=unpacked, capture_output=True, text=True, timeout=120
    )


def test_it_carries_library_schemas_types_and_entry_points(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (points,) = [name for name in names if name.endswith("entry_points.txt")]
        entry_points = archive.read(points).decode()
    assert "scenarios/py.typed" in names
    assert "scenarios/_data/scenario_library/dev_coach/refinement_in_progress.yaml" in names
    for system in ("dev_coach", "coach_bot", "essay_coach"):
        assert any(n.startswith(f"scenarios/_data/schema/{system}/") and n.endswith(".py") for n in names), (
            system
        )
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    for target in (*declared["scripts"].values(), *declared["entry-points"]["pytest11"].values()):
        assert target in entry_points
    in_checkout = {
        str(path.relative_to(CHECKOUT / "src"))
        for path in (CHECKOUT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert in_checkout <= names


def test_from_the_wheel_alone_scenarios_are_listed_and_loaded(unpacked: Path) -> None:
    listed = run(unpacked, "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert "refinement_in_progress" in json.dumps(json.loads(listed.stdout))
    shown = run(unpacked, "demo")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "all tables and sequences are as before" in shown.stdout
