"""The short way of building a row gives what factory_boy's own way gives."""

from __future__ import annotations

import factory
import pytest
from factory.builder import StepBuilder
from factory.errors import CyclicDefinitionError
from sqlalchemy import JSON, inspect, select
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, validates

from scenarios.domains.dev_coach import ChatMessage, CoachingPhase, MessageRole, User
from scenarios.factories import Value, dev_coach, factory_context
from scenarios.factories.base import LazyAttribute, LazyFunction, RowFactory
from scenarios.factories.dev_coach import ChatMessageFactory, IdentityFactory, UserFactory
from scenarios.graph import Graph, write

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


def test_a_row_created_for_the_writer_is_the_one_that_is_built(dev_coach_db):
    with factory_context("writer"):
        built = ChatMessageFactory.build(user=UserFactory.build())
    graph = Graph()
    with factory_context("writer", graph=graph):
        user = UserFactory.create()
        created = ChatMessageFactory.create_batch(3, user=user)
    assert columns(created[0]) == columns(built)
    assert user.chat_messages == created
    with dev_coach_db.connect() as connection:
        write(connection, graph)
    assert all(inspect(each).detached for each in created)
    with Session(dev_coach_db.engine) as session:
        session.add_all(created)
        assert [each.metadata_ for each in created] == [None] * 3
        assert not session.dirty
        created[0].content = "other"
        session.commit()
        assert session.scalars(select(ChatMessage.content).where(ChatMessage.id == created[0].id)).all() == [
            "other"
        ]


def test_a_row_created_for_the_writer_can_go_to_a_session_instead(dev_coach_db):
    with factory_context("session", graph=Graph()):
        user = UserFactory.create()
        messages = ChatMessageFactory.create_batch(2, user=user)
        IdentityFactory.create(user=user)
    with Session(dev_coach_db.engine) as session:
        session.add(user)
        session.commit()
        assert session.scalars(select(ChatMessage).order_by(ChatMessage.timestamp)).all() == messages
        assert session.get_one(User, user.id).coach_state.user_id == user.id


class Base(DeclarativeBase):
    pass


class Heard(Base):
    """A model whose columns somebody listens to."""

    __tablename__ = "heard"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    facts: Mapped[dict[str, int]] = mapped_column(MutableDict.as_mutable(JSON()))
    plain: Mapped[str]

    @validates("name")
    def shout(self, _key: str, value: str) -> str:
        return value.upper()


class Chosen(Base):
    """A model with a constructor of its own."""

    __tablename__ = "chosen"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __init__(self, id: int, name: str) -> None:
        self.id = id
        self.name = f"chosen {name}"


class HeardFactory(RowFactory[Heard]):
    class Meta:
        model = Heard

    id = 1
    name = "maya"
    facts = LazyFunction(dict)
    plain = "as it is"


class ChosenFactory(RowFactory[Chosen]):
    class Meta:
        model = Chosen

    id = 1
    name = "maya"


def test_who_listens_to_a_column_is_heard_when_it_is_created_for_the_writer():
    with factory_context("heard", graph=Graph()):
        heard = HeardFactory.create()
        chosen = ChosenFactory.create()
    assert heard.name == "MAYA"
    assert isinstance(heard.facts, MutableDict)
    assert heard.plain == "as it is"
    assert chosen.name == "chosen maya"
    assert HeardFactory._meta.plain == {"id", "plain"}
    assert not ChosenFactory._meta.plain


def test_a_factory_that_makes_its_objects_itself_is_asked_for_each():
    class OwnFactory(ChatMessageFactory):
        @classmethod
        def _build(cls, model_class, *args, **kwargs):
            made = super()._build(model_class, *args, **kwargs)
            made.content = f"own {made.content}"
            return made

    with factory_context("own", graph=Graph()):
        assert OwnFactory.create(content="words").content == "own words"
        assert [each.content for each in OwnFactory.create_batch(2, content="a")] == ["own a", "own a"]


def test_a_batch_is_what_one_after_the_other_is():
    with factory_context("batch"):
        together = [columns(each) for each in UserFactory.build_batch(3, in_refinement=True)]
    with factory_context("batch"):
        apart = [columns(UserFactory.build(in_refinement=True)) for _ in range(3)]
    assert together == apart
