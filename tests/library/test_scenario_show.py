"""`scenarios show`: a person sees everything a state holds, whatever the system, in the order it happened."""

from __future__ import annotations

import io
import re
from datetime import datetime

import pytest
from rich.console import Console
from sqlalchemy import Column, Integer, Interval, MetaData, Table

from scenarios.domain import Domain
from scenarios.errors import LibraryError
from scenarios.library import Library
from scenarios.library.catalogue.text import print_scenario
from scenarios.library.catalogue.timeline import timeline

LIBRARY = Library()


def shown(name: str, **options) -> str:
    definition = LIBRARY[name]
    out = io.StringIO()
    print_scenario(Console(file=out, width=140), definition, definition.plan(), **options)
    return out.getvalue()


SMALL = [name for name in LIBRARY.names() if sum(LIBRARY[name].plan().counts.values()) < 400]


@pytest.mark.parametrize("name", SMALL)
def test_every_named_row_and_everything_said_is_printed(name):
    text = shown(name, messages=0)
    words = set(re.findall(r"[\w-]+", text))
    plan = LIBRARY[name].plan()
    flat = "".join(text.split())
    for row in plan.rows:
        if row.section.form == "turns":
            assert "".join(str(row.values[row.section.text]).split()) in flat
        elif row.named and row.section.form == "named":
            assert row.handle.rpartition(".")[2] in words, row.handle


@pytest.mark.parametrize("name", SMALL)
def test_no_secret_is_printed(name):
    text = shown(name, messages=0)
    for row in LIBRARY[name].plan().rows:
        for column in row.table.columns:
            value = row.values.get(column.name)
            if column.info.get("personal") == "secret" and isinstance(value, str) and value:
                assert value not in text


def test_a_persons_state_reads_as_one_would_tell_it():
    text = shown("refinement_in_progress", user="maya", messages=3)
    assert "Maya Okafor (user maya)" in text
    assert re.search(r"phase +IDENTITY_REFINEMENT", text)
    assert re.search(r"lantern +Lantern; ACCEPTED; FAMILIAL_RELATIONS", text)
    assert "44 earlier turns" in text
    assert "Omar Haddad" not in text


def test_what_everybody_begins_with_is_told_too():
    assert re.search(r"phase +GET_TO_KNOW_YOU", shown("refinement_in_progress", user="omar"))


def test_rows_below_rows_below_rows_are_printed():
    text = shown("ai_failure_and_retry", user="malik")
    assert "Malik Haddad (student harbour.malik)" in text
    assert (
        "context_length_exceeded" in text
    )  # an answer of the AI, under an essay, under a student, under a school
    assert "Vera Oduya" not in text


def test_the_timeline_is_in_order_and_tells_sittings_and_lists_as_one():
    plan = LIBRARY["refinement_in_progress"].plan()
    lines = list(timeline(plan.by_handle["maya"], plan.anchor))
    moments = [datetime.strptime(moment, "%a %d %b %Y %H:%M") for moment, _ in lines]
    assert moments == sorted(moments)
    told = [what for _, what in lines]
    assert told[0] == "joined"
    assert told.count("16 turns until 18:44, 5 notes, 6 actions") == 1
    assert "identity maker, earner, lantern, walker, baker created" in told
    assert sum(int(what.split()[0]) for what in told if " turns until " in what) == 47


def test_a_long_list_is_one_line_of_the_timeline():
    plan = LIBRARY["year_of_analytics"].plan()
    people = [row for row in plan.rows if row.section.table == "users" and row.children]
    told = [what for row in people for _, what in timeline(row, plan.anchor)]
    assert any(re.fullmatch(r"tone_skill: \d+ rows until .*", what) for what in told)


def test_the_future_is_told_as_such():
    plan = LIBRARY["account_recovery"].plan()
    later = [list(timeline(row, plan.anchor)) for row in plan.rows if row.section.table == "users_user"]
    marked = [lines for lines in later if any(what == "the clock stands here" for _, what in lines)]
    assert marked
    for lines in marked:
        told = [what for _, what in lines]
        assert any("expires" in what for what in told[told.index("the clock stands here") :])


@pytest.mark.parametrize("width", [40, 80, 400])
def test_a_row_of_many_columns_is_never_cut(tmp_path, width):
    columns = [Column(f"measurement_{number}", Interval) for number in range(20)]
    wide = Domain("wide", "Wide", MetaData(), lambda: "")
    Table("reading", wide.metadata, Column("id", Integer, primary_key=True), *columns)
    values = ", ".join(f"measurement_{number}: {number + 1}h" for number in range(20))
    (tmp_path / "many.yaml").write_text(
        f"scenario: many\nsystem: wide\nrows: {{reading: {{r: {{{values}}}}}}}\n"
    )
    definition = Library(tmp_path, domains=[wide])["many"]
    out = io.StringIO()
    print_scenario(Console(file=out, width=width), definition, definition.plan())
    words = out.getvalue().split()
    for number in range(20):
        assert f"measurement_{number}" in words
    assert [word.rstrip(";") for word in words if word.rstrip(";").endswith("h")].count("19h") == 1
    assert "…" not in out.getvalue()


def test_an_unknown_person_gets_the_nearest():
    with pytest.raises(LibraryError, match="maya"):
        shown("refinement_in_progress", user="maja")
