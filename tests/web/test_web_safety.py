"""What keeps others out: tokens, origins, forms, hosts, sizes, and texts that contain markup."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from scenarios.errors import ServerError
from scenarios.web.running import listen

HOSTILE = Path(__file__).parent / "hostile"
NAME = "just_registered"


@pytest.fixture
def loaded(site):
    """A site with one instance."""
    site.load(NAME)
    return site


def count(site) -> int:
    return len(site.program.get("/api/instances").json())


def test_a_link_lets_one_browser_in_once(site) -> None:
    token = site.door.token
    with httpx.Client(base_url=site.address, timeout=60) as stranger:
        assert stranger.get("/").status_code == 401
        assert stranger.get("/instances").status_code == 401
        assert stranger.get("/api/instances").status_code == 401
        assert stranger.get("/enter?token=wrong").status_code == 401
        answer = stranger.get(f"/enter?token={token}")
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite" in cookie
        assert stranger.get("/").status_code == 200
    with httpx.Client(base_url=site.address, timeout=60) as second:
        assert second.get(f"/enter?token={token}").status_code == 401
        assert "used already" in second.get(f"/enter?token={token}").text
        forged = {"cookie": f"{site.door.cookie}=forged"}
        assert second.get("/", headers=forged).status_code == 401


def test_a_session_ends_after_twelve_hours(coach_db, tmp_path, open_site) -> None:
    now = 1000.0
    with open_site(coach_db, tmp_path, clock=lambda: now) as site:
        now += 12 * 3600 - 1
        assert site.browser.get("/").status_code == 200
        now += 1
        assert site.browser.get("/").status_code == 401
        assert site.browser.get("/api/instances").status_code == 401
        assert site.program.get("/api/instances").status_code == 200, "a program's token is no session"
        assert site.browser.get(f"/enter?token={site.door.token}").status_code == 303
        assert site.browser.get("/").status_code == 200


def test_every_answer_carries_the_policy(site) -> None:
    for path in ("/", "/nope", "/static/style.css", "/api/health", "/api/instances"):
        headers = site.browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_page_cannot_send_forms(loaded, headers) -> None:
    fields = {"csrf": loaded.csrf()}
    answer = loaded.browser.post(f"/instances/{NAME}/unload", data=fields, headers=headers)
    assert answer.status_code == 403
    assert count(loaded) == 1


@pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "0" * 64}])
def test_a_form_needs_its_csrf_text(loaded, fields) -> None:
    answer = loaded.browser.post(f"/instances/{NAME}/unload", data=fields, headers={"origin": loaded.address})
    assert answer.status_code == 403
    assert count(loaded) == 1


def test_the_api_needs_the_token_to_write(loaded) -> None:
    path = f"/api/instances/{NAME}"
    assert loaded.browser.delete(path).status_code == 403
    assert loaded.browser.get(path).status_code == 200
    with httpx.Client(base_url=loaded.address, timeout=60) as stranger:
        assert stranger.delete(path).status_code == 401
        wrong = {"authorization": "Bearer wrong"}
        assert stranger.delete(path, headers=wrong).status_code == 401
        assert stranger.get("/api/health").json()["status"] == "ok"
    assert loaded.program.delete(path, headers={"origin": "http://evil.example"}).status_code == 403
    assert count(loaded) == 1
    with_text = {"x-csrf-token": loaded.csrf(), "origin": loaded.address}
    assert loaded.browser.delete(path, headers=with_text).status_code == 200
    assert count(loaded) == 0


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8585", "127.0.0.1.evil.example", ""])
def test_another_name_for_this_machine_gets_nothing(site, host) -> None:
    answer = site.browser.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "catalogue" not in answer.text.lower()


def test_requests_are_bounded(site) -> None:
    large = "x" * (2 << 20)
    assert site.post(f"/scenarios/{NAME}/load", as_name=large).status_code == 413
    assert site.program.post("/api/instances", content=large).status_code == 413

    def pieces():
        for _ in range(40):
            yield b"x" * 65536

    assert site.program.post("/api/instances", content=pieces()).status_code == 413
    many = {f"f{number}": "x" for number in range(300)}
    assert site.post(f"/scenarios/{NAME}/load", **many).status_code == 400
    deep = "[" * 100_000
    assert site.program.post("/api/instances", content=deep).status_code == 400
    assert count(site) == 0


def test_it_listens_on_loopback_only() -> None:
    sock = listen(0)
    try:
        assert sock.getsockname()[0] == "127.0.0.1"
        with pytest.raises(ServerError, match="cannot listen"):
            listen(sock.getsockname()[1])
    finally:
        sock.close()


def test_no_page_shows_a_secret(site, coach_db) -> None:
    site.load("refinement_in_progress")
    with coach_db.connect() as conn:
        conn.execute("UPDATE users_user SET password = 'pbkdf2_sha256$1$changed$secret'")
        hashes = [row[0] for row in conn.execute("SELECT password FROM users_user").fetchall()]
    one = "refinement_in_progress"
    password = coach_db.environment.get("PGPASSWORD", "")
    assert password
    pages = [
        site.browser.get(path).text
        for path in (f"/instances/{one}", f"/instances/{one}/changes", f"/scenarios/{one}", "/doctor", "/")
    ]
    pages.append(site.program.get(f"/api/instances/{one}/changes").text)
    pages.append(site.program.get(f"/api/instances/{one}").text)
    assert "password" in pages[1], "the change itself is shown"
    for page in pages:
        assert password not in page
        assert site.door.api_token not in page
        assert not any(each in page for each in hashes)
        assert "pbkdf2" not in page


@pytest.mark.thorough("the page in a browser")
def test_markup_in_texts_stays_text(coach_db, tmp_path, visit, open_site) -> None:
    with open_site(coach_db, tmp_path, HOSTILE) as site:
        visitor = visit(site)
        page = visitor.page
        visitor.go("/scenarios/hostile_texts/load")
        page.get_by_role("button", name="Load").click()
        expect(page.locator("[data-live]")).to_contain_text("Nothing.")
        with coach_db.connect() as conn:
            conn.execute("UPDATE identities_identity SET name = '<img src=x onerror=document.title=1>'")
        expect(page.locator("[data-live] ins").first).to_have_text("<img src=x onerror=document.title=1>")
        for path in (
            "/",
            "/?q=%22%3E%3Cscript%3Edocument.title=1%3C/script%3E",
            "/scenarios/hostile_texts",
            "/scenarios/hostile_texts/conversation/eve",
            "/scenarios/hostile_texts/load",
            "/instances/hostile_texts",
            "/instances/%3Cscript%3E",
            "/scenarios/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        ):
            visitor.go(path)
            assert page.title() not in ("owned", "1")
            assert page.locator("main script, main img, main svg[onload], main u, main b b").count() == 0
        visitor.go("/scenarios/hostile_texts")
        expect(page.get_by_text("{{ 7 * 7 }}").first).to_be_visible()
        said = page.locator(".said", has_text="مرحبا")
        expect(said).to_have_attribute("dir", "auto")
        assert said.evaluate("element => getComputedStyle(element).direction") == "rtl"
        visitor.look("hostile")


def test_two_resets_at_once_do_not_collide(site, coach_db) -> None:
    site.load("refinement_in_progress")
    with coach_db.connect() as conn:
        conn.execute("DELETE FROM chat_messages_chatmessage")
    statuses: list[int] = []

    def press() -> None:
        with httpx.Client(
            base_url=site.address, timeout=60, headers={"authorization": f"Bearer {site.door.api_token}"}
        ) as program:
            statuses.append(program.post("/api/instances/refinement_in_progress/reset").status_code)

    threads = [threading.Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 6
    assert site.program.get("/api/instances/refinement_in_progress/changes").json()["total"] == 0
