"""A directory for servers of one's own, open to the user they run as."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.domain import get_domain
from scenarios.postgres import Database, Server


@pytest.fixture
def place_for_servers() -> Iterator[Path]:
    """Where servers of one test live."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="sc-", dir=memory if memory.is_dir() else None))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def guarded(server: Server) -> Iterator[Database]:
    """A Dev Coach database for one test."""
    with server.database(get_domain("dev_coach")) as database:
        yield database
