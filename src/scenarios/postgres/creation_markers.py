"""A note on disk that a database is about to be created, for as long as it is not tagged.

Creating a database and marking it as ours are two statements, since PostgreSQL creates databases outside of
transactions. A run that is killed between them leaves a database without a tag, which nothing of ours may
touch. The note, together with a name only we generate, tells clean-up that it is ours nevertheless.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.ownership import birth_of

TEMPLATE_PREFIX = "scn_t_"
DATABASE_PREFIX = "scn_d_"


def is_generated(name: str) -> bool:
    """Whether *name* is one we make up, with random digits nobody else has."""
    return name.startswith((TEMPLATE_PREFIX, DATABASE_PREFIX))


@dataclass(frozen=True, slots=True)
class CreationMarker:
    """A context manager: the note exists for the block, and longer if the block is killed."""

    path: Path

    def __enter__(self) -> None:
        content = json.dumps({"pid": os.getpid(), "birth": birth_of(os.getpid())})
        try:
            self.path.write_text(content)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.write_text(content)

    def __exit__(self, *error: object) -> None:
        self.path.unlink(missing_ok=True)


def creation_marker(notes: Path, name: str) -> CreationMarker:
    """Return the creation_marker to create the database *name*, noted in the directory *notes*."""
    if not is_generated(name):
        raise AssertionError(f"{name!r} could be anybody's database")
    return CreationMarker(notes / "creation_markers" / name)


def abandoned(notes: Path) -> Iterator[tuple[str, Path]]:
    """Give name and note of each database whose creator died between creating and marking it."""
    for path in sorted((notes / "creation_markers").glob("scn_*")):
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            content = {"pid": 0, "birth": ""}
        if not is_same_process(int(content["pid"]), str(content["birth"])):
            yield path.name, path


def is_same_process(pid: int, birth: str) -> bool:
    """Whether the process *pid* that began at *birth* still runs."""
    now = birth_of(pid)
    if birth and now:
        return birth == now
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
