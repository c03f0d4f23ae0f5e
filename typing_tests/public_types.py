"""What a type checker must know about the public names; mypy and pyright read it, nobody runs it.

Each `assert_type` is the type an editor completes after the call; each line that ignores an error is a
mistake a checker must find.
"""

from __future__ import annotations

from typing import assert_type

import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncEngine

import scenarios
from scenarios import Changes, Database, Instance, Server, Snapshot
from scenarios.domain import Domain, get_domain
from scenarios.domains.dev_coach import User
from scenarios.errors import ScenariosError
from scenarios.factories.dev_coach import UserFactory
from scenarios.library import ScenarioDefinition
from scenarios.validation import Health


def databases() -> None:
    with scenarios.start_server() as server:
        assert_type(server, Server)
        with server.database(get_domain("dev_coach")) as db:
            assert_type(db, Database)
            assert_type(db.url, str)
            assert_type(db.engine, sqlalchemy.Engine)
            assert_type(db.async_engine, AsyncEngine)
            before = db.snapshot("before")
            assert_type(before, Snapshot)
            assert_type(db.changes(before), Changes)
            assert_type(db.changes(before).inserted(User), list[User])
            assert_type(db.checksum(), str)
            with db.restored() as inner:
                assert_type(inner, Snapshot)
    scenarios.start_server(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def libraries(db: Database) -> None:
    definition = scenarios.Library()["refinement_in_progress"]
    assert_type(definition, ScenarioDefinition)
    instance = definition.load(db, as_name="friday", turns=4)
    assert_type(instance, Instance)
    assert_type(instance.name, str)
    definition.load()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def factories() -> None:
    assert_type(UserFactory.build(), User)
    assert_type(UserFactory.build_batch(3), list[User])


def others(error: ScenariosError, found: Health) -> None:
    assert_type(get_domain("coach_bot"), Domain)
    assert_type(error.hint, str | None)
    assert_type(found.value, float | None)
    found.status = "fine"  # type: ignore[assignment, misc]  # pyright: ignore[reportAttributeAccessIssue]
