"""What a type of column means to every part of the project: one entry a type, as psycopg has adapters.

A type with a form of its own in Python is met when a file is read, when a factory fills a column, when rows
are copied, frozen and shown. The entries of PostgreSQL's own types are in `scenarios.builtin_types`; a
project adds one for a type it brought along:

    register(ColumnType(kinds=(Vector,), parser=lambda type_: VectorText(), draw=draw_vector, personal=False))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

Exact = Callable[[Sequence[Any]], Sequence[Any]]
"""Returns values of one column as psycopg takes them in binary; raises where one has not one meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """All that is known of a type.

    Attributes:
        kinds: the classes of SQLAlchemy's types it stands for, with their subclasses that have no entry.
        parser: gets the SQLAlchemy type and returns the `ColumnParser` that reads a value in a scenario file.
            None: PostgreSQL reads the text in the file.
        draw: gets the SQLAlchemy type, the column's name, its `Demands` and whether it is unique, and returns
            the `Kind` by which a factory fills it. None: a factory has to be told its values.
        encode: gets the SQLAlchemy type and returns what makes COPY text of a value that is not None. None:
            SQLAlchemy's bind processor and psycopg's dumper do. Only asked for types of SQLAlchemy's own.
        binary: for each oid of a type in the database, what makes the values that COPY may write in binary.
        default: returns the value of a default that the schema has as a quoted literal; raises LookupError
            or ValueError where only the database can tell. None: it always has to.
        personal: whether values can tell of a person, so that somebody has to say if they do.
        written: for each Python type of its values, how a scenario file writes one.
    """

    kinds: tuple[type, ...]
    parser: Callable[[Any], Any] | None = None
    draw: Callable[[Any, str, Any, bool], Any] | None = None
    encode: Callable[[Any], Callable[[Any], str]] | None = None
    binary: Mapping[int, Exact] = field(default_factory=dict)
    default: Callable[[str], Any] | None = None
    personal: bool = True
    written: Mapping[type, Callable[[Any], Any]] = field(default_factory=dict)


UNKNOWN = ColumnType(kinds=())
"""What is known of a type without an entry: PostgreSQL reads and writes it as text."""

_by_kind: dict[type, ColumnType] = {}
_written: dict[type, Callable[[Any], Any]] = {}


def register(*types: ColumnType) -> None:
    """Let the project know *types*; an entry takes the place of one that stood for the same class before.

    Called before a table with such a column is used: what a table's columns mean is remembered.
    """
    _builtin()
    _add(types)


def _add(types: Sequence[ColumnType]) -> None:
    for each in types:
        _by_kind.update(dict.fromkeys(each.kinds, each))
        _written.update(each.written)


@cache
def _builtin() -> None:
    # By name, since the entries need the parts that ask for them.
    _add(import_module("scenarios.builtin_types").TYPES)


def type_of(type_: Any) -> ColumnType:
    """Return what is known of the SQLAlchemy type *type_*: the entry of its class or of the nearest above."""
    _builtin()
    return next((_by_kind[kind] for kind in type(type_).__mro__ if kind in _by_kind), UNKNOWN)


def written(value: Any) -> Any:
    """Return *value*, which is no text and holds no others, as a scenario file writes it."""
    _builtin()
    write = next((_written[kind] for kind in type(value).__mro__ if kind in _written), None)
    return value if write is None else write(value)
