"""A schema the framework has never seen: the same files, by table or model name, and no Python for it."""

from __future__ import annotations

import enum
from pathlib import Path

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Identity,
    Numeric,
    Text,
    UniqueConstraint,
    select,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from scenarios.domain import Domain
from scenarios.errors import LibraryError
from scenarios.library import InvalidScenario, Library
from scenarios.library.freezing.freeze import freeze
from scenarios.library.instances.finding import instances, open_instance
from scenarios.library.instances.load import load
from scenarios.projects import project_sections


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    invited_by_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id", ondelete="SET NULL"))


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(Text)
    total: Mapped[float] = mapped_column(Numeric(12, 2))
    rooms: Mapped[object | None] = mapped_column(INT4RANGE)
    details: Mapped[dict] = mapped_column(JSONB, default=dict)
    __table_args__ = (CheckConstraint("state IN ('open', 'paid')"),)


class Line(Base):
    __tablename__ = "line"
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(Text)
    __table_args__ = (UniqueConstraint("order_id", "sku"),)


SHOP = Domain("shop", "Shop", Base.metadata, lambda: "")
FILE = """\
scenario: two_orders
system: shop
parameters: {paid: {type: text, default: paid, choices: [open, paid]}}
rows:
  customer:
    bea: {name: Bea}
    cem: {name: Cem, invited_by: bea}
  order:
    first: {customer: cem, state: "${paid}", total: "12.50", rooms: "[1,5)", details: {gift: true}}
    second: {customer: bea, state: open, total: 3}
  line:
    - {order: first, number: 1, sku: A-1}
    - {order: first, number: 2, sku: A-2}
"""


@pytest.fixture
def shop(server):
    with server.database(Base.metadata) as database:
        yield database


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "two_orders.yaml").write_text(FILE, "utf-8")
    return Library(tmp_path, domains=[SHOP])


def everything(shop):
    with shop.connect() as conn:
        return [
            conn.execute("SELECT * FROM customer ORDER BY id").fetchall(),
            conn.execute('SELECT * FROM "order" ORDER BY id').fetchall(),
            conn.execute("SELECT * FROM line ORDER BY 1, 2").fetchall(),
        ]


def test_rows_are_loaded_reset_and_unloaded(shop, library):
    with shop.connect() as conn:
        conn.execute("INSERT INTO customer (name) VALUES ('real')")
    instance = library["two_orders"].load(shop)
    assert instance["cem"].invited_by_id == instance["bea"].id
    assert instance["first"].customer_id == instance["cem"].id
    before = everything(shop)
    with shop.connect() as conn:
        conn.execute("DELETE FROM \"order\" WHERE state = 'open'")
        conn.execute(
            'INSERT INTO "order" (customer_id, state, total, details) VALUES (%s, %s, 1, %s)',
            [instance["bea"].id, "open", "{}"],
        )
        conn.execute("UPDATE customer SET name = 'other' WHERE name <> 'real'")
    instance.reset()
    assert everything(shop) == before
    report = instance.unload()
    assert sum(report.rows.values()) == 6
    assert [[row[1] for row in rows] for rows in everything(shop)] == [["real"], [], []]


def test_instances_are_remembered_where_asked(shop, library):
    load(library["two_orders"], shop, remember=True)
    load(library["two_orders"], shop, remember=True, parameters={"paid": "open"})
    assert [record.name for record in instances(shop)] == ["two_orders", "two_orders-2"]
    before = everything(shop)
    opened = open_instance(shop, "two_orders-2", domains={"shop": SHOP})
    with shop.connect() as conn:
        conn.execute('UPDATE "order" SET total = 0')
        conn.execute(
            'UPDATE "order" SET total = 12.50 WHERE rooms IS NOT NULL AND id < %s', [opened.key("first")[0]]
        )
        conn.execute('UPDATE "order" SET total = 3 WHERE rooms IS NULL AND id < %s', [opened.key("first")[0]])
    opened.reset()
    assert everything(shop) == before
    opened.unload()
    assert [record.name for record in instances(shop)] == ["two_orders"]
    with pytest.raises(LibraryError, match="no instance"):
        open_instance(shop, "two_orders-2", domains={"shop": SHOP})


def test_what_the_application_adds_to_a_loaded_row_goes_and_is_frozen_with_it(shop, library):
    instance = library["two_orders"].load(shop)
    with shop.connect() as conn:
        conn.execute(
            "INSERT INTO customer (name, invited_by_id) SELECT 'Dot', id FROM customer WHERE name = 'Cem'"
        )
        conn.execute(
            'INSERT INTO "order" (customer_id, state, total, details) '
            "SELECT id, 'open', 1, '{}' FROM customer WHERE name = 'Cem'"
        )
        conn.execute("INSERT INTO line SELECT id, 1, 'B-1' FROM \"order\" WHERE total = 1")
    assert freeze(shop, name="again", instance=instance).rows == {"customer": 2, "order": 3, "line": 3}
    assert instance.reset().added == 2, "an order, and its line"
    with shop.connect() as conn:
        assert conn.execute("SELECT count(*) FROM line").fetchone() == (2,)
        assert conn.execute("SELECT name FROM customer ORDER BY name").fetchall()[-1] == ("Dot",), (
            "a link that may be empty does not make a row part of the instance"
        )


def test_a_freeze_gives_the_rows_and_their_handles_again(shop, library):
    instance = library["two_orders"].load(shop)
    frozen = freeze(shop, name="again", instance=instance)
    assert "[1,5)" in frozen.text
    assert set(frozen.definition.plan().by_handle) >= {"bea", "cem", "first", "second"}
    again = frozen.definition.load(shop)
    assert again.counts == instance.counts
    assert freeze(shop, name="again", instance=again).text.split("rows:")[1] == frozen.text.split("rows:")[1]


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("customer: cem", "customer: cen", 9, "did you mean cem"),
        ("customer: cem", "customer: second", 9, "has to be a row of customer"),
        ("state: open", "state: opn", 10, "did you mean open"),
        ("  line:", "  lin:", 11, "did you mean line"),
        ("sku: A-1", "scu: A-1", 12, "did you mean sku"),
        (", number: 2", "", 13, "lacks 'number'"),
        ("total: 3", "total: three", 10, "a number"),
    ],
)
def test_faults_are_told_in_the_words_of_the_schema(library, old, new, line, what):
    path = library.roots[0] / "two_orders.yaml"
    path.write_text(FILE.replace(old, new, 1), "utf-8")
    with pytest.raises(InvalidScenario, match=what) as caught:
        library["two_orders"]
    assert line in {error.place.line for error in caught.value.errors}


def test_an_enum_is_stored_by_name_and_given_back_as_its_member(server, tmp_path):
    class Own(DeclarativeBase):
        pass

    class Grade(enum.Enum):
        JUNIOR = 1
        SENIOR = 2

    class Person(Own):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        grade: Mapped[object] = mapped_column(Enum(Grade), default=Grade.JUNIOR)

    (tmp_path / "two.yaml").write_text(
        "scenario: two\nrows: {person: {a: {}, b: {grade: SENIOR}}}\n", "utf-8"
    )
    sections = project_sections(Own, lambda: pytest.fail("the models say all"))
    with server.database(Own.metadata) as database:
        two = Library(tmp_path, project=sections)["two"].load(database)
        with Session(database.engine) as session:
            assert session.scalars(select(Person.grade).order_by(Person.id)).all() == [
                Grade.JUNIOR,
                Grade.SENIOR,
            ]
        assert [two[handle].grade for handle in "ab"] == [Grade.JUNIOR, Grade.SENIOR]
