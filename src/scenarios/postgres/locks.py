"""Locks on files, released by the kernel when their holder dies.

A lock that is a mere file survives `kill -9` and blocks every later run; a lock that is never unlinked
leaves litter in the temporary directory. These are `flock` locks: they die with the process, are removed by
the one who lets go, and a waiter that was handed an already removed file notices and takes the new one.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.01


class HeldLock:
    """A lock on *path* that is held until `release` or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._process = os.getpid()

    def release(self) -> None:
        """Let go and remove the file. A forked child, which shares the lock, lets its copy go only."""
        if self._descriptor is None:
            return
        if os.getpid() == self._process:
            with suppress(FileNotFoundError):
                self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = None


def try_lock(path: Path) -> HeldLock | None:
    """Lock *path* if nobody holds it; None when somebody does."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if _still_named(path, descriptor):
            return HeldLock(path, descriptor)
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether some living process holds *path*; the file is left as it is."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def exclusive(path: Path, *, timeout: float | None = None) -> Iterator[HeldLock]:
    """Hold *path* for the block, waiting for whoever has it.

    Args:
        timeout: seconds to wait at most; None waits for ever.

    Raises:
        TimeoutError: somebody held it longer than *timeout*.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            held = try_lock(path)
        except FileNotFoundError:
            # The last user of the directory removed it between our mkdir and our open.
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            continue
        if held is not None:
            break
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError(f"{path} is held by another process")
        time.sleep(POLL_SECONDS)
    try:
        yield held
    finally:
        held.release()


def _still_named(path: Path, descriptor: int) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)
