from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from loans.models import Base


@pytest.fixture(scope="session")
def scenario_schema():
    return Base


@pytest.fixture(scope="session")
def live_server(scenario_db_url):
    """The service in a process of its own, started once; each test finds its own state in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["uvicorn", "--factory", "loans.app:create_app", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "LOANS_DATABASE": scenario_db_url},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(f"{address}/docs")
                break
            except httpx.TransportError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()
