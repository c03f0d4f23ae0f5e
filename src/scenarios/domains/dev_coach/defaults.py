"""What a row of Dev Coach becomes where nobody says: the same in a file, by the builder and by a factory.

Each of them had ideas of its own, and ``user maya`` was Maya in a file and David to a test, created a month
apart. They know different things at different times (a factory builds a person before their conversation), so
here each default is a function of what it depends on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from scenarios.domains.dev_coach.enums import CoachingPhase
from scenarios.domains.dev_coach.phases import DAYS_BY_DEFAULT
from scenarios.values import Row, add_to_email

ARRIVAL = timedelta(hours=2)
"""From the making of an account to the first thing its person does."""
TOKEN_LIFE = timedelta(hours=24)
"""How long a token sent by e-mail is valid."""


def email(row: Row, last_name: str, instance: str) -> str:
    """Return the address of the person *row* in *instance*: ``maya.griffin+friday@example.com``."""
    return add_to_email(row.email(last_name=last_name), instance)


def joined(now: datetime, phase: CoachingPhase | None, moments: Iterable[datetime] = ()) -> datetime:
    """Return when an account was made: some days ago, more in a later phase, and before all *moments*."""
    usual = now - timedelta(days=DAYS_BY_DEFAULT[phase or CoachingPhase.GET_TO_KNOW_YOU])
    return min([usual, *(moment - ARRIVAL for moment in moments)])


def last_login(joined: datetime, spoken: datetime | None = None) -> datetime:
    """Return when a person signed in last: for what they said last, or else to make the account."""
    return joined if spoken is None else max(joined, spoken)


def updated(created: datetime, last_login: datetime | None) -> datetime:
    """Return when an account changed last."""
    return created if last_login is None else max(created, last_login)


def asked(phase: CoachingPhase | None) -> int | None:
    """Return how many topics were asked of a person: none where nobody said a phase; None: as many as is
    usual in it."""
    return 0 if phase is None else None
