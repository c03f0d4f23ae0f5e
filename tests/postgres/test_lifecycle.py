"""A server starts from nothing, is what it was asked to be, and leaves nothing, however the run ends."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from listing import owner_of
from scenarios.postgres import Server, registry, start_server
from scenarios.postgres.binaries import find_binaries, readable_for
from scenarios.postgres.places import LONGEST_SOCKET_PATH, Account, is_tmpfs
from scenarios.postgres.processes import interrupts_wait, postmaster_of, processes_naming
from scenarios.settings import Settings

PROGRAM = """
import sys
from scenarios.postgres import start_server
with start_server("embedded", share={share}) as server:
    with server.database() as db:
        print("ready", flush=True)
        {body}
"""


@contextmanager
def running_program(body: str, runtime: Path, *, share: bool = True) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body, share=share)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SCENARIOS_RUNTIME_DIR": str(runtime)},
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        if program.stdout.readline() != "ready\n":
            pytest.fail(program.stderr.read())
        try:
            yield program
        finally:
            program.kill()


@pytest.mark.postgres_matrix
def test_throwaway_settings_are_in_effect(any_server: Server) -> None:
    in_effect = any_server.settings_read_back
    assert {name: in_effect[name] for name in ("fsync", "synchronous_commit", "full_page_writes")} == {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    assert in_effect["server_encoding"] == "UTF8"
    assert any_server.provider == "embedded"
    assert str(any_server.version).startswith(any_server.version_text.partition(".")[0])


def test_nothing_is_left_after_the_block(own_runtime: Path, own_settings: Settings) -> None:
    with start_server("embedded", settings=own_settings) as server:
        assert server.directory is not None
        assert postmaster_of(server.directory / "data") is not None
        assert server.directory.parent.parent == own_runtime
        server.database()
    assert list(own_runtime.iterdir()) == []


def test_nothing_is_left_after_an_error_in_the_block(own_runtime: Path, own_settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), start_server("embedded", settings=own_settings):
        _ = 1 / 0
    assert list(own_runtime.iterdir()) == []


# A signal that comes between two calls is acted upon after the next: a long sleep would be slept to its end.
WAIT = "import time; [time.sleep(0.05) for _ in range(1200)]"


@pytest.mark.parametrize("body", [WAIT, f"db.engine.connect(); {WAIT}"], ids=["alone", "connected"])
def test_nothing_is_left_after_an_interrupt(own_runtime: Path, body: str) -> None:
    with running_program(body, own_runtime) as program:
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert list(own_runtime.iterdir()) == []


def test_an_unclosed_server_ends_with_the_process(own_runtime: Path) -> None:
    program = subprocess.run(
        [
            sys.executable,
            "-c",
            "from scenarios.postgres import start_server; start_server('embedded').database()",
        ],
        env={**os.environ, "SCENARIOS_RUNTIME_DIR": str(own_runtime)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert program.returncode == 0, program.stderr
    assert list(own_runtime.iterdir()) == []


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_nothing(
    own_runtime: Path, wait_until_empty: Callable[[], None], sent: signal.Signals
) -> None:
    with running_program("import time; time.sleep(60)", own_runtime) as program:
        program.send_signal(sent)
        program.wait()
    wait_until_empty()


def test_a_server_ends_with_the_last_of_its_killed_users(
    own_runtime: Path, wait_until_empty: Callable[[], None]
) -> None:
    body = "sys.stdin.readline(); print(db.connect().execute('SELECT 1').fetchone()); input()"
    with running_program(body, own_runtime) as last:
        with running_program(body, own_runtime) as first:
            first.kill()
        (directory,) = registry.directories(own_runtime / f"scenarios-{os.geteuid()}")
        while len(registry.users_of(directory)) > 1:
            time.sleep(0.02)
        assert last.stdin is not None
        assert last.stdout is not None
        last.stdin.write("go\n")
        last.stdin.flush()
        assert last.stdout.readline() == "(1,)\n"
        last.kill()
    wait_until_empty()


def test_a_kept_server_outlives_its_killed_user_and_ends_in_time(
    own_runtime: Path, wait_until_empty: Callable[[], None]
) -> None:
    with running_program("input()", own_runtime) as program:
        (directory,) = registry.directories(own_runtime / f"scenarios-{os.geteuid()}")
        registry.keep(directory, time.time() + 3600)
        program.kill()
    # Another user dies later; when the server of that one has been ended, this one would be gone as well.
    with running_program("input()", own_runtime, share=False) as other:
        (control,) = set(registry.directories(own_runtime / f"scenarios-{os.geteuid()}")) - {directory}
        other.kill()
    deadline = time.monotonic() + 60
    while control.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not control.exists()
    assert postmaster_of(directory / "data") is not None
    registry.keep(directory, time.time())
    wait_until_empty()


def test_a_run_killed_with_what_watches_it_is_collected_by_the_next(
    own_runtime: Path,
    own_settings: Settings,
    kill_with_watchers: Callable[[subprocess.Popen[str]], None],
) -> None:
    with running_program("import time; time.sleep(60)", own_runtime) as program:
        kill_with_watchers(program)
    (survivor,) = registry.directories(own_runtime / f"scenarios-{os.geteuid()}")
    assert postmaster_of(survivor / "data") is not None
    with start_server("embedded", settings=own_settings, share=False) as server:
        assert not survivor.exists()
        assert server.directory is not None
        assert registry.directories(own_runtime / f"scenarios-{os.geteuid()}") == [server.directory]
    assert list(own_runtime.iterdir()) == []


def test_the_server_never_runs_as_root(server: Server) -> None:
    assert server.directory is not None
    pid = postmaster_of(server.directory / "data")
    assert pid is not None
    owner = owner_of(pid)
    assert owner != 0


def test_the_password_is_readable_by_its_owner_only(server: Server) -> None:
    assert server.directory is not None
    assert server.password_file is not None
    for secret in (server.password_file, server.directory / "server.json"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert server.parameters("x")["password"] not in f"{server!r} {server.safe_url} {server.why_chosen}"


def test_a_long_path_gets_a_short_socket(own_runtime: Path) -> None:
    deep = own_runtime / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with start_server("embedded", settings=Settings({"runtime_dir": str(deep)})) as server:
        sockets = Path(server.parameters("postgres")["host"])
        assert len(str(sockets / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH
        with server.database() as db, db.connect() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
    assert not sockets.exists()
    assert list(deep.iterdir()) == []


def test_a_path_with_spaces_and_quotes(own_runtime: Path) -> None:
    odd = own_runtime / 'it\'s a "disk", %s'
    with start_server("embedded", settings=Settings({"runtime_dir": str(odd)})) as server:
        assert server.directory is not None
        assert processes_naming(server.directory) == [postmaster_of(server.directory / "data")]
        with server.database() as db, db.connect() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
        with server.database() as db, db.engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
    assert list(odd.iterdir()) == []


def test_loopback_when_asked_for(own_settings: Settings, own_runtime: Path) -> None:
    settings = Settings({"runtime_dir": str(own_runtime), "tcp": "on"})
    with start_server("embedded", settings=settings) as server, server.database() as db:
        assert "127.0.0.1" in db.dsn
        with db.connect() as conn:
            assert conn.execute("SELECT host(inet_server_addr())").fetchone() == ("127.0.0.1",)


def test_sockets_only_by_default(server: Server) -> None:
    with server.connect() as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)


def test_binaries_nobody_else_can_read_are_copied_with_their_libraries(tmp_path: Path) -> None:
    found = find_binaries(Settings())
    closed, cache = tmp_path / "closed", Path(tempfile.mkdtemp(prefix="sc-"))
    try:
        for part in found.bundle:
            shutil.copytree(part, closed / part.name, symlinks=True)
        closed.chmod(0o700)
        stranger = Account("stranger", 54321, 54321)
        hidden = find_binaries(
            Settings({"postgres_bin": str(closed / found.bin.relative_to(found.bundle[0].parent))})
        )
        assert hidden.bundle == tuple(closed / part.name for part in found.bundle)
        cache.chmod(0o755)
        copy = readable_for(hidden, stranger, cache)
        assert copy.bin.is_relative_to(cache)
        assert copy.postgres.stat().st_mode & 0o005 == 0o005
        said = subprocess.check_output([copy.initdb, "--version"], text=True)
        assert found.version in said
        assert readable_for(hidden, stranger, cache) == copy
        alone = replace(hidden, bundle=(hidden.bin.parent,))
        assert readable_for(alone, stranger, cache).postgres.is_file(), "not where the other copy has it"
    finally:
        shutil.rmtree(cache)


def test_data_is_in_memory_where_there_is_room(server: Server) -> None:
    assert server.directory is not None
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and is_tmpfs(memory) and shutil.disk_usage(memory).free >= 1 << 31
    assert is_tmpfs(server.directory) or not roomy


INTERRUPTED = """
from scenarios.postgres import start_server
print("go", flush=True)
while True:
    with start_server("embedded") as server:
        template = server.template(lambda conn: conn.execute("CREATE TABLE t (id int)"))
        for _ in range(3):
            with server.database(template=template) as db:
                db.snapshot()
"""


def test_nothing_is_left_after_an_interrupt_at_any_moment(own_runtime: Path) -> None:
    moments = random.Random("interrupts")
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "SCENARIOS_RUNTIME_DIR": str(own_runtime)},
        ) as program:
            try:
                assert program.stdout is not None
                program.stdout.readline()
                time.sleep(moments.random() * 0.4)
                program.send_signal(signal.SIGINT)
                _, errors = program.communicate(timeout=60)
            finally:
                program.kill()
        assert "KeyboardInterrupt" in errors
        assert list(own_runtime.iterdir()) == [], errors


def test_an_interrupt_during_the_end_waits_for_it() -> None:
    done = []

    def end() -> None:
        with interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            done.append("the whole block")

    with pytest.raises(KeyboardInterrupt):
        end()
    assert done == ["the whole block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
