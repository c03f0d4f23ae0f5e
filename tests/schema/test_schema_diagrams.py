"""Diagrams: every table, column and reference is drawn."""

from __future__ import annotations

import pytest
from schema_shop import make_shop
from sqlalchemy import MetaData

from scenarios.domain import get_domain
from scenarios.schema.diagrams import mermaid, relations


def test_relations_say_how_many_on_each_side() -> None:
    found = {(item.child, item.column): item for item in relations(make_shop())}
    assert len(found) == 3
    order = found["shop.order", "customer"]
    assert (order.parent, order.optional, order.single) == ("Customer", False, False)
    assert found["Customer", "invited_by"].optional
    coach = {(item.child, item.column): item for item in relations(get_domain("dev_coach").metadata)}
    assert coach["coach_states_coachstate", "user_id"].single
    assert not coach["chat_messages_chatmessage", "user_id"].single


def test_mermaid_has_every_table_column_and_reference() -> None:
    text = mermaid(make_shop(), title="Shop")
    assert text.startswith("---\ntitle: Shop\n---\nerDiagram\n")
    assert '    "shop.order" {' in text
    assert "        integer id PK" in text
    assert "        varchar(40) name UK" in text
    assert "        integer customer FK" in text
    assert "        numeric(10-2) total" in text
    assert "        varchar(8)[] tags" in text
    assert '    Customer ||--o{ "shop.order" : customer' in text
    assert "    Customer |o--o{ Customer : invited_by" in text


@pytest.mark.parametrize("system", ["dev_coach", "coach_bot", "essay_coach", "shop"])
def test_every_table_column_and_reference_of_a_system_has_a_line(system: str) -> None:
    metadata = make_shop() if system == "shop" else get_domain(system).metadata
    lines = mermaid(metadata).splitlines()
    assert sum(line.endswith(" {") for line in lines) == len(metadata.tables)
    assert sum("--" in line for line in lines) == sum(
        len(table.foreign_key_constraints) for table in metadata.tables.values()
    )
    columns = sum(len(table.columns) for table in metadata.tables.values())
    assert sum(line.startswith("        ") for line in lines) == columns


def test_an_empty_schema_can_be_drawn() -> None:
    assert mermaid(MetaData()) == "erDiagram\n"
