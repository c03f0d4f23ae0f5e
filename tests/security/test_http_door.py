"""Who may come in at ``scenarios serve``: ``docs/security.md``, *The HTTP door*."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from scenarios.library import Library
from scenarios.resources import resource
from scenarios.settings import Settings
from scenarios.web.app import create_app
from scenarios.web.databases import Databases
from scenarios.web.guard import BODY_LIMIT, Door
from scenarios.web.running import listen
from scenarios.web.service import Service

BEARER = {"authorization": "Bearer right"}


@pytest.fixture
def door():
    """The keys of the application."""
    return Door("right", port=8585)


@pytest.fixture
def ask(tmp_path, door):
    """Sends a request to an application that has a token, and returns the answer."""
    service = Service(
        Library(resource("scenario_library")), Databases(Settings({"provider": "embedded"}), None), tmp_path
    )
    app = create_app(service, door)

    async def send(method, path, base, **more):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **more)

    def ask(method, path, base="http://127.0.0.1:8585", **more):
        return asyncio.run(send(method, path, base, **more))

    return ask


def test_it_listens_on_this_machine_only():
    with listen(0) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_nobody_comes_in_without_a_key(ask):
    path = "/api/scenarios"
    assert ask("GET", path, headers=BEARER).status_code == 200
    for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": "scenarios_8585=made-up"}):
        assert ask("GET", path, headers=headers).status_code in {401, 403}


def test_a_foreign_name_or_page_is_refused(ask, door):
    assert ask("GET", "/api/scenarios", base="http://evil.example.com", headers=BEARER).status_code in {
        400,
        403,
        421,
    }

    session = door.enter(door.token)
    own = {"cookie": f"{door.cookie}={session}"}
    assert ask("GET", "/api/scenarios", headers=own).status_code == 200
    for more in ({"origin": "https://evil.example.com"}, {"origin": "http://127.0.0.1:8585"}):
        answer = ask(
            "POST",
            "/scenarios/just_registered/load",
            data={"scenario": "just_registered"},
            headers={**own, **more},
        )
        assert answer.status_code == 403, "a foreign page, or a form without its secret"


def test_the_link_lets_in_once(door):
    link = door.token
    assert door.enter(link) is not None
    assert door.enter(link) is None


def test_a_request_is_bounded(ask):
    answer = ask("POST", "/api/instances", headers=BEARER, content=b"x" * (BODY_LIMIT + 1))
    assert answer.status_code == 413


def test_pages_run_no_foreign_script(ask):
    policy = ask("GET", "/api/scenarios", headers=BEARER).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
