"""A PostgreSQL server from binaries on this machine: made in a fraction of a second, gone without a trace.

`initdb` takes half a second, so its result is made once per machine and copied. The server runs with what
protects data after a crash switched off, since there is nothing to protect: fsync, full page writes and
synchronous commit. What was asked for is read back from the running server by `scenarios.postgres.server`,
because an asked-for setting that did not take effect is the usual reason for a slow test run.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from scenarios.errors import ServerError
from scenarios.postgres.binaries import Binaries
from scenarios.postgres.extensions import environment
from scenarios.postgres.locks import exclusive
from scenarios.postgres.places import Account, remove_if_empty, socket_directory
from scenarios.postgres.processes import Outliving, end_server, is_ready

START_SECONDS = 60.0
SUPERUSER = "postgres"
SOCKET_PORT = 5432
"""The port in the socket's name; each server has a directory of its own, so it need not differ."""

THROWAWAY: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_init_zero": "off",
    "wal_recycle": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "2GB",
    "bgwriter_lru_maxpages": "0",
    "jit": "off",
    "max_connections": "200",
    # A journal takes several locks for each table at once, a restore for each table that was written: enough
    # for ten thousand tables, at 20 MB.
    "max_locks_per_transaction": "512",
    "shared_buffers": "128MB",
    # A file in the data directory goes with it; POSIX shared memory would outlive a killed server.
    "dynamic_shared_memory_type": "mmap",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
"""What a throwaway server is started with."""

_DOORS = """\
# TYPE  DATABASE     USER  ADDRESS       METHOD
local   all          all                 scram-sha-256
host    all          all   127.0.0.1/32  scram-sha-256
"""
"""pg_hba.conf: any operating system user may connect who knows the password."""

_LOCALES = ("C.UTF-8", "en_US.UTF-8", "C")
_CLUSTER_FORMAT = 1


def make_cluster(binaries: Binaries, account: Account | None, cache: Path) -> Path:
    """Return a directory with a fresh `data` to copy and the superuser's `password`, made on first use.

    Raises:
        ServerError: `initdb` failed; the message has what it said.
    """
    owner = account.name if account else str(os.geteuid())
    key = hashlib.sha256(f"{_CLUSTER_FORMAT}\n{binaries.fingerprint}\n{owner}".encode()).hexdigest()[:12]
    cluster = cache / f"cluster-{binaries.version}-{key}"
    if cluster.is_dir():
        return cluster
    with exclusive(cache / f"{cluster.name}.lock"):
        if cluster.is_dir():
            return cluster
        half = cache / f"{cluster.name}.half"
        end_server(half)
        remove_tree(half)
        try:
            _initialise(binaries, account, half)
            half.rename(cluster)
        except BaseException:
            end_server(half)
            remove_tree(half)
            raise
    return cluster


def _initialise(binaries: Binaries, account: Account | None, half: Path) -> None:
    half.mkdir(mode=0o755)
    data = half / "data"
    _own_directory(data, account, 0o700)
    said = ""
    for locale in _LOCALES:
        answer = _run_as(
            account,
            [
                *(binaries.initdb, "-D", data, "-U", SUPERUSER, "-E", "UTF8", f"--locale={locale}"),
                # Never served with trust: see _DOORS.
                *("--auth=trust", "--no-sync", "--no-instructions"),
            ],
        )
        if answer.returncode == 0:
            break
        said = (answer.stderr or answer.stdout).strip()
        if "locale" not in said:
            break
    else:
        answer = None
    if answer is None or answer.returncode != 0:
        raise ServerError(
            "initdb could not make a new cluster",
            where=f"{binaries.initdb} (found by {binaries.source}) in {data}",
            why=said,
            hint=_hint(said),
        )
    password = secrets.token_urlsafe(24)
    answer = _run_as(
        account,
        [binaries.postgres, "--single", "-F", "-D", data, "-c", "log_min_messages=fatal", "postgres"],
        stdin=f"ALTER ROLE {SUPERUSER} PASSWORD '{_verifier(password)}';\n",
    )
    if answer.returncode != 0:
        raise ServerError(
            "the password of a new cluster could not be set", where=str(data), why=answer.stderr.strip()
        )
    (data / "pg_hba.conf").write_text(_DOORS)
    secret = half / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)


def _verifier(password: str) -> str:
    """Return the SCRAM verifier of RFC 5803 with one iteration.

    Iterations slow down guessing of passwords people choose; ours has 192 random bits, and each of the
    thousands of connections of a test run would pay for 4096 of them.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, client64, server64 = (b64encode(raw).decode() for raw in (salt, client, server))
    return f"SCRAM-SHA-256$1:{salt64}${client64}:{server64}"


def start(
    binaries: Binaries,
    account: Account | None,
    cache: Path,
    directory: Path,
    *,
    tcp_port: int | None,
    more: Mapping[str, str],
) -> dict[str, str]:
    """Start a server in the empty *directory*; return the libpq parameters of its superuser.

    Args:
        tcp_port: None for sockets only, 0 for a free loopback port, or the port that is wanted.
        more: settings of the server besides those of a throwaway one.

    Raises:
        ServerError: it did not come up; the message has what its log says. Nothing is left running.
    """
    cluster = make_cluster(binaries, account, cache)
    os.utime(cluster)  # Clean-up removes what was not used for long.
    data, sockets, log = directory / "data", socket_directory(directory), directory / "log"
    _own_directory(sockets, account, 0o755)
    log.touch(mode=0o644)
    if account is not None:
        os.chown(log, account.uid, account.gid)
    _own_directory(data, account, 0o700)
    copied = _run_as(account, ["cp", "-R", f"{cluster / 'data'}/.", data])
    if copied.returncode != 0:
        raise ServerError(
            "a new cluster could not be copied",
            where=f"{cluster / 'data'} -> {data}",
            why=copied.stderr.strip(),
            hint=_hint(copied.stderr),
        )
    attempts = 5 if tcp_port == 0 else 1
    while True:
        attempts -= 1
        port = _free_port() if tcp_port == 0 else tcp_port
        said = _launch(binaries, account, data, sockets, log, port, more)
        if said is None:
            break
        if "could not bind" in said and attempts:
            continue  # Somebody took the free port in the meantime; try another.
        raise ServerError(
            "PostgreSQL did not start",
            where=f"{binaries.postgres} (found by {binaries.source}), log {log}",
            why=said,
            hint=_hint(said),
        )
    parameters = {
        "host": str(sockets),
        "port": str(SOCKET_PORT),
        "user": SUPERUSER,
        "password": (cluster / "password").read_text(),
        "dbname": "postgres",
    }
    if port is not None:
        parameters |= {"host": "127.0.0.1", "port": str(port)}
    return parameters


def _launch(
    binaries: Binaries,
    account: Account | None,
    data: Path,
    sockets: Path,
    log: Path,
    port: int | None,
    more: Mapping[str, str],
) -> str | None:
    """Run the server until it accepts connections: None, or what the log says when it does not."""
    flags = {**THROWAWAY, **more}
    if binaries.major >= 18:
        flags["io_method"] = "sync"  # Three processes less; there is no disk to wait for.
    flags |= {
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0777",  # The password guards it, not the user's name.
        "listen_addresses": "" if port is None else "127.0.0.1",
        "port": str(SOCKET_PORT if port is None else port),
        "cluster_name": data.parent.name,  # By which whoever connects knows that it is this one.
    }
    command = [str(binaries.postgres), "-D", str(data)]
    for name, value in flags.items():
        command += ["-c", f"{name}={value}"]
    begun = log.stat().st_size
    with log.open("ab") as output:
        child = Outliving(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            # Without one a server on macOS starts a thread to find it out, and then refuses to go on.
            env=environment(binaries),
            start_new_session=True,  # Ctrl-C is for us; we then end the server in order.
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(data):
        if child.poll() is not None or time.monotonic() > deadline:
            end_server(data.parent)
            said = log.read_bytes()[begun:].decode(errors="replace").strip()
            return said or f"it ended with status {child.returncode} and an empty log"
        time.sleep(0.002)
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _hint(said: str) -> str:
    lowered = said.lower()
    if "no space left" in lowered or "disk full" in lowered or "disk quota" in lowered:
        return "free space there, or name a larger place with SCENARIOS_RUNTIME_DIR or SCENARIOS_CACHE_DIR"
    if "could not bind" in lowered or "address already in use" in lowered:
        return "choose another port, or let one be found with SCENARIOS_TCP=on"
    if "permission denied" in lowered:
        return "let the server's user read and write there, or name another place with SCENARIOS_RUNTIME_DIR"
    if "shared memory" in lowered or "semaphores" in lowered:
        return "run `scenarios gc`; if that does not help, raise the system's shared memory limits"
    if "error while loading shared libraries" in lowered or "library not loaded" in lowered:
        return "reinstall those binaries with their libraries, or name others with SCENARIOS_POSTGRES_BIN"
    return "run `scenarios doctor`, or name other binaries with SCENARIOS_POSTGRES_BIN"


def _own_directory(path: Path, account: Account | None, mode: int) -> None:
    path.mkdir(mode=mode)
    path.chmod(mode)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _run_as(
    account: Account | None, command: Sequence[str | Path], *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        start_new_session=True,
        env={**os.environ, "LC_ALL": "C"},
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def remove_tree(directory: Path) -> None:
    """Remove *directory* and the socket directory outside of it, if it has one."""
    shutil.rmtree(directory, ignore_errors=True)
    sockets = socket_directory(directory)
    if sockets.parent != directory:
        shutil.rmtree(sockets, ignore_errors=True)
        remove_if_empty(sockets.parent)
