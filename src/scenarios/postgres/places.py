"""Where servers live and where what they share is cached, and as whom they run.

PostgreSQL refuses to run as root, and the user it then runs as often cannot read root's home, where the
virtual environment and the cache are. Socket paths end at about a hundred bytes. Anyone can make a directory
of our name in a shared temporary directory. Each of these is met here, once.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scenarios.errors import ServerError
from scenarios.settings import Settings

ROOM_NEEDED = 1 << 30
"""Bytes that must be free on a tmpfs before servers are put there: room for data, WAL and a few clones."""

LONGEST_SOCKET_PATH = 100
"""Bytes; Linux allows 107, macOS 103."""

_PLAIN = re.compile(r"[\w/.+-]+", re.ASCII)
_SOCKET_NAME = ".s.PGSQL.65535.lock"
_UNPRIVILEGED = ("postgres", "_postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system user a server runs as."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Whom to drop privileges to: None for an ordinary user, an unprivileged account for root.

    Raises:
        ServerError: we are root and the machine has no such account.
    """
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServerError(
        "PostgreSQL does not run as root, and there is no other user to run it as",
        why=f"none of {', '.join(_UNPRIVILEGED)} exists",
        hint="add one (`useradd --system postgres`) or run as an ordinary user",
    )


def can_read(account: Account | None, path: Path) -> bool:
    """Whether *account* can reach and read *path*; judged by modes, since we cannot become it to try."""
    if account is None:
        return os.access(path, os.R_OK)
    resolved = path.resolve()
    if not all(_permits(account, parent, 0o1) for parent in resolved.parents):
        return False
    return _permits(account, resolved, 0o5 if resolved.is_dir() else 0o4)


def _permits(account: Account, path: Path, wanted: int) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    if found.st_uid == account.uid:
        granted = found.st_mode >> 6
    elif found.st_gid == account.gid:
        granted = found.st_mode >> 3
    else:
        granted = found.st_mode
    return granted & wanted == wanted


def is_tmpfs(path: Path) -> bool:
    """Whether *path* lies in memory, as far as this system tells."""
    if not sys.platform.startswith("linux"):
        return False
    best, kind = "", ""
    resolved = str(path.resolve())
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, filesystem, *_ = line.split(" ")
        inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, filesystem
    return kind in {"tmpfs", "ramfs"}


def runtime_directory(settings: Settings) -> Path:
    """Return the directory in which this user's servers live, made if need be.

    It is on tmpfs where there is room, because a clone costs what the disk costs.

    Raises:
        ServerError: it cannot be made, or belongs to somebody else.
    """
    wanted = settings.get("runtime_dir")
    if wanted.value:
        base, chosen_by = Path(wanted.value).expanduser().absolute(), f"runtime_dir from {wanted.source}"
    else:
        base, chosen_by = _roomy_memory() or Path(tempfile.gettempdir()), "the default"
    directory = private_directory(base / f"scenarios-{os.geteuid()}", chosen_by)
    account = server_account()
    if not can_read(account, directory):
        raise ServerError(
            "the server's user cannot reach the directory servers are to live in",
            where=f"{directory} ({chosen_by}), user {account.name if account else os.geteuid()}",
            why="a directory above it is closed to others",
            hint="name one that is open to others (mode 755) with SCENARIOS_RUNTIME_DIR",
        )
    return directory


def _roomy_memory() -> Path | None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or not os.access(memory, os.W_OK | os.X_OK) or not is_tmpfs(memory):
        return None
    return memory if shutil.disk_usage(memory).free >= ROOM_NEEDED else None


def cache_directory(settings: Settings) -> Path:
    """Return the directory for what outlives a run: copied binaries, `initdb` results, measurements.

    Raises:
        ServerError: no place for it can be had.
    """
    wanted = settings.get("cache_dir")
    if wanted.value:
        return private_directory(
            Path(wanted.value).expanduser().absolute(), f"cache_dir from {wanted.source}"
        )
    account = server_account()
    if account is None:
        import platformdirs

        try:
            return private_directory(Path(platformdirs.user_cache_dir("pg-scenarios")), "the default")
        except ServerError:
            pass  # A user without a home, or with one that cannot be written.
        return private_directory(Path(f"/var/tmp/pg-scenarios-{os.geteuid()}"), "the default")
    # Root's home is closed to the account that runs the server.
    return private_directory(Path("/var/cache/pg-scenarios"), "the default")


def socket_directory(server_directory: Path) -> Path:
    """Return where the sockets of the server in *server_directory* go.

    Inside, unless that is too long, or holds what means something in a list of hosts or directories.
    """
    inside = server_directory / "s"
    if len(os.fsencode(inside / _SOCKET_NAME)) <= LONGEST_SOCKET_PATH and _PLAIN.fullmatch(str(inside)):
        return inside
    return private_directory(short_directory(), "a short place for sockets") / server_directory.name


def short_directory() -> Path:
    """Return where sockets go whose server lives at a long path; it need not exist."""
    return Path(f"/tmp/scenarios-{os.geteuid()}")


def remove_if_empty(path: Path) -> None:
    """Remove the directory *path* if nothing is in it, so that a machine we have left shows no trace."""
    with suppress(OSError):
        path.rmdir()


def private_directory(path: Path, chosen_by: str) -> Path:
    """Make *path* if it is not there and check that it is ours and nobody else can write to it.

    Raises:
        ServerError: it cannot be made, is a link, or belongs to somebody else.
    """
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ServerError(
            "cannot make a directory of our own",
            where=f"{path} ({chosen_by})",
            why=str(error),
            hint="free space there, or set SCENARIOS_RUNTIME_DIR or SCENARIOS_CACHE_DIR to another place",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ServerError(
            "a directory we need belongs to somebody else",
            where=f"{path} ({chosen_by})",
            why=f"its owner has the user id {found.st_uid}, we are {os.geteuid()}",
            hint="remove it, or name another place with SCENARIOS_RUNTIME_DIR or SCENARIOS_CACHE_DIR",
        )
    if found.st_mode & 0o022:
        path.chmod(0o755)
    return path
