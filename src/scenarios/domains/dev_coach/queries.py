"""The queries of the indexes page, by name and with typed results.

They exist here so that what the page promises about them (which index serves which) can be tested, and so
that callers do not copy SQL with the column names the page gets wrong: ``pg_stat_user_indexes`` and
``pg_stat_user_tables`` have ``relname`` and ``indexrelname``, not ``tablename`` and ``indexname``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, TextClause, and_, select, text
from sqlalchemy.orm import Session, aliased

from scenarios.domains.dev_coach.actions import Action
from scenarios.domains.dev_coach.chat_messages import ChatMessage
from scenarios.domains.dev_coach.coach_states import CoachState
from scenarios.domains.dev_coach.identities import Identity
from scenarios.domains.dev_coach.users import User


@dataclass(frozen=True, slots=True)
class SessionData:
    """What the coach needs to know of a user at the start of a request."""

    user: User
    coach_state: CoachState | None
    current_identity: Identity | None
    proposed_identity: Identity | None


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of a conversation with the actions it triggered, in their order."""

    message: ChatMessage
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class IndexUsage:
    """How often an index was used since the statistics were reset."""

    schema: str
    table: str
    index: str
    scans: int
    entries_read: int
    rows_fetched: int


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """How a table was read since the statistics were reset; a table without indexes has no index scans."""

    schema: str
    table: str
    sequential_scans: int
    rows_read: int
    index_scans: int | None
    rows_fetched: int | None


def user_session_statement(user_id: UUID) -> Select[User, CoachState, Identity, Identity]:
    """Return the page's *user session data* query for one user."""
    current, proposed = aliased(Identity, name="ci"), aliased(Identity, name="pi")
    return (
        select(User, CoachState, current, proposed)
        .outerjoin(CoachState, CoachState.user_id == User.id)
        .outerjoin(current, CoachState.current_identity_id == current.id)
        .outerjoin(proposed, CoachState.proposed_identity_id == proposed.id)
        .where(User.id == user_id)
    )


def user_session(session: Session, user_id: UUID) -> SessionData | None:
    """Return a user with coach state and current and proposed identity, None if there is no such user."""
    row = session.execute(user_session_statement(user_id)).one_or_none()
    return SessionData(*row) if row is not None else None


def conversation_statement(user_id: UUID) -> Select[ChatMessage, Action]:
    """Return the page's *conversation history* query for one user.

    The join includes the user, which it always fulfils (a composite foreign key) and which keeps the planner
    from reading the actions of others. Ties in time are broken by the id, so that two calls agree.
    """
    joined = and_(Action.coach_message_id == ChatMessage.id, Action.user_id == ChatMessage.user_id)
    return (
        select(ChatMessage, Action)
        .outerjoin(Action, joined)
        .where(ChatMessage.user_id == user_id)
        .order_by(ChatMessage.timestamp, ChatMessage.id, Action.timestamp, Action.id)
    )


def conversation(session: Session, user_id: UUID) -> list[Turn]:
    """Return the user's messages in the order in which they were said, each with its actions."""
    turns: dict[UUID, tuple[ChatMessage, list[Action]]] = {}
    rows: Sequence[Any] = session.execute(conversation_statement(user_id)).all()
    for message, action in rows:
        _, actions = turns.setdefault(message.id, (message, []))
        if action is not None:
            actions.append(action)
    return [Turn(message, tuple(actions)) for message, actions in turns.values()]


def identity_progress_statement(user_id: UUID) -> Select[Identity]:
    """Return the page's *identity progress* query for one user."""
    return select(Identity).where(Identity.user_id == user_id).order_by(Identity.created_at, Identity.id)


def identity_progress(session: Session, user_id: UUID) -> list[Identity]:
    """Return the user's identities in the order in which they were made."""
    return list(session.scalars(identity_progress_statement(user_id)))


INDEX_USAGE: TextClause = text(
    """
    SELECT schemaname, relname, indexrelname, idx_scan, idx_tup_read, idx_tup_fetch
      FROM pg_stat_user_indexes
     WHERE schemaname = :schema
     ORDER BY idx_scan DESC, relname, indexrelname
    """
)
TABLE_STATISTICS: TextClause = text(
    """
    SELECT schemaname, relname, seq_scan, seq_tup_read, idx_scan, idx_tup_fetch
      FROM pg_stat_user_tables
     WHERE schemaname = :schema
     ORDER BY seq_scan DESC, relname
    """
)


def index_usage(session: Session, schema: str = "public") -> list[IndexUsage]:
    """Return how often each index of *schema* was used, most used first."""
    return [IndexUsage(*row) for row in session.execute(INDEX_USAGE, {"schema": schema})]


def table_statistics(session: Session, schema: str = "public") -> list[TableStatistics]:
    """Return how each table of *schema* was read, most sequential scans first."""
    return [TableStatistics(*row) for row in session.execute(TABLE_STATISTICS, {"schema": schema})]
