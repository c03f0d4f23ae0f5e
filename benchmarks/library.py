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
from benchmarks.machine import on_one_processor
from benchmarks.promises import ENTER_FEW, ENTER_MOST
from scenarios.domain import get_domain
from scenarios.library.definition import ScenarioDefinition
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
    domain = get_domain("dev_coach")
    with scenarios.start_server() as server:
        with server.database(domain) as db, db.connect() as conn:
            loaded = definition.load(db, connection=conn)
            print(f"{NAME}: {sum(loaded.counts.values())} rows; {server.version_text}, {server.provider}")
            read: list[ScenarioDefinition] = []
            held = [loaded]

            def read_again() -> None:
                """Each load is the first of what was read: reading has made the rows, to check them."""
                read.append(scenarios.Library()[NAME])
                held.pop().unload(connection=conn)

            def load() -> None:
                held.append(read.pop().load(db, connection=conn))

            def freeze_it() -> None:
                freeze(db, name="x", instance=held[0], connection=conn)

            with on_one_processor(conn) as pinned:
                note("load it", median(load, times, read_again), 15)
                note("freeze it", median(freeze_it, times), 50)
                note("reset it", median(lambda: held[0].reset(connection=conn), times), 50)
        # As a test session has it: loaded once, and entered for each test.
        with server.database(domain) as db, db.connect() as conn:
            definition.enter(db)
            often = 8 * times  # A millisecond is short: a few disturbed turns would be the median.

            def change_most() -> None:
                conn.execute("UPDATE users_user SET first_name = 'x'")
                conn.execute("DELETE FROM chat_messages_chatmessage WHERE role = 'USER'")

            def change_few() -> None:
                conn.execute("UPDATE users_user SET is_staff = true")

            with on_one_processor(conn):
                for what, change in ((ENTER_MOST, change_most), (ENTER_FEW, change_few)):
                    note(what, median(lambda: definition.enter(db), often, change), 1.5)
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
        found = {"measured": results, "on one processor": pinned}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
