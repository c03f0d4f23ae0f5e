"""``python -m`` in a process of its own, without what every start of Python would import again.

Most of a second goes by before a command or a run of pytest does anything, and nearly all of it is imports.
One process does them once, and each run is a fork of it: with arguments, environment, directory and outputs
of its own, and with an end like that of any other process. What a test says about imports, warnings or
signals needs a start of Python proper, and so does a run with Python's own variables in its environment.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

IMPORTED = (
    *("pytest", "rich.table", "pydantic.main", "pydantic.json_schema", "sqlglot", "yaml"),
    *("psycopg", "alembic.command", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql.psycopg"),
)
_server: subprocess.Popen[str] | None = None


def run_module(
    module: str,
    *arguments: str,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m module arguments`` and return its exit code and what it printed.

    Raises:
        TimeoutExpired: it was not over after *timeout* seconds, and was killed.
    """
    command = [sys.executable, "-m", module, *arguments]
    env = os.environ if env is None else env
    names = {name for name in (*env, *os.environ) if name.startswith("PYTHON")}
    if any(env.get(name) != os.environ.get(name) for name in names):
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )
    server = _running()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as place:
        outputs = [Path(place, name) for name in ("out", "err")]
        order = {
            "module": module,
            "arguments": list(map(str, arguments)),
            "cwd": os.fspath(cwd or os.getcwd()),
            "env": dict(env),
            "outputs": list(map(str, outputs)),
        }
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        pid = int(server.stdout.readline())
        late = not select.select([server.stdout], [], [], timeout)[0]
        if late:
            os.kill(pid, 9)
        code = int(server.stdout.readline())
        said = [path.read_text("utf-8", "replace") for path in outputs]
    if late:
        raise subprocess.TimeoutExpired(command, timeout, *said)
    return subprocess.CompletedProcess(command, code, *said)


def _running() -> subprocess.Popen[str]:
    """The process that forks, started when it is first needed; it ends with this one."""
    global _server
    if _server is None or _server.poll() is not None:
        _server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(_end, _server)
    return _server


def _end(server: subprocess.Popen[str]) -> None:
    server.communicate()


def _fork_for_each_order() -> dict[str, object]:
    """Answer orders until there are no more; return in each fork, with its order."""
    for line in sys.stdin:
        order: dict[str, object] = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return order
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()
    raise SystemExit(0)


def _main() -> None:
    import gc
    import importlib
    import pkgutil
    import runpy

    import scenarios
    import scenarios.cli

    commands = [f"scenarios.cli.{each.name}" for each in pkgutil.iter_modules(scenarios.cli.__path__)]
    for name in (*IMPORTED, *commands):
        importlib.import_module(name)
    for name in scenarios.__all__:
        getattr(scenarios, name)  # each is imported when it is first asked for
    scenarios.get_domain("dev_coach")
    gc.freeze()
    order = _fork_for_each_order()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(order["outputs"], 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    sys.path[0] = order["cwd"]
    sys.argv = [order["module"], *order["arguments"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
