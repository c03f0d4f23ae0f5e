"""One person said in a file, by the builder and by a factory is one person: every column is the same."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect

from scenarios.builders import coach_bot as cb_builder
from scenarios.builders import dev_coach as dc_builder
from scenarios.builders import essay_coach as ec_builder
from scenarios.domains.dev_coach import CoachingPhase
from scenarios.factories import coach_bot as cb_factories
from scenarios.factories import dev_coach as dc_factories
from scenarios.factories import essay_coach as ec_factories
from scenarios.factories.context import factory_context
from scenarios.library import Library

COUNTED = {"id", "institution_id", "user_id", "student_count"}
"""Keys, and a number, that EssayCoach's database counts."""


def from_file(tmp_path, system, text, handle, instance="same"):
    (tmp_path / system).mkdir()
    (tmp_path / system / "same.yaml").write_text(f"scenario: same\n{text}", "utf-8")
    row = Library(tmp_path)["same"].plan(instance=instance).by_handle[handle]
    return {name: value for name, value in row.values.items() if name != "test_scenario_id"}


def of(row, wanted):
    """Return the columns of an object that *wanted* has."""
    mapper = inspect(type(row))
    columns = {mapper.get_property(each.key).columns[0].name: each.key for each in mapper.column_attrs}
    return {name: getattr(row, columns[name]) for name in wanted}


@pytest.mark.parametrize("handle", ["maya", "user_3", "new_customer"])
@pytest.mark.parametrize("instance", ["same", "Friday", "second-1"])
def test_a_person_of_dev_coach(tmp_path, handle, instance):
    said = from_file(tmp_path, "dev_coach", f"users: {{{handle}: {{}}}}", handle, instance)
    built = dc_builder.a_scenario("same").user(handle).build().render(instance).handles[handle]
    with factory_context("same", instance=instance):
        made = dc_factories.UserFactory.build(handle=handle)
    assert said == of(built, said) == of(made, said)


def test_a_person_of_dev_coach_knows_as_much_of_themselves(tmp_path):
    said = from_file(tmp_path, "dev_coach", "users: {maya: {}}", "maya.state")
    built = dc_builder.a_scenario("same").user("maya").build()["maya.coach_state"]
    with factory_context("same"):
        made = dc_factories.UserFactory.build(handle="maya").coach_state
    assert said == of(built, said) == of(made, said)


@pytest.mark.parametrize("phase", CoachingPhase)
def test_a_person_in_a_phase(tmp_path, phase):
    text = f"users: {{maya: {{state: {{phase: {phase}}}}}}}"
    built = dc_builder.a_scenario("same").user("maya").in_phase(phase).build()
    said = from_file(tmp_path, "dev_coach", text, "maya")
    assert said == of(built["maya"], said)
    state = Library(tmp_path)["same"].plan().by_handle["maya.state"].values
    state = {name: value for name, value in state.items() if name != "test_scenario_id"}
    assert state == of(built["maya.coach_state"], state)


@pytest.mark.parametrize("handle", ["maya", "user_3"])
@pytest.mark.parametrize("instance", ["same", "Friday"])
def test_a_person_of_coach_bot(tmp_path, handle, instance):
    said = from_file(tmp_path, "coach_bot", f"users: {{{handle}: {{}}}}", handle, instance)
    built = cb_builder.a_scenario("same").user(handle).build().render(instance).handles[handle]
    with factory_context("same", instance=instance):
        made = cb_factories.UserFactory.build(handle=handle)
    assert said == of(built, said) == of(made, said)


@pytest.mark.parametrize("role", ["student", "educator", "admin"])
@pytest.mark.parametrize("instance", ["same", "Friday"])
def test_a_person_of_essay_coach_and_their_school(tmp_path, role, instance):
    text = f"institutions: {{harbour: {{{role}s: {{maya: {{}}}}}}}}"
    said = from_file(tmp_path, "essay_coach", text, "harbour.maya", instance)
    rows = Library(tmp_path)["same"].plan(instance=instance).by_handle
    step = getattr(ec_builder.a_scenario("same").institution("harbour"), role)("maya")
    built = step.build().render(instance).handles
    with factory_context("same", instance=instance):
        school = ec_factories.InstitutionFactory.build(handle="harbour")
        kind = {} if role == "student" else {role: True}
        made = ec_factories.UserFactory.build(handle="harbour.maya", institution=school, **kind)
        profile = ec_factories.UserProfileFactory.build(handle="harbour.maya.profile", user=made)
    said = {name: value for name, value in said.items() if name not in COUNTED}
    assert said == of(built["maya"], said) == of(made, said)
    for handle, mine, theirs in (
        ("harbour", built["harbour"], school),
        ("harbour.maya.profile", built["maya.profile"], profile),
    ):
        said = {name: value for name, value in rows[handle].values.items() if name not in COUNTED}
        assert said == of(mine, said) == of(theirs, said), handle
