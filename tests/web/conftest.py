"""A page over throwaway databases, served on loopback as `scenarios serve` does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from scenarios.domain import get_domain
from scenarios.library import Library
from scenarios.postgres import Database, Server
from scenarios.settings import Settings
from scenarios.web.app import create_app
from scenarios.web.databases import Databases
from scenarios.web.guard import Door
from scenarios.web.running import configuration, listen
from scenarios.web.service import Service

TOKEN = "a-token-for-programs"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """A running application, a person's browser, and a program."""

    service: Service
    door: Door
    address: str
    browser: httpx.Client
    program: httpx.Client

    def csrf(self) -> str:
        """Return what forms of the browser's session carry."""
        session = self.browser.cookies[self.door.cookie]
        return self.door.csrf(session)

    def load(self, scenario: str, name: str | None = None) -> str:
        """Load a scenario, wait for it, and return the instance's name."""
        sent = {"scenario": scenario} | ({"name": name} if name else {})
        answer = self.program.post("/api/instances", json=sent)
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["name"]
        return found

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form as the browser does."""
        return self.browser.post(path, data={"csrf": self.csrf(), **fields}, headers={"origin": self.address})


@contextmanager
def serving(
    db: Database | None, tmp_path: Path, *libraries: Path, clock: Callable[[], float] = time.monotonic
) -> Iterator[Site]:
    """Yield a site over *db*, entered by its one-time link."""
    settings = Settings({"provider": "embedded"})
    databases = Databases(settings, db.dsn if db is not None else None)
    library = Library([*libraries, *Library(settings=settings).roots], settings=settings)
    service = Service(library, databases, tmp_path / "frozen")
    sock = listen(0)
    port = sock.getsockname()[1]
    door = Door(TOKEN, port=port, clock=clock)
    server = uvicorn.Server(configuration(create_app(service, door)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{port}"
    try:
        with (
            httpx.Client(base_url=address, timeout=30) as browser,
            httpx.Client(
                base_url=address, timeout=30, headers={"authorization": f"Bearer {TOKEN}"}
            ) as program,
        ):
            assert browser.get(f"/enter?token={door.token}").status_code == 303
            yield Site(service, door, address, browser, program)
    finally:
        server.should_exit = True
        thread.join(20)
        sock.close()
        assert not thread.is_alive()


@pytest.fixture
def coach_db(server: Server) -> Iterator[Database]:
    """A database of ours with Dev Coach's schema."""
    with server.database(get_domain("dev_coach")) as db:
        yield db


@pytest.fixture
def site(coach_db: Database, tmp_path) -> Iterator[Site]:
    """A site over a database of ours."""
    with serving(coach_db, tmp_path) as found:
        yield found


@pytest.fixture
def foreign_db(coach_db: Database) -> Database:
    """The same database without our tag: somebody else's."""
    with coach_db.connect() as conn:
        name = conn.info.dbname
        conn.execute(f'COMMENT ON DATABASE "{name}" IS NULL'.encode())
    return coach_db


@pytest.fixture
def foreign_site(foreign_db: Database, tmp_path) -> Iterator[Site]:
    """A site over somebody else's database."""
    with serving(foreign_db, tmp_path) as found:
        assert found.service.databases.named is not None
        assert not found.service.databases.named.owned
        yield found


@pytest.fixture(name="open_site")
def _open_site():
    """Return the context manager that serves a database, with libraries of its own."""
    return serving


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


class Visitor:
    """A page of the browser that looks after itself: no error on the console, nothing axe complains about."""

    def __init__(self, page: Page, address: str, pictures: Path) -> None:
        self.page = page
        self.address = address
        self.pictures = pictures
        self.complaints: list[str] = []
        page.on("console", lambda message: self.note(message.type, message.text))
        page.on("pageerror", lambda error: self.note("error", str(error)))

    def note(self, kind: str, text: str) -> None:
        """Remember what the console says, but for answers that a test asks for."""
        if kind in ("error", "warning") and "the server responded with a status of" not in text:
            self.complaints.append(text)

    def go(self, path: str) -> None:
        """Open *path*."""
        self.page.goto(f"{self.address}{path}")

    def look(self, name: str, *, whole: bool = False) -> None:
        """Take a picture, check the page with axe, and that nothing has to be scrolled sideways."""
        self.page.screenshot(path=self.pictures / f"{name}.png", full_page=whole)
        results = Axe().run(self.page)
        found = [
            f"{each['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for each in results.response["violations"]
            for node in each["nodes"][:3]
        ]
        assert not found, f"{name}: {found}"
        assert self.page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), f"{name} is wider than the window"
        assert not self.complaints, f"{name}: {self.complaints}"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go."""
    kept = os.environ.get("SCENARIOS_SCREENSHOTS")
    found = Path(kept) if kept else tmp_path / "pictures"
    found.mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture
def visit(browser: Browser, pictures: Path):
    """Return a function that opens a page of a site, entered by its one-time link."""
    contexts = []

    def open_page(site, *, width: int = 1180, height: int = 860, dark: bool = False, **options) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", **options
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        visitor = Visitor(context.new_page(), site.address, pictures)
        visitor.go(f"/enter?token={site.door.token}")
        return visitor

    yield open_page
    for context in contexts:
        context.close()
