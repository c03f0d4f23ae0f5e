"""Before rows go that may be somebody else's, page and API list them, and the page takes that list alone."""

from __future__ import annotations

import re

import pytest

NAME = "one_team"


@pytest.fixture
def invoiced(foreign_site):
    """A site with an instance, on which an invoice of somebody else hangs."""
    site, db = foreign_site, foreign_site.service.databases.named
    with db.connect() as conn:
        conn.execute("CREATE TABLE invoice (id int PRIMARY KEY, user_id uuid NOT NULL REFERENCES users_user)")
    site.load(scenario=NAME, name="friday")
    with db.connect() as conn:
        conn.execute("INSERT INTO invoice SELECT 1, id FROM users_user LIMIT 1")
    return site


def invoices(site) -> int:
    with site.service.databases.named.connect() as conn:
        return conn.execute("SELECT count(*) FROM invoice").fetchone()[0]


@pytest.mark.parametrize("action", ["reset", "unload"])
def test_the_page_lists_them_and_takes_no_other_list_for_it(invoiced, action):
    site = invoiced
    page = site.browser.get(f"/instances/friday/{action}").text
    assert "1 row in the way" in page
    assert "invoice id=1: refers to users_user by user_id (invoice_user_id_fkey)" in page
    seen = re.search(r'name="with_added" value="(\w+)"', page)
    assert seen is not None
    refused = site.post(f"/instances/friday/{action}")
    assert refused.status_code == 409
    assert "invoice id=1" in refused.text
    with site.service.databases.named.connect() as conn:
        conn.execute("INSERT INTO invoice SELECT 2, user_id FROM invoice")
    changed = site.post(f"/instances/friday/{action}", with_added=seen.group(1))
    assert changed.status_code == 409
    assert "than those that were shown" in changed.text
    assert invoices(site) == 2
    seen = re.search(r'name="with_added" value="(\w+)"', site.browser.get(f"/instances/friday/{action}").text)
    assert site.post(f"/instances/friday/{action}", with_added=seen.group(1)).status_code in (200, 303)
    assert invoices(site) == 0


def test_programs_are_told_in_a_list(invoiced):
    program = invoiced.program
    refused = program.post("/api/instances/friday/reset")
    assert refused.status_code == 409
    assert [row["key"] for row in refused.json()["rows"]] == [{"id": "1"}]
    plan = program.request("DELETE", "/api/instances/friday", json={"dry_run": True}).json()
    assert plan["in_the_way"] == refused.json()["rows"]
    assert invoices(invoiced) == 1
    assert (
        program.post("/api/instances/friday/reset", json={"with_added": True}).json()["added_by_others"] == 1
    )
    assert invoices(invoiced) == 0
