"""Values read as the database has them, also those that Python has no form for.

``infinity``, a year before the first and an interval of a month are everyday values in PostgreSQL. psycopg
refuses the first two and makes thirty days of the third: whoever reads somebody's rows with it fails on one
value, or sees no difference between two. Here such a value stays PostgreSQL's text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.types import datetime as standard

_DAYS_AND_TIME = re.compile(
    r"(?:(?P<days>-?\d{1,9}) days?)? ?"
    r"(?:(?P<sign>[-+]?)(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)(?:\.(?P<f>\d{1,6}))?)?"
)


class OrText(Loader):
    """Gives PostgreSQL's text where psycopg's own loader, *own*, gives up."""

    own: type[Loader]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._own = self.own(oid, context)

    def load(self, data: Buffer) -> Any:
        try:
            return self._own.load(data)
        except psycopg.DataError:
            return _text(data)


class _Timestamptz(OrText):
    own = standard.TimestamptzLoader


class _Date(OrText):
    own = standard.DateLoader


class _Time(OrText):
    own = standard.TimeLoader


class _Interval(Loader):
    def load(self, data: Buffer) -> Any:
        return interval(_text(data))


def interval(text: str) -> timedelta | str:
    """Return the length of time *text*, as PostgreSQL writes it; the text itself where a day is not 24 hours.

    Months have no fixed length, and to PostgreSQL neither have days: a day and 24 hours are not the same.
    """
    match = _DAYS_AND_TIME.fullmatch(text)
    if match is None or not text:
        return text
    sign = -1 if match["sign"] == "-" else 1
    days = int(match["days"] or 0)
    seconds = int(match["h"] or 0) * 3600 + int(match["m"] or 0) * 60 + int(match["s"] or 0)
    rest = timedelta(seconds=seconds, microseconds=int((match["f"] or "").ljust(6, "0")))
    # A negative time of day would come back as a day less and the rest of it.
    if seconds >= 86_400 or (rest and (sign < 0 or days < 0)):
        return text
    try:
        return timedelta(days=days) + rest
    except OverflowError:
        return text


class _Timestamp(OrText):
    own = standard.TimestampLoader


_LOADERS: Mapping[str, type[Loader]] = {
    "timestamp": _Timestamp,
    "timestamptz": _Timestamptz,
    "date": _Date,
    "time": _Time,
    "interval": _Interval,
}


def exact_cursor(
    conn: psycopg.Connection[Any], loaders: Mapping[str, type[Loader]] | None = None
) -> psycopg.Cursor[Any]:
    """Return a cursor that loses nothing of what it reads.

    Args:
        conn: the connection.
        loaders: by type, what to read otherwise.
    """
    cursor = conn.cursor()
    for name, loader in {**_LOADERS, **(loaders or {})}.items():
        cursor.adapters.register_loader(name, loader)
    return cursor


def _text(data: Buffer) -> str:
    return bytes(data).decode()
