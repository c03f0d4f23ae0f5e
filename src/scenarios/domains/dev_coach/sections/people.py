"""The people of a Dev Coach file, with all that is theirs under them; and the prompts, which are nobody's."""

from __future__ import annotations

from typing import Any

from scenarios.domains.dev_coach import defaults
from scenarios.domains.dev_coach.sections.conversation import CONVERSATION
from scenarios.domains.dev_coach.sections.moments import (
    created,
    expires,
    joined,
    last_login,
    updated,
    user_created,
)
from scenarios.domains.dev_coach.sections.progress import IDENTITIES, NOTES, SESSIONS, STATE, first_name_of
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Situation
from scenarios.library.sections.suffixes import EMAIL, WORD
from scenarios.values import password_hash


def _last_name(row: Row, situation: Situation) -> str:
    given = row.given.get("last_name")
    return given if isinstance(given, str) else situation.values(row).last_name()


def _email(row: Row, situation: Situation) -> str:
    return defaults.email(situation.values(row), _last_name(row, situation), situation.instance)


def _password(_row: Row, _situation: Situation) -> str:
    return password_hash()


def _token(row: Row, situation: Situation) -> str:
    ids = situation.seeded.at(row.handle)
    return ids.uuid("token.head").hex + ids.uuid("token.tail").hex


def _user_email(row: Row, _: Situation) -> Any:
    return row.root.values["email"]


_PROFILE = Section(
    key="profile",
    table="users_userprofile",
    form="one",
    title="The person's preferences.",
    links={"user_id": 1},
    unit="profile",
    defaults={"created_at": user_created, "updated_at": created},
    derived=frozenset({"updated_at"}),
)
_VERIFICATIONS = Section(
    key="verifications",
    table="authentication_verification",
    form="list",
    title="Tokens sent to the person by e-mail.",
    links={"user_id": 1},
    names={"verification_type": "type"},
    unit="verification",
    order=("created_at",),
    defaults={"token": _token, "email": _user_email, "created_at": user_created, "expires_at": expires},
    derived=frozenset({"expires_at"}),
    suffixed={"email": EMAIL},
)
USERS = Section(
    key="users",
    table="users_user",
    form="named",
    title="The people of the scenario, by handle.",
    unit="user",
    order=("created_at",),
    inner=(STATE, _PROFILE, _VERIFICATIONS, IDENTITIES, SESSIONS, CONVERSATION, NOTES),
    defaults={
        "first_name": first_name_of,
        "last_name": _last_name,
        "email": _email,
        "password": _password,
        "last_login": last_login,
        "date_joined": joined,
        "created_at": joined,
        "updated_at": updated,
    },
    derived=frozenset({"updated_at", "date_joined"}),
    suffixed={"email": EMAIL, "username": WORD},
)
PROMPTS = Section(
    key="prompts",
    table="prompts_prompt",
    form="named",
    title="Prompt versions, by handle. They are shared: an instance leaves those that exist as they are.",
    names={"coaching_phase": "phase", "prompt_type": "type"},
    unit="prompt",
    order=("coaching_phase", "version"),
    defaults={"updated_at": created},
    derived=frozenset({"updated_at"}),
)
