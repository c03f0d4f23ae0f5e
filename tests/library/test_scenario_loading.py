"""Load, reset and unload: whole or not at all, side by side, and nothing of anybody else's touched."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import LiteralString

import pytest
from psycopg import sql
from sqlalchemy import select
from sqlalchemy.orm import Session

from scenarios.domains.dev_coach import ChatMessage, IdentityState, User
from scenarios.errors import GraphError, LibraryError, SafetyError, ScenariosError
from scenarios.library import Library
from scenarios.library.instances.finding import instances, open_instance
from scenarios.postgres import Database, attach

NAME = "refinement_in_progress"


def rows(db: Database, query: LiteralString) -> list[tuple]:
    with db.connect() as conn:
        return conn.execute(query).fetchall()


def content(db: Database, name: str) -> str:
    """All rows of an instance as text, keys included."""
    scoped = rows(
        db,
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE column_name = 'test_scenario_id'"
        " AND table_schema = 'public' ORDER BY 1",
    )
    query = sql.SQL(
        "SELECT to_jsonb(t) FROM {} AS t JOIN test_scenario_testscenario AS s ON s.id = t.test_scenario_id"
        " WHERE s.name = %s ORDER BY t.id"
    )
    with db.connect() as conn:
        found = [conn.execute(query.format(sql.Identifier(table)), [name]).fetchall() for (table,) in scoped]
    return json.dumps(found, default=str)


def test_handles_give_rows_of_the_models(own_db, library):
    instance = library[NAME].load(own_db)
    maya = instance["maya"]
    assert isinstance(maya, User)
    assert maya.email == "maya.okafor+refinement-in-progress@example.com"
    assert instance["maya.maker"].state is IdentityState.REFINEMENT_COMPLETE
    assert instance["maya.state"].current_identity_id == instance["maya.lantern"].id
    with Session(own_db.engine) as session:
        session.add(maya)
        assert len(maya.chat_messages) == 47
        assert session.scalar(
            select(ChatMessage.content).where(ChatMessage.id == instance["maya.two_calls"].id)
        ) == (instance["maya.two_calls"].content)


def test_an_unknown_handle_names_the_nearest(own_db, library):
    instance = library[NAME].load(own_db)
    with pytest.raises(LibraryError, match=r"did you mean maya\.lantern"):
        instance["maya.lantren"]


def test_loaded_twice_stands_side_by_side(own_db, library):
    first, second = library[NAME].load(own_db), library[NAME].load(own_db)
    assert (first.name, second.name) == (NAME, f"{NAME}-2")
    assert first["maya"].email != second["maya"].email
    assert first["maya"].id != second["maya"].id
    assert first["maya"].first_name == second["maya"].first_name
    assert [each.name for each in instances(own_db)] == [NAME, f"{NAME}-2"]


def test_a_taken_name_is_refused_and_nothing_is_loaded(own_db, library):
    library[NAME].load(own_db, as_name="mine")
    before = own_db.checksum()
    with pytest.raises(LibraryError, match="loaded already"):
        library[NAME].load(own_db, as_name="mine")
    assert own_db.checksum() == before


def test_parameters_and_the_clock(own_db, library):
    now = datetime(2031, 7, 2, 16, 0, tzinfo=UTC)  # a Wednesday, on which the scenario's clock stands
    instance = library[NAME].load(own_db, now=now, identities=4)
    assert instance.anchor == now
    assert instance.counts["identities_identity"] == 4
    assert "maya.baker" not in instance
    assert instance["maya.two_calls"].timestamp < now
    usual = library[NAME].load(own_db)
    assert instance["maya.two_calls"].timestamp - usual["maya.two_calls"].timestamp == now - usual.anchor


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"identities": 3}, "from 4 to 40"),
        ({"identities": "many"}, "not of type"),
        ({"identitys": 5}, "did you mean identities"),
    ],
)
def test_a_wrong_parameter_says_what_would_be_right(own_db, library, parameters, what):
    before = own_db.checksum()
    with pytest.raises(LibraryError, match=what):
        library[NAME].load(own_db, **parameters)
    assert own_db.checksum() == before


def test_reset_brings_back_the_same_rows_and_leaves_others(own_db, library):
    instance = library[NAME].load(own_db)
    other = library["same_words"].load(own_db)
    mine, theirs = content(own_db, instance.name), content(own_db, other.name)
    with own_db.connect() as conn:
        conn.execute(
            "UPDATE users_user SET first_name = 'Somebody', email = 'other@example.com' WHERE id = %s",
            [instance["maya"].id],
        )
        conn.execute(
            "DELETE FROM identities_identity WHERE user_id = %s AND state = 'ACCEPTED'", [instance["maya"].id]
        )
        conn.execute("DELETE FROM chat_messages_chatmessage WHERE user_id = %s", [instance["omar"].id])
        conn.execute(
            "INSERT INTO user_notes_usernote (user_id, note) VALUES (%s, 'added later')",
            [instance["maya"].id],
        )
        conn.execute("INSERT INTO users_user (email, password) VALUES ('real@example.com', 'x')")
    assert content(own_db, instance.name) != mine
    reopened = open_instance(own_db, instance.name)
    reopened.reset()
    assert content(own_db, instance.name) == mine
    assert content(own_db, other.name) == theirs
    assert rows(own_db, "SELECT count(*) FROM users_user WHERE email = 'real@example.com'") == [(1,)]


def test_unload_takes_what_was_added_and_says_what_it_left(own_db, library):
    library["prompt_versions"].load(own_db)
    instance = library[NAME].load(own_db)
    with own_db.connect() as conn:
        conn.execute("INSERT INTO users_user (email, password) VALUES ('real@example.com', 'x')")
        conn.execute(
            "INSERT INTO user_notes_usernote (user_id, note) SELECT id, 'late' FROM users_user WHERE id = %s",
            [instance["maya"].id],
        )
        conn.execute(
            "INSERT INTO test_scenario_testscenario (name, template, created_by_id)"
            " VALUES ('somebody else''s', '{}', %s)",
            [instance["maya"].id],
        )
    report = instance.unload()
    assert report.added == 1
    assert report.rows["user_notes_usernote"] == 15
    assert report.left == (
        "1 row of test_scenario_testscenario referred to it by created_by_id; the link was emptied",
    )
    assert rows(own_db, "SELECT email FROM users_user WHERE test_scenario_id IS NULL") == [
        ("real@example.com",)
    ]
    assert [each.name for each in instances(own_db)] == ["prompt_versions"]
    assert open_instance(own_db, "prompt_versions").unload().left == (
        "9 rows of prompts_prompt stay: instances share them",
    )


def test_unload_removes_nothing_when_something_needs_a_row(own_db, library):
    instance = library[NAME].load(own_db)
    with own_db.connect() as conn:
        conn.execute("CREATE TABLE invoice (id int PRIMARY KEY, user_id uuid REFERENCES users_user)")
        conn.execute("INSERT INTO invoice VALUES (1, %s)", [instance["maya"].id])
    with pytest.raises(LibraryError, match="nothing was removed") as caught:
        instance.unload()
    assert "invoice" in str(caught.value)
    assert rows(own_db, "SELECT count(*) FROM users_user") == [(2,)]


def test_an_instance_that_is_gone_cannot_be_unloaded(own_db, library):
    instance = library["one_team"].load(own_db)
    instance.unload()
    with pytest.raises(LibraryError, match="no instance"):
        instance.unload()
    with pytest.raises(LibraryError, match="no instance"):
        open_instance(own_db, "one_team")


def test_a_refused_row_names_its_place_and_nothing_stays(own_db, shelf):
    (shelf / "refused.yaml").write_text(
        "scenario: refused\nusers:\n  a: {}\n  b:\n    email: not an address\n", "utf-8"
    )
    before = own_db.checksum()
    with pytest.raises(GraphError, match=r"refused\.yaml:4:3") as caught:
        Library(shelf)["refused"].load(own_db)
    assert "users_user_email_check" in str(caught.value)
    assert own_db.checksum() == before


def test_shared_rows_are_loaded_once(own_db, library):
    library["prompt_versions"].load(own_db)
    second = library["prompt_versions"].load(own_db)
    assert rows(own_db, "SELECT count(*) FROM prompts_prompt") == [(9,)]
    second.reset()
    assert rows(own_db, "SELECT count(*) FROM prompts_prompt") == [(9,)]


def test_shared_rows_have_one_key_in_all_instances(library):
    one, other = (library["prompt_versions"].plan(instance=name) for name in ("one", "other"))
    keys = [{handle: row.values["id"] for handle, row in plan.by_handle.items()} for plan in (one, other)]
    shared = {row.handle for row in one.of("prompts_prompt")}
    assert len(shared) == 9
    assert {handle for handle in keys[0] if keys[0][handle] == keys[1][handle]} == shared


def test_a_database_without_the_schema_is_refused(fresh_db, library):
    with pytest.raises(LibraryError, match="not a database of Dev Coach"):
        library[NAME].load(fresh_db)


def test_a_load_in_a_callers_transaction_goes_with_it(own_db, library):
    before = own_db.checksum()
    with own_db.connect(autocommit=False) as conn:
        library["one_team"].load(own_db, connection=conn)
        assert conn.execute("SELECT count(*) FROM users_user").fetchone() == (6,)
        conn.rollback()
    assert own_db.checksum() == before


def test_enter_restores_instead_of_loading_again(own_db, library):
    definition = library["one_team"]
    first = definition.enter(own_db)
    state = own_db.checksum()
    with own_db.connect() as conn:
        conn.execute("UPDATE users_user SET first_name = 'x'")
        conn.execute("DELETE FROM users_user WHERE is_staff")
    second = definition.enter(own_db)
    assert own_db.checksum() == state
    assert second is first
    other = library["same_words"].enter(own_db)
    assert [each.name for each in instances(own_db)] == [other.name]
    assert definition.enter(own_db).name == first.name
    assert [each.name for each in instances(own_db)] == [first.name]


def test_enter_refuses_a_database_that_is_not_ours(own_db, library, server):
    with server.connect() as conn:
        conn.execute(f'CREATE DATABASE "not_ours_{own_db.name}"')
    try:
        stranger = attach(own_db.dsn.replace(own_db.name, f"not_ours_{own_db.name}"))
        with pytest.raises(SafetyError):
            library["one_team"].enter(stranger)
        stranger.close()
    finally:
        with server.connect() as conn:
            conn.execute(f'DROP DATABASE "not_ours_{own_db.name}"')


def _load(url: str) -> tuple[str, str]:
    db = attach(url)
    try:
        instance = Library()["same_words"].load(db)
        return instance.name, instance["first"].email
    finally:
        db.close()


@pytest.mark.parametrize(
    "count", [3, pytest.param(8, marks=pytest.mark.thorough("eight imports of everything"))]
)
def test_processes_load_one_scenario_at_once(own_db, count):
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        loaded = list(pool.map(_load, [own_db.dsn] * count))
    assert {name for name, _ in loaded} == {"same_words", *(f"same_words-{n}" for n in range(2, count + 1))}
    assert len({email for _, email in loaded}) == count
    assert rows(own_db, "SELECT count(*) FROM users_user") == [(2 * count,)]


def test_the_sign_in_sheet_says_who_is_there(own_db, library):
    sheet = library[NAME].load(own_db).sign_in_sheet()
    maya, omar = sheet.people
    assert (maya.handle, maya.name, maya.facts["phase"]) == ("maya", "Maya Okafor", "IDENTITY_REFINEMENT")
    assert maya.facts["current_identity"] == "Lantern"
    assert maya.counts["messages"] == 47
    assert omar.password
    assert json.loads(json.dumps(sheet.as_dict()))["people"][1]["email"] == omar.email


def test_an_instance_is_as_it_was_loaded_whatever_became_of_its_file(own_db, shelf):
    path = shelf / "changing.yaml"
    path.write_text("scenario: changing\nusers: {a: {first_name: Before}}\n", "utf-8")
    library = Library(shelf)
    library["changing"].load(own_db)
    path.write_text("scenario: changing\nusers: {a: {first_name: After}, b: {}}\n", "utf-8")
    assert library["changing"].load(own_db, as_name="new").counts["users_user"] == 2
    open_instance(own_db, "changing").reset()
    assert rows(own_db, "SELECT first_name FROM users_user ORDER BY 1") == [("After",), ("B",), ("Before",)]


def test_times_never_repeat_within_a_conversation(own_db, library):
    library["completed_journey"].load(own_db)
    assert rows(
        own_db,
        "SELECT count(*) - count(DISTINCT (user_id, timestamp)) FROM chat_messages_chatmessage",
    ) == [(0,)]


def test_errors_are_of_one_kind(library):
    with pytest.raises(ScenariosError, match="did you mean refinement_in_progress"):
        library["refinement_in_progres"]


def test_a_stable_weekday(library):
    anchors = {
        library[NAME].plan(now=datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=day)).anchor
        for day in range(7)
    }
    assert {anchor.weekday() for anchor in anchors} == {2}
    assert {(anchor.hour, anchor.minute) for anchor in anchors} == {(16, 0)}
