"""Make small changes to the core, one at a time, and see whether the tests of the place notice.

The working copy is not touched: `src` is copied, and the copy stands first on the path of the test run and of
every process it starts.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from tests.mutation.areas import AREAS
from tests.mutation.operators import Mutant, of_python, of_sql

ROOT = Path(__file__).resolve().parents[2]

_RUN = """
import importlib.util, sys
spec = importlib.util.find_spec("scenarios")
if spec is None or spec.origin is None or not spec.origin.startswith(sys.argv[1]):
    sys.exit(f"the copy is not what is tested, but {spec and spec.origin}")
import pytest
sys.exit(pytest.main(sys.argv[2:]))
"""


@dataclass(frozen=True)
class Result:
    """What became of one run: ``noticed``, ``survived`` or ``timed out``, by which test, in which time."""

    verdict: str
    by: str
    seconds: float


class Copy:
    """A copy of the sources, in which one file at a time is another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.package = directory / "src/scenarios"
        shutil.copytree(ROOT / "src", directory / "src", symlinks=True)
        for beside in ROOT.iterdir():
            if beside.name != "src" and not beside.name.startswith("."):
                (directory / beside.name).symlink_to(beside)

    @contextmanager
    def changed(self, module: Path, text: str) -> Iterator[None]:
        """Have *text* in *module* for the block."""
        path = self.package / module
        before = path.read_bytes()
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_bytes(before)

    def run(self, tests: Sequence[str], limit: float) -> Result:
        """Run *tests* against the copy, with servers of its own, for at most *limit* seconds."""
        memory = Path("/dev/shm")
        runtime = Path(tempfile.mkdtemp(prefix="sm-", dir=memory if memory.is_dir() else None))
        runtime.chmod(0o755)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.directory / "src"),
            "SCENARIOS_RUNTIME_DIR": str(runtime),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.directory / ".hypothesis"),
        }
        options = ["-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-m", "not thorough", "--tb=no"]
        command = [sys.executable, "-c", _RUN, str(self.directory), *options, *tests]
        began = time.monotonic()
        with tempfile.TemporaryFile("w+") as output:
            run = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )
            try:
                status = run.wait(limit)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)
                    run.wait()
                _wait_until_empty(runtime)
            output.seek(0)
            said = output.read().splitlines()
        seconds = time.monotonic() - began
        if status is None:
            return Result("timed out", f"after {limit:.0f} s", seconds)
        if status == 0:
            return Result("survived", "", seconds)
        if any(line.startswith("the copy is not") for line in said):
            raise SystemExit(said[-1])
        by = [line for line in said if line.startswith(("FAILED", "ERROR"))] or said[-1:]
        return Result("noticed", by[0].split(" - ")[0] if by else f"status {status}", seconds)


def _wait_until_empty(runtime: Path) -> None:
    """Give the servers of a killed run, which end by themselves, time to do so; then take what is left."""
    deadline = time.monotonic() + 15
    while any(runtime.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    shutil.rmtree(runtime, ignore_errors=True)


def mutants_of(package: Path, name: str, seed: int) -> list[tuple[Path, Mutant]]:
    """Return the mutants of the area *name* in the order of trial: each file in turn, by chance within it."""
    files: list[Path] = []
    for module in AREAS[name].modules:
        path = package / module
        files += sorted(path.rglob("*")) if path.is_dir() else [path]
    chance = random.Random(f"{seed} {name}")
    each = []
    for file in files:
        if file.suffix in (".py", ".sql"):
            found = (of_python if file.suffix == ".py" else of_sql)(file.read_text(encoding="utf-8"))
            mutants = [(file.relative_to(package), mutant) for mutant in found]
            chance.shuffle(mutants)
            each.append(mutants)
    chance.shuffle(each)
    return [mutant for mutant in chain.from_iterable(zip_longest(*each)) if mutant]


def try_area(copy: Copy, name: str, chosen: argparse.Namespace) -> Counter[str]:
    """Try the chosen mutants of the area *name*; print a line for each."""
    tests = [str(Path("tests") / test) for test in AREAS[name].tests[: chosen.files]]
    # What fails without a change would seem to notice every one.
    whole = copy.run(tests if chosen.limit is None else ["--collect-only", *tests], 3600)
    if whole.verdict != "survived":
        raise SystemExit(f"{name}: without any change: {whole.verdict} {whole.by}")
    limit: float = chosen.limit or 60 + 3 * whole.seconds
    verdicts: Counter[str] = Counter()
    last = chosen.start + chosen.count
    for number, (module, mutant) in enumerate(mutants_of(copy.package, name, chosen.seed)[:last]):
        if number < chosen.start:
            continue
        text = (copy.package / module).read_text(encoding="utf-8")
        with copy.changed(module, mutant.applied(text)):
            result = copy.run(tests, limit)
        verdicts[result.verdict] += 1
        change = f"{module}:{mutant.shown(text)}"
        say(f"{name} {number} | {result.verdict} | {result.seconds:.0f} s | {change} | {result.by}")
    return verdicts


def say(line: str) -> None:
    """Print *line* at once: a run takes long, and is often looked at before its end."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Try what the command line says, and print the share that was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}; without: all")
    parser.add_argument("--count", type=int, default=12, help="mutants of each area (12)")
    parser.add_argument("--start", type=int, default=0, help="leave out so many, which were tried before")
    parser.add_argument("--files", type=int, help="run the first so many of an area's tests; without: all")
    parser.add_argument("--limit", type=float, help="seconds for each; without: measured first, on no change")
    parser.add_argument("--seed", type=int, default=1, help="another seed tries others (1)")
    chosen = parser.parse_args()
    unknown = set(chosen.areas) - set(AREAS)
    if unknown:
        parser.error(f"no area {', '.join(sorted(unknown))}; there are {', '.join(AREAS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a run that is ended ends its tests, too
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="sm-") as directory:
        Path(directory).chmod(0o755)  # the server's user reads the copy, too
        copy = Copy(Path(directory).resolve())
        for name in chosen.areas or AREAS:
            total += try_area(copy, name, chosen)
    tried = total.total()
    noticed = tried - total["survived"]
    say(f"# {tried} tried, {noticed} noticed, {total['timed out']} of them by the time limit")


if __name__ == "__main__":
    main()
