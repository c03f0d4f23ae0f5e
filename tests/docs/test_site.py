"""The site builds without a warning, and its generated pages say what the code says."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_site_builds_without_warnings(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in (
        "index.html",
        "tutorial/index.html",
        "reference/python/index.html",
        "requirements/index.html",
    ):
        assert (tmp_path / page).stat().st_size > 5000
    assert 'class="mermaid"' in (tmp_path / "how_it_works" / "index.html").read_text("utf-8")
    assert "start_server" in (tmp_path / "reference" / "python" / "index.html").read_text("utf-8")


def test_every_public_name_is_documented(pages):
    import scenarios

    documented = {name for names in pages.PUBLIC.values() for name in names}
    assert set(scenarios.__all__) - {"ScenariosError"} <= documented
    for module, names in pages.PUBLIC.items():
        for name in names:
            assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_every_setting_option_fixture_and_command_is_there(pages):
    from typer.main import get_command

    from scenarios.cli import main
    from scenarios.settings import SPECS

    settings = pages.settings_page()
    assert all(f"`{spec.variable}`" in settings for spec in SPECS.values())
    plugin = pages.pytest_page()
    for name in ("scenario_db", "load_scenario", "--scenarios-keep-failed", "scenario_isolation"):
        assert f"`{name}" in plugin
    main._register()
    commands = pages.commands_page()
    assert all(f"## `scenarios {name}" in commands for name in get_command(main.app).commands)
    errors = pages.errors_page()
    assert "scenarios.errors.SafetyError" in errors
    assert "    - `scenarios.errors.FreezeError`" in errors
    assert "`extends`" in pages.scenario_file_page()
