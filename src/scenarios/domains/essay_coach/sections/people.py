"""Institutions and their people: tenants that must not see each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

from scenarios.domains.essay_coach.enums import Role
from scenarios.domains.essay_coach.sections.essays import ESSAYS
from scenarios.domains.essay_coach.sections.facts import DAY, fixed, word_of
from scenarios.domains.essay_coach.sections.records import LOGS, REPORTS, TOKENS, history, metric
from scenarios.factories.essay_coach.texts import (
    METRICS,
)
from scenarios.library.planning.plan import earliest
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Situation, Suffix
from scenarios.library.sections.suffixes import EMAIL
from scenarios.values import Row as Values
from scenarios.values import password_hash, slug


def _mark(instance: str) -> str:
    plain = slug(instance)
    if len(plain) <= 40:
        return plain
    return f"{plain[:31].rstrip('-')}-{blake2b(instance.encode(), digest_size=4).hexdigest()}"


_WORD = Suffix(
    lambda word, instance: f"{word}-{_mark(instance)}",
    lambda word, instance: word.removesuffix(f"-{_mark(instance)}"),
)
_NAME = Suffix(
    lambda name, instance: f"{name} ({_mark(instance)})",
    lambda name, instance: name.removesuffix(f" ({_mark(instance)})"),
)


def _first_name(row: Row, situation: Situation) -> str:
    word = word_of(row)
    return situation.values(row).first_name() if word[-1].isdigit() else word.replace("_", " ").title()


def _last_name(row: Row, situation: Situation) -> str:
    given = row.given.get("last_name")
    return given if isinstance(given, str) else situation.values(row).last_name()


def _named(row: Row, situation: Situation) -> Values:
    # A hyphen is in no handle, so harbour-jonas is one person's and can be read.
    return situation.keyed.at(row.handle.replace(".", "-"))


def _email(row: Row, situation: Situation) -> str:
    plain = _named(row, situation).email(last_name=_last_name(row, situation), domain="school.example")
    return EMAIL.add(plain, situation.instance)


def _username(row: Row, situation: Situation) -> str:
    return _WORD.add(_named(row, situation).username(), situation.instance)


def _password(_row: Row, _situation: Situation) -> str:
    return password_hash()


def _joined(row: Row, situation: Situation) -> datetime:
    given = row.values.get("date_joined")
    if isinstance(given, datetime):
        return given
    first = earliest(row.subtree())
    return min(first, situation.anchor) - 14 * DAY if first else situation.anchor - 60 * DAY


def _founded(row: Row, situation: Situation) -> datetime:
    first = earliest(row.subtree())
    return (min(first, situation.anchor) if first else situation.anchor) - 400 * DAY


def _account_changed(row: Row, situation: Situation) -> datetime:
    login = row.values.get("last_login")
    joined = _joined(row, situation)
    return max(joined, login) if isinstance(login, datetime) else joined


def _is_staff(row: Row, _: Situation) -> bool:
    return row.values.get("role") == Role.ADMIN.value


def _some_students(
    options: Mapping[str, Any], institution: Row | None, own: list[Row], situation: Situation
) -> list[Mapping[str, Any]]:
    assert institution is not None
    values = situation.values(institution)
    found: list[Mapping[str, Any]] = []
    for number in range(options["count"]):
        place = len(own) + number + 1
        item: dict[str, Any] = {"as": f"student_{place}", "grade_level": options.get("grade_level", "10")}
        if options.get("essays"):
            item["essays"] = {
                "generate": {
                    "count": options["essays"],
                    "days_apart": options.get("days_apart", 14),
                    "trend": values.choice(f"student.{place}.trend", (-2, 0, 1, 2, 3)),
                    "quality": values.integer(f"student.{place}.quality", 48, 86),
                }
            }
            item["essay_score"] = [
                {"generate": {"count": options["essays"], "days_apart": options.get("days_apart", 14)}}
            ]
        found.append(item)
    return found


_PROFILE = Section(
    key="profile",
    table="user_profiles",
    form="one",
    title="What the person tells about themselves; null for a person without a profile.",
    links={"user_id": 1},
    hidden=frozenset({"id"}),
    unit="profile",
    always=True,
)


def _people(
    key: str, role: Role, title: str, *inner: Section, generate: Any = None, options: Any = None
) -> Section:
    return Section(
        key=key,
        table="users",
        form="named",
        title=title,
        fixed={"role": role.value},
        links={"institution_id": 1},
        hidden=frozenset({"id", "role"}),
        unit=role.value,
        order=("date_joined",),
        inner=(_PROFILE, *inner, TOKENS, LOGS, history()),
        defaults={
            "role": fixed(role.value),
            "first_name": _first_name,
            "last_name": _last_name,
            "username": _username,
            "email": _email,
            "password": _password,
            "is_staff": _is_staff,
            "date_joined": _joined,
            "created_at": _joined,
            "updated_at": _account_changed,
        },
        suffixed={"email": EMAIL, "username": _WORD},
        generate=generate,
        options=options or {},
    )


_STUDENTS = _people(
    "students",
    Role.STUDENT,
    "The institution's students, by handle.",
    ESSAYS,
    *(metric(name, key) for name, key in METRICS.items()),
    REPORTS,
    generate=_some_students,
    options={
        "count": {"type": "integer", "minimum": 1, "maximum": 100_000, "required": True, "example": 30},
        "essays": {"type": "integer", "minimum": 0, "maximum": 1000},
        "days_apart": {"type": "integer", "minimum": 4, "maximum": 400},
        "grade_level": {"type": "string"},
    },
)
INSTITUTIONS = Section(
    key="institutions",
    table="institutions",
    form="named",
    title="The institutions of the scenario, by handle: tenants that must not see each other.",
    hidden=frozenset({"id", "student_count"}),
    unit="institution",
    inner=(
        _people("admins", Role.ADMIN, "Those who look after the institution, by handle.", REPORTS),
        _people("educators", Role.EDUCATOR, "The institution's educators, by handle.", REPORTS),
        _STUDENTS,
    ),
    defaults={"created_at": _founded},
    suffixed={"name": _NAME},
)
