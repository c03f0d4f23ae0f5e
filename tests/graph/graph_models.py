"""A schema with everything that makes writing rows difficult."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    Sequence,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, TSTZRANGE, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class Base(DeclarativeBase):
    pass


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Shouting(TypeDecorator[str]):
    """A type of a project's own: stored in capitals."""

    impl = String(50)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value.upper()


tagged = Table(
    "animal_tag",
    Base.metadata,
    Column("animal_id", ForeignKey("animal.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Keeper(Base):
    """Identity key, a server default, and a circle with Cage that must not be null."""

    __tablename__ = "keeper"
    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    hired: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    rank: Mapped[int] = mapped_column(default=lambda: 7)
    favourite_id: Mapped[int] = mapped_column(ForeignKey("cage.id", use_alter=True, name="keeper_favourite"))
    favourite: Mapped[Cage] = relationship(foreign_keys=[favourite_id], post_update=True)
    cages: Mapped[list[Cage]] = relationship(back_populates="keeper", foreign_keys="Cage.keeper_id")


class Cage(Base):
    __tablename__ = "cage"
    id: Mapped[int] = mapped_column(Sequence("cage_numbers", start=100), primary_key=True)
    keeper_id: Mapped[int] = mapped_column(ForeignKey("keeper.id"))
    keeper: Mapped[Keeper] = relationship(back_populates="cages", foreign_keys=[keeper_id])


class Kind(Base):
    """A tree, whose rows differ in the columns that are given."""

    __tablename__ = "Kind of animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column("Name", Text)
    note: Mapped[str] = mapped_column(server_default=text("'none'"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("Kind of animal.id"))
    parent: Mapped[Kind | None] = relationship(back_populates="children", remote_side=[id])
    children: Mapped[list[Kind]] = relationship(back_populates="parent")


class Animal(Base):
    """The root of a joined inheritance, with a column of nearly every type."""

    __tablename__ = "animal"
    __table_args__ = (
        CheckConstraint("weight > 0", name="animal_weight"),
        UniqueConstraint("id", "kind_id"),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    sort: Mapped[str] = mapped_column(String(20))
    kind_id: Mapped[int] = mapped_column(ForeignKey("Kind of animal.id"))
    weight: Mapped[Decimal] = mapped_column(Numeric(8, 3), default=Decimal("1.5"))
    double_weight: Mapped[Decimal] = mapped_column(Numeric(9, 3), Computed("weight * 2", persisted=True))
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour, name="colour"))
    names: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    grid: Mapped[list[list[int]] | None] = mapped_column(ARRAY(Integer, dimensions=2))
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    ages: Mapped[Range[int] | None] = mapped_column(INT4RANGE)
    seen: Mapped[Range[dt.datetime] | None] = mapped_column(TSTZRANGE)
    nap: Mapped[dt.timedelta | None] = mapped_column(Interval)
    photo: Mapped[bytes | None] = mapped_column(LargeBinary)
    born: Mapped[dt.date | None]
    fed_at: Mapped[dt.time | None]
    speed: Mapped[float | None]
    cry: Mapped[str | None] = mapped_column(Shouting)
    kind: Mapped[Kind] = relationship()
    tags: Mapped[list[Tag]] = relationship(secondary=tagged, back_populates="animals")
    __mapper_args__ = {"polymorphic_on": "sort", "polymorphic_identity": "animal"}  # noqa: RUF012 - SQLAlchemy's name


class Bird(Animal):
    __tablename__ = "bird"
    id: Mapped[uuid.UUID] = mapped_column(ForeignKey("animal.id"), primary_key=True)
    wings: Mapped[int] = mapped_column(default=2)
    __mapper_args__ = {"polymorphic_identity": "bird"}  # noqa: RUF012 - SQLAlchemy's name


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(30))
    animals: Mapped[list[Animal]] = relationship(secondary=tagged, back_populates="tags")


class Visit(Base):
    """A composite foreign key, and a key the database makes up."""

    __tablename__ = "visit"
    __table_args__ = (ForeignKeyConstraint(["animal_id", "kind_id"], ["animal.id", "animal.kind_id"]),)
    code: Mapped[str] = mapped_column(
        String(40), primary_key=True, server_default=text("md5(random()::text)")
    )
    animal_id: Mapped[uuid.UUID]
    kind_id: Mapped[int]
    rating: Mapped[int | None] = mapped_column(CheckConstraint("rating BETWEEN 1 AND 5", name="visit_rating"))
    animal: Mapped[Animal] = relationship()
