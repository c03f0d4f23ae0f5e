"""Run every benchmark and write `docs/performance.md` from what they measured.

    python -m benchmarks                     everything, into docs/
    python -m benchmarks --quick --to DIR    small sizes, into another directory
    python -m benchmarks --only makers       measure some again; the others' last results are used
    python -m benchmarks --only ''           write the page again from the last results

Each script runs in a process of its own, so that neither its imports nor its memory are another's. One that
fails is named in the page and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.report import compose

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("library", "servers", "pytest_overhead", "makers", "populate", "restore")
"""The short ones first: a mistake shows before ten minutes are gone."""
LIMIT = 600
"""Seconds a script may take; the whole should stay under fifteen minutes."""


def run(script: str, kept: Path, quick: bool) -> dict[str, Any]:
    """Run *script* and return what it measured, or why there is nothing."""
    target = kept / f"{script}.json"
    target.unlink(missing_ok=True)
    command = [sys.executable, "-m", f"benchmarks.{script}", "--json", str(target)]
    command += ["--quick"] if quick else []
    # As in an installed environment, nobody compiles modules while being measured.
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    given["PYTHONPYCACHEPREFIX"] = str(kept / "bytecode")
    try:
        done = subprocess.run(command, cwd=ROOT, env=given, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return failed(target, f"it took longer than {LIMIT} s")
    if done.returncode != 0 or not target.is_file():
        return failed(target, f"it ended with status {done.returncode}")
    return load(target)


def failed(target: Path, why: str) -> dict[str, Any]:
    """Keep the failure in place of the figures, so that a page written later has it as well."""
    target.write_text(json.dumps({"failed": why}) + "\n", "utf-8")
    return {"failed": why}


def load(path: Path) -> dict[str, Any]:
    """Return what a script wrote."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the page, and say where it is."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions")
    parser.add_argument("--only", help=f"some of {','.join(SCRIPTS)}, or nothing")
    parser.add_argument("--to", type=Path, default=ROOT / "docs", help="the directory of the page")
    parser.add_argument(
        "--results", type=Path, default=ROOT / ".benchmarks", help="where the scripts' figures are kept"
    )
    options = parser.parse_args(arguments)
    chosen = SCRIPTS if options.only is None else tuple(filter(None, options.only.split(",")))
    unknown = sorted(set(chosen) - set(SCRIPTS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(SCRIPTS)}")
    kept: Path = options.results.resolve()
    kept.mkdir(parents=True, exist_ok=True)
    described = kept / "machine.json"
    where = machine.describe() if chosen or not described.is_file() else load(described)
    before = load(described) if described.is_file() else {}
    for name in ("load by script", "when by script"):
        where.setdefault(name, before.get(name, {}))
    began = time.monotonic()
    for script in chosen:
        where["load by script"][script] = machine.load()
        where["when by script"][script] = machine.now()
        print(f"--- {script} ({time.monotonic() - began:.0f} s)", flush=True)
        run(script, kept, options.quick)
    if chosen:
        where["quick"] = options.quick
        described.write_text(json.dumps(where, indent=2) + "\n", "utf-8")
    results = {
        script: load(kept / f"{script}.json") for script in SCRIPTS if (kept / f"{script}.json").is_file()
    }
    options.to.mkdir(parents=True, exist_ok=True)
    page = options.to / "performance.md"
    page.write_text(compose(results, where, options.to), "utf-8")
    broken = [name for name in chosen if "failed" in results[name]]
    print(f"--- {os.path.relpath(page)} written after {time.monotonic() - began:.0f} s")
    for name in broken:
        print(f"benchmarks/{name}.py: {results[name]['failed']}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
