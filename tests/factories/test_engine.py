"""The short way of building a row gives what factory_boy's own way gives."""

from __future__ import annotations

import factory
import pytest
from factory.builder import StepBuilder
from factory.errors import CyclicDefinitionError
from sqlalchemy import inspect

from scenarios.domains.dev_coach import ChatMessage, CoachingPhase, MessageRole, User
from scenarios.factories import Value, dev_coach, factory_context
from scenarios.factories.base import LazyAttribute, RowFactory
from scenarios.factories.dev_coach import ChatMessageFactory, IdentityFactory, UserFactory

FACTORIES = [getattr(dev_coach, name) for name in dev_coach.__all__]
CASES = [
    (made_by, traits)
    for made_by in FACTORIES
    for traits in [(), *((name,) for name in sorted(made_by._meta.trait_names))]
]


def columns(made: object) -> dict[str, object]:
    return {
        key: value for key, value in sorted(vars(made).items()) if key in inspect(type(made)).column_attrs
    }


@pytest.mark.parametrize(
    ("made_by", "traits"),
    CASES,
    ids=lambda value: value.__name__ if isinstance(value, type) else "-".join(value),
)
def test_both_ways_build_the_same_row(made_by, traits):
    given = dict.fromkeys(traits, True)

    def parent() -> User:
        instance = dev_coach.TestScenarioFactory.build()
        return UserFactory.build(test_scenario=instance, bare=made_by is dev_coach.CoachStateFactory)

    with factory_context("engine"):
        parent()
        short = made_by.build(**given)
    with factory_context("engine"):
        parent()
        long = StepBuilder(made_by._meta, dict(given), "build").build()
    assert columns(short) == columns(long)
    assert columns(short)


def test_what_is_not_common_goes_the_long_way():
    class WithPostFactory(UserFactory):
        @factory.post_generation
        def renamed(self, create, extracted, **kwargs):
            self.first_name = extracted or "after"

    with factory_context("post"):
        assert WithPostFactory.build().first_name == "after"
        assert WithPostFactory.build(renamed="given").first_name == "given"
        assert ChatMessageFactory.build(user__first_name="Zoe").user.first_name == "Zoe"
        assert dev_coach.PromptFactory.stub().body
        assert UserFactory.build(first_name=factory.Faker("first_name")).first_name
        assert IdentityFactory.build(accepted=factory.LazyFunction(lambda: True)).name


def test_declarations_in_the_call_are_evaluated():
    with factory_context("call"):
        users = UserFactory.build_batch(2, username=factory.Sequence(lambda n: f"u{n}"))
        assert [user.username for user in users] == ["u0", "u1"]
        named = UserFactory.build(
            first_name="Ann", username=factory.LazyAttribute(lambda o: o.first_name.lower())
        )
        assert named.username == "ann"
        message = ChatMessageFactory.build(role=MessageRole.COACH, phase=CoachingPhase.COMPLETED)
        assert message.role is MessageRole.COACH


def test_a_trait_can_be_turned_off_again():
    class StaffFactory(UserFactory):
        class Params:
            boss = factory.Trait(staff=True, username="boss")

    with factory_context("traits"):
        assert StaffFactory.build(boss=True).is_staff is True
        off = StaffFactory.build(boss=True, staff=False)
        assert off.is_staff is False
        assert off.username == "boss"
        assert StaffFactory.build(boss=False).username is None


def test_a_circle_is_named():
    class CircleFactory(RowFactory[ChatMessage]):
        class Meta:
            model = ChatMessage

        content = LazyAttribute(lambda o: o.role)
        role = LazyAttribute(lambda o: o.content)

    with factory_context("circle"), pytest.raises(CyclicDefinitionError, match="role"):
        CircleFactory.build()


def test_an_unknown_attribute_is_named():
    class OddFactory(RowFactory[ChatMessage]):
        class Meta:
            model = ChatMessage

        content = LazyAttribute(lambda o: o.contents)

    with factory_context("odd"), pytest.raises(AttributeError, match="'contents' is unknown"):
        OddFactory.build()


def test_subclasses_inherit_and_override():
    class LoudFactory(ChatMessageFactory):
        content = Value(lambda row: row.choice("content", ["HELLO"]))

    with factory_context("loud"):
        loud = LoudFactory.build()
    assert loud.content == "HELLO"
    assert loud.role is MessageRole.COACH
