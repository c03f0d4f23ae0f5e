"""Django reads the schema as its own: `inspectdb` finds the tables and keys, the ORM a loaded user's rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from dev_coach_rows import Rows

from scenarios.domains.dev_coach import DOMAIN
from scenarios.postgres import Database

READER = Path(__file__).with_name("django_reads.py")


@pytest.fixture
def read(dev_coach: Database, rows: Rows) -> dict[str, object]:
    """What Django makes of a database with two users of a scenario."""
    scope = rows.scenario()
    rows.person(email="omar@example.com", test_scenario_id=scope)
    user = rows.user(email="maya@example.com", first_name="Maya", test_scenario_id=scope)
    maker, carer = rows.identity(user, name="Maker"), rows.identity(user, name="Carer")
    rows.state(
        user,
        current_phase="IDENTITY_REFINEMENT",
        current_identity_id=maker,
        proposed_identity_id=carer,
        who_you_are=["father", "engineer"],
        asked_questions=["WORK_LIVING"],
        metadata={"mood": "bright"},
    )
    rows.message(user, content="Who are you?")
    rows.message(user, role="USER", content="a maker")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(READER), dev_coach.dsn, "maya@example.com"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_django_reads_schema_and_rows(read: dict[str, object]) -> None:
    assert set(read["models"]) >= set(DOMAIN.metadata.tables)  # type: ignore[call-overload]  # a list in JSON
    assert read["comments"] == []
    keys = {
        f"{table.name}.{key.columns[0].name}": key.referred_table.name
        for table in DOMAIN.metadata.tables.values()
        for key in sorted(table.foreign_key_constraints, key=lambda key: len(key.columns))
    }
    assert read["relations"] == keys
    assert read["name"] == "Maya"
    assert read["messages"] == [["COACH", "Who are you?"], ["USER", "a maker"]]
    assert read["identities"] == ["Carer", "Maker"]
    assert read["phase"] == "IDENTITY_REFINEMENT"
    assert read["current_identity"] == "Maker"
    assert read["lists"] == [["father", "engineer"], ["WORK_LIVING"]]
    assert read["metadata"] == {"mood": "bright"}
