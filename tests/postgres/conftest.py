"""Places of their own for tests that look at what is left behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.postgres.processes import processes_naming
from scenarios.settings import Settings


@pytest.fixture
def own_runtime() -> Iterator[Path]:
    """A runtime directory nobody else's servers live in, open to the user servers run as.

    Fails the test that leaves a server process behind.
    """
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="sc-", dir=memory if memory.is_dir() else None))
    directory.chmod(0o755)
    yield directory
    left = processes_naming(directory)
    shutil.rmtree(directory, ignore_errors=True)
    assert left == []


@pytest.fixture
def own_settings(own_runtime: Path) -> Settings:
    """Settings with which servers live in `own_runtime`."""
    return Settings({"runtime_dir": str(own_runtime)})
