"""A factory nobody wrote builds rows PostgreSQL accepts, or says which column it cannot fill and how to
tell it."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any

import factory
import pytest
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from scenarios.domains import coach_bot, dev_coach, essay_coach
from scenarios.errors import FactoryError, GraphError
from scenarios.factories import factory_context, factory_for
from scenarios.factories.checks import read_check
from scenarios.factories.rows import TableRow
from scenarios.graph import Graph, write


class Base(DeclarativeBase):
    pass


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class Shop(Base):
    __tablename__ = "shop"
    __table_args__ = (CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(String(12), unique=True)
    rating: Mapped[int] = mapped_column(SmallInteger)
    products: Mapped[list[Product]] = relationship(back_populates="shop")


class Product(Base):
    __tablename__ = "product"
    __table_args__ = (
        UniqueConstraint("shop_id", "colour"),
        CheckConstraint("price > 0 AND price < 100", name="price"),
        CheckConstraint("sold_from <= sold_until", name="sold"),
        CheckConstraint("char_length(code) = 8 AND code ~ '^[0-9]+$'", name="code"),
        CheckConstraint("(discount IS NULL) = (discount_reason IS NULL)", name="discount"),
        CheckConstraint(
            "tags <@ ARRAY['new', 'old', 'odd']::varchar[] AND cardinality(tags) >= 1", name="tags"
        ),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        CheckConstraint("lower(email) = email", name="email"),
        CheckConstraint("unit IN ('kg', 'l')", name="unit"),
        CheckConstraint("jsonb_typeof(sizes) = 'array'", name="sizes"),
        Index("product_email", func.lower(text("email")), unique=True),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    like_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    colour: Mapped[Colour] = mapped_column(Enum(Colour))
    mood: Mapped[str] = mapped_column(Enum("calm", "wild", name="mood"))
    price: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    weight: Mapped[float]
    code: Mapped[str] = mapped_column(Text)
    sold_from: Mapped[dt.date]
    sold_until: Mapped[dt.date]
    discount: Mapped[Decimal | None] = mapped_column(Numeric(4, 1))
    discount_reason: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(10)))
    grid: Mapped[list[list[int]]] = mapped_column(ARRAY(Integer, dimensions=2))
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    email: Mapped[str] = mapped_column(String(80))
    unit: Mapped[str]
    sizes: Mapped[Any] = mapped_column(pg.JSONB)
    stock: Mapped[Any] = mapped_column(pg.INT4RANGE)
    open: Mapped[Any] = mapped_column(pg.TSTZMULTIRANGE)
    origin: Mapped[Any] = mapped_column(pg.INET)
    network: Mapped[Any] = mapped_column(pg.CIDR)
    device: Mapped[Any] = mapped_column(pg.MACADDR)
    flags: Mapped[Any] = mapped_column(pg.BIT(5))
    words: Mapped[Any] = mapped_column(pg.TSVECTOR)
    took: Mapped[dt.timedelta]
    at: Mapped[dt.time]
    made: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    active: Mapped[bool] = mapped_column(default=True)
    double_price: Mapped[Decimal] = mapped_column(Computed("price * 2"))
    shop: Mapped[Shop] = relationship(back_populates="products")


@pytest.fixture
def shop_db(server):
    with server.database(Base.metadata) as database:
        yield database


def test_every_kind_of_column_is_filled_with_something_postgresql_accepts(shop_db):
    graph = Graph()
    with factory_context("shop", graph=graph):
        factory_for(Product).create_batch(
            30, colour=factory.Iterator(list(Colour)), shop=factory.SubFactory(factory_for(Shop))
        )
    with shop_db.connect() as connection:
        write(connection, graph)
        count, empty, pairs = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE discount IS NULL), count(DISTINCT (shop_id, colour))"
            " FROM product"
        ).fetchone()
    assert count == pairs == 30
    assert 0 < empty < 30, "both branches of a nullable column are taken"


def test_siblings_share_a_parent_until_a_unique_key_is_used_up():
    with factory_context("shop") as context:
        products = factory_for(Product).build_batch(3)
        assert len({id(product.shop) for product in products}) == 1
        assert context.cascade == {"shop": 1}
        assert {product.colour for product in products} == set(Colour)
        with pytest.raises(FactoryError, match="no more unique values for colour") as refused:
            factory_for(Product).build()
        assert "the space holds 3" in str(refused.value)
        assert "constraint" in str(refused.value)
        assert factory_for(Product).build(shop=factory_for(Shop).build()).colour in set(Colour)


def test_a_value_depends_on_its_row_and_column_alone():
    with factory_context("stable"):
        plain = factory_for(Product).build(handle="tea")
    with factory_context("stable"):
        factory_for(Shop).build_batch(2)
        given = factory_for(Product, price=Decimal("9.90")).build(handle="tea")
    same = [c.key for c in Product.__table__.columns if c.key not in {"id", "price", "double_price", "made"}]
    assert {key: getattr(plain, key) for key in same} == {key: getattr(given, key) for key in same}
    assert given.price == Decimal("9.90")


def test_what_is_given_is_kept_and_the_rest_fits_it():
    with factory_context("given"):
        product = factory_for(Product).build(sold_until=dt.date(2024, 1, 3), discount_reason="sale")
    assert product.sold_from <= product.sold_until == dt.date(2024, 1, 3)
    assert product.discount is not None
    assert product.active is True
    assert product.made is None


def test_reflected_tables_need_no_models(shop_db):
    reflected = MetaData()
    reflected.reflect(shop_db.engine)
    products = factory_for(reflected.tables["product"])
    with Session(shop_db.engine) as session, factory_context("reflected", session=session):
        rows = products.create_batch(3)
        assert all(isinstance(row, TableRow) for row in rows)
        assert session.scalar(select(func.count()).select_from(Product)) == 3
        assert session.scalar(select(func.count()).select_from(Shop)) == 1
    graph = Graph()
    with factory_context("reflected-again", graph=graph):
        products.create_batch(2)
    with shop_db.connect() as connection:
        assert write(connection, graph).rows == 3
    with pytest.raises(GraphError, match=r"create\(\) it in a factory_context"):
        graph.add(products.build())


class Reversed(TypeDecorator[str]):
    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value[::-1]


odd = MetaData()
odd_table = Table(
    "odd",
    odd,
    Column("id", Integer, primary_key=True),
    Column("secret", Reversed, nullable=False),
    Column("note", Reversed),
)
unreadable = Table(
    "unreadable",
    odd,
    Column("id", Integer, primary_key=True),
    Column("a", Integer, nullable=False),
    CheckConstraint("my_function(a) = 3", name="by_function"),
)
impossible = Table(
    "impossible",
    odd,
    Column("id", Integer, primary_key=True),
    Column("a", Integer, CheckConstraint("a > 5 AND a < 6", name="none"), nullable=False),
)
never = Table(
    "never",
    odd,
    Column("id", Integer, primary_key=True),
    Column("a", Integer, nullable=False),
    Column("b", Integer, nullable=False),
    CheckConstraint("a + b < 0 AND a > 0 AND b > 0", name="negative"),
)
chicken = Table(
    "chicken",
    odd,
    Column("id", Integer, primary_key=True),
    Column("egg_id", Integer, nullable=False),
    ForeignKeyConstraint(["egg_id"], ["egg.id"], use_alter=True, name="chicken_egg"),
)
egg = Table(
    "egg",
    odd,
    Column("id", Integer, primary_key=True),
    Column("chicken_id", ForeignKey("chicken.id"), nullable=False),
)
tree = Table(
    "tree",
    odd,
    Column("id", Integer, primary_key=True),
    Column("parent_id", ForeignKey("tree.id"), nullable=False),
)


class Odd(DeclarativeBase):
    """Objects whose numbers are the database's: no row can be written before the other."""

    metadata = odd


class Chicken(Odd):
    __table__ = chicken


class Egg(Odd):
    __table__ = egg


class Tree(Odd):
    __table__ = tree


@pytest.mark.parametrize(
    ("table", "column", "why"),
    [
        (odd_table, "odd.secret", "decides itself"),
        (unreadable, "CHECK by_function of unreadable", "cannot be read"),
        (impossible, "impossible.a", "no integer lies between"),
        (never, "CHECK negative of never", "after 400 tries"),
        (Chicken, "egg.chicken_id", "needs it in turn: chicken -> egg -> chicken"),
        (Tree, "tree.parent_id", "its own table"),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else None,
)
def test_what_cannot_be_filled_is_named(table, column, why):
    with factory_context("odd"), pytest.raises(FactoryError) as refused:
        factory_for(table).build()
    assert column in str(refused.value)
    assert why in str(refused.value)
    assert "factory_for(" in (refused.value.hint or "")


def test_rows_of_tables_can_need_each_other_or_themselves():
    with factory_context("circles") as context:
        row = factory_for(chicken).build()
        other = next(made for made in context.handles.values() if made.table is egg)
        assert (row["egg_id"], other["chicken_id"]) == (other["id"], row["id"])
        row = factory_for(tree).build()
        assert row["parent_id"] == row["id"]


def test_it_can_be_told():
    with factory_context("told"):
        assert factory_for(odd_table, secret="terces").build()["secret"] == "terces"
        assert factory_for(odd_table).build(secret="x")["note"] is None
        assert factory_for(unreadable, a=lambda row: row.integer("a", 3, 3)).build()["a"] == 3
        first, second = factory_for(unreadable, a=factory.Sequence(lambda n: n)).build_batch(2)
        assert second["a"] == first["a"] + 1
        assert factory_for(chicken, egg_id=7).build()["egg_id"] == 7
    with pytest.raises(FactoryError, match="no column 'secrets'"):
        factory_for(odd_table, secrets="x")
    with pytest.raises(FactoryError, match="mapped class or a Table"):
        factory_for(int)


# A trigger says what no declaration of these tables does; the factory must be given a fitting user.
BY_TRIGGER = {"test_scenario_testscenariochatmessage", "test_scenario_testscenariouser"}


@pytest.mark.parametrize(
    "module", [dev_coach, coach_bot, essay_coach], ids=["dev_coach", "coach_bot", "essay_coach"]
)
def test_every_table_of_the_three_systems_can_be_filled(server, module):
    with server.database(module.DOMAIN) as database, database.connect() as connection:
        for name, table in sorted(module.DOMAIN.metadata.tables.items()):
            if name in BY_TRIGGER:
                continue
            models = [m.class_ for m in module.Base.registry.mappers if m.local_table is table]
            graph = Graph()
            with factory_context(f"derived {name}", graph=graph):
                factory_for(models[0] if models else table).create_batch(3)
            assert write(connection, graph).tables[name] >= 3


def test_a_link_table_gets_different_pairs():
    links = MetaData()
    Table("one", links, Column("id", Integer, primary_key=True))
    Table("two", links, Column("id", Integer, primary_key=True))
    link = Table(
        "link",
        links,
        Column("one_id", ForeignKey("one.id"), primary_key=True),
        Column("two_id", ForeignKey("two.id"), primary_key=True),
    )
    with factory_context("links"):
        rows = factory_for(link).build_batch(4)
    assert len({(row["one_id"], row["two_id"]) for row in rows}) == 4


def test_a_check_without_its_outer_parentheses_is_read():
    """SQLAlchemy 2.0 reflects `(a IS NULL) = (b IS NULL)` like this."""
    check = read_check(None, "a IS NULL) = (b IS NULL")
    assert check.columns == {"a", "b"}
    assert check.holds({"a": None, "b": None})
    assert not check.holds({"a": 1, "b": None})
