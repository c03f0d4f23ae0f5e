"""The one error of the journal that callers treat in a way of their own."""

from __future__ import annotations

from scenarios.errors import JournalError


class CannotRestoreInPlace(JournalError):
    """Something happened that rows and sequences cannot undo: DDL, large objects, a crash of the server.

    The next strategy is a fresh clone of the template; `Database.restore` takes it where it can.
    """
