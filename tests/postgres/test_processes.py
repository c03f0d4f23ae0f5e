"""Processes are told apart by their command lines, from `/proc` or, where there is none, from `ps`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.postgres import Server, processes

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)", "a word")


@pytest.fixture(params=["/proc", "ps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "ps":
        if shutil.which("ps") is None:
            pytest.skip("no ps on the path")

        def elsewhere(path: str) -> Path:
            """A path on a system without `/proc`."""
            return Path(path.replace("/proc/", "/no-such-directory/", 1))

        monkeypatch.setattr(processes, "Path", elsewhere)
    name: str = request.param
    return name


def test_a_command_line(way: str) -> None:
    with subprocess.Popen(SLEEP) as child:
        try:
            while not processes.command_of(child.pid).endswith("a word"):
                pass  # For a moment it still is what started it.
            assert processes.command_of(child.pid) == " ".join(SLEEP)
        finally:
            child.kill()
    assert processes.command_of(child.pid) == ""


def test_a_corpse_has_none(way: str) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        while processes.command_of(child.pid):
            pass  # It ends, and nobody has asked for its status yet.
        assert child.returncode is None


def test_a_server_is_found_by_its_directory(way: str, server: Server) -> None:
    assert server.directory is not None
    postmaster = processes.postmaster_of(server.directory / "data")
    assert postmaster is not None
    assert postmaster in processes.processes_naming(server.directory)
    assert processes.processes_naming(server.directory / "no") == []
    assert os.getpid() not in processes.processes_naming(Path.cwd())
