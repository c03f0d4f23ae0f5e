"""The same seed gives the same rows: in every process, Python, order of tests and number of workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import digest_of_rows
import pytest
import sqlalchemy

import scenarios

pytestmark = pytest.mark.thorough("the same rows in every process, order of tests and Python")

PACKAGES = [Path(scenarios.__file__).parent.parent, Path(sqlalchemy.__file__).parent.parent]
NEEDED = "import factory, faker, psycopg, sqlalchemy"


def run(interpreter: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [interpreter, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PACKAGES)), **environment},
    )


def test_every_process_and_python_makes_the_same_rows(pythons):
    here = digest_of_rows.digests()
    asked = 0
    for version, interpreter in pythons.items():
        if version != "this" and run(interpreter, "-c", NEEDED).returncode:
            continue  # its packages are not installed, and this one's are compiled
        # Another Python compiles every package first: once is enough.
        for seed in ("0", "7") if version == "this" else ("7",):
            said = run(interpreter, digest_of_rows.__file__, PYTHONHASHSEED=seed, TZ=f"Etc/GMT+{seed}")
            assert said.returncode == 0, said.stderr
            assert json.loads(said.stdout) == here, version
            asked += 1
    assert asked >= 2


SUITE = """
import hashlib
from pathlib import Path

import pytest

from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import CoachingPhase, UserNote
from scenarios.factories.derived import factory_for
from scenarios.factories.dev_coach import ChatMessageFactory, IdentityFactory, UserFactory


@pytest.fixture
def note(request):
    def write(*rows):
        held = [
            sorted((name, repr(value)) for name, value in vars(row).items() if not name.startswith("_sa_"))
            for row in rows
        ]
        Path("TARGET", request.node.name).write_text(hashlib.sha256(repr(held).encode()).hexdigest())

    return write


@pytest.mark.parametrize("number", range(3))
def test_users(note, number):
    note(*UserFactory.build_batch(number + 1, bare=True))


def test_messages(note):
    note(*[row for row in ChatMessageFactory.build_batch(4) if row.__dict__.pop("user")])


def test_identity(note):
    identity = IdentityFactory.build(affirmed=True)
    vars(identity).pop("user")
    note(identity)


def test_derived(note):
    made = factory_for(UserNote).build_batch(3)
    for row in made:
        vars(row).pop("user", None)
        vars(row).pop("source_message", None)
        vars(row).pop("test_scenario", None)
    note(*made)


def test_built(note):
    scenario = a_scenario("one").user("maya").in_phase(CoachingPhase.INTEGRATION).conversation(9).build()
    rows = [tuple(row) for stretch in scenario.graph.stretches for row in stretch.rows]

    class Rows:
        def __init__(self):
            self.rows = rows

    note(Rows())
"""


@pytest.fixture(scope="module")
def digests(tmp_path_factory):
    """Return a function that runs the suite in some way and gives what each of its tests made."""

    def made(how: str, *options: str, tests: list[str] | None = None) -> dict[str, str]:
        directory = tmp_path_factory.mktemp(how)
        target = directory / "found"
        target.mkdir()
        path = directory / "test_suite.py"
        path.write_text(SUITE.replace("TARGET", str(target)))
        (directory / "pytest.ini").write_text("[pytest]\n")
        chosen = [f"{path}::{test}" for test in tests] if tests else [str(path)]
        said = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *chosen],
            capture_output=True,
            text=True,
            cwd=directory,
            timeout=300,
            check=False,
        )
        assert said.returncode == 0, said.stdout + said.stderr
        return {each.name: each.read_text() for each in target.iterdir()}

    return made


def test_order_of_tests_and_number_of_workers_change_no_row(digests):
    plain = digests("plain")
    assert len(plain) == 7
    assert len(set(plain.values())) == 7
    backwards = [*sorted(plain, reverse=True)]
    assert digests("backwards", tests=backwards) == plain
    assert digests("alone", tests=["test_derived"]) == {"test_derived": plain["test_derived"]}
    assert digests("two", "-n", "2") == plain
    assert digests("three", "-n", "3", "--dist", "worksteal") == plain
