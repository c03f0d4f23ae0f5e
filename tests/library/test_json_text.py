"""JSON that a browser reads, whatever a column holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.json_text import json_text


def read(text: str) -> object:
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ({"a": [float("inf"), 1.5, None, True]}, {"a": ["Infinity", 1.5, None, True]}),
        (b"\xff\x00", "\\xff00"),
        (memoryview(b"\x01"), "\\x01"),
        (Decimal("NaN"), "NaN"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        ((1, {2: "é"}), [1, {"2": "é"}]),
    ],
)
def test_what_json_has_no_form_for_is_a_text(value, found):
    assert read(json_text(value)) == found


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(ANY)
def test_it_is_json_whatever_comes(value):
    read(json_text(value))
