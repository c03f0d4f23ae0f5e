"""A page over throwaway databases, served on loopback as `scenarios serve` does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

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

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form as the browser does."""
        return self.browser.post(path, data={"csrf": self.csrf(), **fields}, headers={"origin": self.address})


@contextmanager
def open_site(db: Database | None, tmp_path: Path, *libraries: Path) -> Iterator[Site]:
    """Yield a site over *db*, entered by its one-time link."""
    settings = Settings({"provider": "embedded"})
    databases = Databases(settings, db.dsn if db is not None else None)
    library = Library([*libraries, *Library(settings=settings).roots], settings=settings)
    service = Service(library, databases, tmp_path / "frozen")
    sock = listen(0)
    port = sock.getsockname()[1]
    door = Door(TOKEN, port=port)
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
    with open_site(coach_db, tmp_path) as found:
        yield found


@pytest.fixture
def foreign_db(coach_db: Database) -> Database:
    """The same database without our mark: somebody else's."""
    with coach_db.connect() as conn:
        name = conn.info.dbname
        conn.execute(f'COMMENT ON DATABASE "{name}" IS NULL'.encode())
    return coach_db


@pytest.fixture
def foreign_site(foreign_db: Database, tmp_path) -> Iterator[Site]:
    """A site over somebody else's database."""
    with open_site(foreign_db, tmp_path) as found:
        assert found.service.databases.named is not None
        assert not found.service.databases.named.owned
        yield found
