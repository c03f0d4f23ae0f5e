"""What ``scenarios demo`` shows of Dev Coach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scenarios.domains.dev_coach import ChatMessage, MessageRole, User

if TYPE_CHECKING:
    from scenarios.postgres import Database

SCENARIO = "refinement_in_progress"
"""The scenario that is loaded."""

VISITOR = Path(__file__).with_name("demo_visitor.py")
"""The program of another process; it is given a connection string."""


def last_turns(db: Database, count: int) -> list[tuple[str, str]]:
    """Return who said what in the last *count* messages of the longest conversation in *db*."""
    with Session(db.engine) as session:
        talker = (
            select(ChatMessage.user_id)
            .group_by(ChatMessage.user_id)
            .order_by(func.count().desc())
            .limit(1)
            .scalar_subquery()
        )
        newest = (
            select(User.first_name, ChatMessage.role, ChatMessage.content)
            .join(ChatMessage, ChatMessage.user_id == User.id)
            .where(User.id == talker)
            .order_by(ChatMessage.timestamp.desc())
            .limit(count)
        )
        rows = list(session.execute(newest))[::-1]
    return [("coach" if role == MessageRole.COACH else str(name), content) for name, role, content in rows]
