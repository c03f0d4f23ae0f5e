"""The HTTP API: every answer is what its OpenAPI document says, and errors have the texts of the commands."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from psycopg import sql

from scenarios.domain import get_domain
from scenarios.errors import ScenariosError
from scenarios.library.instances.finding import open_instance
from scenarios.web.openapi import document

NAME = "refinement_in_progress"


def described(path: str, method: str, status: str) -> dict[str, Any]:
    """Return the schema of an answer."""
    found = document()
    answers = found["paths"][path][method]["responses"]
    content = answers.get(status, answers["default"])["content"]
    schema = next(iter(content.values()))["schema"]
    return {**schema, "components": found["components"]}


def hold(answer, path: str) -> Any:
    """Hold an answer against the document, and return it."""
    method = answer.request.method.lower()
    kind = answer.headers["content-type"]
    assert kind == ("application/json" if answer.status_code < 400 else "application/problem+json")
    jsonschema.validate(answer.json(), described(path, method, str(answer.status_code)))
    return answer.json()


def test_the_document_is_of_the_api_there_is(site) -> None:
    served = site.program.get("/api/openapi.json").json()
    assert served == document()
    written = {(path, method) for path, item in served["paths"].items() for method in item}
    from scenarios.web.app import create_app

    routes = {
        (route.path, method.lower())
        for route in create_app(site.service, site.door).routes
        if route.path.startswith("/api/")
        for method in route.methods - {"HEAD"}
    }
    assert written == routes


def test_a_life_through_the_api(site, coach_db) -> None:
    api, one = site.program, "/api/instances/{name}"
    hold(api.get("/api/health"), "/api/health")
    assert NAME in {each["name"] for each in hold(api.get("/api/scenarios"), "/api/scenarios")}
    shown = hold(api.get(f"/api/scenarios/{NAME}"), "/api/scenarios/{name}")
    assert shown["state"]["users"][0]["handle"] == "maya"
    sent = {"scenario": NAME, "name": "of a test", "now": "2026-05-04T09:00", "parameters": {"identities": 8}}
    answer = api.post("/api/instances", json=sent)
    made = hold(answer, "/api/instances")
    assert answer.headers["location"] == "/api/instances/of%20a%20test"
    assert made["rows"]["identities_identity"] == 8
    assert "2026-04-27" < made["clock"] <= "2026-05-04", "the Wednesday before"
    path = answer.headers["location"]
    assert hold(api.get(path), one) == made
    assert [each["name"] for each in hold(api.get("/api/instances"), "/api/instances")] == ["of a test"]
    # What the API made, the library finds.
    assert open_instance(coach_db, "of a test")["maya"].email == made["people"][0]["email"]
    with coach_db.connect() as conn:
        conn.execute("DELETE FROM identities_identity WHERE name = 'Lantern'")
        conn.execute(
            "INSERT INTO user_notes_usernote (user_id, note) SELECT id, 'new' FROM users_user LIMIT 1"
        )
    changes = hold(api.get(f"{path}/changes"), f"{one}/changes")
    assert changes["counts"]["public.identities_identity"]["deleted"] == 1
    assert changes["counts"]["public.user_notes_usernote"]["inserted"] == 1
    frozen = hold(api.post(f"{path}/freeze", json={"name": "seen", "save": True}), f"{one}/freeze")
    assert frozen["text"].startswith("#")
    assert frozen["file"].endswith("seen.yaml")
    report = hold(api.post(f"{path}/reset"), f"{one}/reset")
    assert (report["added_by_others"], report["rows"]) == (1, sum(made["rows"].values()))
    assert hold(api.get(f"{path}/changes"), f"{one}/changes")["total"] == 0
    hold(api.post("/api/instances", json={"scenario": "seen"}), "/api/instances")
    assert hold(api.delete(path), one)["instance"] == "of a test"
    hold(api.get(path), one)
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 422, "lacks 'scenario'"),
        ({"scenario": "refinement_in_progres"}, 404, "refinement_in_progress"),
        ({"scenario": 7}, 422, "a text"),
        ({"scenario": NAME, "nam": "x"}, 422, "no 'nam'"),
        ({"scenario": NAME, "parameters": []}, 422, "an object"),
        ({"scenario": NAME, "parameters": {"identities": 4000}}, 422, "out of bounds"),
        ({"scenario": NAME, "parameters": {"identitie": 4}}, 422, "identities"),
        ({"scenario": NAME, "now": "yesterday"}, 422, "is not a moment"),
        ({"scenario": NAME, "name": "no/slash"}, 422, "no/slash"),
        ({"scenario": "new_school"}, 422, "schema"),
        ([], 400, "not a JSON object"),
    ],
)
def test_errors_are_problem_details(site, body, status, text) -> None:
    answer = site.program.post("/api/instances", json=body)
    problem = hold(answer, "/api/instances")
    assert (answer.status_code, problem["status"]) == (status, status)
    assert text in problem["detail"]
    assert site.program.get("/api/instances").json() == []


def test_the_texts_are_those_of_the_library(site) -> None:
    with pytest.raises(ScenariosError) as raised:
        site.service.library["refinement"]
    problem = site.program.get("/api/scenarios/refinement").json()
    assert problem["detail"] == str(raised.value)
    assert problem["type"] == "urn:scenarios:LibraryError"


def test_a_taken_name_is_a_conflict(site) -> None:
    body = {"scenario": "just_registered", "name": "mine"}
    assert site.program.post("/api/instances", json=body).status_code == 201
    assert site.program.post("/api/instances", json=body).status_code == 409
    unnamed = {"scenario": "just_registered"}
    names = [site.program.post("/api/instances", json=unnamed).json()["name"] for _ in range(2)]
    assert names[0] != names[1]


def test_a_lock_of_the_application_is_explained(site, coach_db, monkeypatch) -> None:
    site.program.post("/api/instances", json={"scenario": "just_registered"})
    monkeypatch.setattr("scenarios.library.instances.locking.WAIT_SECONDS", 1)
    with coach_db.connect(autocommit=False) as conn:
        conn.execute("LOCK TABLE users_user IN ACCESS EXCLUSIVE MODE")
        answer = site.program.post("/api/instances/just_registered/reset")
        conn.rollback()
    assert answer.status_code == 503
    assert "lock" in answer.json()["what"]
    assert site.program.post("/api/instances/just_registered/reset").status_code == 200


@pytest.mark.parametrize("scenario", ["busy_user", "two_institutions", "version_history"])
def test_other_systems_get_databases_of_their_own(server, tmp_path, open_site, scenario) -> None:
    with open_site(None, tmp_path) as site:
        assert site.program.get("/api/instances").json() == []
        made = site.program.post("/api/instances", json={"scenario": scenario})
        assert made.status_code == 201, made.text
        path = made.headers["location"]
        assert site.program.get(f"{path}/changes").json()["total"] == 0
        (db,) = site.service.databases.all()
        definition = site.service.definition(scenario)
        table = definition.sections.people or definition.domain.owner
        with db.connect() as conn:
            key = made.json()["people"][0]
            column = (
                "email" if "email" in get_domain(definition.domain.name).table(table).columns else "username"
            )
            name = sql.Identifier(column)
            update = sql.SQL("UPDATE {} SET {} = {} || 'x'").format(sql.Identifier(table), name, name)
            done = conn.execute(update)
            assert done.rowcount >= 1
        changes = site.program.get(f"{path}/changes").json()
        assert changes["rows"][0]["op"] == "updated"
        assert changes["rows"][0]["handle"] == key["handle"]
        assert site.program.post(f"{path}/reset").status_code == 200
        assert site.program.get(f"{path}/changes").json()["total"] == 0, scenario
        for page in (f"/scenarios/{scenario}", f"/instances/{scenario}"):
            assert site.browser.get(page).status_code == 200
        assert site.program.delete(path).status_code == 200


def test_a_comparison_sees_what_the_journal_sees(site, coach_db) -> None:
    """One database, read both ways."""
    from scenarios.library.instances.changed import _compared, _known, changed

    made = site.program.post("/api/instances", json={"scenario": NAME}).json()
    site.program.post("/api/instances", json={"scenario": "just_registered"})
    instance = site.service.instance(site.service.find(made["name"]))
    with coach_db.connect() as conn:
        conn.execute("UPDATE chat_messages_chatmessage SET content = content || '!' WHERE role = 'USER'")
        conn.execute("DELETE FROM actions_action")
        conn.execute("UPDATE users_user SET first_name = 'Changed', password = 'x'")
        conn.execute("INSERT INTO user_notes_usernote (user_id, note) SELECT id, 'new' FROM users_user")
        recorded = changed(instance)
        compared = _compared(conn, instance, _known(instance))
    assert (recorded.how, compared.how) == ("journal", "comparison")

    def facts(found):
        return sorted(
            (row.change.table, row.change.op, row.handle or "", sorted(row.change.columns))
            for row in found
            if row.change.op == "updated"
        )

    assert recorded.counts == compared.counts
    assert facts(recorded) == facts(compared)
    assert {
        row.change.new["password"] for row in recorded.rows if row.change.table.endswith("users_user")
    } == {"••• (after)"}


def test_a_load_that_takes_long_shows_its_progress(site, coach_db) -> None:
    with coach_db.connect(autocommit=False) as conn:
        conn.execute("LOCK TABLE chat_messages_chatmessage IN ACCESS EXCLUSIVE MODE")
        answer = site.post(f"/scenarios/{NAME}/load", as_name="slow")
        assert answer.headers["location"].startswith("/jobs/")
        shown = site.browser.get(answer.headers["location"])
        assert "Writing rows" in shown.text
        assert "of 157 rows" in shown.text
        conn.rollback()
    job = site.service.jobs.get(answer.headers["location"].rpartition("/")[2])
    assert job.done.wait(20)
    assert site.browser.get(answer.headers["location"]).headers["location"] == "/instances/slow"


def test_too_many_loads_are_refused(site, coach_db) -> None:
    with coach_db.connect(autocommit=False) as conn:
        conn.execute("LOCK TABLE users_user IN ACCESS EXCLUSIVE MODE")
        jobs = [site.service.start_load("just_registered", name=f"n{each}") for each in range(4)]
        refused = site.program.post("/api/instances", json={"scenario": "just_registered"})
        conn.rollback()
    assert refused.status_code == 422
    assert "too many" in refused.json()["what"]
    assert all(job.done.wait(20) and job.error is None for job in jobs)


def test_a_database_that_is_away_is_said_so(site) -> None:
    named = site.service.databases.named
    named._parameters["host"] = "/nonexistent"
    health = site.program.get("/api/health")
    assert health.status_code == 503
    hold(health, "/api/health")
    page = site.browser.get("/instances", headers={"accept": "text/html"})
    assert page.status_code == 503
    assert "What to do" in page.text


def test_pages_of_a_long_conversation(site) -> None:
    page = site.browser.get("/scenarios/very_long_conversation").text
    path = next(part.partition('"')[0] for part in page.split('href="') if "/conversation/" in part)
    first = site.browser.get(path).text
    assert first.count('class="turn') == 100
    last = site.browser.get(path.partition("?")[0]).text
    pages = int(last.partition("Page ")[2].partition(" of ")[2].partition("<")[0])
    assert pages > 30
    assert f"Page {pages} of {pages}" in last
    assert last != first
    assert site.browser.get(f"{path.partition('?')[0]}?page=99999999999").status_code == 200
