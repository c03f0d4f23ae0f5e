"""Whatever the bytes of a file: an answer or a clean error, in bounded time, and an unchanged database."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.errors import ScenariosError, SnapshotFileError
from scenarios.library import Library
from scenarios.resources import resource

SEEDS = [
    (resource("scenario_library") / "dev_coach" / name).read_text("utf-8")
    for name in ("just_registered.yaml", "to_be_forgotten.yaml", "edge_of_limits.yaml")
]
BOUNDED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SNIPPETS = st.sampled_from(
    [
        "${",
        "}",
        "[",
        "{",
        ":",
        "-",
        "!!x",
        "&a",
        "*a",
        "~",
        "1e999",
        "25:99",
        "null",
        "é",
        "'",
        '"',
        "#",
        "|",
        "...",
    ]
)


@st.composite
def mutated(draw):
    """A real file with some of it cut out, doubled, or replaced."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.one_of(SNIPPETS, st.text(max_size=12), st.just(text[start:stop] * 2)))
        text = text[:start] + piece + text[stop:]
    return text.encode("utf-8", "surrogatepass")


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "dev_coach").mkdir()
    return tmp_path


@BOUNDED
@given(content=st.one_of(mutated(), st.binary(max_size=300)))
def test_any_scenario_file_is_read_or_refused(shelf, content):
    file = shelf / "dev_coach" / "fuzzed.yaml"
    file.write_bytes(content)
    with suppress(ScenariosError):  # any other error, or none that ends, is what is looked for
        Library(shelf)["fuzzed"].plan()


@BOUNDED
@given(data=st.data())
def test_any_snapshot_file_is_refused_cleanly(guarded, shelf, data):
    file = shelf / "fuzzed.scn"
    if not (shelf / "good.scn").exists():
        guarded.save(shelf / "good.scn")
    good = (shelf / "good.scn").read_bytes()
    content = bytearray(good)
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "random"]))
    at = data.draw(st.integers(0, len(good) - 1))
    if kind == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[at:]
    elif kind == "insert":
        content[at:at] = data.draw(st.binary(min_size=1, max_size=40))
    else:
        content = bytearray(data.draw(st.binary(max_size=400)))
    file.write_bytes(content)
    before = guarded.checksum()
    with pytest.raises(SnapshotFileError):
        guarded.open(file)
    assert guarded.checksum() == before
