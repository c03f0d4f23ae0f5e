"""Nothing is made twice on the way from what was said to the rows: counted, since a clock proves nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from scenarios.builders.base import Program
from scenarios.builders.dev_coach.program import DevCoachProgram
from scenarios.library import Library
from scenarios.library.files import compose, reading_head, signature, tree
from scenarios.library.planning.planner import Planner

FILE = "scenario: said\nsystem: dev_coach\nusers: {maya: {state: {phase: IDENTITY_CREATION}}}\n"
BUILT = """\
from scenarios.builders.dev_coach import a_scenario
from scenarios.library import scenario


@scenario(system="dev_coach")
def said(people: int = 2):
    step = a_scenario("said")
    for number in range(people):
        step = step.user(f"user_{number}").conversation(4)
    return step
"""


@pytest.fixture
def made(monkeypatch):
    """What is made, by kind."""
    counts = Counter()

    def counting(kind, owner, name):
        real = getattr(owner, name)

        def counted(*given, **named):
            counts[kind] += 1
            return real(*given, **named)

        monkeypatch.setattr(owner, name, counted)

    counting("plans", Planner, "make")
    counting("renderings", DevCoachProgram, "render")
    for module in (compose, signature):
        counting("heads", module, "read_head")
    assert issubclass(DevCoachProgram, Program)
    assert compose.read_head is not reading_head.read_head
    counting("parses", tree._Reader, "document")
    return counts


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("said.yaml", FILE, {"plans": 1, "heads": 1, "parses": 1}),
        ("said.py", BUILT, {"plans": 1, "heads": 1, "renderings": 1}),
    ],
)
def test_a_scenario_is_read_and_planned_once_and_planned_once_for_each_load(
    tmp_path, own_db, made, name, text, read
):
    (tmp_path / name).write_text(text, "utf-8")
    library = Library(tmp_path)
    library["said"].load(own_db)
    assert made == read
    for number in range(2, 4):
        assert library["said"].load(own_db).name == f"said-{number}"
        assert made == {**read, "plans": number}, "one plan for each further load"
    library["said"].load(own_db, as_name="other")
    assert made == {**read, "plans": 4}


def test_other_parameters_are_one_rendering_and_one_plan(tmp_path, own_db, made):
    (tmp_path / "said.py").write_text(BUILT, "utf-8")
    library = Library(tmp_path)
    definition = library["said"]
    before = Counter(made)
    assert definition.load(own_db, people=3).counts["users_user"] == 3
    assert made - before == {"plans": 1, "renderings": 1}


def test_the_whole_library_reads_each_head_once(tmp_path, made):
    for number in range(3):
        text = FILE.replace("said", f"said_{number}")
        (tmp_path / f"said_{number}.yaml").write_text(text, "utf-8")
    (tmp_path / "said.py").write_text(BUILT, "utf-8")
    library = Library(tmp_path)
    for name in library:
        library[name].plan()
    assert made == {"heads": 4, "parses": 3, "plans": 4, "renderings": 1}
