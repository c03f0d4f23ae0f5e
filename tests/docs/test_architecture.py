"""The one direction of imports, and that the page which draws it names what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name):
    spec = spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


names_no_system = script("names_no_system")
import_circles = script("import_circles")
LINT = Path(sys.executable).with_name("lint-imports")
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def lint(directory, *more):
    return subprocess.run(
        [LINT, "--no-logo", "--no-cache", *more],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.thorough("make lint runs the same checker")
def test_imports_go_one_way():
    said = lint(ROOT, "--config", ".importlinter")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "0 broken" in said.stdout


@pytest.mark.thorough("make lint runs the same checker")
def test_an_import_the_wrong_way_would_be_seen(tmp_path):
    for name, content in (("low", "import scenarios.high"), ("high", "")):
        package = tmp_path / "scenarios" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(content)
    (tmp_path / "scenarios" / "__init__.py").touch()
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_package = scenarios\n"
        "[importlinter:contract:layers]\nname = two\ntype = layers\ncontainers = scenarios\n"
        "layers =\n    high\n    low\n"
    )
    said = lint(tmp_path)
    assert said.returncode == 1
    assert "scenarios.low" in said.stdout


def test_the_journal_loads_nothing_of_the_servers():
    code = (
        "import sys, scenarios.journal; print([each for each in sys.modules if 'scenarios.postgres' in each])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_generic_code_names_no_system():
    assert names_no_system.named(ROOT) == []


def test_a_name_in_generic_code_would_be_seen(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project.entry-points."scenarios.domains"]\nbook_shop = "scenarios.domains.book_shop:DOMAIN"\n'
    )
    for place in ("domains/book_shop/rules.py", "factories/book_shop.py", "cli/list.py"):
        path = tmp_path / "src" / "scenarios" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# of every shop\nif system == 'book_shop':\n    title = 'Book Shop'\n")
    assert names_no_system.named(tmp_path) == [
        "src/scenarios/cli/list.py:2: names book_shop",
        "src/scenarios/cli/list.py:3: names Book Shop",
    ]


def test_every_room_is_on_the_page():
    rooms = {path.parent.name for path in (ROOT / "src" / "scenarios").glob("*/__init__.py")}
    for room in rooms:
        assert re.search(rf"\b{room}\b", PAGE), room


def test_no_circle_of_imports_hides_in_functions_and_types(tmp_path):
    assert import_circles.forbidden(ROOT / "src", ["dev_coach"]) == []
    texts = {
        "a": "from scenarios import b",
        "b": "def later():\n    from scenarios.c import thing",
        "c": "if TYPE_CHECKING:\n    import scenarios.a\n    from scenarios import d",
        "d": "import scenarios.e",
        "e": "import scenarios.d, scenarios.free",
        "free": "",
    }
    (tmp_path / "scenarios" / "domains" / "shop").mkdir(parents=True)
    for name, text in texts.items():
        (tmp_path / "scenarios" / f"{name}.py").write_text(text)
    for name, other in (("orders", "lines"), ("lines", "orders")):
        path = tmp_path / "scenarios" / "domains" / "shop" / f"{name}.py"
        path.write_text(f"def f():\n    import scenarios.domains.shop.{other}")
    assert sorted(import_circles.forbidden(tmp_path, ["shop"])) == [
        "a circle of imports: scenarios.a, scenarios.b, scenarios.c",
        "a circle of imports: scenarios.d, scenarios.e",
    ]
    assert len(import_circles.forbidden(tmp_path, [])) == 3
