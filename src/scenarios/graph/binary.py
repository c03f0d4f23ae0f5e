"""Rows in COPY's binary format, where each column's type in the database is known.

The server takes a UUID or a time in binary for a tenth of what reading its text costs, and psycopg writes it
for a quarter. But binary says nothing of what it means: a time for a ``timestamp`` column is another one in a
``timestamptz`` column, and nobody notices. So it is used where the catalogue was asked, for values that have
exactly one meaning, and only while everything can still be written again as text
(`scenarios.graph.bulk_load`): whatever else comes is `Unsuitable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import psycopg
from sqlalchemy.schema import Column

from scenarios.column_types import Exact, type_of
from scenarios.graph import encoding

_SOME = 512
"""Rows that are looked at together."""

_NOTHING = type(None)


class Unsuitable(Exception):
    """A value that only the text format takes."""


def only(*kinds: type) -> Exact:
    """Return what takes values of *kinds* alone."""
    allowed = frozenset((*kinds, _NOTHING))

    def exact(values: Sequence[Any]) -> Sequence[Any]:
        if not allowed.issuperset(map(type, values)):
            raise Unsuitable(f"not only {', '.join(kind.__name__ for kind in kinds)}")
        return values

    return exact


_aware_or_not = only(datetime)


def aware_moments(values: Sequence[Any]) -> Sequence[Any]:
    """Take moments that have a zone."""
    for each in _aware_or_not(values):
        if each is not None and each.tzinfo is None:
            raise Unsuitable("a time without a zone is one of the session's")
    return values


def _words(encode: encoding.Encoder) -> Exact:
    """Return what makes the words of a vocabulary of its members: few words, each of them often."""

    def exact(values: Sequence[Any]) -> Sequence[Any]:
        words = {each: encode(each) for each in set(values) if each is not None}
        if any("\\" in word for word in words.values()):
            raise Unsuitable("a word that would have to be escaped")
        return [None if each is None else words[each] for each in values]

    return exact


def _objects(values: Sequence[Any]) -> Sequence[Any]:
    if not all(each is None or isinstance(each, (dict, list)) for each in values):
        raise Unsuitable("a value that SQLAlchemy has to decide about")
    return values


_TEXT, _VARCHAR, _JSONB = 25, 1043, 3802


@dataclass(frozen=True, slots=True)
class Binary:
    """How to write the rows of one table: each column's type in the database, and what makes its values."""

    oids: tuple[int, ...]
    exact: tuple[Exact, ...]

    @classmethod
    def of(
        cls, columns: Sequence[Column[Any]], encoders: Sequence[encoding.Encoder], types: Mapping[str, int]
    ) -> Binary | None:
        """Return how to write *columns*; None where one of them has no exact binary form here.

        Args:
            columns: what is written.
            encoders: their encoders to text.
            types: the oid of each column's type in the database, by name.
        """
        oids = tuple(types.get(column.name, 0) for column in columns)
        exact = [
            _exact(column, encode, oid) for column, encode, oid in zip(columns, encoders, oids, strict=True)
        ]
        found = tuple(each for each in exact if each is not None)
        return cls(oids, found) if len(found) == len(exact) else None

    def write(self, copy: psycopg.Copy, rows: Iterable[Sequence[Any]]) -> None:
        """Write *rows*.

        Raises:
            Unsuitable: a value has no exact binary form.
        """
        copy.set_types(self.oids)
        for row in self._exactly(rows):
            try:
                copy.write_row(row)
            except (TypeError, ValueError, AttributeError) as error:
                raise Unsuitable(str(error)) from error
            except psycopg.DataError as error:
                if error.sqlstate is None:  # psycopg's own word, not the server's
                    raise Unsuitable(str(error)) from error
                raise

    def _exactly(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        remaining = iter(rows)
        while some := list(islice(remaining, _SOME)):
            columns = zip(*some, strict=True)
            try:
                exact = [each(values) for each, values in zip(self.exact, columns, strict=True)]
            except (TypeError, ValueError, LookupError, AttributeError) as error:
                # Which row it is, the text format says.
                raise Unsuitable(str(error)) from error
            yield from zip(*exact, strict=True)


def _exact(column: Column[Any], encode: encoding.Encoder, oid: int) -> Exact | None:
    if oid in {_TEXT, _VARCHAR}:
        return only(str) if encoding.is_text(encode) else _words(encode) if encoding.is_enum(encode) else None
    if oid == _JSONB:
        return _objects if encoding.is_json(encode) else None
    return type_of(column.type).binary.get(oid) if encoding.is_plain(encode) else None
