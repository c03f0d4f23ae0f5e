"""`factory_for` on models as people write them: dataclasses, own constructors, SQLModel, bare keys."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlmodel
from sqlalchemy import DateTime, ForeignKey, Integer, select
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Session, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from scenarios.errors import FactoryError
from scenarios.factories import factory_context, factory_for
from scenarios.graph import Graph, write
from scenarios.postgres import Database, Server


class Cents(TypeDecorator[Decimal]):
    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else int(value * 100)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else Decimal(value) / 100


class Picky(Cents):
    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value.amount


class Moment(TypeDecorator[dt.datetime]):
    """Wants a zone, and stores none."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        assert value is None or value.tzinfo is not None
        return None if value is None else value.astimezone(dt.UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.replace(tzinfo=dt.UTC)


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    """A foreign key and no relationship."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    price: Mapped[Decimal] = mapped_column(Cents)
    at: Mapped[dt.datetime] = mapped_column(Moment)


class Picked(Base):
    __tablename__ = "picked"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[Decimal] = mapped_column(Picky)


class Group(Base):
    """A constructor that asks for something else than columns."""

    __tablename__ = "group"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "group"}  # noqa: RUF012

    def __init__(self, called: str) -> None:
        self.name = called


class Data(MappedAsDataclass, Base):
    __abstract__ = True


class User(Data):
    __tablename__ = "user"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, init=False, default_factory=uuid.uuid4)
    name: Mapped[str]
    word: Mapped[str] = mapped_column(default="new", init=False)


class Shelf(Data):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"), init=False)
    user: Mapped[User | None] = relationship()
    items: Mapped[list[Item]] = relationship(back_populates="shelf")


class Item(Data):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"), init=False)
    shelf: Mapped[Shelf] = relationship(back_populates="items", default=None)


class Event(sqlmodel.SQLModel, table=True):
    metadata = Base.metadata
    id: int | None = sqlmodel.Field(default=None, primary_key=True)
    at: dt.datetime
    maybe: dt.datetime | None = None
    made: dt.datetime = sqlmodel.Field(default_factory=lambda: dt.datetime.now(dt.UTC))
    author_id: int = sqlmodel.Field(foreign_key="author.id")


@pytest.fixture(scope="module")
def db(server: Server) -> Iterator[Database]:
    with server.database(Base.metadata) as database:
        yield database


MODELS = [Book, Group, User, Shelf, Item, Event]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_rows_of_any_model_are_made_and_written(db: Database, model: Any) -> None:
    with Session(db.engine) as session, factory_context("a", session=session):
        factory_for(model).create()
        factory_for(model).create_batch(2)
    graph = Graph()
    with factory_context("b", graph=graph):
        made = [factory_for(model).create(), *factory_for(model).create_batch(2)]
    with db.connect() as conn, conn.transaction(force_rollback=True):
        assert write(conn, graph).tables[model.__tablename__] == 3
    assert len({obj.id for obj in made}) == 3
    with factory_context("c"):
        assert isinstance(factory_for(model).build(), model)


def test_a_parent_without_a_relationship_is_the_one_the_row_refers_to(db: Database) -> None:
    graph = Graph()
    with factory_context("b", graph=graph):
        ada = factory_for(Author).create(name="Ada")
        books = factory_for(Book).create_batch(2)
        other = factory_for(Author).create()
        last = factory_for(Book).create(author_id=other.id) if other.id else factory_for(Book).create()
    with db.connect() as conn, conn.transaction(force_rollback=True):
        write(conn, graph)
        assert [book.author_id for book in books] == [ada.id] * 2
        assert last.author_id == other.id
    with factory_context("c"):
        author, book = factory_for(Author).build(), factory_for(Book).build()
        with Session(db.engine) as session:
            session.add_all([author, book])
            session.flush()
            assert session.scalars(select(Book.author_id)).all() == [author.id]


def test_values_are_the_same_in_two_contexts_of_one_name() -> None:
    made = []
    for _ in range(2):
        with factory_context("same"):
            events = factory_for(Event).build_batch(20)
            made.append([(event.at, event.maybe, event.made) for event in events])
    assert made[0] == made[1]
    assert len({maybe for _, maybe, _ in made[0]}) > 2


def test_a_type_that_takes_no_plain_value_is_named() -> None:
    with pytest.raises(FactoryError, match="Picky decides itself"):
        factory_for(Picked).build()
