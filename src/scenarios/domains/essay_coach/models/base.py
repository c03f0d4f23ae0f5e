"""What every EssayCoach table shares: the metadata, constraint names, keys and times.

Constraints without names of our own get names from the server or the dialect, and a migration that has to
drop one would have to guess.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from psycopg import sql
from sqlalchemy import BigInteger, CheckConstraint, Identity, MetaData, String, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, mapped_column

from scenarios.domain import PERSONAL

NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
}

Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Time = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True))]
Created = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True), server_default=func.now())]


class Base(DeclarativeBase):
    """The base of EssayCoach's models, with a metadata of its own: Coach Bot has a table ``users`` too."""

    metadata = MetaData(naming_convention=NAMES)


def string(length: int, personal: str | None = None, *, name: str | None = None, **options: Any) -> Any:
    """Return a ``varchar(length)`` column whose class of personal data is *personal*."""
    arguments: tuple[Any, ...] = (name, String(length)) if name else (String(length),)
    return mapped_column(*arguments, info={PERSONAL: personal}, **options)


def blank(length: int | None, personal: str | None = None) -> Any:
    """Return a text column that is never null and empty unless given."""
    kind = String(length) if length else Text()
    return mapped_column(kind, server_default=text("''"), info={PERSONAL: personal})


def document(default: str, personal: str | None = None, *, name: str | None = None) -> Any:
    """Return a ``jsonb`` column that is never null and *default* (``{}`` or ``[]``) unless given."""
    arguments: tuple[Any, ...] = (name, JSONB) if name else (JSONB,)
    written = sql.SQL("{}::jsonb").format(sql.Literal(default)).as_string()
    return mapped_column(*arguments, server_default=text(written), info={PERSONAL: personal})


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the CHECK that *column* is one of the enum's values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def is_json(column: str, kind: str) -> CheckConstraint:
    """Return the CHECK that a ``jsonb`` column holds an object or array; JSON's null passes NOT NULL."""
    return CheckConstraint(f"jsonb_typeof({column}) = '{kind}'", name=f"{column}_is_{kind}")


def check(name: str, condition: str) -> CheckConstraint:
    """Return a CHECK called ``<table>_<name>_check``."""
    return CheckConstraint(condition, name=name)
