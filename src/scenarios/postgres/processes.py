"""Ending a PostgreSQL server for good, also one whose starter was killed.

A process id alone proves nothing: it is reused. So a process is only ever ended when its command line names
the data directory that is being removed. A postmaster that had to be killed leaves its shared memory segment
behind, which is removed as well.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

STOP_SECONDS = 10.0
_PROGRAMS = frozenset({"postgres", "initdb", "cp"})
"""What a starter that was killed may leave running: the server, or what makes and copies its data."""

_children: dict[int, Outliving] = {}


class Outliving(subprocess.Popen[bytes]):
    """A child that may outlive us: whoever uses the server last ends it, and that need not be us.

    It is remembered, so that it can be waited for and is no zombie when it ends before us.
    """

    def __init__(self, *command: Any, **how: Any) -> None:
        super().__init__(*command, **how)
        _children[self.pid] = self

    def __del__(self) -> None:
        """Say nothing at our end: that it still runs is no mistake."""


def command_of(pid: int) -> str:
    """Return the command line of *pid*; empty when there is no such process, or only its corpse."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return ""
    try:
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
        if not command and child is not None:
            # For a moment after its start the kernel has no command line of it yet, and we know it.
            return " ".join(map(str, child.args)) if isinstance(child.args, list) else ""
        return command
    except OSError:
        if Path("/proc/self/cmdline").exists():
            return ""
    return next((command for _, command in _listed("-p", str(pid))), "")


def _listed(*which: str) -> Iterator[tuple[int, str]]:
    """Yield the id and command line of processes, where the system has no ``/proc``; corpses are left out."""
    # A column is an option of its own: BSD takes the rest of such a word for the column's heading.
    columns = ("-o", "pid=", "-o", "stat=", "-o", "args=")
    answer = subprocess.run(["ps", "-ww", *which, *columns], capture_output=True, text=True, check=False)
    for line in answer.stdout.splitlines():
        pid, status, command = [*line.split(maxsplit=2), "", ""][:3]
        if command and not status.startswith("Z"):
            yield int(pid), command.strip()


def processes_naming(directory: Path) -> list[int]:
    """Return the ids of processes of a server's start whose command line names *directory*."""
    if Path("/proc/self/cmdline").exists():
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        commands: Iterable[tuple[int, str]] = ((pid, command_of(pid)) for pid in pids)
    else:
        commands = _listed("-ax")
    return [pid for pid, command in commands if pid != os.getpid() and _is_at_work(command, directory)]


def _is_at_work(command: str, directory: Path) -> bool:
    # Paths may hold spaces, so the line is not split into words.
    at_work = any(f"/{program} " in f"/{command} " for program in _PROGRAMS)
    return at_work and any(f"{directory}{end}" in f"{command} " for end in ("/", " "))


def postmaster_of(data: Path) -> int | None:
    """Return the process id of the server running on *data*, None when there is none."""
    lines = _pid_file(data)
    if not lines:
        return None
    with suppress(ValueError):
        pid = int(lines[0])
        if pid > 0 and str(data) in command_of(pid):
            return pid
    return None


def is_ready(data: Path) -> bool:
    """Whether the server on *data* says it accepts connections."""
    lines = _pid_file(data)
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def end_server(directory: Path) -> None:
    """End every PostgreSQL process of the server in *directory*, at once and without its data's consent.

    The data is thrown away afterwards, so the shutdown checkpoint would be work for nothing.
    """
    data = directory / "data"
    segment = _shared_memory(data)
    postmaster = postmaster_of(data)
    if postmaster is not None:
        end_process(postmaster)
    for pid in processes_naming(directory):
        end_process(pid)
    if segment is not None and (ipcrm := shutil.which("ipcrm")) is not None:
        # Fails, as it should, when the server removed its segment itself.
        subprocess.run([ipcrm, "-m", segment], capture_output=True, check=False)


def end_process(pid: int, signs: tuple[signal.Signals, ...] = (signal.SIGQUIT, signal.SIGKILL)) -> None:
    """End the process *pid*, whose command line the caller has looked at, by the first sign that helps."""
    command = command_of(pid)
    for sign in signs:
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if command_of(pid) != command:
                return
            time.sleep(0.002)


def _shared_memory(data: Path) -> str | None:
    lines = _pid_file(data)
    if len(lines) < 7:
        return None
    words = lines[6].split()
    return words[1] if len(words) == 2 and words[1].isdigit() else None


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Put off Ctrl-C and a caught SIGTERM until the block is done; for clean-up that takes a moment.

    An interrupt in the middle of removing a directory would leave half of it, and nobody to come back for it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread alone.
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    caught = {number: handler for number, handler in before.items() if callable(handler)}
    for number in caught:
        signal.signal(number, lambda arrived, frame: came.append(arrived))
    try:
        yield
    finally:
        for number, handler in caught.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(signal.Signals(came[0]))
