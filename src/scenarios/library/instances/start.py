"""The start of an instance, as the journal of a database of ours remembers it.

What was written since tells the rows that were added to an instance from those that were there before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.errors import JournalError

if TYPE_CHECKING:
    from scenarios.library.instances.instance import Instance

_WAIT = 0.1
"""Seconds to wait for others who are writing: a load is not held up by them."""


def name_of_start(name: str) -> str:
    """Return what the journal calls the start of the instance *name*."""
    return f"instance {name}"


def remember_start(instance: Instance) -> bool:
    """Have the journal remember *instance* as it is now; return whether it does.

    It does in databases of ours whose role may, while nobody else is in the middle of writing. Elsewhere
    instances are compared with what they were planned as.
    """
    instance.start = None
    if instance.db.owned:
        instance.start = instance.db.mark(name_of_start(instance.name), wait=_WAIT)
    return instance.start is not None


def forget_start(instance: Instance) -> None:
    """Have the journal forget the start of *instance*."""
    from scenarios import journal

    with instance.db.connect() as conn:
        if not (instance.db.owned and journal.is_installed(conn)):
            return
        try:
            found = journal.find(conn, name_of_start(instance.name))
            journal.forget(conn, found)
        except JournalError:
            return
