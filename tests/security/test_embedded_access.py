"""Who can connect to an embedded server: ``docs/security.md``, *Embedded servers*."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import psycopg
import pytest

from scenarios.postgres import start_server
from scenarios.settings import Settings


def test_no_network_unless_asked(server):
    with server.connect() as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)


def test_the_socket_is_in_a_directory_of_its_own(server):
    with server.connect() as conn:
        (directories,) = conn.execute("SHOW unix_socket_directories").fetchone()
    for directory in directories.split(","):
        place = Path(directory.strip())
        mode = stat.S_IMODE(place.stat().st_mode)
        assert mode & stat.S_IWOTH == 0, f"{place} can be written by anyone"


def test_a_password_is_asked_for(server):
    with server.connect() as conn:
        methods = {row[0] for row in conn.execute("SELECT auth_method FROM pg_hba_file_rules").fetchall()}
    assert methods == {"scram-sha-256"}


def test_the_password_is_long_random_and_never_shown(place_for_servers):
    passwords = set()
    for name in ("one", "two"):
        (place_for_servers / name).mkdir()
        cache = place_for_servers / f"cache-{name}"  # a password is made with the cluster that is copied
        settings = Settings({"runtime_dir": str(place_for_servers / name), "cache_dir": str(cache)})
        with start_server("embedded", settings=settings) as running, running.database() as db:
            password = running.parameters("postgres")["password"]
            passwords.add(password)
            assert password in db.dsn
            for shown in (running.safe_url, repr(running), running.why_chosen, db.safe_url, repr(db)):
                assert password not in shown
    assert len(passwords) == 2
    assert all(len(each) >= 20 for each in passwords)


def test_over_tcp_only_this_machine_and_only_with_the_password(place_for_servers):
    settings = Settings({"tcp": "on", "runtime_dir": str(place_for_servers)})
    with start_server("embedded", settings=settings) as running:
        with running.connect() as conn:
            assert conn.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        given = running.parameters("postgres")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(**{**given, "password": "wrong"})
        with psycopg.connect(**given) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_the_data_directory_is_the_servers_alone(server):
    with server.connect() as conn:
        (directory,) = conn.execute("SHOW data_directory").fetchone()
    if os.geteuid() == 0:
        assert stat.S_IMODE(os.stat(directory).st_mode) in {0o700, 0o750}
        assert os.stat(directory).st_uid != 0, "the server does not run as root"
    else:
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
