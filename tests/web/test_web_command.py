"""``scenarios serve`` as a process: it prints a link that works once, and leaves nothing when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import httpx


def test_the_process(tmp_path) -> None:
    environment = {**os.environ, "SCENARIOS_SERVE_TOKEN": "token-of-a-test", "SCENARIOS_PROVIDER": "embedded"}
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "scenarios", "serve", "--port", "0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = [process.stdout.readline() for _ in range(3)]
            assert "throwaway" in said[0]
            link = said[1].split()[1]
            assert link.startswith("http://127.0.0.1:")
            assert "token-of-a-test" not in "".join(said)
            address = link.partition("/enter")[0]
            with httpx.Client(base_url=address, timeout=60) as client:
                assert client.get(link).status_code == 303
                assert "Catalogue" in client.get("/").text
                assert client.get(link).status_code == 401
                program = {"authorization": "Bearer token-of-a-test"}
                made = client.post("/api/instances", json={"scenario": "just_registered"}, headers=program)
                assert made.status_code == 201, made.text
        finally:
            process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    assert "For another browser" in rest
    assert "Traceback" not in rest
    assert link not in rest
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_said_so(tmp_path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "scenarios", "serve", "--port", port],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "--port 0" in done.stderr
