"""The costs this project promises, and what a run says of them: met or missed, never left out.

A promise is looked up in what the scripts measured. One whose script did not run is reported as not measured,
so that a broken script cannot look like a kept promise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Results = dict[str, Any]
"""What the scripts wrote, by the script's name."""


ENTER_MOST = "enter it again after a test that changed two rows in three"
ENTER_FEW = "enter it again after a test that changed two rows"
"""How a state is entered a second time, as `library` calls it."""
RESTORE_STRATEGY = "scenarios, restore strategy"
COMPUTING = "no database, computing for as long"
"""Tests, as `pytest_overhead` calls them."""


@dataclass(frozen=True)
class Promise:
    """One promised cost.

    Attributes:
        what: the promise in words.
        wanted: the bound as a number.
        unit: what the number counts.
        look: finds the measured number, in the same unit.
        at_least: whether more is better.
        script: where it is measured.
        beside: finds what to read the number against, in words; nothing where that was not measured.
    """

    what: str
    wanted: float
    unit: str
    look: Callable[[Any], float]
    script: str
    at_least: bool = False
    beside: Callable[[Any], str] | None = None

    def remark(self, results: Results) -> str:
        """Return what belongs beside the number, in brackets, or nothing."""
        if self.beside is None or self.measured(results) is None:
            return ""
        try:
            return f" ({self.beside(results[self.script])})"
        except KeyError:
            return ""

    def measured(self, results: Results) -> float | None:
        """Return the number, or None when the script did not run or did not get that far."""
        try:
            return float(self.look(results[self.script]))
        except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
            return None

    def met(self, value: float) -> bool:
        """Return whether *value* keeps the promise."""
        return value >= self.wanted if self.at_least else value <= self.wanted


def shapes(restore: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (where, figures) of each size that was measured."""
    for where, found in restore.items():
        if isinstance(found, dict) and "measured" in found:
            for each in found["measured"]:
                yield where, each


def _worst(figure: Callable[[dict[str, Any]], float]) -> Callable[[Any], float]:
    return lambda restore: max(figure(each) for _, each in shapes(restore))


def _spread(restore: Any) -> float:
    medians = [each["journal"]["restore"]["median"] for where, each in shapes(restore) if where == "tmpfs"]
    return max(medians) / min(medians)


def wear(each: dict[str, Any]) -> float:
    """Return how many times a fresh database's restore one costs after thousands of others."""
    own = each["journal"]
    return float(own["restore, worn database"]["median"] / own["restore, fresh database"]["median"])


def _library(name: str) -> Callable[[Any], float]:
    return lambda library: library["measured"][name]["ms"]


def _found(name: str) -> Callable[[Any], float]:
    return lambda populate: populate["found"][name]


PROMISES = (
    Promise(
        "restore after seven changed rows, median, at any size",
        1.0,
        "ms",
        _worst(lambda each: each["journal"]["restore"]["median"]),
        "restore",
    ),
    Promise("the same, p95", 2.0, "ms", _worst(lambda each: each["journal"]["restore"]["p95"]), "restore"),
    Promise("largest against smallest size (in memory)", 1.5, "×", _spread, "restore"),
    Promise("a restore after 2,000 others against a fresh database's", 1.3, "×", _worst(wear), "restore"),
    Promise(
        "snapshot, median", 0.3, "ms", _worst(lambda each: each["journal"]["snapshot"]["median"]), "restore"
    ),
    Promise(
        "triggers on ten statements in a session, median of all sizes",
        30,
        "% more",
        lambda restore: _middle(each["triggers"]["session"]["overhead %"] for _, each in shapes(restore)),
        "restore",
    ),
    Promise(
        "triggers on ten bare statements on a socket, median of all sizes",
        30,
        "% more",
        lambda restore: _middle(
            each["triggers"]["bare statements"]["overhead %"] for _, each in shapes(restore)
        ),
        "restore",
    ),
    Promise(
        "volume against `create_batch` with flush",
        25,
        "×",
        _found("generated / create_batch with flush"),
        "populate",
        True,
    ),
    Promise(
        "volume against `create_batch` with commit",
        60,
        "×",
        _found("generated / create_batch with commit"),
        "populate",
        True,
    ),
    Promise(
        "builder's stretches against `create_batch` with flush",
        25,
        "×",
        _found("stretches / create_batch with flush"),
        "populate",
        True,
    ),
    Promise(
        "builder's stretches against `create_batch` with commit",
        60,
        "×",
        _found("stretches / create_batch with commit"),
        "populate",
        True,
    ),
    Promise(
        "our factories against `create_batch` with flush",
        8,
        "×",
        _found("our factories / create_batch with flush"),
        "populate",
        True,
    ),
    Promise(
        "volume against COPY of the same rows, ready",
        0.75,
        "×",
        _found("generated / COPY of the same rows"),
        "populate",
        True,
    ),
    Promise(
        "a million messages, all indexes",
        60_000,
        "rows/s",
        _found("million messages, rows a second"),
        "populate",
        True,
    ),
    Promise("the same, memory", 300, "MB", _found("million messages, peak MB (at most)"), "populate"),
    Promise(
        "a test on the restore strategy over SQLAlchemy's rollback recipe",
        2,
        "ms",
        lambda found: found["restore_over_recipe_ms"],
        "pytest_overhead",
    ),
    Promise(
        "restore strategy against pytest-postgresql",
        12,
        "×",
        lambda found: found["times_faster_than_pytest_postgresql"],
        "pytest_overhead",
        True,
    ),
    Promise(
        "first test of a cold run over bare pytest",
        1200,
        "ms",
        lambda found: found["first_test_over_bare_ms"]["cold"],
        "pytest_overhead",
    ),
    Promise(
        "first test of a warm run over bare pytest",
        400,
        "ms",
        lambda found: found["first_test_over_bare_ms"]["warm"],
        "pytest_overhead",
    ),
    Promise(
        "two workers against one process",
        1.8,
        "×",
        lambda found: found["two_workers"][RESTORE_STRATEGY]["times_faster"],
        "pytest_overhead",
        True,
        lambda found: f"{found['two_workers'][COMPUTING]['times_faster']} × without a database",
    ),
    Promise(
        "reading a scenario file of 157 rows", 30, "ms", _library("read and validate the file"), "library"
    ),
    Promise("loading it", 15, "ms", _library("load it"), "library"),
    Promise(
        "entering it again after a test that changed two rows", 1.5, "ms", _library(ENTER_FEW), "library"
    ),
    Promise("the same after two rows in three (107 of 157)", 1.5, "ms", _library(ENTER_MOST), "library"),
    Promise("freezing it", 50, "ms", _library("freeze it"), "library"),
    Promise(
        "`scenarios list`, a cold process", 400, "ms", _library("scenarios list, a cold process"), "library"
    ),
)


def _middle(values: Iterator[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
