"""Scenario files of somebody's own models: what their defaults, classes and keys come to."""

from __future__ import annotations

import contextvars
import random
import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, Numeric, Sequence, Table, func
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from scenarios.library import InvalidScenario, Library
from scenarios.library.instances.changed import changed
from scenarios.library.instances.finding import open_instance
from scenarios.library.instances.load import load
from scenarios.postgres import Database, Server
from scenarios.projects import project_sections

TENANT = uuid.UUID(int=7)
tenant = contextvars.ContextVar[str]("tenant")


class Base(DeclarativeBase):
    pass


class Key(Base):
    """Values that the model's own functions make."""

    __tablename__ = "key"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True, default=lambda: secrets.token_hex(4))
    url: Mapped[str] = mapped_column(unique=True, default=lambda: secrets.token_urlsafe(9))
    number: Mapped[int] = mapped_column(default=lambda: random.randrange(10**9))
    other: Mapped[str] = mapped_column(default=lambda: str(uuid.uuid4()))
    tenant: Mapped[uuid.UUID] = mapped_column(default=lambda: TENANT)
    made_by: Mapped[str] = mapped_column(default=lambda: "deadbeef01")
    title: Mapped[str] = mapped_column(default="A Title")
    slug: Mapped[str] = mapped_column(default=lambda c: c.get_current_parameters()["title"].lower())
    word: Mapped[str | None] = mapped_column(default=func.upper("x"))
    ticket: Mapped[int | None] = mapped_column(Integer, Sequence("tickets of keys"))


class Page(Base):
    __tablename__ = "page"
    slug: Mapped[str] = mapped_column(primary_key=True, default=lambda: secrets.token_urlsafe(6))
    title: Mapped[str | None]
    above_slug: Mapped[str | None] = mapped_column(ForeignKey("page.slug"))


class Owned(Base):
    __tablename__ = "owned"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(default=lambda: tenant.get())


tags = Table(
    "pet_tag",
    Base.metadata,
    Column("pet_id", ForeignKey("pet.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str]


class Pet(Base):
    __tablename__ = "pet"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str] = mapped_column("The name", key="named", nullable=True)
    tags: Mapped[list[Tag]] = relationship(secondary=tags)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "pet"}  # noqa: RUF012


class Dog(Pet):
    tricks: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012


class Bird(Pet):
    __tablename__ = "bird"
    bird_id: Mapped[int] = mapped_column(ForeignKey("pet.id"), primary_key=True)
    wings: Mapped[int] = mapped_column(default=2)
    __mapper_args__ = {"polymorphic_identity": "bird"}  # noqa: RUF012


class Price(Base):
    __tablename__ = "price"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[Decimal]
    factor: Mapped[float]
    rounded: Mapped[float] = mapped_column(Numeric(5, 1, asdecimal=False))


class Label:
    """A part of the tags' table."""


Base.registry.map_imperatively(Label, Tag.__table__, include_properties=["id"])


@pytest.fixture
def db(server: Server) -> Iterator[Database]:
    with server.database(Base.metadata) as made:
        yield made


@pytest.fixture
def shelf(tmp_path: Path, db: Database) -> Callable[..., Any]:
    sections = project_sections(Base, lambda: nullcontext(db))

    def one(text: str, name: str = "any.yaml") -> Any:
        (tmp_path / name).write_text(text)
        return Library(tmp_path, project=sections)[name.partition(".")[0]]

    return one


def rows(db: Database, query: str) -> list[Any]:
    with db.connect() as conn:
        return conn.execute(query.encode()).fetchall()


KEYS = "SELECT token, url, number, other, title, slug FROM key ORDER BY id"


def test_a_models_function_is_asked_for_each_row_and_a_reset_gives_its_values_again(db, shelf):
    text = "scenario: any\nrows:\n  key: {a: {}, b: {title: Other}}\n  page: {p: {}, q: {above_slug: p}}"
    instance = load(shelf(text), db, remember=True)
    first = rows(db, KEYS)
    assert all(len(set(column)) == 2 for column in list(zip(*first, strict=True)))
    assert [row[5] for row in first] == ["a title", "other"]
    assert rows(db, "SELECT word FROM key") == [("X",), ("X",)]
    # What every row has alike is no id to be drawn for each.
    assert rows(db, "SELECT DISTINCT tenant, made_by FROM key") == [(TENANT, "deadbeef01")]
    assert len(set(rows(db, "SELECT ticket FROM key"))) == 2
    assert (instance["a"].token, instance["b"].slug) == (first[0][0], "other")
    assert not changed(instance)
    # As another process would: from what the database remembers.
    again = open_instance(db, "any", domains={"project": instance.definition.domain})
    pages = rows(db, "SELECT * FROM page ORDER BY slug")
    with db.connect() as conn:
        conn.execute("UPDATE key SET token = id::text, url = id::text")
    again.reset()
    assert rows(db, KEYS) == first
    assert rows(db, "SELECT * FROM page ORDER BY slug") == pages
    instance.reset()
    assert rows(db, KEYS) == first
    # What is known to be drawn is seeded: the same in every load of an instance, another in another one.
    twin = load(shelf(text), db, as_name="twin")
    instance.unload()
    load(shelf(text), db, remember=True)
    seeded = "SELECT token, number, other FROM key ORDER BY id"
    assert [(row[0], row[2], row[3]) for row in first] == rows(db, seeded)[2:]
    assert twin["a"].token != first[0][0]


def test_a_default_that_needs_the_application_is_a_fault_with_its_place(db, shelf):
    shelf("scenario: any\nrows:\n  owned:\n    a: {tenant: x}\n").load(db)
    with pytest.raises(InvalidScenario) as caught:
        shelf("scenario: any\nrows:\n  owned:\n    a: {}\n").load(db)
    message = str(caught.value)
    assert "the default of 'tenant' cannot be made here: LookupError" in message
    assert "any.yaml:4" in message
    assert "add tenant" in message


def test_a_handle_is_an_object_of_the_class_that_the_row_says(db, shelf):
    text = """scenario: any
rows:
  pet:
    rex: {kind: dog, tricks: 3, "The name": Rex}
    tom: {kind: pet}
    tweety: {kind: bird}
  bird:
    wings: {bird: tweety, wings: 3}
  tag:
    big: {label: big}
"""
    instance = shelf(text).load(db)
    rex, tweety, wings, big = (instance[name] for name in ("rex", "tweety", "wings", "big"))
    assert (type(rex), rex.tricks, rex.name) == (Dog, 3, "Rex")
    assert (type(tweety), type(wings), type(big)) == (Bird, Bird, Tag)
    assert type(instance["tom"]) is Pet
    with Session(db.engine) as session:
        session.add_all([rex, wings])
        assert (rex.kind, wings.id, wings.wings) == ("dog", tweety.id, 3)


FUNCTION = f"""
import sys
from scenarios.library import scenario
models = sys.modules[{__name__!r}]

@scenario
def made():
    big, loud = models.Tag(label="big"), models.Tag(label="loud")
    return {{
        "rex": models.Dog(tricks=3, name="Rex", tags=[big, loud]),
        "tweety": models.Bird(name="T", tags=[loud]),
        "key": models.Key(title="Given"),
    }}
"""


def test_objects_of_a_function_keep_their_links_and_defaults(db, shelf):
    instance = shelf(FUNCTION, "made.py").load(db)
    links = rows(
        db, 'SELECT "The name", label FROM pet JOIN pet_tag ON pet_id = pet.id JOIN tag ON tag_id = tag.id'
    )
    assert sorted(links) == [("Rex", "big"), ("Rex", "loud"), ("T", "loud")]
    assert (instance["key"].slug, instance["rex"].tricks) == ("given", 3)
    assert rows(db, "SELECT wings FROM bird") == [(2,)]


def test_changes_are_objects_of_the_class_and_with_the_numbers_of_their_rows(db):
    before = db.snapshot()
    with Session(db.engine) as session:
        session.add_all([Price(amount=Decimal("1.50"), factor=0.1, rounded=2.5), Dog(tricks=3), Pet()])
        session.commit()
    changes = db.changes(before)
    (price,) = changes.inserted(Price)
    assert (price.amount, price.factor, price.rounded) == (Decimal("1.50"), 0.1, 2.5)
    assert [type(each) for each in (price.amount, price.factor, price.rounded)] == [Decimal, float, float]
    assert sorted(type(pet).__name__ for pet in changes.inserted(Pet)) == ["Dog", "Pet"]
    assert [dog.tricks for dog in changes.inserted(Dog)] == [3]
