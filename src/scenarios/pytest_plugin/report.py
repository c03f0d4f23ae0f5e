"""What a person reads: the rows a failed test changed, and what the run cost.

A failing database test usually shows an assertion about one value, and the reader must guess what else the
code did. Here the failure carries the rows that changed since the test's state was loaded; the summary names
the slowest and the greediest tests and every test whose isolation had to climb.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.errors import ScenariosError

if TYPE_CHECKING:
    import pytest

    from scenarios.pytest_plugin.isolation import Test

MOST_LINES = 60
"""Lines of changes a failure shows; a test that rewrote a table must not bury its own assertion."""

SHOWN = 5
"""Tests named as slowest and greediest."""


def annotate(report: pytest.TestReport, test: Test) -> None:
    """Give the report of a phase what is known of the test's database."""
    if report.when == "call":
        test.failed = report.failed
        if report.failed:
            report.sections.append(("scenarios: the test's database", _failure(test)))
    elif report.when == "teardown":
        for text in test.extra:
            report.sections.append(("scenarios", text))
        report.scenarios = test.record()  # type: ignore[attr-defined]  # reports carry extra attributes over xdist


def _failure(test: Test) -> str:
    states = ", ".join(map(str, test.states)) or "the bare schema"
    lines = [f"state {states}; seed {test.seed}; isolation {test.rung} ({test.why_rung})"]
    lines.extend(f"clock of {name}: {instance.anchor}" for name, instance in test.instances.items())
    try:
        changes = test.changes()
    except (ScenariosError, Exception) as error:  # noqa: BLE001  # the test's own failure must stay the message
        lines.append(f"its changes cannot be read: {error}")
        return "\n".join(lines)
    if not changes:
        lines.append("no row changed since the state was loaded")
        return "\n".join(lines)
    text = str(changes).splitlines()
    lines.append("changed since the state was loaded:")
    lines.extend(text[:MOST_LINES])
    if len(text) > MOST_LINES:
        lines.append(f"... and {len(text) - MOST_LINES} lines more")
    return "\n".join(lines)


def summarise(header: Sequence[str], tests: Sequence[dict[str, Any]], *, verbose: bool) -> list[str]:
    """Return the lines of the summary."""
    lines = list(header)
    rungs: dict[str, int] = {}
    for test in tests:
        rungs[test["rung"]] = rungs.get(test["rung"], 0) + 1
    total = sum(_ms(test) for test in tests)
    kinds = ", ".join(f"{count} by {rung}" for rung, count in sorted(rungs.items()))
    lines.append(f"scenarios: {len(tests)} tests isolated ({kinds}), {total:.0f} ms in all")
    for test in tests:
        if test["climbed"]:
            lines.append(f"scenarios: {test['test']} climbed from {test['rung']} to {test['climbed']}")
        if test["kept"]:
            lines.append(f"scenarios: the database of {test['test']} is kept: scenarios open {test['kept']}")
    if verbose:
        slowest = sorted(tests, key=_ms, reverse=True)[:SHOWN]
        lines.append("scenarios: slowest " + ", ".join(f"{t['test']} {_ms(t):.1f} ms" for t in slowest))
        greediest = sorted(tests, key=_rows, reverse=True)[:SHOWN]
        lines.append("scenarios: greediest " + ", ".join(f"{t['test']} {_rows(t)} rows" for t in greediest))
    return lines


def _ms(test: dict[str, Any]) -> float:
    return float(test["ms_before"]) + float(test["ms_after"])


def _rows(test: dict[str, Any]) -> int:
    return int(test["rows_loaded"]) + int(test["rows_undone"])


def write_report(kind: str, root: Path, header: Sequence[str], tests: Sequence[dict[str, Any]]) -> Path:
    """Write ``scenarios-report.json`` or ``.html`` into *root* and return its path."""
    path = root / f"scenarios-report.{kind}"
    if kind == "json":
        path.write_text(json.dumps({"header": list(header), "tests": list(tests)}, indent=2) + "\n", "utf-8")
        return path
    rows = "\n".join(
        f"<tr><td>{escape(test['test'])}</td><td>{escape(', '.join(test['scenarios']))}</td>"
        f"<td>{escape(test['rung'])}{' &rarr; ' + escape(test['climbed']) if test['climbed'] else ''}</td>"
        f"<td>{_ms(test):.2f}</td><td>{test['rows_loaded']}</td><td>{test['rows_undone']}</td></tr>"
        for test in sorted(tests, key=_ms, reverse=True)
    )
    page = files("scenarios.pytest_plugin").joinpath("report.html").read_text("utf-8")
    page = page.replace("{{header}}", "<br>".join(escape(line) for line in header)).replace("{{rows}}", rows)
    path.write_text(page, "utf-8")
    return path
