"""A run killed at any moment leaves nothing that one clean-up does not remove.

Runs a handful of kills by default; set SCENARIOS_KILLS=50 for the long version.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from scenarios.postgres import Server, registry, start_server
from scenarios.postgres.leftovers import collect
from scenarios.postgres.processes import processes_naming
from scenarios.settings import Settings

KILLS = int(os.environ.get("SCENARIOS_KILLS", "4"))

PROGRAM = """
import sys
from scenarios.postgres import start_server
from scenarios import journal
share, seed = sys.argv[1] == "shared", sys.argv[2]

def schema(conn):
    for number in range(20):
        conn.execute(f"CREATE TABLE t{number} (id int PRIMARY KEY)")

print("go", flush=True)
while True:
    with start_server("embedded", share=share) as server:
        for number in range(3):
            template = server.template(schema, key=f"{seed} {number}")
            server.prefetch(template, 1)
            for _ in range(3):
                with server.database(template=template) as db:
                    before = db.snapshot()
                    with db.connect() as conn:
                        conn.execute("INSERT INTO t1 VALUES (1)")
                    db.restore(before)
                    db.recreate()
"""


@pytest.mark.parametrize("where", ["own", "shared"])
def test_one_clean_up_after_many_kills(
    own_runtime: Path, kill_with_watchers: Callable[[subprocess.Popen[str]], None], where: str
) -> None:
    # A cache of its own, so that some are killed during initdb.
    cache = own_runtime / "cache"
    flags = {"runtime_dir": str(own_runtime), "cache_dir": str(cache)}
    environment = {
        **os.environ,
        "SCENARIOS_RUNTIME_DIR": str(own_runtime),
        "SCENARIOS_CACHE_DIR": str(cache),
    }
    settings = Settings(flags)
    with ExitStack() as resources:
        keeper = None
        if where == "shared":
            keeper = resources.enter_context(start_server("embedded", settings=settings))
        kill_and_collect(own_runtime, where, settings, environment, keeper, kill_with_watchers)
    assert [path.name for path in own_runtime.iterdir()] == ["cache"]


def kill_and_collect(
    own_runtime: Path,
    where: str,
    settings: Settings,
    environment: dict[str, str],
    keeper: Server | None,
    kill: Callable[[subprocess.Popen[str]], None],
) -> None:
    moments = random.Random(where)
    runtime = own_runtime / f"scenarios-{os.geteuid()}"
    for number in range(KILLS):
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, where, str(number)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with program:
            assert program.stdout is not None
            assert program.stderr is not None
            assert program.stdout.readline() == "go\n"
            time.sleep(moments.random() * 0.8)
            assert program.poll() is None, program.stderr.read()
            kill(program)

    foreseen = collect(settings, dry_run=True)
    collected = collect(settings)
    assert [(each.kind, each.name) for each in collected] == [(each.kind, each.name) for each in foreseen]
    assert all(each.removed and not each.error for each in collected)
    assert collect(settings) == []

    assert list((own_runtime / "cache").glob("*.half")) == []
    if keeper is None:
        assert not runtime.exists()
        assert processes_naming(own_runtime) == []
        return
    assert registry.directories(runtime) == [keeper.directory]
    with keeper.connect() as conn:
        left = conn.execute("SELECT datname FROM pg_database WHERE datname LIKE 'scn%'").fetchall()
    tagged = keeper.manager.tagged()
    assert {name for (name,) in left} == {name for name, tag in tagged.items() if tag.ready}
    assert keeper.directory is not None
    assert list((keeper.directory / "creation_markers").glob("*")) == []
