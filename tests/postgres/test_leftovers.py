"""Clean-up removes what is provably dead, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from scenarios.postgres.leftovers import CACHE_DAYS, collect
from scenarios.postgres.locks import exclusive, is_locked, try_lock
from scenarios.settings import Settings


@pytest.fixture
def places(own_runtime: Path) -> tuple[Settings, Path, Path]:
    """Settings, the runtime directory they lead to, and the cache directory."""
    cache = own_runtime / "cache"
    cache.mkdir(mode=0o755)
    runtime = own_runtime / f"scenarios-{os.geteuid()}"
    runtime.mkdir(mode=0o755)
    return Settings({"runtime_dir": str(own_runtime), "cache_dir": str(cache)}), runtime, cache


def test_what_is_half_made_goes_unless_somebody_is_at_it(places: tuple[Settings, Path, Path]) -> None:
    settings, _, cache = places
    for name in ("cluster-18.1-dead.half", "cluster-18.1-busy.half"):
        (cache / name).mkdir()
        (cache / name / "file").touch()
    with exclusive(cache / "cluster-18.1-busy.lock"):
        assert [Path(each.name).name for each in collect(settings)] == ["cluster-18.1-dead.half"]
        assert (cache / "cluster-18.1-busy.half").is_dir()
    assert [each.kind for each in collect(settings)] == ["cache"]
    assert list(cache.iterdir()) == []


def test_what_was_not_used_for_long_goes(places: tuple[Settings, Path, Path]) -> None:
    settings, _, cache = places
    for name, days in (("cluster-17.1-old", CACHE_DAYS + 1), ("binaries-17.1-new", CACHE_DAYS - 1)):
        (cache / name).mkdir()
        moment = time.time() - days * 86400
        os.utime(cache / name, (moment, moment))
    (left,) = collect(settings, dry_run=True)
    assert left.why == f"not used for {CACHE_DAYS + 1} days"
    assert (cache / "cluster-17.1-old").is_dir()
    collect(settings)
    assert [entry.name for entry in cache.iterdir()] == ["binaries-17.1-new"]


def test_a_server_that_never_became_ready_goes(places: tuple[Settings, Path, Path]) -> None:
    settings, runtime, _ = places
    dead = runtime / "aaaaae00000-0000"
    (dead / "leases").mkdir(parents=True)
    (dead / "leases" / "123-abc").touch()
    busy = runtime / "bbbbbe00000-0000"
    (busy / "leases").mkdir(parents=True)
    lease = try_lock(busy / "leases" / "456-def")
    assert lease is not None
    (left,) = collect(settings)
    assert (left.kind, left.name, left.why) == ("server", str(dead), "it never became ready")
    assert busy.is_dir()
    lease.release()
    assert [each.name for each in collect(settings)] == [str(busy)]
    assert not runtime.exists()


def test_a_lock_nobody_holds_goes(places: tuple[Settings, Path, Path]) -> None:
    settings, runtime, _ = places
    (runtime / "cccccc.lock").touch()
    held = try_lock(runtime / "dddddd.lock")
    assert held is not None
    assert [Path(each.name).name for each in collect(settings)] == ["cccccc.lock"]
    assert is_locked(runtime / "dddddd.lock")
    held.release()
    assert not (runtime / "dddddd.lock").exists()


def test_a_lock_is_not_shared_and_not_lost(own_runtime: Path) -> None:
    path = own_runtime / "some.lock"
    with exclusive(path):
        assert try_lock(path) is None
        with pytest.raises(TimeoutError, match="held by another process"), exclusive(path, timeout=0.05):
            pass
    with exclusive(path, timeout=0.05) as held:
        assert held.path == path
    assert not path.exists()
