"""Python values to COPY text, column by column.

One text serves psycopg, psycopg's async connection and asyncpg alike, so the three cannot disagree about a
value. (Binary is cheaper where every type is known exactly; `benchmarks/encoding.py` says by how much.) The
common types have an encoder of their own; everything else takes SQLAlchemy's bind processor for the column's
type and then psycopg's dumper, so a type a project brought along works as it does in its own application.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import islice, repeat
from json import dumps
from operator import is_
from typing import Any
from uuid import UUID

from psycopg.adapt import PyFormat, Transformer
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects.postgresql import HSTORE
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.schema import Column
from sqlalchemy.sql.elements import ClauseElement, Null
from sqlalchemy.types import TypeEngine

from scenarios.column_types import type_of

Encoder = Callable[[Any], str]
"""Turns a value that is not None into unescaped-safe COPY text."""

NULL = "\\N"
BLOCK = 1 << 16
"""Bytes handed to the driver at a time: enough to make the call's cost vanish, little enough to overlap."""

DIALECT: Dialect = psycopg_dialect.PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
NAMED: Dialect = psycopg_dialect.PGDialect_psycopg(paramstyle="named")  # type: ignore[no-untyped-call]  # as above
"""For expressions that are written out: their per cent signs are not doubled, as a driver wants them."""

# The backslash first: it begins what the others become.
_ESCAPES = (
    ("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r"), ("\b", "\\b"), ("\f", "\\f"), ("\v", "\\v"),
)  # fmt: skip


def escaped(text: str) -> str:
    """Return *text* with the characters that mean something to COPY escaped."""
    # Both tests run at the speed of C and nearly every text passes them.
    if "\\" not in text and text.isprintable():
        return text
    # For a page of text str.translate takes a hundred times as long.
    for char, escape in _ESCAPES:
        if char in text:
            text = text.replace(char, escape)
    return text


def _text(value: Any) -> str:
    return escaped(value) if type(value) is str else _other(value)


def uuid_text(value: Any) -> str:
    if type(value) is UUID:
        digits: str = value.hex
        return digits
    return escaped(value) if type(value) is str else _other(value)


def boolean_text(value: Any) -> str:
    if value is True:
        return "t"
    return "f" if value is False else _other(value)


def number_text(value: Any) -> str:
    return str(value) if type(value) is int else _other(value)


def _moment(value: Any) -> str:
    return value.isoformat() if type(value) in _MOMENTS else _other(value)


def _zoneless(value: Any) -> str:
    """Return a time for a column without a zone, where PostgreSQL would not look at the zone of the text."""
    if type(value) is dt.datetime and value.tzinfo is not None:
        return value.astimezone(dt.UTC).isoformat()
    return _moment(value)


def moment(kind: Any) -> Encoder:
    """Return the encoder of times of the type *kind*, with a zone or without."""
    return _moment if getattr(kind, "timezone", False) else _zoneless


def _without_zones(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_zones(item) for item in value]
    if type(value) is dt.datetime and value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return value


def bytes_text(value: Any) -> str:
    return (
        "\\\\x" + bytes(value).hex() if isinstance(value, (bytes, bytearray, memoryview)) else _other(value)
    )


def _json(value: Any) -> str | None:
    """Return a plain dictionary or list as JSON; None where SQLAlchemy has to decide."""
    return escaped(dumps(value)) if type(value) is dict or type(value) is list else None


def _texts(value: Any) -> str | None:
    """Return a plain list of texts as an array; None where an element is anything else."""
    if type(value) is not list:
        return None
    for item in value:
        if type(item) is not str:
            return None
    items = [item.replace("\\", "\\\\").replace('"', '\\"') for item in value]
    return escaped('{"' + '","'.join(items) + '"}') if items else "{}"


_MOMENTS = {dt.datetime, dt.date, dt.time}
_adapter = Transformer()


def _other(value: Any) -> str:
    """Return what psycopg would send for *value*, escaped.

    Raises:
        TypeError: it is an SQL expression, which only a statement could evaluate.
    """
    if isinstance(value, Null):
        return NULL
    if isinstance(value, (ClauseElement, InstrumentedAttribute)):
        raise TypeError("an SQL expression cannot be copied; give a value")
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return escaped(str(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes_text(value)
    data = _adapter.get_dumper(value, PyFormat.TEXT).dump(value)
    return NULL if data is None else escaped(bytes(data).decode("utf-8"))


def encoder(column: Column[Any]) -> Encoder:
    """Return the encoder of *column*'s type."""
    return _encoder(column.type)


@lru_cache(maxsize=4096)
def _encoder(kind: TypeEngine[Any]) -> Encoder:
    exact = type(kind)
    if exact in {sqltypes.String, sqltypes.Text, sqltypes.VARCHAR, sqltypes.TEXT}:
        return _text
    if not isinstance(kind, sqltypes.TypeDecorator) and exact.__module__.startswith("sqlalchemy."):
        plain = type_of(kind).encode
        if plain is not None:
            return plain(kind)
    process = _bind_processor(kind)
    quick = _quick(kind)
    if process is None and quick is None:
        return _other

    def processed(value: Any) -> str:
        if quick is not None:
            text = quick(value)
            if text is not None:
                return text
        if process is None:
            return _other(value)
        if isinstance(value, ClauseElement):
            return _other(value)
        bound = process(value)
        return NULL if bound is None else _other(bound)

    if exact is sqltypes.Enum:
        _enums.add(processed)
    if quick is _json:
        _jsons.add(processed)
    return processed


def _bind_processor(kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """Return what SQLAlchemy does to a value of *kind* before the driver sees it."""
    process = kind.dialect_impl(DIALECT).bind_processor(DIALECT)
    inner = kind
    while isinstance(inner, sqltypes.TypeDecorator):
        inner = inner.impl_instance
    if isinstance(inner, HSTORE):
        # The dialect leaves it to the driver, which asks a connection for the type.
        serialize = HSTORE.bind_processor(inner, DIALECT)
        return serialize if process is None else lambda value: serialize(process(value))
    item = getattr(inner, "item_type", None)
    if isinstance(item, sqltypes.DateTime | sqltypes.Date) and not getattr(item, "timezone", False):
        return _without_zones if process is None else lambda value: _without_zones(process(value))
    if isinstance(inner, sqltypes.DateTime | sqltypes.Date) and not getattr(inner, "timezone", False):
        return _without_zones if process is None else lambda value: _without_zones(process(value))
    return process


_enums: set[Encoder] = set()
_jsons: set[Encoder] = set()


def _quick(kind: TypeEngine[Any]) -> Callable[[Any], str | None] | None:
    """Return a shorter way for the plain values of *kind*, where its bind processor would do nothing else."""
    if isinstance(kind, sqltypes.TypeDecorator) or not type(kind).__module__.startswith("sqlalchemy."):
        return None
    if isinstance(kind, sqltypes.JSON):
        return _json
    if isinstance(kind, sqltypes.ARRAY) and kind.dimensions in {None, 1}:
        item = type(kind.item_type)
        if item in {sqltypes.String, sqltypes.Text, sqltypes.VARCHAR, sqltypes.TEXT}:
            return _texts
    return None


def lines(encoders: Sequence[Encoder], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield one COPY line for each row, with its line end."""
    for row in rows:
        yield (
            "\t".join(
                [
                    encode(value) if value is not None else NULL
                    for encode, value in zip(encoders, row, strict=True)
                ]
            )
            + "\n"
        )


class Unwritable(Exception):
    """The row at *place* has in its column *column* a value that no encoder takes; the cause says why."""

    def __init__(self, place: int, column: int) -> None:
        super().__init__(place, column)
        self.place = place
        self.column = column


def blocks(encoders: Sequence[Encoder], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield the rows as COPY text in blocks of about `BLOCK` bytes, one at a time.

    Raises:
        Unwritable: a row cannot be encoded.
    """
    start = 0

    def together(some: Sequence[Sequence[Any]]) -> bytes:
        nonlocal start
        try:
            text = _together(encoders, some)
        except Exception:
            # Once more, row by row, to say which.
            for place, row in enumerate(some, start):
                for column, (encode, value) in enumerate(zip(encoders, row, strict=True)):
                    try:
                        deque(lines([encode], [[value]]), 0)
                    except Exception as error:
                        raise Unwritable(place, column) from error
            raise
        start += len(some)
        return text.encode()

    return in_blocks(rows, together)


def in_blocks(
    rows: Iterable[Sequence[Any]], together: Callable[[Sequence[Sequence[Any]]], bytes]
) -> Iterator[bytes]:
    """Yield what *together* makes of some rows at a time, in blocks of about `BLOCK` bytes.

    Rows are encoded some at a time, column by column: what one column has in common (its type, often its
    value) is found once, which is about three times as fast as going along each row.
    """
    remaining = iter(rows)
    size = _FEWEST
    while some := list(islice(remaining, size)):
        block = together(some)
        yield block
        size = min(_MOST, max(_FEWEST, len(some) * BLOCK // len(block)))


_FEWEST, _MOST = 16, 1024
"""Rows encoded at a time: few while nothing is known of their size."""


def _together(encoders: Sequence[Encoder], rows: Sequence[Sequence[Any]]) -> str:
    columns = zip(*rows, strict=True)
    encoded = [_column(encode, values) for encode, values in zip(encoders, columns, strict=True)]
    return "\n".join(map("\t".join, zip(*encoded, strict=True))) + "\n"


def _column(encode: Encoder, values: Sequence[Any]) -> Sequence[str]:
    """Return the COPY text of each of *values*, which are of one column."""
    first = values[0]
    if all_same(values):
        return [NULL if first is None else encode(first)] * len(values)
    if encode is uuid_text:
        return [
            f"{each.int:032x}" if type(each) is UUID else NULL if each is None else uuid_text(each)
            for each in values
        ]
    if encode is _text:
        return [
            each
            if type(each) is str and each.isprintable() and "\\" not in each
            else NULL
            if each is None
            else _text(each)
            for each in values
        ]
    if type(first) is str:
        # Texts of a column that is not one of plain text are a vocabulary's: few words, each of them often.
        words = {each: encode(each) for each in {each for each in values if type(each) is str}}
        return [
            words[each] if type(each) is str else NULL if each is None else encode(each) for each in values
        ]
    return [NULL if each is None else encode(each) for each in values]


def all_same(values: Sequence[Any]) -> bool:
    """Return whether all *values* are one object: an owner, a scope, a state often is."""
    first = values[0]
    return values[-1] is first and all(map(is_, values, repeat(first)))


def is_text(encode: Encoder) -> bool:
    """Return whether *encode* is that of a plain text."""
    return encode is _text


def is_plain(encode: Encoder) -> bool:
    """Return whether *encode* is that of one of SQLAlchemy's own scalar types, which a value needs no bind
    processor for."""
    return encode in {uuid_text, boolean_text, _moment}


def is_enum(encode: Encoder) -> bool:
    """Return whether *encode* is that of SQLAlchemy's own ``Enum``."""
    return encode in _enums


def is_json(encode: Encoder) -> bool:
    """Return whether *encode* is that of SQLAlchemy's own ``JSON`` or ``JSONB``."""
    return encode in _jsons


def shown(value: Any) -> str:
    """Return *value* as an error message shows it: short, and recognisable."""
    if isinstance(value, (UUID, Decimal, dt.datetime, dt.date, Enum)):
        text = str(value.value) if isinstance(value, Enum) else str(value)
    else:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
