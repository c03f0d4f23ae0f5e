"""A type that a project brought along: one entry, and files, factories, freezing and privacy know it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from scenarios.column_types import UNKNOWN, ColumnType, register, type_of
from scenarios.domain import Domain
from scenarios.errors import FactoryError
from scenarios.factories import factory_context, factory_for
from scenarios.factories.kinds import simple
from scenarios.graph import Graph, write
from scenarios.library import InvalidScenario, Library
from scenarios.library.files.column_parsers import ColumnParser
from scenarios.library.files.tree import Leaf
from scenarios.library.freezing.freeze import freeze
from scenarios.library.instances.load import load
from scenarios.library.privacy.pseudonyms import needs_classification


class Place(UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "point"


class Elsewhere(Place):
    pass


class Unknown(UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "box"


class Base(DeclarativeBase):
    pass


class Stop(Base):
    __tablename__ = "stop"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    place: Mapped[Any] = mapped_column(Place, nullable=False)
    other: Mapped[Any | None] = mapped_column(Elsewhere)


class Area(Base):
    __tablename__ = "area"
    id: Mapped[int] = mapped_column(primary_key=True)
    extent: Mapped[Any] = mapped_column(Unknown, nullable=False)


DOMAIN = Domain("stops", "Stops", Base.metadata, lambda: "")


class PlaceParser(ColumnParser):
    name = "a place, as (1,2)"
    selected = "{}::text"

    def read(self, node: Any, path: str, errors: Any) -> Any:
        if isinstance(node, Leaf) and re.fullmatch(r"\(-?\d+,-?\d+\)", str(node.value)):
            return node.value
        return self.wrong(node, path, errors)


@pytest.fixture(scope="module", autouse=True)
def known() -> None:
    register(
        ColumnType(
            kinds=(Place,),
            parser=lambda type_: PlaceParser(),
            draw=simple(lambda row, field, turn: f"({row.integer(field, 0, 9)},{turn})"),
            personal=False,
        )
    )


@pytest.fixture(scope="module")
def stops_db(server):
    with server.database(Base.metadata) as database:
        yield database


def test_a_subclass_is_what_the_nearest_class_above_is():
    assert type_of(Elsewhere()) is type_of(Place()) is not UNKNOWN
    assert type_of(Unknown()) is UNKNOWN


def test_factories_fill_it(stops_db):
    with stops_db.connect() as conn:
        with factory_context(seed="7"):
            stops = factory_for(Stop).build_batch(3)
        graph = Graph()
        graph.add_all(stops)
        ((before,),) = conn.execute("SELECT count(place) FROM stop").fetchall()
        write(conn, graph)
        assert conn.execute("SELECT count(place) FROM stop").fetchone() == (before + 3,)
    with pytest.raises(FactoryError, match="extent"), factory_context(seed="7"):
        factory_for(Area).build()


def test_a_file_says_it_and_freeze_writes_it(stops_db, tmp_path):
    library = Library(tmp_path, domains=[DOMAIN])
    text = "scenario: stops\nsystem: stops\nrows:\n  stop:\n    a: {{name: A, place: '{}'}}\n"
    path = tmp_path / "stops.yaml"
    path.write_text(text.format("(3,4)"))
    instance = load(library["stops"], stops_db)
    frozen = freeze(stops_db, name="again", instance=instance)
    assert 'place: "(3,4)"' in frozen.text
    path.write_text(text.format("far away"))
    with pytest.raises(InvalidScenario, match=r"place.*a place, as \(1,2\)") as raised:
        Library(tmp_path, domains=[DOMAIN])["stops"]
    assert raised.value.errors[0].place.line == 5


def test_nobody_has_to_say_whose_it_is():
    assert [column.name for column in Stop.__table__.columns if needs_classification(column)] == ["name"]
