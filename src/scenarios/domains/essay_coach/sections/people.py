"""Institutions and their people: tenants that must not see each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scenarios.domains.essay_coach import defaults
from scenarios.domains.essay_coach.enums import Role
from scenarios.domains.essay_coach.sections.essays import ESSAYS
from scenarios.domains.essay_coach.sections.facts import fixed
from scenarios.domains.essay_coach.sections.records import LOGS, REPORTS, TOKENS, history, metric
from scenarios.factories.essay_coach.texts import (
    METRICS,
)
from scenarios.library.planning.plan import earliest
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Situation
from scenarios.library.sections.suffixes import EMAIL, TITLE, WORD
from scenarios.values import password_hash


def _name(row: Row, situation: Situation) -> str:
    return defaults.institution_name(situation.values(row), situation.instance)


def _first_name(row: Row, situation: Situation) -> str:
    return situation.values(row).given_name()


def _last_name(row: Row, situation: Situation) -> str:
    given = row.given.get("last_name")
    return given if isinstance(given, str) else situation.values(row).last_name()


def _email(row: Row, situation: Situation) -> str:
    return defaults.email(situation.values(row), _last_name(row, situation), situation.instance)


def _username(row: Row, situation: Situation) -> str:
    return defaults.username(situation.values(row), situation.instance)


def _password(_row: Row, _situation: Situation) -> str:
    return password_hash()


def _joined(row: Row, situation: Situation) -> datetime:
    given = row.values.get("date_joined")
    if isinstance(given, datetime):
        return given
    first = earliest(row.subtree())
    return defaults.joined(situation.anchor, [first] if first else [])


def _founded(row: Row, situation: Situation) -> datetime:
    first = earliest(row.subtree())
    return defaults.founded(situation.anchor, [first] if first else [])


def _account_changed(row: Row, situation: Situation) -> datetime:
    login = row.values.get("last_login")
    return defaults.updated(_joined(row, situation), login if isinstance(login, datetime) else None)


def _bio(row: Row, situation: Situation) -> str:
    return defaults.bio(situation.values(row))


def _preferences(_row: Row, _situation: Situation) -> dict[str, Any]:
    return defaults.preferences()


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
    defaults={"bio": _bio, "preferences": _preferences},
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
            "grade_level": lambda row, situation: defaults.grade_level(situation.values(row), role.value),
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
        suffixed={"email": EMAIL, "username": WORD},
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
    defaults={"name": _name, "created_at": _founded},
    suffixed={"name": TITLE},
)
