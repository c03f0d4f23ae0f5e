"""Models with what seed files reach: nesting, links, trees, classes under classes, enums, validators."""

from __future__ import annotations

import enum
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, Column, DateTime, ForeignKey, LargeBinary, Numeric, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates


class Base(DeclarativeBase):
    pass


class Grade(enum.Enum):
    junior = "j"
    senior = "s"


person_skill = Table(
    "person_skill",
    Base.metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("skill_id", ForeignKey("skill.id"), primary_key=True),
)


class Country(Base):
    __tablename__ = "country"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Company(Base):
    __tablename__ = "company"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    country_code: Mapped[str | None] = mapped_column(ForeignKey("country.code"))
    country: Mapped[Country | None] = relationship()
    people: Mapped[list[Person]] = relationship(back_populates="company")


class Skill(Base):
    __tablename__ = "skill"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)


class Person(Base):
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"))
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    born: Mapped[date | None]
    hired: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    starts: Mapped[time | None]
    grade: Mapped[Grade] = mapped_column(default=Grade.junior)
    pay: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    rate: Mapped[float | None]
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    photo: Mapped[bytes | None] = mapped_column(LargeBinary)
    active: Mapped[bool] = mapped_column(default=True)
    floor: Mapped[int] = mapped_column(server_default="3")
    company: Mapped[Company | None] = relationship(back_populates="people")
    boss: Mapped[Person | None] = relationship(remote_side=[id])
    skills: Mapped[list[Skill]] = relationship(secondary=person_skill)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012

    @validates("name")
    def stripped(self, key: str, value: str) -> str:
        if not value.strip():
            raise ValueError("a person has a name")
        return value.strip()


class Engineer(Person):
    __tablename__ = "engineer"

    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    tool: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "engineer"}  # noqa: RUF012
