"""The processes there are: from ``/proc``, or from ``ps`` on a system without it."""

from __future__ import annotations

import subprocess
from pathlib import Path

PROC = Path("/proc")


def processes_of(directory: Path) -> dict[int, str]:
    """Command lines of all processes that work in *directory*, by their ids."""
    if (PROC / "self" / "cmdline").exists():
        listed = {int(entry.name): _command(entry) for entry in PROC.iterdir() if entry.name.isdigit()}
    else:
        columns = ["ps", "-axww", "-o", "pid=", "-o", "args="]
        said = subprocess.run(columns, capture_output=True, text=True, check=True).stdout
        pairs = (line.split(maxsplit=1) for line in said.splitlines())
        listed = {int(pid): command for pid, command in (pair for pair in pairs if len(pair) == 2)}
    return {pid: command for pid, command in listed.items() if str(directory) in command}


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""  # it has just ended


def owner_of(pid: int) -> int:
    """The id of the user that process *pid* runs as."""
    if (PROC / "self").exists():
        return (PROC / str(pid)).stat().st_uid
    return int(subprocess.check_output(["ps", "-o", "uid=", "-p", str(pid)], text=True))
