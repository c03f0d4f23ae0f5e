"""Readers, copies of books, and who has which."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Standing(enum.Enum):
    good = "good"
    barred = "barred"


class Reader(Base):
    __tablename__ = "reader"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    standing: Mapped[Standing] = mapped_column(default=Standing.good)


class Copy(Base):
    __tablename__ = "copy"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    loans: Mapped[list[Loan]] = relationship(back_populates="copy")


class Loan(Base):
    __tablename__ = "loan"
    __table_args__ = (
        Index("loan_one_at_a_time", "copy_id", unique=True, postgresql_where="returned_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    copy_id: Mapped[int] = mapped_column(ForeignKey("copy.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("reader.id"))
    lent_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    returned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    copy: Mapped[Copy] = relationship(back_populates="loans")
