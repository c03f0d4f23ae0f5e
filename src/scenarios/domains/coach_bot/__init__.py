"""Coach Bot: an async data layer over four tables, and its description for the framework.

`DOMAIN` is what templates, load and freeze work with; `models` is the centre. The data layer is
`connection` (engine and sessions from settings), `crud` (reads and writes that never commit), `schemas` (what
may come in and go out) and `errors` (the one tree of errors they raise). Importing it opens nothing and reads
no settings.
"""

from __future__ import annotations

from scenarios.domain import Domain
from scenarios.domains.coach_bot.base import Base
from scenarios.domains.coach_bot.ddl import ddl, objects
from scenarios.domains.coach_bot.models import Chat, Log, Message, User
from scenarios.schema.rendering import attach

__all__ = ["DOMAIN", "Base", "Chat", "Log", "Message", "User"]

attach(Base.metadata, objects())

DOMAIN = Domain(
    name="coach_bot",
    title="Coach Bot",
    metadata=Base.metadata,
    ddl=ddl,
    owner="users",
    parts={
        "builder": "scenarios.builders.coach_bot",
        "sections": "scenarios.domains.coach_bot.sections",
        "validators": "scenarios.domains.coach_bot.validators",
        "as_code": "scenarios.domains.coach_bot.as_code",
        "volume": "scenarios.domains.coach_bot.volume",
    },
)
