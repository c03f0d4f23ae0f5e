"""Models that refer to each other by two columns at once."""

from __future__ import annotations

from sqlalchemy import ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Invoice(Base):
    __tablename__ = "invoice"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[Customer] = relationship()
    payments: Mapped[list[Payment]] = relationship(back_populates="invoice")


class Payment(Base):
    __tablename__ = "payment"
    __table_args__ = (
        ForeignKeyConstraint(["payer_id", "invoice_number"], ["invoice.customer_id", "invoice.number"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payer_id: Mapped[int | None]
    invoice_number: Mapped[int | None]
    invoice: Mapped[Invoice | None] = relationship(back_populates="payments")
