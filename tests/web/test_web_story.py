"""The story without a browser: find, look, load, see what changed, reset, freeze, load that, unload."""

from __future__ import annotations

import pytest

NAME = "refinement_in_progress"


@pytest.fixture(params=["ours", "theirs"])
def either_site(request: pytest.FixtureRequest):
    """A site over a database of ours, and over somebody else's."""
    return request.getfixturevalue("site" if request.param == "ours" else "foreign_site")


def rename(db, old: str, new: str) -> None:
    with db.connect() as conn:
        done = conn.execute("UPDATE identities_identity SET name = %s WHERE name = %s", [new, old])
        assert done.rowcount == 1


def finish(site, where: str) -> None:
    """Wait for a load that a busy machine did not finish at once."""
    job = site.service.jobs.get(where.removeprefix("/jobs/"))
    assert job is None or job.done.wait(60)


def test_the_whole_story(either_site) -> None:
    site = either_site
    db = site.service.databases.named
    how = "journal" if db.owned else "comparison"
    assert NAME in site.browser.get("/?q=refinement").text
    assert "Maya" in site.browser.get(f"/scenarios/{NAME}").text
    where = site.post(f"/scenarios/{NAME}/load", as_name="friday", **{"p.identities": "5"}).headers[
        "location"
    ]
    finish(site, where)
    assert "maya" in site.browser.get("/instances/friday").text
    assert "Nothing." in site.browser.get("/instances/friday/changes").text

    rename(db, "Maker", "Potter")
    found = site.program.get("/api/instances/friday/changes").json()
    assert (found["how"], found["total"]) == (how, 1)
    assert found["rows"][0]["handle"] == "maya.maker"
    assert found["rows"][0]["columns"]["name"] == {"old": "Maker", "new": "Potter"}
    page = site.browser.get("/instances/friday/changes").text
    assert '<del dir="auto">Maker</del>' in page
    assert '<ins dir="auto">Potter</ins>' in page

    answer = site.post("/instances/friday/freeze", as_name="potter", title="As a potter")
    preview = answer.headers["location"]
    assert "Potter" in site.browser.get(preview).text
    assert site.post(f"{preview}/save").headers["location"] == "/scenarios/potter"

    assert "1 updated" in site.browser.get("/instances/friday/reset").text
    assert site.post("/instances/friday/reset").status_code == 303
    assert site.program.get("/api/instances/friday/changes").json()["total"] == 0

    finish(site, site.post("/scenarios/potter/load").headers["location"])
    with db.connect() as conn:
        names = conn.execute(
            "SELECT name FROM identities_identity WHERE name IN ('Maker', 'Potter')"
        ).fetchall()
    assert sorted(names) == [("Maker",), ("Potter",)]
    difference = site.browser.get("/diff?one=friday&other=potter").text
    assert "Maker" in difference
    for name in ("friday", "potter"):
        assert "is gone" in site.post(f"/instances/{name}/unload").text
    assert site.program.get("/api/instances").json() == []
    with db.connect() as conn:
        assert conn.execute("SELECT count(*) FROM users_user").fetchone() == (0,)
