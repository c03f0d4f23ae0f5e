"""What every Dev Coach model shares: names, key, timestamps, scope, and the classification of its columns.

The names of constraints and indexes are those of the indexes page, to the letter; the naming convention here
produces them. Without it SQLAlchemy or PostgreSQL would choose, and a migration could not name what it drops.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, MetaData, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column
from sqlalchemy.types import TypeEngine

from scenarios.domain import PERSONAL

NAMING = {
    "pk": "%(table_name)s_pkey",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
}
"""The pattern of every name on the indexes page, which is also PostgreSQL's own."""


def not_personal() -> dict[Any, Any]:
    """Return the ``Column.info`` of a column that says nothing about a person."""
    return {PERSONAL: None}


def personal(kind: str) -> dict[Any, Any]:
    """Return the ``Column.info`` of a personal column; `scenarios.domain.PERSONAL` lists the kinds."""
    return {PERSONAL: kind}


class Base(DeclarativeBase):
    """The base of all Dev Coach models; its ``metadata`` is the schema."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: DateTime(timezone=True), UUID: Uuid()}  # noqa: RUF012 - SQLAlchemy's own name and kind


class IdMixin:
    """A UUID key, made by whoever makes the row, or by the database."""

    id: Mapped[UUID] = mapped_column(
        primary_key=True, default=uuid4, server_default=text("gen_random_uuid()"), sort_order=-100
    )


# clock_timestamp(): now() is the same for all rows of a transaction, and a conversation would lose its order.
_CLOCK = text("clock_timestamp()")


class CreatedMixin:
    """When the row came into being."""

    created_at: Mapped[datetime] = mapped_column(server_default=_CLOCK, sort_order=90)


class UpdatedMixin:
    """When the row last changed; a trigger keeps it (`scenarios.domains.dev_coach.rules`)."""

    updated_at: Mapped[datetime] = mapped_column(server_default=_CLOCK, sort_order=91)


class ScopedMixin:
    """The instance of a scenario the row belongs to; None for rows of real people.

    Rows of a scenario's user inherit it (a trigger), and deleting the instance deletes them.
    """

    test_scenario_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("test_scenario_testscenario.id", ondelete="CASCADE"), index=True, sort_order=95
    )


def time_order() -> CheckConstraint:
    """Return the CHECK that a row is not changed before it is created."""
    return CheckConstraint("created_at <= updated_at", name="created_at_updated_at")


def json_object(column: str) -> CheckConstraint:
    """Return the CHECK that the jsonb *column* holds an object, not a list or a bare value."""
    return CheckConstraint(f"jsonb_typeof({column}) = 'object'", name=column)


def list_column(item: TypeEngine[str], *, personal: str | None) -> MappedColumn[list[str]]:
    """Return an array column that is empty by default and notices changes in place.

    Args:
        item: the type of an element.
        personal: its classification.
    """
    made: MappedColumn[list[str]] = mapped_column(
        MutableList.as_mutable(ARRAY(item)), default=list, server_default=text("'{}'")
    )
    # Not as `info=`: that would replace what the mutable type has noted there, and no change would be seen.
    made.column.info[PERSONAL] = personal
    return made
