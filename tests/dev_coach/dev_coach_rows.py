"""Short ways to put rows into a Dev Coach database, for tests that are about one column of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from scenarios.domains.dev_coach import DOMAIN

START = datetime(2025, 8, 1, 9, tzinfo=UTC)


class Rows:
    """Inserts rows with whatever a test does not care about filled in."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self._ticks = 0

    def tick(self) -> datetime:
        self._ticks += 1
        return START + timedelta(seconds=self._ticks)

    def insert(self, table: str, **values: Any) -> UUID:
        values = {"id": uuid4(), **values}
        values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        self.conn.execute(statement, list(values.values()))
        return values["id"]

    def value(self, query: str, *parameters: Any) -> Any:
        row = self.conn.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return row[0]

    def scenario(self, name: str | None = None, **values: Any) -> UUID:
        return self.insert(
            "test_scenario_testscenario",
            **{"name": name or f"scenario {uuid4().hex}", "template": {}, **values},
        )

    def user(self, **values: Any) -> UUID:
        return self.insert(
            "users_user", **{"email": f"u{uuid4().hex}@example.com", "password": "!", **values}
        )

    def profile(self, user: UUID, **values: Any) -> UUID:
        return self.insert("users_userprofile", user_id=user, **values)

    def verification(self, user: UUID, **values: Any) -> UUID:
        fill = {
            "token": uuid4().hex,
            "email": "new@example.com",
            "verification_type": "EMAIL_CHANGE",
            "created_at": START,
            "expires_at": START + timedelta(days=1),
        }
        return self.insert("authentication_verification", user_id=user, **{**fill, **values})

    def state(self, user: UUID, **values: Any) -> UUID:
        return self.insert("coach_states_coachstate", user_id=user, **values)

    def identity(self, user: UUID, **values: Any) -> UUID:
        return self.insert("identities_identity", user_id=user, **{"category": "SPIRITUAL", **values})

    def message(self, user: UUID, **values: Any) -> UUID:
        fill = {"role": "COACH", "content": "What matters to you?", "timestamp": self.tick()}
        return self.insert("chat_messages_chatmessage", user_id=user, **{**fill, **values})

    def action(self, user: UUID, message: UUID, **values: Any) -> UUID:
        fill = {"action_type": "CREATE_IDENTITY", "parameters": {}, "timestamp": self.tick()}
        return self.insert("actions_action", user_id=user, coach_message_id=message, **{**fill, **values})

    def result(self, user: UUID, action: UUID, **values: Any) -> UUID:
        return self.insert("actions_actionresult", user_id=user, action_id=action, **values)

    def note(self, user: UUID, **values: Any) -> UUID:
        return self.insert("user_notes_usernote", user_id=user, **{"note": "Likes mornings", **values})

    def session(self, user: UUID, state: UUID, **values: Any) -> UUID:
        fill = {"phase": "GET_TO_KNOW_YOU"}
        return self.insert(
            "coach_states_coachingsession", user_id=user, coach_state_id=state, **{**fill, **values}
        )

    def link(self, user: UUID, session: UUID, message: UUID, **values: Any) -> UUID:
        return self.insert(
            "coach_states_coachingsessionmessage",
            user_id=user,
            session_id=session,
            message_id=message,
            **values,
        )

    def prompt(self, **values: Any) -> UUID:
        return self.insert("prompts_prompt", **{"body": "Be kind.", **values})

    def person(self, **values: Any) -> UUID:
        """A user with a row in every table that belongs to a user (handles only inside a scenario)."""
        user = self.user(**values)
        self.profile(user)
        self.verification(user)
        identity = self.identity(user)
        state = self.state(user, current_identity_id=identity, proposed_identity_id=identity)
        message = self.message(user)
        self.note(user, source_message_id=message)
        self.result(user, self.action(user, message))
        self.link(user, self.session(user, state), message)
        if scope := values.get("test_scenario_id"):
            self.insert("test_scenario_testscenariouser", test_scenario_id=scope, handle="maya", user_id=user)
            self.insert(
                "test_scenario_testscenariochatmessage",
                test_scenario_id=scope,
                handle="maya.hello",
                user_id=user,
                message_id=message,
            )
        return user

    def counts(self) -> dict[str, int]:
        return {
            name: self.value(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)).as_string(None))
            for name in DOMAIN.metadata.tables
        }
