"""Values read as the database has them, also those that Python has no form for.

``infinity``, a year before the first and an interval of a month are everyday values in PostgreSQL. psycopg
refuses the first two and makes thirty days of the third, so a freeze would fail or lose something. Here such
a value stays PostgreSQL's text, which a scenario file may hold and a load writes back as it is. A time
without zone is taken as UTC, as it is written.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.types import datetime as standard

_DAYS_AND_TIME = re.compile(
    r"(?:(?P<days>-?\d{1,9}) days?)? ?"
    r"(?:(?P<sign>[-+]?)(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)(?:\.(?P<f>\d{1,6}))?)?"
)


class _OrText(Loader):
    """Gives PostgreSQL's text where psycopg's own loader gives up."""

    own: type[Loader]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._own = self.own(oid, context)

    def load(self, data: Buffer) -> Any:
        try:
            return self._own.load(data)
        except psycopg.DataError:
            return _text(data)


class _Timestamptz(_OrText):
    own = standard.TimestamptzLoader


class _Date(_OrText):
    own = standard.DateLoader


class _Time(_OrText):
    own = standard.TimeLoader


class _Timestamp(_OrText):
    own = standard.TimestampLoader

    def load(self, data: Buffer) -> Any:
        found = super().load(data)
        return found.replace(tzinfo=UTC) if isinstance(found, datetime) else found


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


_LOST: ContextVar[Counter[str]] = ContextVar("lost")
"""What the present reading loses; a loader made for one reading would be kept by psycopg for ever."""


class _Json(Loader):
    def load(self, data: Buffer) -> Any:
        found = json.loads(bytes(data), parse_float=_number)
        if found is None:
            _LOST.get()["the null of JSON is taken for no value"] += 1
        return found


def _number(text: str) -> float:
    found = float(text)
    if Decimal(text) != Decimal(repr(found)):
        _LOST.get()["a number in JSON has more digits than a file keeps, and is rounded"] += 1
    return found


def fetch(conn: psycopg.Connection[Any], query: sql.Composed) -> tuple[list[tuple[Any, ...]], Counter[str]]:
    """Return the rows of *query*, and how often something was lost, by a sentence that says what.

    Only what JSON can hold and a file cannot is lost.
    """
    lost: Counter[str] = Counter()
    token = _LOST.set(lost)
    try:
        with conn.cursor() as cursor:
            for name, loader in _LOADERS.items():
                cursor.adapters.register_loader(name, loader)
            return cursor.execute(query).fetchall(), lost
    finally:
        _LOST.reset(token)


def _text(data: Buffer) -> str:
    return bytes(data).decode()


_LOADERS: Mapping[str, type[Loader]] = {
    "timestamp": _Timestamp,
    "timestamptz": _Timestamptz,
    "date": _Date,
    "time": _Time,
    "interval": _Interval,
    "json": _Json,
    "jsonb": _Json,
}
