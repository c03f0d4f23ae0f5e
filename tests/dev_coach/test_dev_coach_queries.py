"""The queries of the page: what they return, and on 100,000 messages the indexes that serve them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from scenarios.domains.dev_coach import DOMAIN, ChatMessage, User, queries
from scenarios.domains.dev_coach.maintenance import (
    RECENT_INDEX,
    analyze,
    rebuild_recent_messages_index,
    recent_messages_cutoff,
    reindex,
    vacuum,
)
from scenarios.errors import DatabaseError
from scenarios.postgres import Database, Server

USER = UUID(md5(b"user 250", usedforsecurity=False).hexdigest())


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[Database]:
    """500 users with 200 messages each, vacuumed and analyzed."""
    script = Path(__file__).with_name("fill.sql").read_text(encoding="utf-8")

    def fill(connection: psycopg.Connection[Any]) -> None:
        connection.execute(script.encode())

    template = server.template(DOMAIN, populate=fill, key=script)
    with server.database(template=template) as database:
        with database.connect() as connection:
            vacuum(connection, list(DOMAIN.metadata.tables))
        yield database


@pytest.fixture
def orm(filled: Database) -> Iterator[Session]:
    """A session on the filled database."""
    with Session(filled.engine) as session:
        yield session


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _plan(database: Database, statement: Select[Any] | str) -> list[dict[str, Any]]:
    text = (
        statement
        if isinstance(statement, str)
        else str(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
    )
    with database.connect() as connection:
        row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}".encode()).fetchone()
    assert row is not None
    return list(_nodes(row[0][0]["Plan"]))


def _scanned(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Index Name"] for node in plan if "Index Name" in node}


def _sequential(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}


def test_user_session_data(orm: Session) -> None:
    found = queries.user_session(orm, USER)
    assert found is not None
    assert found.user.email == "user250@example.com"
    assert found.coach_state is found.user.coach_state
    assert found.current_identity is not None
    assert found.current_identity.name == "Identity 1"
    assert found.proposed_identity is not None
    assert found.proposed_identity.name == "Identity 2"
    assert queries.user_session(orm, UUID(int=0)) is None


def test_a_user_without_a_coach_state_still_has_session_data(orm: Session) -> None:
    user = User(email="new@example.com", password="!")
    orm.add(user)
    orm.flush()
    found = queries.user_session(orm, user.id)
    assert found == queries.SessionData(user, None, None, None)
    orm.rollback()


def test_conversation_history(orm: Session) -> None:
    turns = queries.conversation(orm, USER)
    assert [turn.message.content for turn in turns] == [f"turn {number}" for number in range(1, 201)]
    assert [len(turn.actions) for turn in turns] == [1 if number % 6 == 1 else 0 for number in range(1, 201)]
    assert all(action.coach_message_id == turn.message.id for turn in turns for action in turn.actions)


def test_identity_progress(orm: Session) -> None:
    found = queries.identity_progress(orm, USER)
    assert [identity.name for identity in found] == [f"Identity {number}" for number in range(8, 0, -1)]


def test_session_data_reads_by_keys_alone(filled: Database) -> None:
    plan = _plan(filled, queries.user_session_statement(USER))
    assert not _sequential(plan)
    assert "users_user_pkey" in _scanned(plan)
    assert _scanned(plan) & {"coach_states_coachstate_user_id_key", "coach_states_coachstate_user_id_idx"}
    assert _scanned(plan) & {"identities_identity_pkey", "identities_identity_id_user_id_key"}


def test_a_conversation_reads_the_users_messages_and_actions_alone(filled: Database) -> None:
    plan = _plan(filled, queries.conversation_statement(USER))
    assert not _sequential(plan)
    assert _scanned(plan) & {
        "chat_messages_chatmessage_user_id_idx",
        "chat_messages_chatmessage_user_id_role_idx",
    }
    assert any(name.startswith("actions_action_") for name in _scanned(plan))


def test_identity_progress_reads_the_users_identities_alone(filled: Database) -> None:
    plan = _plan(filled, queries.identity_progress_statement(USER))
    assert not _sequential(plan)
    assert any(name.startswith("identities_identity_user_id_") for name in _scanned(plan))


def test_full_text_search_uses_its_index_as_the_application_writes_it(filled: Database) -> None:
    plan = _plan(
        filled,
        "SELECT id FROM chat_messages_chatmessage"
        " WHERE to_tsvector('english', content) @@ plainto_tsquery('english', '137')",
    )
    assert "chat_messages_chatmessage_content_gin_idx" in _scanned(plan)


def test_usage_and_statistics_have_names_and_numbers(orm: Session, filled: Database) -> None:
    _plan(filled, queries.user_session_statement(USER))
    usage = queries.index_usage(orm)
    assert {entry.table for entry in usage} == set(DOMAIN.metadata.tables)
    assert "users_user_email_key" in {entry.index for entry in usage}
    assert [entry.scans for entry in usage] == sorted((entry.scans for entry in usage), reverse=True)
    tables = queries.table_statistics(orm)
    assert {entry.table for entry in tables} == set(DOMAIN.metadata.tables)
    counts = [entry.sequential_scans for entry in tables]
    assert counts == sorted(counts, reverse=True)
    assert queries.index_usage(orm, "no_such_schema") == []


def test_the_recent_index_moves_and_is_used(filled: Database) -> None:
    now = datetime(2025, 7, 2, 9, tzinfo=UTC)
    with filled.connect() as connection:
        old = recent_messages_cutoff(connection)
        assert old == datetime(2025, 7, 25, tzinfo=UTC)
        cutoff = rebuild_recent_messages_index(connection, now=now, days=30)
        assert cutoff == recent_messages_cutoff(connection) == datetime(2025, 6, 2, 9, tzinfo=UTC)
        left = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relname LIKE %s", [f"{RECENT_INDEX}%"]
        ).fetchone()
        assert left == (1,)
        # Twice is as good as once, whatever an interrupted build left behind.
        connection.execute(f"CREATE INDEX {RECENT_INDEX}_new ON chat_messages_chatmessage (id)".encode())
        assert rebuild_recent_messages_index(connection, now=now) == cutoff
        rows = connection.execute(
            "SELECT reltuples FROM pg_class WHERE relname = %s", [RECENT_INDEX]
        ).fetchone()
        assert rows is not None
        assert 0 < rows[0] < 100_000
    query = (
        select(ChatMessage.content)
        .where(ChatMessage.user_id == USER, ChatMessage.timestamp > datetime(2025, 6, 2, 12, tzinfo=UTC))
        .order_by(ChatMessage.timestamp)
    )
    assert RECENT_INDEX in _scanned(_plan(filled, query))


def test_maintenance_does_not_run_inside_a_transaction(conn: psycopg.Connection[Any]) -> None:
    for work in (rebuild_recent_messages_index, vacuum, reindex):
        with conn.transaction(), pytest.raises(DatabaseError, match="outside a transaction"):
            work(conn)


def test_maintenance_refuses_what_makes_no_sense(conn: psycopg.Connection[Any]) -> None:
    with pytest.raises(DatabaseError, match="no time zone"):
        rebuild_recent_messages_index(conn, now=datetime(2025, 1, 1))
    with pytest.raises(DatabaseError, match="no table pg_class"):
        analyze(conn, ["pg_class"])
    conn.execute(f"DROP INDEX {RECENT_INDEX}".encode())
    with pytest.raises(DatabaseError, match="missing"):
        recent_messages_cutoff(conn)
    rebuild_recent_messages_index(conn)
    assert recent_messages_cutoff(conn).tzinfo is not None


def test_analyze_and_reindex_do_their_work(conn: psycopg.Connection[Any]) -> None:
    where = "SELECT relfilenode FROM pg_class WHERE relname = 'users_user_email_key'"
    before = conn.execute(where).fetchone()
    reindex(conn, ["users_user"])
    assert conn.execute(where).fetchone() != before
    conn.execute("INSERT INTO users_user (email, password) VALUES ('a@example.com', '!')")
    analyze(conn)
    row = conn.execute("SELECT reltuples FROM pg_class WHERE relname = 'users_user'").fetchone()
    assert row == (1,)
