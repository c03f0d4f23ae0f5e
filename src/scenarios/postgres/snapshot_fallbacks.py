"""Which snapshot of a database leads back by which way, also after the database was made anew.

A snapshot is a number in a journal, and a fresh clone has a journal of its own: whoever holds a snapshot from
before would hold a number that means nothing, or something else. Some snapshots were never numbers at all,
because the role may not undo rows, but copies of the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.errors import JournalError
    from scenarios.journal import Snapshot


@dataclass(frozen=True, slots=True)
class Copy:
    """A database that holds the state of a snapshot, and why it had to."""

    source: str
    why: str


class SnapshotFallbacks:
    """What one database knows of its snapshots beside their numbers."""

    def __init__(self) -> None:
        self._clones: dict[tuple[int, object], Snapshot] = {}
        self._copies: dict[Snapshot, Copy] = {}

    def by_clone(self, taken: Snapshot) -> None:
        """Remember that *taken* was taken before anybody could write: a fresh clone is the same state."""
        self._clones[taken.number, taken.taken_at] = taken

    def by_copy(self, name: str | None, database: str, source: str, error: JournalError) -> Snapshot:
        """Return a snapshot that is the database *source*, since *error* kept the journal from taking it."""
        from scenarios.journal import Snapshot

        taken = Snapshot(-1 - len(self._copies), name, datetime.now(UTC), database)
        self._copies[taken] = Copy(source, error.why or error.what)
        return taken

    def copy_of(self, snapshot: Snapshot | str) -> Copy | None:
        """Return the copy that was taken for *snapshot*, None when it is in the journal."""
        for known in reversed(self._copies):
            if snapshot in (known, known.name):
                return self._copies[known]
        return None

    def clone_of(self, snapshot: Snapshot | str) -> Snapshot | None:
        """Return *snapshot* if a fresh clone is the same state."""
        for known in reversed(self._clones.values()):
            if snapshot in (known, known.name):
                return known
        return None

    def current(self, snapshot: Snapshot | str) -> Snapshot | str:
        """Return the snapshot that stands for *snapshot* since the database was made anew."""
        if isinstance(snapshot, str):
            return snapshot
        return self._clones.get((snapshot.number, snapshot.taken_at), snapshot)

    def renew(self, again: Snapshot) -> None:
        """Let *again*, taken of the fresh clone, stand for all snapshots whose state that is."""
        self._clones = dict.fromkeys(self._clones, again)
        self.by_clone(again)
