"""What the library costs: reading, loading, resetting, freezing, listing.

    python benchmarks/library.py [--quick] [--json PATH]

Each number is the median of several runs on a throwaway server, in milliseconds, beside the budget it has.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import scenarios
from scenarios.domain import get_domain
from scenarios.library.freezing.freeze import freeze

NAME = "refinement_in_progress"


def median(
    work: Callable[[], object], times: int, before: Callable[[], object] | None = None
) -> tuple[float, float]:
    """Return median and p95 of *times* runs of *work* in milliseconds, *before* not counted."""
    took = []
    for _ in range(times):
        if before is not None:
            before()
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), sorted(took)[min(len(took) - 1, int(len(took) * 0.95))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs")
    parser.add_argument("--json", type=Path, help="write the results there")
    arguments = parser.parse_args()
    times = 5 if arguments.quick else 25
    results: dict[str, dict[str, float]] = {}

    def note(what: str, measured: tuple[float, float], budget: float) -> None:
        ms, p95 = measured
        results[what] = {"ms": round(ms, 2), "p95_ms": round(p95, 2), "budget_ms": budget}
        print(f"{what:<46} {ms:9.2f} ms   p95 {p95:9.2f} ms   budget {budget:g} ms")

    scenarios.Library()[NAME]  # imports are not what is measured
    note("read and validate the file", median(lambda: scenarios.Library()[NAME], times), 30)
    definition = scenarios.Library()[NAME]
    with (
        scenarios.start_server() as server,
        server.database(get_domain("dev_coach")) as db,
        db.connect() as conn,
    ):
        loaded = definition.load(db, connection=conn)
        rows = sum(loaded.counts.values())
        print(f"{NAME}: {rows} rows; PostgreSQL {server.version_text}, {server.provider}")
        loaded.unload(connection=conn)
        held = []
        ms = median(
            lambda: held.append(definition.load(db, connection=conn)),
            times,
            lambda: held and held.pop().unload(connection=conn),
        )
        note("load it", ms, 15)
        instance = held.pop()
        note("freeze it", median(lambda: freeze(db, name="x", instance=instance, connection=conn), times), 50)
        note("reset it", median(lambda: instance.reset(connection=conn), times), 50)
        instance.unload(connection=conn)

        definition.enter(db)

        def disturb() -> None:
            conn.execute("UPDATE users_user SET first_name = 'x'")
            conn.execute("DELETE FROM chat_messages_chatmessage WHERE role = 'USER'")

        often = 8 * times  # A millisecond is short: a few disturbed turns would be the median.
        note("enter it again (restore a snapshot)", median(lambda: definition.enter(db), often, disturb), 1.5)
        few = b"UPDATE users_user SET is_staff = true"
        note(
            "enter it again after few changes",
            median(lambda: definition.enter(db), often, lambda: conn.execute(few)),
            1.5,
        )
    command = [sys.executable, "-m", "scenarios.cli.main", "list"]
    with tempfile.TemporaryDirectory() as bytecode:
        # An installed package has its bytecode; a checkout where none is written compiles each time.
        given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        given["PYTHONPYCACHEPREFIX"] = bytecode

        def listing() -> None:
            subprocess.run(command, check=True, capture_output=True, env=given)

        listing()
        note("scenarios list, a cold process", median(listing, 3 if arguments.quick else 15), 400)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
