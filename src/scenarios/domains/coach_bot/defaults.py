"""What a row of Coach Bot becomes where nobody says: the same in a file, by the builder and by a factory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from scenarios.values import Row, add_to_email

LOG_DELAY = timedelta(milliseconds=20)
"""From a message to its line of the audit trail."""
BEFORE_FIRST = timedelta(seconds=5)
"""From the beginning of a chat to its first message."""
REPLY = (timedelta(seconds=2), timedelta(seconds=12))
"""How long the coach takes to answer, at least and at most."""
QUESTION = (timedelta(seconds=20), timedelta(minutes=3))
"""How long a person takes to write."""


def email(row: Row, instance: str) -> str:
    """Return the address of the person *row* in *instance*: ``maya.griffin+friday@example.com``."""
    return add_to_email(row.email(), instance)


def joined(now: datetime, moments: Iterable[datetime] = ()) -> datetime:
    """Return when an account was made: an hour before the first of *moments*, or thirty days ago."""
    first = min(moments, default=None)
    return now - timedelta(days=30) if first is None else first - timedelta(hours=1)
