"""Ends a server whose users were killed, as soon as the last of them is gone.

A run that ends in order ends its server; one that gets SIGTERM or SIGKILL cannot, and its server would hold
memory until somebody's next run. So each server of ours has this program beside it: it waits for the locks
that users hold, which the kernel takes from the dead, and uses no processor meanwhile.

It is run by path, with the standard library alone and without `site`, so that it costs some milliseconds and
nine megabytes; ending a server needs the package, and is a program of its own.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

KEPT = "kept"
"""File in a server's directory: until when it stays without users, in seconds since the epoch."""

LEASES = "leases"
"""Directory in a server's directory, with one file locked by each process that uses the server."""

_KEPT_POLL_SECONDS = 2.0
_BUSY_POLL_SECONDS = 0.2

_END = """
import os, sys
from pathlib import Path
watcher, directory = sys.argv[1:]
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(watcher))))
from scenarios.postgres import registry
from scenarios.postgres.providers import end_directory
registry.collect(Path(directory), end_directory)
os.execv(sys.executable, [sys.executable, "-I", "-S", watcher, directory])
"""
"""Ends the server if it still has no user, and goes on watching in case it has one again."""


def kept_until(directory: str | os.PathLike[str]) -> float:
    """Return until when the server in *directory* stays without users; 0 when it is not kept."""
    try:
        with open(os.path.join(directory, KEPT), encoding="ascii") as file:
            return float(file.read())
    except (OSError, ValueError):
        return 0.0


def wait_for_users(directory: str) -> None:
    """Return when no living process uses the server in *directory*."""
    leases = os.path.join(directory, LEASES)
    waited_for: set[str] = set()
    while True:
        try:
            left = set(os.listdir(leases)) - waited_for
        except FileNotFoundError:
            return
        if not left:
            return
        for name in left:
            waited_for.add(name)  # Each has a name of its own, and the dead leave their file.
            try:
                lease = os.open(os.path.join(leases, name), os.O_RDONLY)
            except FileNotFoundError:
                continue
            fcntl.flock(lease, fcntl.LOCK_SH)
            os.close(lease)


def watch(directory: str) -> None:
    """Wait until the server in *directory* is neither used nor kept, then have it ended."""
    while os.path.isdir(directory):
        wait_for_users(directory)
        if kept_until(directory) > time.time():
            time.sleep(_KEPT_POLL_SECONDS)
            continue
        # Who left in order is ending the server at this moment, and us with it.
        time.sleep(_BUSY_POLL_SECONDS)
        if os.path.isdir(directory):
            os.execv(sys.executable, [sys.executable, "-c", _END, os.path.abspath(__file__), directory])


if __name__ == "__main__":
    watch(sys.argv[1])
