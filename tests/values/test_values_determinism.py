"""The same bytes from every process, hash seed and supported Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import digest_of_values
import faker
import pytest

import scenarios

SCRIPT = Path(digest_of_values.__file__)
GOLDEN = "68558f8b3c78465cf120c79c4a4a8ad35079133d4a937707c8cdb4dde9611292"
"""The digest of the project's own values. It changes only when the texts or the derivation are changed on
purpose, and then every generated database changes with it: say so in the changelog."""


def digests(interpreter: str, **environment: str) -> dict[str, str]:
    packages = [Path(scenarios.__file__).parent.parent, Path(faker.__file__).parent.parent]
    result = subprocess.run(
        [interpreter, str(SCRIPT)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages)), **environment},
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, str] = json.loads(result.stdout)
    return found


def test_the_projects_own_values_are_those_of_every_release():
    assert digest_of_values.own() == GOLDEN


@pytest.mark.thorough("the same values in every process and Python")
@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_the_hash_seed_of_the_process_does_not_matter(seed):
    found = digests(sys.executable, PYTHONHASHSEED=seed)
    assert found["own"] == GOLDEN
    assert found["borrowed"] == digest_of_values.borrowed()


@pytest.mark.thorough("the same values in every process and Python")
def test_every_supported_python_on_this_machine_agrees(pythons):
    # Where there is only this one, the golden digest above is what the others are held to.
    found = {version: digests(path) for version, path in pythons.items()}
    assert {each["own"] for each in found.values()} == {GOLDEN}
    assert len({each["borrowed"] for each in found.values()}) == 1


VOLUME = """
import hashlib
from scenarios.values import DEFAULT_ANCHOR
from scenarios.volume import Part, recipe
found = hashlib.sha256()
for table in recipe("dev_coach").make(Part("seed", 0, 0, 30, DEFAULT_ANCHOR)):
    found.update(table.table.encode() + table.data)
print(found.hexdigest())
"""


@pytest.mark.thorough("the same values in every process and Python")
def test_volume_is_the_same_bytes_in_every_process():
    found = {
        subprocess.run(
            [sys.executable, "-c", VOLUME],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(found) == 1


def test_a_field_more_changes_that_field_alone():
    from scenarios.values import Seeded

    def rows(fields: list[str]) -> list[dict[str, str]]:
        seeded = Seeded("seed", "scenario")
        return [{field: seeded.at(f"row {n}").token(field, 12) for field in fields} for n in range(50)]

    before = rows(["name", "city"])
    after = rows(["nickname", "name", "city"])
    assert [{k: v for k, v in row.items() if k != "nickname"} for row in after] == before
    assert len({row["nickname"] for row in after}) == 50
