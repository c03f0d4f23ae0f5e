"""A frozen state as Python: said with each system's builder, the same rows, and data where it must be."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Column, ForeignKey, Identity, Integer, MetaData, Numeric, Table, Text

from scenarios.domain import Domain, get_domain
from scenarios.library import Library
from scenarios.library.freezing.code.module import as_python
from scenarios.library.freezing.code.proof import comparable
from scenarios.library.freezing.code.words import (
    Code,
    NotExpressible,
    Variables,
    call,
    literal,
    number,
    offset,
)
from scenarios.library.freezing.freeze import freeze
from scenarios.library.instances.finding import open_instance
from scenarios.values import Clock

SAID_AS_DATA = {
    "one_team": "a person without a coach state: half_imported",
    "prompt_versions": "rows of prompts_prompt would differ",
    "ai_failure_and_retry": "it has no words for rows of audit_log",
    "audit_trail": "it has no words for rows of audit_log",
    "user_to_delete": "it has no words for rows of audit_log",
}
"""Scenarios the builders have no words for, and what the comment in their code says."""
SMALLER = {"very_long_conversation": {"messages": 201}, "class_over_a_term": {"students": 3}}
ENTRIES = [(entry.system, entry.name) for entry in Library().entries()]


@pytest.fixture(scope="module")
def databases(server):
    opened = {}

    def of(system):
        if system not in opened:
            opened[system] = server.database(get_domain(system))
        return opened[system]

    yield of
    for database in opened.values():
        database.close()


def shelf_for(directory: Path, system: str, name: str, text: str) -> Library:
    """Write *text* as the module of a library."""
    shelf = directory / system
    shelf.mkdir()
    (shelf / f"{name}.py").write_text(text, "utf-8")
    return Library(shelf)


@pytest.mark.parametrize(("system", "name"), ENTRIES)
def test_a_state_is_said_with_the_builder_and_is_the_same(databases, tmp_path, library, system, name):
    db = databases(system)
    instance = library[name].load(db, **SMALLER.get(name, {}))
    try:
        frozen = freeze(db, name="seen_again", instance=instance)
    finally:
        instance.unload()
    module = as_python(frozen)
    assert bool(module.reason) is (name in SAID_AS_DATA), module.reason
    assert SAID_AS_DATA.get(name, "") in module.reason
    if not module.reason:
        assert 'scene = a_scenario("seen_again", now=now' in module.text
    else:
        assert f"# Said as data, as a scenario file would, because {module.reason}" in module.text
    ast.parse(module.text)
    found = shelf_for(tmp_path, system, "seen_again", module.text)
    assert [entry.errors.found for entry in found.entries()] == [[]]
    definition = found["seen_again"]
    assert comparable(definition.plan()) == comparable(frozen.definition.plan())
    again = definition.load(db, as_name="built")
    try:
        assert again.counts == instance.counts
        again.reset()
    finally:
        again.unload()


def test_every_scenario_of_coach_bot_and_nearly_all_others_speak_the_builder():
    data = Counter(system for system, name in ENTRIES if name in SAID_AS_DATA)
    said = Counter(system for system, name in ENTRIES if name not in SAID_AS_DATA)
    assert data == {"dev_coach": 2, "essay_coach": 3}
    assert said["dev_coach"] >= 20
    assert said["coach_bot"] >= 10
    assert said["essay_coach"] >= 9


def test_a_played_instance_keeps_its_rows_and_handles(own_db, library, tmp_path):
    instance = library["refinement_in_progress"].load(own_db)
    with own_db.connect() as conn:
        conn.execute(
            "INSERT INTO user_notes_usernote (user_id, note, created_at)"
            " VALUES (%s, 'typed in the browser', '2026-03-04T15:00:00.123456+00')",
            [instance["maya"].id],
        )
        conn.execute("UPDATE identities_identity SET name = 'Torch' WHERE name = 'Lantern'")
    module = as_python(freeze(own_db, name="as_code", instance=instance))
    assert module.reason == ""
    again = shelf_for(tmp_path, "dev_coach", "as_code", module.text)["as_code"].load(own_db)
    assert again.counts["user_notes_usernote"] == instance.counts["user_notes_usernote"] + 1
    assert again["maya.lantern"].name == "Torch"
    open_instance(own_db, "as_code").reset()


def test_times_of_the_code_move_with_the_clock(databases, library, tmp_path):
    db = databases("coach_bot")
    instance = library["ai_outage"].load(db)
    module = as_python(freeze(db, name="later", instance=instance))
    instance.unload()
    definition = shelf_for(tmp_path, "coach_bot", "later", module.text)["later"]
    usual, later = definition.plan(), definition.plan(now=datetime(2030, 1, 2, 16, tzinfo=UTC))
    moved = later.anchor - usual.anchor
    for row, other in zip(usual.rows, later.rows, strict=True):
        assert other.values["created_at"] - row.values["created_at"] == moved


def test_a_person_is_frozen_as_code_without_their_name(databases, library):
    db = databases("essay_coach")
    instance = library["token_theft"].load(db)
    frozen = freeze(
        db, name="somebody", user=instance["harbour.jonas"].email, system="essay_coach", key="a key"
    )
    instance.unload()
    module = as_python(frozen)
    assert module.reason == ""
    assert "Jonas" not in module.text
    assert "reuse_detected" in module.text


def test_a_wrong_statement_is_not_handed_out(databases, library, monkeypatch):
    from scenarios.domains.coach_bot import as_code

    db = databases("coach_bot")
    instance = library["happy_conversation"].load(db)
    frozen = freeze(db, name="wrong", instance=instance)
    instance.unload()
    message = as_code.CoachBot.message
    monkeypatch.setattr(
        as_code.CoachBot,
        "message",
        lambda self, chat, row: [line.replace("postcard", "letter") for line in message(self, chat, row)],
    )
    module = as_python(frozen)
    assert "rows of messages would differ in content" in module.reason
    assert "postcard" in module.text
    monkeypatch.setattr(as_code.CoachBot, "message", lambda self, chat, row: [f"{chat}.no_such_word()"])
    assert "no_such_word" in as_python(frozen).reason


@pytest.mark.parametrize("name", ["class", "import", "list", "scene"])
def test_any_name_of_a_scenario_makes_a_function(databases, library, tmp_path, name):
    db = databases("coach_bot")
    instance = library["fresh_installation"].load(db)
    frozen = freeze(db, name=name, instance=instance)
    instance.unload()
    module = as_python(frozen)
    assert module.reason == ""
    assert name in shelf_for(tmp_path, "coach_bot", name, module.text)


def test_the_command_says_why_it_is_data(own_db, library, tmp_path):
    import subprocess
    import sys

    library["one_team"].load(own_db)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "scenarios.cli.main", "freeze", "one_team", "--from", own_db.dsn),
            *("--as-code", "--name", "team", "--json"),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    report = json.loads(done.stdout)
    assert report["file"] == "team.py"
    assert any("said as data, because the builder cannot" in note for note in report["notes"])
    assert Library(tmp_path).find(str(tmp_path / "team.py")).name == "team"


# -- a project's own schema -----------------------------------------------------------------------------


def test_a_schema_without_a_builder_is_said_as_rows_by_table(fresh_db, tmp_path):
    metadata = MetaData()
    Table("customer", metadata, Column("id", Integer, Identity(), primary_key=True), Column("name", Text))
    Table(
        "order",
        metadata,
        Column("id", Integer, Identity(), primary_key=True),
        Column("customer_id", ForeignKey("customer.id"), nullable=False),
        Column("total", Numeric(10, 2), nullable=False),
    )
    metadata.create_all(fresh_db.engine)
    shop = Domain("shop", "Shop", metadata, lambda: "")
    (tmp_path / "two.yaml").write_text(
        "scenario: two\nsystem: shop\nrows:\n  customer: {bea: {name: Bea}}\n"
        "  order: {first: {customer: bea, total: 12.5}}\n",
        "utf-8",
    )
    instance = Library(tmp_path, domains=[shop])["two"].load(fresh_db)
    frozen = freeze(fresh_db, name="again", instance=instance)
    module = as_python(frozen)
    assert module.reason == "Shop has no builder"
    assert '"customer": {"bea": {"name": "Bea"}}' in module.text
    (tmp_path / "again.py").write_text(module.text, "utf-8")
    again = Library(tmp_path, domains=[shop])["again"].load(fresh_db)
    assert again["first"].customer_id == again["bea"].id
    assert again["first"].total == Decimal("12.50")


# -- layout ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "short",
        "with 'both' \"quotes\"",
        "a line\nanother\n\n\tand a tab",
        "word " * 60,
        "é🙂\u2028" * 50,
        "x" * 300,
        {},
        [],
        {"key with spaces": ["a", 1, None, True, 2.5], "nested": {"deep": ["word " * 40]}},
        [{"a": "b" * 80}, {"c": ["d" * 80]}],
        {"quote'": 'double"', "both'\"": "\\ back\\slash"},
    ],
)
def test_literals_read_back(value):
    for indent in (0, 8):
        text = literal(value, indent)
        assert ast.literal_eval(text) == value
        if not any(len(word) > 100 for word in re.split(r"\s", str(value))):
            assert max(len(line) for line in text.splitlines()) <= 110


@pytest.mark.parametrize("text", ["0", "0.002055", "61.00", "1e-30", "12345678901234567890.5", "-3.1"])
def test_exact_numbers_stay_exact(text):
    said = ast.literal_eval(str(number(Decimal(text))))
    assert Decimal(str(said)) == Decimal(text)


@pytest.mark.parametrize("seconds", [0, -1, -0.001, -0.000001, 5, 0.5, -86400 * 400 - 0.25, 86400])
def test_offsets_are_exact_and_relative(seconds):
    from datetime import timedelta

    anchor = datetime(2026, 3, 4, 16, tzinfo=UTC)
    wanted = anchor + timedelta(seconds=seconds)
    said = offset(wanted, anchor)
    when = eval(said, {"timedelta": timedelta}) if isinstance(said, Code) else said
    assert Clock(anchor).at(when) == wanted


def test_variables_hide_nothing():
    names = Variables(["scene", "now"])
    assert [names.name(word) for word in ("maya", "a.maya", "class", "list", "scene", "now", "maya")] == [
        "maya",
        "maya_",
        "class_",
        "list_",
        "scene_",
        "now_",
        "maya_2",
    ]


def test_a_call_leaves_out_what_is_not_said():
    assert call("x", "a", b=None, c=Code("None"), d=1) == 'x("a", c=None, d=1)'
    assert issubclass(NotExpressible, Exception)
