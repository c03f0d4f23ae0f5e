"""Runs of pytest in a project of their own, which share one server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from forks import run_module
from scenarios.postgres import Server, registry, start_server
from scenarios.settings import Settings

MODELS = """
from __future__ import annotations

import enum
from typing import Optional

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Status(enum.Enum):
    open = "not paid yet"
    paid = "paid"
    lost = "never paid"


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    phone: Mapped[Optional[str]]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    status: Mapped[Status]
    total: Mapped[int]


class Refund(Base):
    __tablename__ = "refund"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
"""

CONFTEST = """
import pytest

from models import Base


@pytest.fixture(scope="session")
def scenario_schema():
    return Base
"""

ONE_CUSTOMER = """
scenario: one_customer
version: 1
title: Ada has ordered
description: One customer with orders.
clock: {weekday: monday, time: "09:00"}
parameters:
  total: {type: integer, default: 5, description: What the first order cost.}
rows:
  customer:
    ada: {name: Ada}
  orders:
    first: {customer: ada, status: open, total: "${total}"}
    second: {customer: ada, status: paid, total: 7}
"""

EMPTY_SHOP = """
scenario: two_customers
version: 1
title: Nobody has ordered
description: Two customers, no order.
clock: {weekday: monday, time: "09:00"}
rows:
  customer:
    ada: {name: Ada}
    bob: {name: Bob}
"""


ELSEWHERE = ("CI", "BUILD_NUMBER")
"""Where pytest sees these it prints whole messages twice; the tests count what is said once."""

QUICK = [
    option
    for plugin in (
        "cacheprovider",
        "randomly",
        "hypothesispytest",
        "benchmark",
        "faker",
        "django",
        "sqlalchemyseed",
        "postgresql",
    )
    for option in ("-p", f"no:{plugin}")
]
"""Plugins a run does without unless it asks, since each costs every run its import."""


@dataclass(frozen=True)
class Run:
    """What a run of pytest said."""

    code: int
    text: str
    directory: Path

    @property
    def outcomes(self) -> dict[str, int]:
        """Counts by outcome, from pytest's closing line."""
        closing = self.text.strip().splitlines()[-1]
        found = re.findall(r"(\d+) (passed|failed|errors?|skipped)", closing)
        return {word: int(count) for count, word in found}

    def has(self, *pieces: str) -> None:
        """Assert that each piece (a regular expression) is in the output, in this order."""
        place = 0
        for piece in pieces:
            found = re.compile(piece, re.MULTILINE).search(self.text, place)
            assert found, f"not in the output (from {place}): {piece}\n{self.text}"
            place = found.end()

    def lacks(self, piece: str) -> None:
        """Assert that the piece (a regular expression) is not in the output."""
        assert not re.search(piece, self.text), f"in the output: {piece}\n{self.text}"


Project = Callable[..., Run]


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    """A directory whose projects share a server, which runs as long as this session."""
    shared = tmp_path_factory.mktemp("projects")
    (shared / "pyproject.toml").write_text("[project]\nname = 'projects'\nversion = '1'\n", "utf-8")
    with start_server("embedded", settings=Settings(project=shared)) as server:
        yield shared, server
        # A sub-run that kept a failed test's database keeps its server up for hours; not this one.
        assert server.directory is not None
        registry.release(server.directory)


@pytest.fixture
def project(projects: tuple[Path, Server], request: pytest.FixtureRequest) -> Project:
    """Run pytest on a small shop with the given modules: ``project(*options, test_x="...")``.

    Its directory is ``project.shared``; ``project.quick`` are the options every run gets.
    """
    shared = projects[0] / re.sub(r"\W", "_", request.node.name)
    (shared / "scenarios").mkdir(parents=True)
    (shared / "models.py").write_text(MODELS, "utf-8")
    (shared / "conftest.py").write_text(CONFTEST, "utf-8")
    (shared / "scenarios" / "one_customer.yaml").write_text(ONE_CUSTOMER, "utf-8")
    (shared / "scenarios" / "two_customers.yaml").write_text(EMPTY_SHOP, "utf-8")
    (shared / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n", "utf-8"
    )

    def run(
        *options: str, cached: bool = False, environ: dict[str, str] | None = None, **modules: str
    ) -> Run:
        for name, text in modules.items():
            path = shared / f"{name}.py"
            path.write_text(dedent(text), "utf-8")
        outside = {"SCENARIOS_LIBRARY": str(shared / "scenarios")} | {
            name: value
            for name, value in os.environ.items()
            if name.endswith(("_CACHE_DIR", "_RUNTIME_DIR"))
            or not (name in ELSEWHERE or name.startswith(("PYTEST_", "SCENARIOS_")))
        }
        env = {**outside, "COLUMNS": "160", **(environ or {})}
        done = run_module("pytest", *(QUICK[2:] if cached else QUICK), *options, cwd=shared, env=env)
        return Run(done.returncode, done.stdout + done.stderr, shared)

    run.shared = shared
    run.quick = QUICK
    return run
