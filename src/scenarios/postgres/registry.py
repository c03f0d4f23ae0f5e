"""Servers that are shared by workers and overlapping runs, and end with their last user.

Eight workers that each start a server waste seconds; one that stops a server others still use breaks their
tests; one that is killed leaves a server for ever. Each server has a directory, and in it one file for each
process that uses it, locked by that process: the kernel lets go of the lock whatever ends the process.
Whoever finds no locked file left ends the server: the last user, or `watcher` when that one was killed. All
of it happens under one lock for servers of a kind.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scenarios.errors import ScenariosError
from scenarios.postgres import watcher
from scenarios.postgres.embedded import remove_tree
from scenarios.postgres.locks import HeldLock, exclusive, is_locked, try_lock
from scenarios.postgres.places import remove_if_empty
from scenarios.postgres.processes import Outliving, command_of, end_process, end_server, postmaster_of
from scenarios.postgres.watcher import KEPT, LEASES, kept_until

CONTAINER_NOTE = "container"
"""File in a server's directory that says a container may exist for it; written before the container."""

PASSWORDS = "pgpass"
"""File in a server's directory in libpq's password format, so that no command line shows a password."""

_ATTEMPTS = 20
_RECORD = "server.json"
_WATCHER = "watcher"


@dataclass(frozen=True, slots=True)
class Record:
    """What a later user must know of a running server.

    Attributes:
        provider: ``"embedded"`` or ``"container"``.
        parameters: libpq parameters of its superuser.
        origin: where it came from, for people.
        starter: the process that started it.
        container: the container's id, empty for an embedded server.
        cluster: its ``cluster_name``, by which it is told from others.
    """

    provider: str
    parameters: Mapping[str, str]
    origin: str
    starter: int
    container: str = ""
    cluster: str = ""


@dataclass(slots=True)
class ServerLease:
    """This process's use of a server; `leave` gives it back."""

    directory: Path
    record: Record
    joined: bool
    _lease: HeldLock
    _end: Callable[[Path], None]
    _process: int
    _left: bool = False

    def leave(self, tidy: Callable[[], None] = lambda: None) -> bool:
        """Give the lease back, and end the server if it was the last one.

        Args:
            tidy: called when others go on using the server; drops what is ours on it.

        Does nothing the second time.

        Returns:
            whether the server was ended.
        """
        if os.getpid() != self._process:
            return False  # A forked child shares its parent's lease.
        if self._left:
            return True
        with _alone(self.directory):
            self._left = True
            atexit.unregister(self.leave)
            if len(users_of(self.directory)) > 1 or kept_until(self.directory) > time.time():
                tidy()
                self._lease.release()
                return False
            self._lease.release()
            self._end(self.directory)
        remove_if_empty(self.directory.parent)
        return True


def take_server_lease(
    runtime: Path, kind: str, start: Callable[[Path], Record], end: Callable[[Path], None], *, share: bool
) -> ServerLease:
    """Use the running server of *kind*, or start one.

    Args:
        runtime: the directory in which servers live.
        kind: servers of one kind are interchangeable; at most one of them is shared.
        start: starts a server in the directory it is given; called with nobody else starting that kind.
        end: ends the server in a directory and removes the directory.
        share: False starts a server nobody else is given.
    """
    name = kind if share else f"{kind[:6]}{secrets.token_hex(4)}"
    try:
        return _take_server_lease(runtime, name, start, end)
    except BaseException:
        remove_if_empty(runtime)
        raise


def _take_server_lease(
    runtime: Path, name: str, start: Callable[[Path], Record], end: Callable[[Path], None]
) -> ServerLease:
    with exclusive(runtime / f"{name}.lock"):
        for directory in sorted(runtime.glob(f"{name}-*")):
            record = read_record(directory)
            if record is not None and is_alive(directory, record):
                return _kept_to_the_end(
                    ServerLease(directory, record, True, _sit(directory), end, os.getpid())
                )
            end(directory)
        directory = runtime / f"{name}-{secrets.token_hex(2)}"
        directory.mkdir(mode=0o755)
        directory.chmod(0o755)
        lease = _sit(directory)
        try:
            _watch(directory)
            record = start(directory)
            _write_record(directory, record)
            return _kept_to_the_end(ServerLease(directory, record, False, lease, end, os.getpid()))
        except BaseException:
            lease.release()
            with suppress(ScenariosError):  # What went wrong first is what matters.
                end(directory)
            raise


def _kept_to_the_end(lease: ServerLease) -> ServerLease:
    """See to it that the lease is given back even if its user is interrupted before it can do so."""
    atexit.register(lease.leave)
    return lease


def _sit(directory: Path) -> HeldLock:
    leases = directory / LEASES
    leases.mkdir(mode=0o700, exist_ok=True)
    # Nobody else wants it, but somebody who looks whether it is locked has it for a moment.
    while (lease := try_lock(leases / f"{os.getpid()}-{secrets.token_hex(4)}")) is None:
        pass
    return lease


def _watch(directory: Path) -> None:
    """Start the program that ends the server in *directory* when its users are gone and did not."""
    if not sys.executable:
        return  # Python is part of another program; the next run collects what this one leaves.
    child = Outliving(
        [sys.executable, "-I", "-S", watcher.__file__, str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # It must outlive what ends our terminal and all in it.
    )
    (directory / _WATCHER).write_text(str(child.pid))


def _end_watcher(directory: Path) -> None:
    with suppress(OSError, ValueError):
        pid = int((directory / _WATCHER).read_text())
        if pid != os.getpid() and f"{directory}" in command_of(pid):
            end_process(pid, (signal.SIGKILL,))


def is_used(directory: Path) -> bool:
    """Whether a living process uses the server in *directory*, or it is kept on purpose."""
    return bool(users_of(directory)) or kept_until(directory) > time.time()


def users_of(directory: Path) -> list[int]:
    """Return the process ids of the living users of the server in *directory*."""
    leases = directory / LEASES
    if not leases.is_dir():
        return []
    return [int(lease.name.partition("-")[0]) for lease in sorted(leases.iterdir()) if is_locked(lease)]


def keep(directory: Path, until: float) -> None:
    """Keep the server in *directory* without users until the time *until* (seconds since the epoch)."""
    (directory / KEPT).write_text(str(until))


def release(directory: Path) -> None:
    """Keep the server in *directory* no longer; it ends with its last user."""
    (directory / KEPT).unlink(missing_ok=True)


def is_alive(directory: Path, record: Record) -> bool:
    """Whether the server can still be expected to answer."""
    if record.provider == "container":
        from scenarios.postgres.container import is_running

        return is_running(record.container)
    return postmaster_of(directory / "data") is not None


def read_record(directory: Path) -> Record | None:
    """Return the record of the server in *directory*; None for one that never became ready."""
    try:
        fields: dict[str, Any] = json.loads((directory / _RECORD).read_text())
        return Record(**fields)
    except (OSError, ValueError, TypeError):
        return None


def _write_record(directory: Path, record: Record) -> None:
    passwords = directory / PASSWORDS
    passwords.touch(mode=0o600)
    passwords.write_text(f"*:*:*:*:{record.parameters['password']}\n")
    half = directory / f"{_RECORD}.half"
    half.touch(mode=0o600)
    half.write_text(json.dumps(asdict(record)))
    half.rename(directory / _RECORD)


def end_embedded(directory: Path) -> None:
    """End the embedded server in *directory* and remove everything it left."""
    _end_watcher(directory)
    for _ in range(_ATTEMPTS):
        end_server(directory)
        remove_tree(directory)
        if not directory.exists():
            return
        # Something its killed starter had begun wrote into it while it was removed.
        time.sleep(0.02)


def directories(runtime: Path) -> list[Path]:
    """Return the directories of all servers, living and dead."""
    return sorted(path for path in runtime.glob("*-*") if path.is_dir())


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    name = directory.name.rpartition("-")[0]
    with exclusive(directory.parent / f"{name}.lock"):
        yield


def collect(directory: Path, end: Callable[[Path], None]) -> bool:
    """End and remove the server in *directory* if nobody uses it; False when somebody does or is at it."""
    name = directory.name.rpartition("-")[0]
    lock = try_lock(directory.parent / f"{name}.lock")
    if lock is None:
        return False
    try:
        if not directory.is_dir() or is_used(directory):
            return False
        end(directory)
        return True
    finally:
        lock.release()
        remove_if_empty(directory.parent)
