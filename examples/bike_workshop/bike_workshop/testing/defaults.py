"""What a row of the workshop is where nobody says: for files, builder, factories and volume alike.

A value follows from the row's handle (`scenarios.values.Row`), so it is the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from scenarios.values import Row, add_to_email, add_to_word

LEAST = timedelta(minutes=5)
MOST = timedelta(hours=3)
"""How long an answer takes."""


def name(row: Row) -> str:
    """Return a customer's name: ``Maya Griffin`` for ``maya``."""
    return f"{row.given_name()} {row.last_name()}"


def email(row: Row, name: str, instance: str) -> str:
    """Return a customer's address in *instance*; it is unique in its table."""
    return add_to_email(row.email(last_name=name.rpartition(" ")[2]), instance)


def joined(now: datetime, moments: Iterable[datetime] = ()) -> datetime:
    """Return when a customer came first: a day before all *moments*, or half a year ago."""
    return min([now - timedelta(days=182), *(moment - timedelta(days=1) for moment in moments)])


def brand(row: Row) -> str:
    """Return a bicycle's brand."""
    return row.text("bike_workshop.brands", "brand")


def frame_number(row: Row, instance: str) -> str:
    """Return a bicycle's frame number in *instance*; it is unique in its table."""
    return add_to_word(row.token("frame_number", 8).upper(), instance)


def closed(state: str, opened: datetime) -> datetime | None:
    """Return when a repair ended, None while it has not."""
    return None if state == "OPEN" else opened + timedelta(days=2)
