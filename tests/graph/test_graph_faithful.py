"""What a session does with a model's inheritance, defaults, types and collections, the writer does."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any

import factory
import factory.alchemy
import psycopg
import pytest
from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Sequence,
    String,
    Table,
    Text,
    event,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    Session,
    WriteOnlyMapped,
    mapped_column,
    relationship,
)
from sqlalchemy.types import TypeDecorator, UserDefinedType

from scenarios.errors import GraphError
from scenarios.graph import Graph, write
from scenarios.postgres import Database, Server


class Base(DeclarativeBase):
    pass


class Pet(Base):
    __tablename__ = "pet"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "pet"}  # noqa: RUF012


class Dog(Pet):
    tricks: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012


class Cat(Pet):
    lives: Mapped[int | None] = mapped_column(default=9)
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012


class Reversed(TypeDecorator[str]):
    """Turned round by the database."""

    impl = String(9)
    cache_ok = True

    def bind_expression(self, bindvalue: Any) -> Any:
        return func.reverse(type_coerce(bindvalue, String)) + "%"


class Ltree(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "ltree"


_numbers = itertools.count(1)


class Stamp(Base):
    """A default of each kind."""

    __tablename__ = "stamp"
    id: Mapped[int] = mapped_column(Sequence("stamps of all kinds", start=5), primary_key=True)
    called: Mapped[int] = mapped_column(default=lambda: next(_numbers))
    title: Mapped[str] = mapped_column(default="A Title")
    slug: Mapped[str] = mapped_column(default=lambda c: c.get_current_parameters()["title"].lower())
    at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True), default=func.now())
    number: Mapped[int | None] = mapped_column(Integer, Sequence("ticket_no"))
    word: Mapped[str | None] = mapped_column(default=text(r"'50% \:x'"))
    pets: Mapped[int | None] = mapped_column(default=select(func.count(Pet.id)).scalar_subquery())
    pin: Mapped[str | None] = mapped_column(Reversed)


class Code(Base):
    """A unique column, made by a default, that is no key and is referred to."""

    __tablename__ = "code"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(unique=True, server_default=text("md5(random()::text)"))
    uses: WriteOnlyMapped[Use] = relationship(back_populates="code")
    again: DynamicMapped[Use] = relationship(viewonly=True)


class Use(Base):
    __tablename__ = "use"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(ForeignKey("code.word"))
    code: Mapped[Code] = relationship(back_populates="uses")


class Link(Base):
    """Refers to a code that does not know of it."""

    __tablename__ = "link"
    id: Mapped[int] = mapped_column(primary_key=True)
    code_id: Mapped[int] = mapped_column(ForeignKey("code.id"))
    code: Mapped[Code] = relationship()


class Tenant(Base):
    __tablename__ = "tenant"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    secret: Mapped[str] = mapped_column(default=lambda: {}["the request"])


@pytest.fixture(scope="module")
def db(server: Server) -> Iterator[Database]:
    with server.database(Base.metadata) as database:
        yield database


@pytest.fixture
def conn(db: Database) -> Iterator[psycopg.Connection[Any]]:
    with db.connect() as connection, connection.transaction(force_rollback=True):
        yield connection


def put(conn: psycopg.Connection[Any], *objs: Any) -> None:
    graph = Graph()
    graph.add_all(objs)
    write(conn, graph)


def test_classes_of_one_table_keep_their_columns(conn):
    put(conn, Dog(tricks=3), Cat(lives=7), Dog(tricks=4), Cat())
    rows = conn.execute("SELECT kind, tricks, lives FROM pet ORDER BY id").fetchall()
    # A column's default is the table's: an INSERT for a dog has it too.
    assert rows == [("dog", 3, 9), ("cat", None, 7), ("dog", 4, 9), ("cat", None, 9)]


def test_every_kind_of_default(db, conn):
    put(conn, Pet())
    stamps = [Stamp(), Stamp(title="Other"), Stamp(number=40, word="given")]
    put(conn, *stamps)
    first = stamps[0].called
    rows = conn.execute(
        "SELECT id, called, slug, at = now(), number, word, pets FROM stamp ORDER BY called"
    ).fetchall()
    id_, ticket = rows[0][0], rows[0][4]  # a sequence goes on after what other tests took back
    assert id_ >= 5
    assert rows == [
        (id_, first, "a title", True, ticket, "50% :x", 1),
        (id_ + 1, first + 1, "other", True, ticket + 1, "50% :x", 1),
        (id_ + 2, first + 2, "a title", True, 40, "given", 1),
    ]
    assert stamps[1].slug == "other"


def test_rows_get_the_same_defaults_as_objects(conn):
    graph = Graph()
    graph.add_rows(Stamp, ["id", "title"], [[900, "One"], [901, "Two"]])
    write(conn, graph)
    rows = conn.execute("SELECT slug, at = now(), number IS NULL, word FROM stamp ORDER BY id").fetchall()
    assert rows == [("one", True, False, "50% :x"), ("two", True, False, "50% :x")]


def test_a_default_that_needs_the_application_says_so_and_only_when_it_is_needed(conn):
    put(conn, Tenant(secret="given"))
    with pytest.raises(GraphError, match=r"the default of tenant.secret cannot be made here") as caught:
        put(conn, Tenant())
    assert "KeyError: 'the request'" in str(caught.value)


def test_values_pass_through_the_sql_of_their_type(conn):
    put(conn, Stamp(pin="1234"), Stamp(pin="a:b%"), Stamp())
    rows = conn.execute("SELECT pin FROM stamp ORDER BY id").fetchall()
    assert rows == [("4321%",), ("%b:a%",), (None,)]


def test_a_value_that_is_too_long_is_refused_and_not_cut_off(conn):
    with pytest.raises(GraphError, match="too long"):
        put(conn, Stamp(pin="0123456789"))


def test_rows_refer_to_a_unique_column_the_database_fills(conn):
    code = Code()
    code.uses.add(Use())
    code.uses.add_all([Use(), Use()])
    put(conn, code, Use(code=Code(word="chosen")))
    rows = conn.execute(
        "SELECT word, count(*) FROM code JOIN use USING (word) GROUP BY 1 ORDER BY 2"
    ).fetchall()
    assert [count for _, count in rows] == [1, 3]
    assert rows[0][0] == "chosen"
    assert code.word == rows[1][0]


def test_statements_of_large_batches_are_several(db, conn, monkeypatch):
    monkeypatch.setattr("scenarios.graph.planner._AT_ONCE", 4)
    put(conn, *(Stamp(title=str(number)) for number in range(9)))
    rows = conn.execute("SELECT title FROM stamp ORDER BY id").fetchall()
    assert rows == [(str(number),) for number in range(9)]


def test_aware_times_keep_their_moment_in_columns_without_a_zone(conn):
    metadata = MetaData()
    table = Table(
        "moments",
        metadata,
        Column("at", DateTime),
        Column("many", ARRAY(DateTime)),
        Column("The day", DateTime, key="day"),
    )
    conn.execute('CREATE TABLE moments (at timestamp, many timestamp[], "The day" date)')
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5)))
    graph = Graph()
    graph.add_rows(table, ["at", "many", "The day"], [[moment, [moment], moment]])
    write(conn, graph)
    there = dt.datetime(2023, 12, 31, 19)
    assert conn.execute("SELECT * FROM moments").fetchone() == (there, [there], there.date())


def test_types_that_sqlalchemy_does_not_know_are_written_in_circles(conn):
    conn.execute("CREATE EXTENSION ltree; CREATE TYPE spot AS (x int, y text)")
    conn.execute(
        "CREATE TABLE ring (path ltree PRIMARY KEY, next ltree NOT NULL REFERENCES ring, where_is spot,"
        " code char(3), price numeric(5, 2), bits bit(3), facts json)"
    )
    conn.execute("CREATE TABLE ring_end (path ltree REFERENCES ring)")
    metadata = MetaData()
    unknown: list[Any] = [Column("next"), Column("where_is"), Column("bits"), Column("facts")]
    table = Table(
        "ring",
        metadata,
        Column("path", Ltree, primary_key=True),
        Column("code", String(3)),
        Column("price", Text),
        *unknown,
        ForeignKeyConstraint(["next"], ["ring.path"]),
    )
    names = ["path", "next", "where_is", "code", "price", "bits", "facts"]
    rows = [
        ["a.b", "c", '(1,"x y")', "abc", "1.25", "101", '{"a": 1}'],
        ["c", "a.b", None, None, None, None, None],
    ]
    graph = Graph()
    graph.add_rows(table, names, rows)
    write(conn, graph)
    found = conn.execute(
        "SELECT path::text, next::text, where_is::text, bits::text FROM ring ORDER BY 1"
    ).fetchall()
    assert found == [("a.b", "c", '(1,"x y")', "101"), ("c", "a.b", None, None)]
    wide = [["d", "e", None, "wide", None, None, None], ["e", "d", None, None, None, None, None]]
    graph = Graph()
    graph.add_rows(table, names, wide)
    with pytest.raises(GraphError, match="too long"):
        write(conn, graph)


def test_events_of_the_session_are_left_alone(db, conn):
    """What the writer does to objects is no flush: nobody who listens to one is called."""
    heard: list[Any] = []
    event.listen(Pet, "before_insert", lambda *args: heard.append(args), propagate=True)
    put(conn, Dog(tricks=1))
    assert heard == []
    with Session(db.engine) as session:
        session.add(Dog(tricks=1))
        session.flush()
    assert len(heard) == 1


class UseFactory(factory.alchemy.SQLAlchemyModelFactory):
    class Meta:
        model = Link


class CodeFactory(factory.alchemy.SQLAlchemyModelFactory):
    class Meta:
        model = Code

    links = factory.RelatedFactoryList(UseFactory, factory_related_name="code", size=3)


def test_what_only_refers_to_others_is_gathered_while_it_is_made(conn):
    graph = Graph()
    with graph.gathering():
        CodeFactory.build_batch(2)
    Code()  # not any more
    assert write(conn, graph).tables == {"code": 2, "link": 6}
    graph = Graph()
    with pytest.raises(ZeroDivisionError), graph.gathering():
        Code(id=1 // 0)
    assert len(graph) == 0
