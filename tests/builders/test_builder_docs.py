"""The examples of the builder's page can be typed as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from scenarios.builders import dev_coach as builder
from scenarios.builders.dev_coach import BuiltScenario, ScenarioStep

PAGE = Path(__file__).parents[2] / "docs" / "builder.md"


def test_the_first_example_runs_up_to_the_database(dev_coach_db):
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    synchronous = code[0].partition("await ")[0]
    names: dict[str, object] = {"db": dev_coach_db}
    exec(compile(synchronous, str(PAGE), "exec"), names)
    scenario = names["scenario"]
    assert isinstance(scenario, BuiltScenario)
    assert set(scenario.rendered.handles) >= {"maya", "maya.maker", "maya.love", "omar"}
    pieces: dict[str, object] = {**names, "UserStep": builder.UserStep}
    exec(compile(code[1], str(PAGE), "exec"), pieces)


def test_the_table_names_every_call():
    said = {
        name
        for step in (
            builder.ScenarioStep,
            builder.UserStep,
            builder.IdentityStep,
            builder.CoachMessageStep,
            builder.UserMessageStep,
        )
        for name in dir(step)
        if not name.startswith("_") and callable(getattr(step, name)) and name != "apply"
    }
    table = PAGE.read_text("utf-8").partition("## What can be said")[2].partition("**Handles.**")[0]
    assert set(re.findall(r"`(\w+)`", table)) == said
    assert issubclass(builder.UserStep, ScenarioStep)
