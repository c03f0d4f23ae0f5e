"""What a row of EssayCoach becomes where nobody says: the same in a file, by the builder and by a factory.

A person's values follow from their full handle, ``harbour.maya``: two schools may each have a Maya.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from scenarios.domains.essay_coach.enums import Role
from scenarios.values import Row, add_to_email, add_to_title, add_to_word

_FOUNDED = timedelta(days=700)
_JOINED = timedelta(days=60)
_SETTLED = timedelta(days=30)


def institution_name(row: Row, instance: str) -> str:
    """Return the name of the school *row* in *instance*: ``Oakley School (friday)``."""
    return add_to_title(f"{row.city()} School", instance)


def founded(now: datetime, moments: Iterable[datetime] = ()) -> datetime:
    """Return when a school was entered: long ago, and a month before all *moments*."""
    return min([now - _FOUNDED, *(moment - _SETTLED for moment in moments)])


def _named(row: Row) -> Row:
    # A hyphen is in no handle, so harbour-jonas is one person's and can be read.
    return row.seeded.at(row.handle.replace(".", "-"))


def username(row: Row, instance: str) -> str:
    """Return the user name of the person *row* in *instance*: ``harbour-maya-friday``."""
    return add_to_word(_named(row).username(), instance)


def email(row: Row, last_name: str, instance: str) -> str:
    """Return the address of the person *row* in *instance*."""
    return add_to_email(_named(row).email(last_name=last_name, domain="school.example"), instance)


def grade_level(row: Row, role: str) -> str:
    """Return the grade of a student; others have none."""
    return row.choice("grade_level", ("9", "10", "11", "12")) if role == Role.STUDENT.value else ""


def bio(row: Row) -> str:
    """Return what the person whose profile *row* is tells about themselves."""
    return f"{row.job('bio')} in {row.city('city')}, one day."[:500]


def preferences() -> dict[str, Any]:
    """Return the settings a profile begins with."""
    return {"language": "en", "theme": "system", "email_notifications": True}


def joined(now: datetime, moments: Iterable[datetime] = ()) -> datetime:
    """Return when a person joined: a month before all *moments*, and before the last two months."""
    return min([now - _JOINED, *moments]) - _SETTLED


def updated(created: datetime, last_login: datetime | None) -> datetime:
    """Return when an account changed last."""
    return created if last_login is None else max(created, last_login)
