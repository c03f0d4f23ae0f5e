"""What isolation costs a test: this plugin beside the usual ways, the same tests in one run.

    python -m benchmarks.pytest_overhead [--quick] [--json PATH]

Each test commits two rows and reads some. Every variant runs them in a pytest of its own, on the same
server, with only its own plugin loaded; variants take turns, and the median of the turns counts. A test's
milliseconds are counted from the end of the first test to the end of the last, so start-up is left out;
start-up is measured by itself, as the time of a run of one test. Where no container engine answers,
testcontainers is left out and the output says so.

What two workers of pytest-xdist gain is measured for some of them, one process and two in turns, beside tests
that compute for as long and touch no database: more than those gain is not to be had. The processor's time,
of pytest with all its workers and of the server, is counted as well, since it says why.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.promises import COMPUTING
from scenarios.postgres import Server, start_server
from scenarios.postgres.processes import postmaster_of
from scenarios.settings import Settings

MODELS = """
import os
import time

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    total: Mapped[int]


def compute():
    until = time.process_time() + float(os.environ["MS"]) / 1000
    while time.process_time() < until:
        pass
"""
"""What the tests work with; `compute` takes a processor for as many milliseconds as the environment says."""

TESTS = """
import os

import pytest
from sqlalchemy import func, select

from models import Customer, Order, compute


@pytest.mark.parametrize("n", range(int(os.environ["TESTS"])))
def test_commits_two_rows_and_reads_some(session, n):
    customer = Customer(name="Ada")
    session.add(customer)
    session.flush()
    session.add(Order(customer_id=customer.id, total=n))
    session.commit()
    assert session.scalar(select(func.count()).select_from(Customer)) == 1
    assert [order.total for order in session.scalars(select(Order))] == [n]
    compute()
"""

NOTHING = """
import os

import pytest
import sqlalchemy.orm

from models import compute


@pytest.mark.parametrize("n", range(int(os.environ["TESTS"])))
def test_touches_no_database(n):
    compute()
"""

TIMER = """

import os
import time

_finished = []


def pytest_runtest_logfinish(nodeid, location):
    _finished.append(time.perf_counter())


def pytest_sessionfinish(session):
    if len(_finished) > 1 and "TOOK" in os.environ:
        with open(os.environ["TOOK"], "w") as file:
            file.write(str((_finished[-1] - _finished[0]) * 1000 / (len(_finished) - 1)))
"""
"""Notes the milliseconds a test takes, from the end of the first to the end of the last."""

RECIPE = """
import os

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from models import Base


@pytest.fixture(scope="session")
def engine():
    own = "URL_" + os.environ.get("PYTEST_XDIST_WORKER", "")
    engine = create_engine(os.environ.get(own, os.environ["URL"]))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine):
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()
"""

POSTGRESQL = """
import os

import pytest
from pytest_postgresql import factories
from sqlalchemy import URL, create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from models import Base


def load(**where):
    given = where["user"], where["password"], where["host"], int(where["port"]), where["dbname"]
    url = URL.create("postgresql+psycopg", *given)
    engine = create_engine(url, poolclass=NullPool)
    Base.metadata.create_all(engine)
    engine.dispose()


where = dict(host=os.environ["HOST"], port=int(os.environ["PORT"]), user=os.environ["USERNAME"])
process = factories.postgresql_noproc(**where, password=os.environ["PASSWORD"], load=[load])
client = factories.postgresql("process")


@pytest.fixture
def session(client):
    info = client.info
    given = info.user, os.environ["PASSWORD"], info.host, info.port, info.dbname
    url = URL.create("postgresql+psycopg", *given)
    engine = create_engine(url, poolclass=NullPool)
    with Session(engine) as session:
        yield session
    engine.dispose()
"""

SQLA = """
import pytest


@pytest.fixture
def session(sqla_session):
    return sqla_session
"""

CONTAINERS = """
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from testcontainers.postgres import PostgresContainer

from models import Base


@pytest.fixture(scope="session")
def engine():
    with PostgresContainer("postgres:17", driver="psycopg") as container:
        engine = create_engine(container.get_connection_url())
        yield engine
        engine.dispose()


@pytest.fixture
def session(engine):
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    Base.metadata.drop_all(engine)
"""

OURS = """
import pytest

from models import Base


@pytest.fixture(scope="session")
def scenario_schema():
    return Base
"""

RESTORE = (
    OURS
    + """

@pytest.fixture
def session(scenario_db):
    from sqlalchemy.orm import Session

    with Session(scenario_db.engine) as session:
        yield session
"""
)

ROLLBACK = (
    OURS
    + """

@pytest.fixture
def session(scenario_session):
    return scenario_session
"""
)

PLUGIN = "scenarios.pytest_plugin.plugin"


NO_RYUK = {"TESTCONTAINERS_RYUK_DISABLED": "true"}
"""Its reaper is another image; without it the container is ended by the fixture."""


@dataclass(frozen=True)
class Variant:
    """One way to isolate tests."""

    name: str
    conftest: str
    plugins: tuple[str, ...] = ()
    tests: str = TESTS
    ini: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    fewer: int = 1
    """Where a test costs tens of milliseconds, a part of the tests tells as much."""


VARIANTS = (
    Variant("bare pytest, no database", "", tests=NOTHING),
    Variant("SQLAlchemy's rollback recipe", RECIPE),
    Variant("scenarios, rollback strategy", ROLLBACK, (PLUGIN,)),
    Variant("scenarios, restore strategy", RESTORE, (PLUGIN,)),
    Variant("pytest-sqla", SQLA, ("pytest_sqla.plugin",), ini="sqla_metadata = models:Base\n"),
    Variant("pytest-postgresql, template clone", POSTGRESQL, ("pytest_postgresql.plugin",), fewer=4),
    Variant("testcontainers with create_all", CONTAINERS, environ=NO_RYUK, fewer=4),
)
NAMED = {variant.name: variant for variant in VARIANTS}
BARE, RECIPE_NAME, ROLLBACK_NAME, RESTORE_NAME = list(NAMED)[:4]
PEER = "pytest-postgresql, template clone"

LONGER_MS = 10.0
"""What a longer test computes beside its work in the database."""
XDIST = ("-p", "xdist", "-n2")


@dataclass(frozen=True)
class Cost:
    """What a test costs.

    Attributes:
        ms: milliseconds from one test's end to the next.
        pytest_ms: milliseconds of a processor that pytest and its workers take.
        server_ms: milliseconds of a processor that the server takes.
    """

    ms: float
    pytest_ms: float
    server_ms: float


class Bench:
    """The variants' projects in one directory, and the server they share."""

    def __init__(self, home: Path, server: Server) -> None:
        self.home = home
        self.environ = _reach(server)
        self.server = server
        for number, variant in enumerate(VARIANTS):
            project = home / str(number)
            project.mkdir()
            (project / "models.py").write_text(MODELS, "utf-8")
            (project / "conftest.py").write_text(variant.conftest + TIMER, "utf-8")
            (project / "test_it.py").write_text(variant.tests, "utf-8")
            (project / "pytest.ini").write_text(f"[pytest]\npythonpath = .\n{variant.ini}", "utf-8")

    def per_test(self, variant: Variant, tests: int, *options: str, compute_ms: float = 0) -> float:
        """Return the milliseconds of each test but the first of a run of *tests* tests."""
        self.run(variant, tests, *options, compute_ms=compute_ms)
        return float((self.home / "took").read_text("utf-8"))

    def cost(self, variant: Variant, tests: int, *options: str, compute_ms: float = 0) -> Cost:
        """Return what a test costs, in time and of the processors; what a run of a few costs is taken off."""
        few = tests // 10
        spent = []
        self.per_test(
            variant, few, *options, compute_ms=compute_ms
        )  # what only a first run pays is no cost of a test
        for count in (few, tests):
            pytest_before, server_before = _pytest_seconds(), _server_seconds(self.server)
            ms = self.per_test(variant, count, *options, compute_ms=compute_ms)
            spent.append((_pytest_seconds() - pytest_before, _server_seconds(self.server) - server_before))
        by_pytest, by_server = (
            max(0.0, (many - one) * 1000 / (tests - few)) for one, many in zip(*spent, strict=True)
        )
        return Cost(ms, by_pytest, by_server)

    def run(
        self, variant: Variant, tests: int, *options: str, cold: bool = False, compute_ms: float = 0
    ) -> float:
        """Return the seconds of a run of *tests* tests, each of which computes for *compute_ms* besides.

        Raises:
            RuntimeError: a test did not pass, so the time would mean nothing.
        """
        project = self.home / str(VARIANTS.index(variant))
        plugins = [option for plugin in (*variant.plugins,) for option in ("-p", plugin)]
        with ExitStack() as databases:
            database, *own = (databases.enter_context(self.server.database()) for _ in range(3))
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, *options],
                cwd=project,
                env={
                    **os.environ,
                    **self.environ,
                    **variant.environ,
                    "URL": database.url,
                    **{f"URL_gw{number}": each.url for number, each in enumerate(own)},
                    "MS": str(compute_ms),
                    "PYTEST_SQLA_URL": database.url,
                    "TESTS": str(tests),
                    "TOOK": str(self.home / "took"),
                    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                    **({"SCENARIOS_TCP": "off"} if cold else {}),
                },
                capture_output=True,
                text=True,
                check=False,
            )
            elapsed = time.perf_counter() - began
        if f"{tests} passed" not in done.stdout:
            raise RuntimeError(f"{variant.name}: {done.stdout}{done.stderr}")
        return elapsed


def _pytest_seconds() -> float:
    """Return the processor seconds of all runs of pytest so far, workers included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _server_seconds(server: Server) -> float:
    """Return the processor seconds of the server's processes so far; 0 where the system does not say."""
    assert server.directory is not None
    postmaster = postmaster_of(server.directory / "data")
    ticks = 0
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = process.read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended, and its parent counts it
        if process.parent.name == str(postmaster):
            ticks += sum(map(int, words[11:15]))
        elif words[1] == str(postmaster):
            ticks += sum(map(int, words[11:13]))
    return float(ticks / os.sysconf("SC_CLK_TCK"))


def _reach(server: Server) -> dict[str, str]:
    parameters = server.parameters("postgres")
    return {
        "HOST": parameters["host"],
        "PORT": str(parameters["port"]),
        "USERNAME": parameters["user"],
        "PASSWORD": parameters.get("password", ""),
        "SCENARIOS_TCP": "on",
    }


def measure(bench: Bench, tests: int, turns: int) -> dict[str, Any]:
    """Return what each variant costs, and what the plugin's start costs."""
    left_out: dict[str, str] = {}
    ones: dict[str, list[float]] = {}
    manies: dict[str, list[float]] = {}
    for turn in range(turns + 1):  # the first turn fills caches and does not count
        for variant in VARIANTS:
            if variant.name in left_out:
                continue
            count = max(tests // variant.fewer, 20)
            try:
                one = bench.run(variant, 1)
                if turn:
                    ones.setdefault(variant.name, []).append(one)
                    manies.setdefault(variant.name, []).append(bench.per_test(variant, count))
            except RuntimeError as error:
                told = [line for line in str(error).splitlines() if line.startswith("E  ")]
                left_out[variant.name] = (
                    (told or str(error).strip().splitlines())[-1].removeprefix("E").strip()
                )
    cold = [bench.run(NAMED[RESTORE_NAME], 1, cold=True) for _ in range(turns)]
    per_test = {name: statistics.median(values) for name, values in manies.items()}
    first = {name: statistics.median(values) * 1000 for name, values in ones.items()}
    return {
        "tests": tests,
        "turns": turns,
        "python": sys.version.split()[0],
        "postgresql": bench.server.version_text,
        "cpus": os.cpu_count(),
        "ms_per_test": {name: round(value, 2) for name, value in per_test.items()},
        "ms_of_a_run_of_one_test": {name: round(value) for name, value in first.items()},
        "restore_over_recipe_ms": round(per_test[RESTORE_NAME] - per_test[RECIPE_NAME], 2),
        "times_faster_than_pytest_postgresql": (
            round(per_test[PEER] / per_test[RESTORE_NAME], 1) if PEER in per_test else None
        ),
        "first_test_over_bare_ms": {
            "cold": round(statistics.median(cold) * 1000 - first[BARE]),
            "warm": round(first[RESTORE_NAME] - first[BARE]),
        },
        "two_workers": two_workers(bench, tests, turns, per_test[RESTORE_NAME]),
        "left_out": left_out,
    }


def two_workers(bench: Bench, tests: int, turns: int, restore_ms: float) -> dict[str, dict[str, float]]:
    """Return by variant what two workers gain, and what a test then costs.

    Args:
        restore_ms: how long a test on the restore strategy takes, for the tests that only compute.
    """
    # Many more tests, so that the later start of one worker does not decide.
    contenders = {
        COMPUTING: (NAMED[BARE], tests * 4, restore_ms),
        RECIPE_NAME: (NAMED[RECIPE_NAME], tests * 4, 0.0),
        ROLLBACK_NAME: (NAMED[ROLLBACK_NAME], tests * 4, 0.0),
        RESTORE_NAME: (NAMED[RESTORE_NAME], tests * 4, 0.0),
        f"{RESTORE_NAME}, computing {LONGER_MS:g} ms as well": (NAMED[RESTORE_NAME], tests * 2, LONGER_MS),
    }
    costs: dict[str, tuple[list[Cost], list[Cost]]] = {name: ([], []) for name in contenders}
    for _ in range(turns):
        for name, (variant, count, compute_ms) in contenders.items():
            alone, two = costs[name]
            alone.append(bench.cost(variant, count, compute_ms=compute_ms))
            two.append(bench.cost(variant, count, *XDIST, compute_ms=compute_ms))
    found = {}
    for name, (alone, two) in costs.items():
        found[name] = {
            "times_faster": round(_median(alone, "ms") / _median(two, "ms"), 2),
            **{
                f"{figure} {workers}": round(_median(each, figure), 2)
                for workers, each in (("alone", alone), ("two workers", two))
                for figure in ("ms", "pytest_ms", "server_ms")
            },
        }
    return found


def _median(costs: list[Cost], figure: str) -> float:
    return statistics.median(getattr(cost, figure) for cost in costs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer tests, one turn")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    tests, turns = (60, 1) if options.quick else (400, 3)
    with tempfile.TemporaryDirectory(prefix="scenarios-bench-") as directory:
        home = Path(directory)
        (home / "pyproject.toml").write_text("[project]\nname = 'bench'\nversion = '1'\n", "utf-8")
        with start_server("embedded", settings=Settings({"tcp": "on"}, project=home)) as server:
            found = measure(Bench(home, server), tests, turns)
    print(f"{tests} tests, median of {turns}, PostgreSQL {found['postgresql']}, {found['cpus']} processors")
    for name, value in sorted(found["ms_per_test"].items(), key=lambda pair: pair[1]):
        start = found["ms_of_a_run_of_one_test"][name]
        print(f"  {name:36} {value:8.2f} ms a test   {start:6} ms for a run of one test")
    for name, why in found["left_out"].items():
        print(f"  {name:36} left out: {why}")
    over, times = found["restore_over_recipe_ms"], found["times_faster_than_pytest_postgresql"]
    print(f"restore strategy over the rollback recipe: {over} ms a test (budget 2)")
    print(f"restore strategy against pytest-postgresql: {times} times faster (at least 12)")
    for name, budget in {"cold": 1200, "warm": 400}.items():
        first = found["first_test_over_bare_ms"][name]
        print(f"first test, {name}: {first} ms over bare pytest (budget {budget})")
    print(
        "two workers against one process, and a processor's milliseconds a test, pytest's and the server's:"
    )
    for name, gain in found["two_workers"].items():
        spent = "  ".join(
            f"{workers} {gain[f'pytest_ms {workers}']:.2f} + {gain[f'server_ms {workers}']:.2f}"
            for workers in ("alone", "two workers")
        )
        print(f"  {name:48} {gain['times_faster']:5.2f} times faster   {spent}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
