"""Scenarios made of scenarios: what is taken over, renamed, appended and left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scenarios.library import InvalidScenario, Library
from scenarios.library.instances.finding import open_instance

BASE = """\
scenario: base
parameters: {name: {default: Bea}, more: 1}
tags: [base]
clock: 2030-01-02T03:04:05+00:00
users:
  a:
    first_name: ${name}
    state: {phase: IDENTITY_CREATION, proposed_identity: x}
    identities:
      x: {name: X, category: SPIRITUAL, notes: ["of ${a.first_name}", "${a.x.name} and $${name}"]}
      y: {when: more >= 2, name: Y, category: DOER_OF_THINGS}
    conversation:
      - {coach: one, at: -1h}
      - {user: two, at: +30s}
  b: {first_name: ${name}}
"""


@pytest.fixture
def library(shelf) -> Library:
    (shelf / "base.yaml").write_text(BASE.replace(": ${name}", ': "${name}"'), "utf-8")
    return Library(shelf)


def write(library: Library, name: str, text: str) -> None:
    (library.roots[0] / f"{name}.yaml").write_text(f"scenario: {name}\n{text}", "utf-8")


def test_parameters_conditions_and_references(library):
    plan = library["base"].plan()
    assert plan.by_handle["a.x"].values["notes"] == ["of Bea", "X and ${name}"]
    assert "a.y" not in plan.by_handle
    more = library["base"].plan(parameters={"name": "Cem", "more": 2})
    assert more.by_handle["a.y"].values["name"] == "Y"
    assert more.by_handle["b"].values["first_name"] == "Cem"
    first, second = (row.values["timestamp"] for row in plan.of("chat_messages_chatmessage"))
    assert first == datetime(2030, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert second - first == timedelta(seconds=30)


def test_extends_takes_over_changes_appends_and_removes(library):
    write(
        library,
        "more",
        "extends: base\nremove: [users.b]\nparameters: {name: Dora}\nusers:\n  a:\n    last_name: New\n"
        "    identities: {x: {name: Z}}\n    conversation+:\n      - {coach: three}\n",
    )
    definition = library["more"]
    plan = definition.plan()
    assert list(plan.by_handle) == ["a", "a.state", "a.x", "a.message_1", "a.message_2", "a.message_3"]
    assert plan.by_handle["a"].values["first_name"] == "Dora"
    assert plan.by_handle["a.x"].values["name"] == "Z"
    assert plan.by_handle["a.x"].values["category"] == "SPIRITUAL"
    assert definition.head.tags == ()
    assert plan.anchor.year == 2030
    assert definition.composed.parts == ("base",)


def test_include_renames_and_survives_a_reset(library, own_db):
    write(
        library,
        "team",
        "include:\n  - {scenario: base, only: [a], rename: {a: first}, parameters: {name: Eva}}\n"
        "  - {scenario: base, only: [a], rename: {a: second}, parameters: {name: Finn, more: 2}}\n"
        "users: {own: {}}\n",
    )
    definition = library["team"]
    assert list(definition.head.parameters) == ["more"]  # what no include fixed can still be chosen
    instance = definition.load(own_db)
    assert instance["first.x"].notes[0] == "of Eva"
    assert instance["second.x"].notes[0] == "of Finn"
    assert "second.y" in instance
    assert "first.y" not in instance
    assert instance["second.state"].proposed_identity_id == instance["second.x"].id
    reopened = open_instance(own_db, "team")
    assert reopened.key("second.x") == instance.key("second.x")
    reopened.reset()
    with own_db.connect() as conn:
        names = conn.execute("SELECT first_name FROM users_user ORDER BY 1").fetchall()
    assert names == [("Eva",), ("Finn",), ("Own",)]


def test_a_condition_left_out_explains_itself(library):
    write(library, "broken", "extends: base\nusers: {a: {state: {proposed_identity: y}}}\n")
    with pytest.raises(InvalidScenario, match="its condition"):
        library["broken"]


def test_the_same_seed_gives_the_same_rows(library):
    first = library["base"].plan()
    second = Library(library.roots[0])["base"].plan()
    assert [row.values for row in first.rows] == [row.values for row in second.rows]
    other = library["base"].plan(instance="other")
    assert first.by_handle["a"].values["id"] != other.by_handle["a"].values["id"]
    assert first.by_handle["a"].values["last_name"] == other.by_handle["a"].values["last_name"]


def test_a_draft_named_by_its_path_is_made_of_those_beside_it(tmp_path):
    def draft(name: str, text: str) -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"scenario: {name}\nsystem: dev_coach\n{text}", "utf-8")
        return str(path)

    def people(path: str) -> list[str]:
        return [row.values["first_name"] for row in library.find(path).plan().of("users_user")]

    library = Library()
    draft("one_team", "users: {z: {first_name: Zoe}}\n")
    path = draft("draft", "extends: one_team\ninclude: [refinement_in_progress]\n")
    assert people(path) == ["Zoe", "Maya", "Omar"]
    draft("one_team", "users: {z: {first_name: Zora}}\n")
    assert people(path) == ["Zora", "Maya", "Omar"]
    with pytest.raises(InvalidScenario, match="did you mean one_team"):
        library.find(draft("wrong", "extends: one_tem\n"))
    assert "z" not in library["one_team"].plan().by_handle
