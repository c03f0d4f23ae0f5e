"""The tables of the workshop; nothing here knows of tests."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Numeric, Text, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

STATES = ("OPEN", "DONE", "COLLECTED")
AUTHORS = ("CUSTOMER", "MECHANIC")


class Base(DeclarativeBase):
    """The models of the workshop."""


def key() -> Mapped[UUID]:
    """Return a key that the database draws."""
    return mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))


class Customer(Base):
    """Somebody who brings bicycles."""

    __tablename__ = "customer"
    id: Mapped[UUID] = key()
    name: Mapped[str] = mapped_column(Text, info={"personal": "last_name"})
    email: Mapped[str] = mapped_column(Text, unique=True, info={"personal": "email"})
    joined: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    bicycles: Mapped[list[Bicycle]] = relationship(back_populates="customer")


class Bicycle(Base):
    """One bicycle of a customer."""

    __tablename__ = "bicycle"
    id: Mapped[UUID] = key()
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"), index=True)
    brand: Mapped[str] = mapped_column(Text)
    frame_number: Mapped[str] = mapped_column(Text, unique=True)
    customer: Mapped[Customer] = relationship(back_populates="bicycles")
    repairs: Mapped[list[Repair]] = relationship(back_populates="bicycle")


class Repair(Base):
    """One stay of a bicycle in the workshop."""

    __tablename__ = "repair"
    __table_args__ = (
        CheckConstraint("state IN ('OPEN', 'DONE', 'COLLECTED')", name="repair_state"),
        CheckConstraint("(state = 'OPEN') = (closed IS NULL)", name="repair_closed"),
    )
    id: Mapped[UUID] = key()
    bicycle_id: Mapped[UUID] = mapped_column(ForeignKey("bicycle.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(Text, server_default="OPEN")
    opened: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    closed: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    price: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    bicycle: Mapped[Bicycle] = relationship(back_populates="repairs")
    remarks: Mapped[list[Remark]] = relationship(back_populates="repair")


class Remark(Base):
    """What the customer or the mechanic said about a repair."""

    __tablename__ = "remark"
    __table_args__ = (CheckConstraint("author IN ('CUSTOMER', 'MECHANIC')", name="remark_author"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    repair_id: Mapped[UUID] = mapped_column(ForeignKey("repair.id", ondelete="CASCADE"), index=True)
    author: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text, info={"personal": "text"})
    written: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    repair: Mapped[Repair] = relationship(back_populates="remarks")
