"""Rows read such that a scenario file can hold them, and word of what it cannot hold.

A file's times count from a clock in UTC, so a time without zone is taken as UTC, as it is written. And JSON
has a null and numbers that a file has not: a freeze that says nothing of them would not be what it promises.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.datetime import TimestampLoader

from scenarios.exact import OrText, exact_cursor

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
        with exact_cursor(conn, _LOADERS) as cursor:
            return cursor.execute(query).fetchall(), lost
    finally:
        _LOST.reset(token)


class _Timestamp(OrText):
    own = TimestampLoader

    def load(self, data: Buffer) -> Any:
        found = super().load(data)
        return found.replace(tzinfo=UTC) if isinstance(found, datetime) else found


_LOADERS: Mapping[str, type[Loader]] = {"timestamp": _Timestamp, "json": _Json, "jsonb": _Json}
