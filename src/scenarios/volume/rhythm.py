"""When people do things: on days and at hours they have time, oldest first, never after the data's present.

Evenly spread times hide what a load test looks for: the Monday evening when everybody comes at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from scenarios.values import Row

HOURS = tuple((hour, weight) for hour, weight in enumerate(
    (0, 0, 0, 0, 0, 0, 2, 5, 7, 5, 4, 4, 6, 5, 3, 3, 4, 6, 8, 10, 11, 9, 5)
) if weight)  # fmt: skip
"""Hours (UTC) and their weights: before work, at noon, and most of all in the evening."""

WEEKDAYS = (10, 9, 9, 7, 4, 5, 8)
"""Weights of Monday to Sunday: people begin the week with good intentions."""

DAY = timedelta(days=1)

_NEAR = 14
"""Days among which a moment is drawn; more would only cost time."""


def moments(row: Row, anchor: datetime, count: int, oldest: int, newest: int = 2) -> list[datetime]:
    """Return *count* times, each on a later day than the one before.

    Args:
        row: the source of values.
        anchor: the data's present.
        count: how many; days are added before *oldest* where there are fewer days than that.
        oldest: how many days ago the first may be.
        newest: how many days ago the last may be at the latest; what follows a moment needs the time.
    """
    span = max(count, oldest - newest)
    midnight = anchor.replace(hour=0, minute=0, second=0, microsecond=0)
    begin = midnight - DAY * (span + newest)
    found = []
    for number in range(count):
        first, last = span * number // count, span * (number + 1) // count
        days = [begin + DAY * day for day in range(first, min(last, first + _NEAR))]
        day = row.weighted(f"day {number}", [(each, WEEKDAYS[each.weekday()]) for each in days])
        hour = row.weighted(f"hour {number}", HOURS)
        # Short of the hour's last tenth of a second, so that a few milliseconds may be added.
        found.append(
            day + timedelta(hours=hour, microseconds=row.integer(f"at {number}", 0, 3_599) * 1_000_000
                            + row.integer(f"micro {number}", 0, 899_999))
        )  # fmt: skip
    return found


@lru_cache(maxsize=1)
def times_of_day() -> tuple[str, ...]:
    """Return ``HH:MM:SS`` for each second of a day: formatting a time is the dearest part of a message."""
    return tuple(f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400))
