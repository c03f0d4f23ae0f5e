"""The site builds without a warning, and its generated pages say what the code says."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.thorough("the whole site is built")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The directory of the built site; warnings are errors."""
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


def test_the_site_builds_without_warnings(site):
    for page in (
        "index.html",
        "tutorial/index.html",
        "reference/python/index.html",
        "requirements/index.html",
    ):
        assert (site / page).stat().st_size > 5000
    assert "start_server" in (site / "reference" / "python" / "index.html").read_text("utf-8")


def test_no_page_fetches_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        text = page.read_text("utf-8")
        fetched = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"([^\"]+)", text)
        fetched += re.findall(
            r"<link[^>]*rel=\"(?:stylesheet|icon|preconnect|preload)\"[^>]*href=\"([^\"]+)", text
        )
        fetched += re.findall(
            r"<link[^>]*href=\"([^\"]+)\"[^>]*rel=\"(?:stylesheet|icon|preconnect|preload)", text
        )
        assert fetched
        assert not [place for place in fetched if "//" in place], page
        assert ('class="mermaid"' in text) == ("assets/mermaid.min.js" in text), page


def test_the_script_that_draws_is_the_one_that_was_looked_at(pages):
    """Mermaid 11.6.0 as its authors published it, but for spaces at the ends of lines."""
    assert hashlib.sha256(pages.mermaid_script().read_bytes()).hexdigest() == (
        "c2a496e5230276f435b4aee61fcccc75170b2aac9a0fecab100605473c8e5c8f"
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_diagrams_are_drawn_and_pages_found_without_a_network(chromium, site, width):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{server.server_port}"
    elsewhere = []
    try:
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=chromium, args=flags)
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.on("request", lambda sent: None if sent.url.startswith(home) else elsewhere.append(sent.url))
            page.goto(f"{home}/how_it_works/")
            drawn = page.locator("div.mermaid")
            drawn.nth(3).wait_for()
            assert drawn.count() == 4
            assert page.locator("pre.mermaid").count() == 0, "no diagram is left as its text"
            assert all(drawn.nth(at).bounding_box()["height"] > 40 for at in range(4))
            for name in ("how_it_works/", "comparison/", "reference/commands/", "requirements/"):
                page.goto(f"{home}/{name}")
                wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
                assert not page.evaluate(wider), f"{name} is wider than the screen"
            if width > 1000:
                page.click("input.md-search__input")
                page.keyboard.type("rollback", delay=30)
                page.locator(".md-search-result__item", has_text="rollback fixture").first.wait_for()
            browser.close()
    finally:
        server.shutdown()
        server.server_close()
    assert elsewhere == []


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
