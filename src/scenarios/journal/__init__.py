"""Snapshot in no time, restore what changed, show what changed: the undo log inside the database.

Begin with `snapshots`, which is what callers use, and ``restoring.sql``, where a restore happens; then
`recording`, which makes the triggers of a table, and `undoing`, which makes what puts it back. It works on
plain psycopg connections and any tables a database has.
"""

from __future__ import annotations

from scenarios.journal.assertions import Expected, assert_changes, deleted, inserted, updated
from scenarios.journal.changes import Change, Changes, changes, changes_between
from scenarios.journal.checksum import checksum, contents
from scenarios.journal.difference import diff
from scenarios.journal.errors import CannotRestoreInPlace
from scenarios.journal.file_format import SnapshotFile, check_file, read_header
from scenarios.journal.files import open_file, save
from scenarios.journal.install import install, is_installed, uninstall
from scenarios.journal.snapshots import (
    Restored,
    Snapshot,
    dedicate,
    find,
    forget,
    list_snapshots,
    restore,
    restored,
    snapshot,
)

__all__ = [
    "CannotRestoreInPlace",
    "Change",
    "Changes",
    "Expected",
    "Restored",
    "Snapshot",
    "SnapshotFile",
    "assert_changes",
    "changes",
    "changes_between",
    "check_file",
    "checksum",
    "contents",
    "dedicate",
    "deleted",
    "diff",
    "find",
    "forget",
    "inserted",
    "install",
    "is_installed",
    "list_snapshots",
    "open_file",
    "read_header",
    "restore",
    "restored",
    "save",
    "snapshot",
    "uninstall",
    "updated",
]
