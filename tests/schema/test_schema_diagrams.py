"""Diagrams: every table, column and reference is drawn, and drawings do not lie on top of one another."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from schema_shop import make_shop
from sqlalchemy import MetaData

from scenarios.domain import get_domain
from scenarios.schema.diagrams import mermaid, relations, svg

SPACE = "{http://www.w3.org/2000/svg}"


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
def test_svg_is_whole_and_nothing_overlaps(system: str) -> None:
    metadata = make_shop() if system == "shop" else get_domain(system).metadata
    drawing = ElementTree.fromstring(svg(metadata, title="A & B"))
    texts = [element.text for element in drawing.iter(f"{SPACE}text")]
    assert {table.fullname for table in metadata.tables.values()} <= set(texts)
    keys = sum(len(table.foreign_key_constraints) for table in metadata.tables.values())
    edges = [path for path in drawing.iter(f"{SPACE}path") if "edge" in path.get("class", "")]
    assert len(edges) == keys
    _, _, width, height = map(float, drawing.get("viewBox", "").split())
    boxes = [
        tuple(float(box.get(name, "")) for name in ("x", "y", "width", "height"))
        for box in drawing.iter(f"{SPACE}rect")
        if box.get("class") == "box"
    ]
    assert len(boxes) == len(metadata.tables)
    for number, (x, y, w, h) in enumerate(boxes):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for x2, y2, w2, h2 in boxes[number + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_every_column_has_a_line_in_the_drawing() -> None:
    metadata = get_domain("dev_coach").metadata
    drawing = svg(metadata)
    rows = len(re.findall(r'text-anchor="end"', drawing))
    assert rows == sum(len(table.columns) for table in metadata.tables.values())


def test_an_empty_schema_can_be_drawn() -> None:
    assert mermaid(MetaData()) == "erDiagram\n"
    assert ElementTree.fromstring(svg(MetaData())).tag == f"{SPACE}svg"
