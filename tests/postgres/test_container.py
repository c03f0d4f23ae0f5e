"""The same server in a container. Skipped only where no engine answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenarios.errors import ServerError
from scenarios.postgres import start_server
from scenarios.postgres.container import all_labelled, engine_refusal
from scenarios.postgres.leftovers import collect
from scenarios.settings import Settings

pytestmark = pytest.mark.container


@pytest.fixture(autouse=True)
def engine() -> Iterator[None]:
    """A container engine; without one the test is skipped, or fails where one was promised."""
    refusal = engine_refusal()
    if refusal is not None:
        if Settings()["require_container"]:
            pytest.fail(f"SCENARIOS_REQUIRE_CONTAINER is set, but no container engine answers: {refusal}")
        pytest.skip(f"no container engine answers: {refusal}")
    before = all_labelled()
    yield
    assert all_labelled() == before, "a container was left behind"


def test_it_serves_like_any_other(own_runtime: Path, own_settings: Settings) -> None:
    with start_server("container", settings=own_settings) as server:
        assert server.provider == "container"
        in_effect = server.settings_read_back
        assert (in_effect["fsync"], in_effect["full_page_writes"]) == ("off", "off")
        with start_server("container", settings=own_settings) as same:
            assert same.directory == server.directory
        with start_server(settings=own_settings) as automatic:
            assert automatic.directory == server.directory, "one that runs comes before one to start"
        with server.database() as db:
            before = db.snapshot()
            with db.connect() as conn:
                conn.execute("CREATE TABLE things (id int PRIMARY KEY)")
            assert db.restore(before).dropped == ("table public.things",)
            with db.connect() as conn:
                assert conn.execute("SELECT to_regclass('things')").fetchone() == (None,)
    assert list(own_runtime.iterdir()) == []


def test_a_missing_image_is_named(own_runtime: Path) -> None:
    settings = Settings({"runtime_dir": str(own_runtime), "image": "no-such-image-anywhere:0"})
    with pytest.raises(ServerError, match="the container image cannot be had") as caught:
        start_server("container", settings=settings)
    assert "docker pull no-such-image-anywhere:0" in str(caught.value)
    assert list(own_runtime.iterdir()) == []


@pytest.mark.parametrize("directory", ["there", "gone"])
def test_the_container_of_a_killed_run_is_collected(
    own_runtime: Path,
    own_settings: Settings,
    kill_with_watchers: Callable[[subprocess.Popen[str]], None],
    directory: str,
) -> None:
    program = (
        "from scenarios.postgres import start_server\n"
        "start_server('container'); print('up', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "SCENARIOS_RUNTIME_DIR": str(own_runtime)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "up\n"
        kill_with_watchers(run)
    if directory == "gone":
        shutil.rmtree(own_runtime / f"scenarios-{os.geteuid()}")
    collected = collect(own_settings)
    assert [each.kind for each in collected] == ["server" if directory == "there" else "container"]
    assert list(own_runtime.iterdir()) == []
