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


@pytest.mark.parametrize(("pieces", "status"), [(16, 400), (17, 413)])
def test_a_body_without_a_length_is_bounded_while_it_is_read(ask, pieces, status):
    async def body():
        for _ in range(pieces):
            yield b"[" * (BODY_LIMIT // 16)

    assert ask("POST", "/api/instances", headers=BEARER, content=body()).status_code == status


@pytest.mark.parametrize("length", ["-1", "1e3", "x", str(BODY_LIMIT + 1)])
def test_a_length_that_is_none_or_too_large_is_refused_unread(ask, length):
    answer = ask("POST", "/api/instances", headers={**BEARER, "content-length": length}, content=b"{}")
    assert answer.status_code == 413


@pytest.mark.parametrize("cookie", ["a b=;;", "scenarios_8585", "scenarios_8585=", "=", 'x="'])
def test_a_cookie_that_is_none_lets_nobody_in(ask, cookie):
    assert ask("GET", "/api/scenarios", headers={"cookie": cookie}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"origin": "http://127.0.0.1:8585"}, 400),
        ({"origin": "http://127.0.0.1"}, 403),
        ({"origin": "http://127.0.0.1:8585", "sec-fetch-site": "cross-site"}, 400),
        ({"sec-fetch-site": "same-origin"}, 400),
        ({"sec-fetch-site": "none"}, 400),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_where_a_request_to_change_something_may_come_from(ask, headers, status):
    """Who may come in is told by the next check: this text is no JSON."""
    answer = ask("POST", "/api/instances", headers={**BEARER, **headers}, content=b"{")
    assert answer.status_code == status


def test_the_oldest_of_a_hundred_sessions_makes_room(door):
    sessions = [door.enter(door.token) for _ in range(101)]
    assert [door.knows(session) for session in sessions] == [False] + [True] * 100
    assert not door.knows("made-up")
