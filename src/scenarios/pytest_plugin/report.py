"""What a person reads: the rows a failed test changed, and what the run cost.

A failing database test usually shows an assertion about one value, and the reader must guess what else the
code did. Here the failure carries the rows that changed since the test's state was loaded; the summary names
the slowest and the greediest tests and every test whose isolation had to fall back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from scenarios.journal import Change
    from scenarios.pytest_plugin.isolated_test import Test

SHOWN = 5
"""Tests named as slowest and greediest."""

MOST_ROWS = 40
"""Changed rows a failure shows; a test that rewrote a table must not bury its own assertion."""


def annotate(report: pytest.TestReport, test: Test) -> None:
    """Give the report of a phase what is known of the test's database."""
    if report.when in ("setup", "call"):
        if report.failed:
            test.failed = True
            report.sections.append(("scenarios: the test's database", describe(test)))
    elif report.when == "teardown":
        for text in test.extra:
            # pytest prints a section of a teardown with the failure of the test if its name says so.
            report.sections.append(("scenarios: the test's database after teardown", text))
        report.scenarios = test.record()  # type: ignore[attr-defined]  # reports carry extra attributes over xdist


def describe(test: Test) -> str:
    """Return what a person wants to know of a failed test's database, bounded."""
    states = ", ".join(map(str, test.states)) or "the bare schema"
    lines = [f"state: {states}; seed {test.seed}; isolation: {test.strategy.name} ({test.strategy.why})"]
    lines += [f"clock of {name}: {instance.anchor}" for name, instance in test.instances.items()]
    if test.async_session_open:
        return "\n".join([*lines, "rows it changed: see below, after its session was closed"])
    try:
        changes = test.written()
    except Exception as error:  # noqa: BLE001  # the test's own failure must stay the message
        return "\n".join([*lines, f"its changes cannot be read: {error}"])
    if test.transaction_failed:
        lines.append("its last transaction had failed and is rolled back; committed before that:")
    if not changes:
        return "\n".join([*lines, "no row changed since the state was loaded"])
    lines.append(f"changed since the state was loaded: {changes.summary()}")
    lines += [f"  {row}" for row in _some_of_each(changes.rows)]
    if len(changes) > MOST_ROWS:
        lines.append(f"  ... and {len(changes) - MOST_ROWS} rows more")
    return "\n".join(lines)


def _some_of_each(rows: Sequence[Change]) -> list[Change]:
    """Return at most `MOST_ROWS` rows in their order, of each table and operation as many as fit.

    A thousand inserted rows must not hide the one that was updated.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(rows):
        groups.setdefault((row.table, row.op), []).append(number)
    by_turns = chain.from_iterable(zip_longest(*groups.values()))
    return [rows[number] for number in sorted(islice((n for n in by_turns if n is not None), MOST_ROWS))]


def summarise(header: Sequence[str], tests: Sequence[dict[str, Any]], *, verbosity: int) -> list[str]:
    """Return the lines of the summary: in a quiet run only what somebody should act on."""
    lines: list[str] = []
    if verbosity >= 0:
        lines += header
        strategies = Counter(test["strategy"] for test in tests)
        kinds = ", ".join(f"{count} by {strategy}" for strategy, count in sorted(strategies.items()))
        total = sum(_ms(test) for test in tests)
        count = f"{len(tests)} test{'s' if len(tests) > 1 else ''}"
        lines.append(f"scenarios: {count} isolated ({kinds}), {total:.0f} ms in all")
    for test in tests:
        if test["fell_back"]:
            lines.append(
                f"scenarios: {test['test']} fell back from {test['strategy']} to {test['fell_back']}"
            )
        if test["kept"]:
            lines.append(f"scenarios: the database of {test['test']} is kept: {test['kept']}")
    ended = Counter(name for test in tests for name in test["ended"])
    if ended:
        whose = ", ".join(f"{count} of {name or 'an unnamed application'}" for name, count in ended.items())
        lines.append(
            f"scenarios: connections were ended to copy their database ({whose}); "
            "an engine needs pool_pre_ping=True"
        )
    if verbosity > 0:
        slowest = sorted(tests, key=_ms, reverse=True)[:SHOWN]
        lines.append("scenarios: slowest " + ", ".join(f"{t['test']} {_ms(t):.1f} ms" for t in slowest))
        greediest = sorted(tests, key=_rows, reverse=True)[:SHOWN]
        lines.append("scenarios: greediest " + ", ".join(f"{t['test']} {_rows(t)} rows" for t in greediest))
    return lines


def _ms(test: dict[str, Any]) -> float:
    return float(test["ms_before"]) + float(test["ms_after"])


def _rows(test: dict[str, Any]) -> int:
    return int(test["rows_loaded"]) + int(test["rows_written"])


def write_report(
    kind: str, root: Path, header: Sequence[str], tests: Sequence[dict[str, Any]], more: dict[str, Any]
) -> Path:
    """Write ``scenarios-report.json`` or ``.html`` into *root* and return its path.

    *more* is what the report says besides the tests, of interest to programs only.
    """
    path = root / f"scenarios-report.{kind}"
    if kind == "json":
        content = {"header": list(header), "tests": list(tests), **more}
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        return path
    rows = "\n".join(
        f"<tr><td>{escape(test['test'])}</td><td>{escape(', '.join(test['scenarios']))}</td>"
        f"<td>{escape(test['strategy'])}"
        f"{' &rarr; ' + escape(test['fell_back']) if test['fell_back'] else ''}</td>"
        f"<td>{_ms(test):.2f}</td><td>{test['rows_loaded']}</td><td>{test['rows_written']}</td></tr>"
        for test in sorted(tests, key=_ms, reverse=True)
    )
    page = files("scenarios.pytest_plugin").joinpath("report.html").read_text("utf-8")
    page = page.replace("{{header}}", "<br>".join(escape(line) for line in header)).replace("{{rows}}", rows)
    path.write_text(page, "utf-8")
    return path
