"""The rendered DDL on every supported PostgreSQL, and what the catalogue then says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from dev_coach_rows import Rows

from scenarios.domains.dev_coach import DOMAIN, Base
from scenarios.postgres import Server
from scenarios.resources import resource
from scenarios.schema.catalogue import read_catalogue

# What the indexes page names, in its order: the names the catalogue must know.
PAGE_INDEXES = [
    "users_user_test_scenario_id_idx",
    "coach_states_coachstate_user_id_idx",
    "identities_identity_user_id_idx",
    "chat_messages_chatmessage_user_id_idx",
    "actions_action_user_id_idx",
    "user_notes_usernote_user_id_idx",
    "coach_states_coachstate_current_identity_id_idx",
    "coach_states_coachstate_proposed_identity_id_idx",
    "identities_identity_test_scenario_id_idx",
    "chat_messages_chatmessage_test_scenario_id_idx",
    "actions_action_coach_message_id_idx",
    "user_notes_usernote_source_message_id_idx",
    "test_scenario_testscenario_created_by_id_idx",
    "users_user_created_at_idx",
    "users_user_updated_at_idx",
    "users_user_last_login_idx",
    "coach_states_coachstate_updated_at_idx",
    "identities_identity_created_at_idx",
    "identities_identity_updated_at_idx",
    "chat_messages_chatmessage_timestamp_idx",
    "actions_action_timestamp_idx",
    "user_notes_usernote_created_at_idx",
    "test_scenario_testscenario_created_at_idx",
    "test_scenario_testscenario_updated_at_idx",
    "actions_action_user_id_timestamp_idx",
    "chat_messages_chatmessage_user_id_role_idx",
    "identities_identity_user_id_category_idx",
    "identities_identity_user_id_state_idx",
    "chat_messages_chatmessage_content_gin_idx",
    "user_notes_usernote_note_gin_idx",
    "identities_identity_affirmation_gin_idx",
    "identities_identity_visualization_gin_idx",
    "prompts_prompt_active_idx",
    "users_user_real_users_idx",
    "chat_messages_chatmessage_recent_idx",
    "users_user_test_scenario_idx",
    "chat_messages_chatmessage_test_scenario_idx",
]
PAGE_CONSTRAINTS = [
    "users_user_email_key",
    "users_user_username_key",
    "coach_states_coachstate_user_id_key",
    "prompts_prompt_coaching_phase_version_key",
    "test_scenario_testscenario_name_key",
    "users_user_email_check",
    "coach_states_coachstate_current_phase_check",
    "chat_messages_chatmessage_role_check",
    "identities_identity_state_check",
    "prompts_prompt_version_check",
    "users_user_created_at_updated_at_check",
]

DOCUMENT = Path(__file__).parents[2] / "docs" / "dev_coach_schema.md"
_ROW = re.compile(r"^\| `(?P<name>\w+)` \| `(?P<definition>[^`]+)` \| (?P<verdict>\w+) \| ?(?P<why>.*?) ?\|$")


@pytest.fixture(scope="module")
def on_any_version(any_server: Server) -> Iterator[psycopg.Connection[Any]]:
    """A database made from the rendered file, on each PostgreSQL version there is."""
    script = (resource("schema") / "dev_coach" / "schema.sql").read_text(encoding="utf-8")
    with any_server.database() as database, database.connect() as connection:
        connection.execute(script.encode())
        yield connection


@pytest.mark.postgres_matrix
def test_the_rendered_file_makes_every_object_of_the_page(on_any_version: psycopg.Connection[Any]) -> None:
    catalogue = read_catalogue(on_any_version)
    indexes = {name.removeprefix("public.") for name in catalogue.names("index")}
    assert set(PAGE_INDEXES) <= indexes
    constraints = {name.rpartition(".")[2] for name in catalogue.names("constraint")}
    assert set(PAGE_CONSTRAINTS) <= constraints
    assert len(PAGE_INDEXES) + len(PAGE_CONSTRAINTS) == 48
    assert {name.removeprefix("public.") for name in catalogue.names("table")} >= set(DOMAIN.metadata.tables)
    for table in DOMAIN.metadata.tables:
        identity = catalogue.objects["column", f"public.{table}.id"]
        assert identity == "uuid not null default gen_random_uuid()"


@pytest.mark.postgres_matrix
def test_it_can_be_lived_in(on_any_version: psycopg.Connection[Any]) -> None:
    rows = Rows(on_any_version)
    with on_any_version.transaction(force_rollback=True):
        scope = rows.scenario()
        rows.person(test_scenario_id=scope)
        rows.prompt()
        on_any_version.execute("UPDATE coach_states_coachstate SET current_phase = 'IDENTITY_CREATION'")
        on_any_version.execute("DELETE FROM test_scenario_testscenario")
        assert {name: count for name, count in rows.counts().items() if count} == {"prompts_prompt": 1}


def _documented() -> dict[str, tuple[str, str, str]]:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    matches = [found for line in lines if (found := _ROW.match(line))]
    return {found["name"]: (found["definition"], found["verdict"], found["why"]) for found in matches}


def test_the_document_lists_each_statement_of_the_page() -> None:
    documented = _documented()
    assert sorted(documented) == sorted([*PAGE_INDEXES, *PAGE_CONSTRAINTS])
    for name, (_, verdict, why) in documented.items():
        assert verdict in {"met", "corrected", "duplicated"}, name
        assert verdict == "met" or why, f"{name} lacks a reason"


def test_the_document_says_what_the_catalogue_says(conn: psycopg.Connection[Any]) -> None:
    objects = read_catalogue(conn).objects
    found = {name.rpartition(".")[2]: text for (kind, name), text in objects.items() if kind == "constraint"}
    for (kind, name), text in objects.items():
        if kind == "index":
            found[name.removeprefix("public.")] = text.partition(" USING ")[2]
    for name, (definition, _, _) in _documented().items():
        assert found[name] == definition


def test_the_indexes_that_double_another_are_those_the_document_names(conn: psycopg.Connection[Any]) -> None:
    """An index doubles another if its columns are the first of the other's and it covers no other rows."""
    doubled = conn.execute(
        """
        SELECT DISTINCT a.indexrelid::regclass::text
          FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid
          JOIN pg_class ca ON ca.oid = a.indexrelid JOIN pg_class cb ON cb.oid = b.indexrelid
         WHERE ca.relam = cb.relam AND NOT a.indisunique AND a.indexprs IS NULL AND b.indexprs IS NULL
           AND (a.indkey::int2[])[0:a.indnatts - 1] = (b.indkey::int2[])[0:a.indnatts - 1]
           AND (b.indpred IS NULL OR pg_get_expr(b.indpred, b.indrelid) = pg_get_expr(a.indpred, a.indrelid))
           AND a.indrelid::regclass::text = ANY (%s)
        """,
        [list(DOMAIN.metadata.tables)],
    ).fetchall()
    named = {name for name, (_, verdict, _) in _documented().items() if verdict == "duplicated"}
    assert {name for (name,) in doubled} & set(PAGE_INDEXES) == named


def test_the_document_points_at_code_that_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    places = set(re.findall(r"`(scenarios(?:\.\w+)+\.)(\w+)`", text))
    assert len(places) > 8
    for module, name in places:
        try:
            import_module(module + name)
        except ModuleNotFoundError:
            assert hasattr(import_module(module.removesuffix(".")), name), f"{module}{name}"


def test_the_document_lists_every_table_and_its_class() -> None:
    listed = dict(
        re.findall(r"^\| `(\w+)` \| `(\w+)` \| \S", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert listed == {
        mapper.local_table.name: mapper.class_.__name__  # type: ignore[attr-defined]  # all are plain tables
        for mapper in Base.registry.mappers
    }
