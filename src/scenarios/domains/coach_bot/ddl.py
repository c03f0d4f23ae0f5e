"""Coach Bot's schema as one SQL script, the triggers on ``updated_at`` included."""

from __future__ import annotations

from scenarios.domains.coach_bot.models import METADATA
from scenarios.schema.rendering import SqlObject, render, sql_objects


def objects() -> list[SqlObject]:
    """Return the function and the triggers that SQLAlchemy's metadata cannot describe."""
    return sql_objects("scenarios.domains.coach_bot", "sql/rules.sql")


def ddl() -> str:
    """Return the script that creates everything in an empty database, the same text in every process."""
    return render(METADATA, objects(), heading="Coach Bot: users, chats, messages and the audit trail.")
