"""The page says what was measured, all of it, and nothing else."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from benchmarks.promises import PROMISES
from benchmarks.report import compose

pytestmark = pytest.mark.thorough("the page of figures is drawn")


def page(stored, tmp_path):
    return compose(stored["results"], stored["machine"], tmp_path)


def test_every_section_table_and_plot_is_there(stored, tmp_path):
    text = page(stored, tmp_path)
    assert "$" not in text
    assert "not measured" not in text.split("## Putting a database back")[0]
    for name in re.findall(r"\]\((images/\w+\.svg)\)", text):
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")
    assert {path.name for path in (tmp_path / "images").iterdir()} == {
        f"{name}.svg" for name in ("databases", "makers", "pytest", "restore", "servers")
    }
    for row in (line for line in text.splitlines() if line.startswith("|")):
        assert row.endswith("|"), row


def test_the_same_figures_give_the_same_bytes(stored, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    assert page(stored, first) == page(stored, second)
    for path in (first / "images").iterdir():
        assert path.read_bytes() == (second / "images" / path.name).read_bytes()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.what)
def test_each_promise_can_be_kept_and_broken(promise, stored):
    value = promise.measured(stored["results"])
    assert value is not None
    worse = promise.wanted * (0.9 if promise.at_least else 1.1)
    assert promise.met(promise.wanted)
    assert not promise.met(worse)


def test_a_missed_promise_is_called_missed(stored, tmp_path):
    kept = page(stored, tmp_path)
    stored["results"]["restore"]["disk"]["measured"][0]["journal"]["restore"]["median"] = 7.77
    broken = page(stored, tmp_path)
    line = next(line for line in broken.splitlines() if line.startswith("| restore after seven"))
    assert line.endswith("| 7.77 ms | **missed** |")
    assert line not in kept


def test_what_was_not_measured_says_so(stored, tmp_path):
    del stored["results"]["makers"]
    stored["results"]["library"] = {"failed": "it ended with status 1"}
    text = page(stored, tmp_path)
    assert "Not measured by `benchmarks/makers.py`: it was not run." in text
    assert "Not measured by `benchmarks/library.py`: it ended with status 1." in text
    assert "| loading it | ≤ 15 ms | not measured | – |" in text
    assert "| snapshot, median | ≤ 0.3 ms | 0.09 ms | met |" in text


def test_a_peer_that_was_not_here_is_named_with_the_reason(stored, tmp_path):
    text = page(stored, tmp_path)
    assert "not measured: no container engine with postgres:17 answers" in text
    assert "Not measured: testcontainers with create_all; no engine" in text


def test_where_a_peer_wins_is_said_only_if_it_does(stored, tmp_path):
    assert "**Fewer microseconds a row** than our factories: psycopg COPY" in page(stored, tmp_path)
    assert "**sqlalchemyseed, a JSON file** is loaded" not in page(stored, tmp_path)
    stored["results"]["makers"]["makers"]["psycopg `COPY`, ready rows"]["median"] = 99.0
    stored["results"]["makers"]["files"]["measured"]["sqlalchemyseed, a JSON file"]["median"] = 12.0
    text = page(stored, tmp_path)
    assert "**Fewer microseconds a row**" not in text
    assert "**sqlalchemyseed, a JSON file** is loaded in 12.0 ms, our scenario file in 33.9" in text


def test_a_busy_machine_and_a_quick_run_are_admitted(stored, tmp_path):
    text = page(stored, tmp_path)
    assert "was not quiet" not in text
    assert "A quick run" not in text
    stored["machine"]["load by script"]["makers"] = [2.5, 1.0, 1.0]
    stored["machine"]["quick"] = True
    text = page(stored, tmp_path)
    assert "The machine was not quiet" in text
    assert "A quick run" in text
