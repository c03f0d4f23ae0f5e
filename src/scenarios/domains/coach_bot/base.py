"""The declarative base of Coach Bot's models and the two mixins every table uses.

Without one base each table would choose its own key, its own notion of "now" and its own constraint names,
and migrations, errors and snapshots could not rely on any of them.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import DateTime, MetaData, func, text
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates
from sqlalchemy.types import Uuid

from scenarios.domain import PERSONAL

NAMES = {
    "pk": "%(table_name)s_pkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}
"""PostgreSQL's own names, spelt out: migrations can drop by name, errors can be explained by name."""


class Base(AsyncAttrs, DeclarativeBase):
    """Base of all models; ``await row.awaitable_attrs.chats`` loads a relationship under asyncio."""

    metadata = MetaData(naming_convention=NAMES)
    # An UPDATE's new updated_at comes back with RETURNING. Otherwise the first look at it after a flush would
    # be a lazy load, which asyncio answers with MissingGreenlet.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  # SQLAlchemy declares it an instance variable


class UuidKey:
    """A version 4 UUID, made by Python for the ORM and by the server for everybody else (COPY, plain SQL)."""

    id: Mapped[uuid.UUID] = mapped_column(
        Uuid(as_uuid=True),
        primary_key=True,
        default=uuid.uuid4,
        server_default=text("gen_random_uuid()"),
        info={PERSONAL: None},
        sort_order=-10,
    )


class Timestamps:
    """When a row was made and when it was last changed, both with time zone.

    ``updated_at`` moves with every UPDATE, the ORM's and plain SQL's alike (a trigger), unless the UPDATE
    itself sets it.
    """

    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), info={PERSONAL: None}, sort_order=90
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True),
        server_default=func.now(),
        onupdate=func.now(),
        info={PERSONAL: None},
        sort_order=91,
    )

    @validates("created_at", "updated_at", "sent_at", "logged_at", include_backrefs=False)
    def _refuse_naive(self, key: str, value: object) -> object:
        # asyncpg would read a naive value in the client's zone: right on one machine, hours off on another.
        if isinstance(value, datetime) and value.utcoffset() is None:
            raise ValueError(f"{type(self).__name__}.{key} needs a time zone, got {value.isoformat()}")
        return value
