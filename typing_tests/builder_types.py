"""What a type checker must know about builders and factories; mypy and pyright read it, nobody runs it.

Each `assert_type` is the type an editor completes after the call; each line that ignores an error is a
mistake a checker must find.
"""

from __future__ import annotations

from typing import assert_type

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scenarios.builders.dev_coach import (
    BuiltScenario,
    CoachMessageStep,
    ConversationStep,
    IdentityStep,
    Loaded,
    ScenarioStep,
    UserMessageStep,
    UserStep,
    a_scenario,
)
from scenarios.domains.dev_coach import (
    ActionType,
    ChatMessage,
    CoachingPhase,
    Identity,
    IdentityState,
    User,
)
from scenarios.factories import FactoryContext, RowFactory, TableRow, factory_context, factory_for
from scenarios.factories.dev_coach import ChatMessageFactory, IdentityFactory, UserFactory


class Base(DeclarativeBase):
    """A project's own models."""


class Order(Base):
    """A model no factory was written for."""

    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)


def builder() -> None:
    """Each step has the methods that make sense there, and their types."""
    scenario = a_scenario("typed")
    assert_type(scenario, ScenarioStep)
    maya = scenario.user("maya", first_name="Maya")
    assert_type(maya, UserStep)
    maker = maya.in_phase(CoachingPhase.IDENTITY_REFINEMENT).identity("maker", state=IdentityState.ACCEPTED)
    assert_type(maker, IdentityStep)
    assert_type(maker.as_current(), IdentityStep)
    assert_type(maker.as_current().identities(3), UserStep)
    assert_type(maker.conversation(turns=12), ConversationStep)
    assert_type(maker.note("Prefers mornings"), UserStep)
    said = maker.coach("So?")
    assert_type(said, CoachMessageStep)
    assert_type(said.triggers(ActionType.CREATE_IDENTITY), CoachMessageStep)
    assert_type(said.says("yes"), UserMessageStep)
    assert_type(said.says("yes").noted("Agrees"), UserMessageStep)
    assert_type(said.user("omar"), UserStep)
    assert_type(said.prompt(CoachingPhase.COMPLETED), ScenarioStep)
    assert_type(said.build(), BuiltScenario)
    assert_type(said.load("any"), Loaded)


def a_piece(user: UserStep) -> IdentityStep:
    """A reusable part is a plain function."""
    return user.identity("maker")


def pieces() -> None:
    """`apply` has the type of what the piece returns."""
    assert_type(a_scenario("typed").user("maya").apply(a_piece), IdentityStep)


def mistakes() -> None:
    """What a checker must refuse, in mypy's and pyright's words."""
    scenario = a_scenario("typed")
    scenario.as_current()  # type: ignore[attr-defined]  # there is no identity yet
    scenario.user("maya").as_current()  # type: ignore[attr-defined]  # as above
    scenario.user("maya").says("hi").triggers(ActionType.CREATE_IDENTITY)  # type: ignore[attr-defined]  # only the coach's words do
    scenario.user("maya").coach("hi").noted("x")  # type: ignore[attr-defined]  # only the person's words are noted
    scenario.user("maya", age=3)  # type: ignore[call-arg]  # no such argument
    scenario.user("maya").in_phase("INTEGRATION")  # type: ignore[arg-type]  # a phase, not its text


def factories() -> None:
    """`build` and `create` are typed as the model."""
    assert_type(UserFactory.build(), User)
    assert_type(UserFactory.build(phase=CoachingPhase.INTEGRATION).email, str)
    assert_type(IdentityFactory.build_batch(3), list[Identity])
    assert_type(ChatMessageFactory.create(), ChatMessage)
    assert_type(ChatMessageFactory.create_batch(2), list[ChatMessage])
    assert_type(factory_for(Order), type[RowFactory[Order]])
    assert_type(factory_for(Order).build(), Order)
    assert_type(factory_for(Table("t", MetaData())).build(), TableRow)
    with factory_context("typed") as context:
        assert_type(context, FactoryContext)
        assert_type(context.latest(User), User | None)
