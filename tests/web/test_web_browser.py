"""A tester's story in a real browser, and what no test of markup can tell: focus, contrast, width, policy.

Set SCENARIOS_SCREENSHOTS to a directory to keep the screenshots; those of the documentation are made so.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from scenarios.postgres import Database

pytestmark = pytest.mark.thorough("the page in a browser")

NAME = "refinement_in_progress"


def from_outside(db: Database) -> None:
    """What an application does: a new name, a message more, a note less."""
    with db.connect() as conn:
        conn.execute("UPDATE identities_identity SET name = 'Potter' WHERE name = 'Maker'")
        conn.execute(
            "INSERT INTO chat_messages_chatmessage (user_id, role, content)"
            " SELECT id, 'USER', 'i asked her. she says potter' FROM users_user WHERE first_name = 'Maya'"
        )
        conn.execute("DELETE FROM user_notes_usernote WHERE note LIKE 'Steady means%'")


def test_a_testers_story(site, visit) -> None:
    visitor = visit(site)
    page = visitor.page
    # Find.
    expect(page.get_by_role("heading", name="Catalogue")).to_be_visible()
    visitor.look("catalogue")
    page.get_by_label("Search").press_sequentially("lantern refine", delay=5)
    page.get_by_label("Search").fill("refinement maya")
    expect(page.locator(".card:visible")).not_to_have_count(0)
    assert page.locator(".card:visible").count() < page.locator(".card").count()
    page.get_by_label("Search").fill("no scenario has this")
    expect(page.get_by_text("No scenario fits.")).to_be_visible()
    page.get_by_label("Search").fill("")
    page.get_by_label("System").select_option("dev_coach")
    page.get_by_label("Phase").select_option("Identity refinement")
    page.locator(f'a[href="/scenarios/{NAME}"]').click()
    # Look.
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("fire brigade").first).to_be_visible()
    visitor.look("scenario", whole=True)
    # Load.
    page.get_by_role("link", name="Load…").click()
    page.get_by_label("Name of the instance").fill("friday")
    page.get_by_label("Identities").fill("5")
    visitor.look("load")
    page.get_by_role("button", name="Load").click()
    expect(page).to_have_url(f"{site.address}/instances/friday")
    live = page.locator("[data-live]")
    expect(live).to_contain_text("Nothing.")
    expect(page.get_by_text("maya.okafor+friday@example.com")).to_be_visible()
    # Somebody uses the application; the page shows it by itself.
    from_outside(site.service.databases.named)
    expect(live).to_contain_text("Potter", timeout=10_000)
    expect(live).to_contain_text("1 inserted")
    expect(live).to_contain_text("1 deleted")
    expect(live).to_contain_text("maya.maker")
    visitor.look("instance", whole=True)
    # Freeze.
    page.get_by_role("link", name="Freeze…").click()
    page.get_by_label("Name of the new scenario").fill("maya_the_potter")
    page.get_by_label("Title").fill("Maya calls herself Potter")
    visitor.look("freeze")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="Preview of maya_the_potter")).to_be_visible()
    visitor.look("frozen")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "maya_the_potter.yaml"
    assert "Potter" in Path(download.value.path()).read_text("utf-8")
    page.get_by_role("button", name="Save into the library").click()
    expect(page.get_by_role("heading", name="Maya calls herself Potter")).to_be_visible()
    # Reset.
    visitor.go("/instances/friday")
    page.get_by_role("link", name="Reset…").click()
    expect(page.get_by_text("These changes are lost")).to_be_visible()
    visitor.look("reset")
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_role("status")).to_contain_text("friday is as it was loaded")
    expect(live).to_contain_text("Nothing.")
    # Load what was frozen, and compare.
    visitor.go("/scenarios/maya_the_potter/load")
    page.get_by_role("button", name="Load").click()
    expect(page).to_have_url(f"{site.address}/instances/maya_the_potter")
    page.get_by_label("The other").select_option("friday")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".diff .removed", has_text="Potter").first).to_be_visible()
    visitor.look("compare")
    visitor.go("/instances")
    expect(page.get_by_role("cell", name="nothing")).to_have_count(2)
    visitor.look("instances")
    # Unload.
    for name in ("friday", "maya_the_potter"):
        visitor.go(f"/instances/{name}")
        page.get_by_role("link", name="Unload…").click()
        page.get_by_role("button", name="Unload").click()
        expect(page.get_by_role("heading", name=f"{name} is gone")).to_be_visible()
    visitor.go("/instances")
    expect(page.get_by_text("Nothing is loaded.")).to_be_visible()
    visitor.look("nothing_loaded")
    with site.service.databases.named.connect() as conn:
        assert conn.execute("SELECT count(*) FROM users_user").fetchone() == (0,)


def test_dark_narrow_and_by_keyboard(site, visit) -> None:
    site.load(NAME, "friday")
    from_outside(site.service.databases.named)
    dark = visit(site, dark=True)
    dark.look("catalogue_dark")
    for path, name in ((f"/scenarios/{NAME}", "scenario_dark"), ("/instances/friday", "instance_dark")):
        dark.go(path)
        if "instance" in name:
            expect(dark.page.locator("[data-live]")).to_contain_text("Potter")
        dark.look(name)
    phone = visit(site, width=360, height=740)
    for path, name in (
        ("/", "catalogue_phone"),
        (f"/scenarios/{NAME}", "scenario_phone"),
        ("/instances", "instances_phone"),
        ("/instances/friday", "instance_phone"),
        ("/doctor", "doctor_phone"),
    ):
        phone.go(path)
        phone.look(name)
    # By keyboard alone: the first stop skips the navigation, and what has the focus can be seen.
    keys = phone.page.keyboard
    phone.go("/")
    keys.press("Tab")
    expect(phone.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    for _ in range(12):
        keys.press("Tab")
        if phone.page.evaluate("document.activeElement.closest('.card') !== null"):
            break
    keys.press("Enter")
    expect(phone.page).to_have_url(re.compile("/scenarios/"))


def test_without_scripts(site, visit) -> None:
    site.load(NAME, "friday")
    visitor = visit(site, java_script_enabled=False)
    page = visitor.page
    page.get_by_label("Search").fill("refinement")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(f'a[href="/scenarios/{NAME}"]')).to_be_visible()
    expect(page.locator(".card:visible")).not_to_have_count(page.locator(".card").count())
    visitor.go("/instances/friday")
    page.get_by_role("link", name="Show").click()
    expect(page.get_by_text("Nothing.")).to_be_visible()
    visitor.go("/instances/friday/unload")
    page.get_by_role("button", name="Unload").click()
    expect(page.get_by_role("heading", name="friday is gone")).to_be_visible()
