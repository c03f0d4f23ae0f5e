"""Finding and removing what dead runs left behind.

A run that is killed cannot clean up, and litter nobody collects fills memory and disks. Each kind of thing
we make has its own proof of death: a server directory without a locked lease, a database whose lease nobody
holds, a container whose server directory is gone, a half-made cache entry nobody has locked. What is alive,
kept on purpose, or not provably ours is left alone.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from scenarios.errors import ScenariosError
from scenarios.ownership import today
from scenarios.postgres import registry, urls
from scenarios.postgres.locks import is_locked, try_lock
from scenarios.postgres.places import cache_directory, remove_if_empty, runtime_directory, short_directory
from scenarios.postgres.processes import end_process, processes_naming
from scenarios.postgres.providers import end_directory, external_notes
from scenarios.postgres.server import Server
from scenarios.settings import Settings

PATIENCE_SECONDS = 5.0
"""How long to wait for a server to finish what a run killed a moment ago had asked of it."""

CACHE_DAYS = 30
"""Days after which a cached cluster or a copy of binaries that was not used is removed."""

_KINDS = ("cluster", "binaries", "unpacked", "stand-ins")
"""What their names in the cache begin with."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something a dead run left.

    Attributes:
        kind: ``"server"``, ``"container"``, ``"database"``, ``"template"``, ``"directory"`` or ``"cache"``.
        name: which one.
        why: why it is one.
        removed: whether it was removed.
        error: what stood in the way, empty if nothing did.
    """

    kind: str
    name: str
    why: str
    removed: bool
    error: str = ""


def collect(settings: Settings | None = None, *, dry_run: bool = False, kept: bool = False) -> list[Leftover]:
    """Remove what dead runs of this user left on this machine, and on an external server if one is set.

    Args:
        settings: by default those of the current directory and environment.
        dry_run: only say what would be removed.
        kept: also databases that were kept on purpose, once the run that made them is gone.

    Raises:
        SettingsError: a setting cannot be used.
        ServerError: the external server that is set does not answer.
    """
    settings = settings or Settings()
    runtime = runtime_directory(settings)
    found = [
        *_servers(runtime, dry_run),
        *_containers(runtime, dry_run),
        *_directories(runtime, dry_run),
        *_cached(cache_directory(settings), dry_run),
        *_databases(settings, runtime, dry_run, kept),
    ]
    remove_if_empty(runtime)
    return found


def _servers(runtime: Path, dry_run: bool) -> Iterator[Leftover]:
    for directory in registry.directories(runtime):
        if registry.is_used(directory):
            continue
        why = "its users are gone" if registry.read_record(directory) else "it never became ready"
        if dry_run:
            yield Leftover("server", str(directory), why, False)
            continue
        try:
            if registry.collect(directory, end_directory):
                yield Leftover("server", str(directory), why, True)
        except ScenariosError as error:
            yield Leftover("server", str(directory), why, False, f"{error.what}: {error.why}")


def _containers(runtime: Path, dry_run: bool) -> Iterator[Leftover]:
    from scenarios.postgres import container

    try:
        labelled = container.all_labelled()
    except ScenariosError:
        return  # No engine, no containers.
    for directory in labelled:
        if directory.parent == runtime and not directory.exists():
            if not dry_run:
                container.end(directory)
            yield Leftover("container", str(directory), "its server's directory is gone", not dry_run)


def _directories(runtime: Path, dry_run: bool) -> Iterator[Leftover]:
    for lock in sorted(runtime.glob("*.lock")):
        if not is_locked(lock) and not any(runtime.glob(f"{lock.stem}-*")):
            if not dry_run and (held := try_lock(lock)) is not None:
                held.release()
            yield Leftover("directory", str(lock), "a lock nobody holds", not dry_run)
    short = short_directory()
    if not short.is_dir() or short == runtime:
        return
    for sockets in sorted(path for path in short.iterdir() if path.is_dir()):
        # A server directory of the same name stands where its runtime directory is; that may be another one.
        if not (runtime / sockets.name).exists() and not processes_naming(sockets):
            if not dry_run:
                shutil.rmtree(sockets, ignore_errors=True)
            yield Leftover("directory", str(sockets), "sockets of a server that is gone", not dry_run)
    remove_if_empty(short)


def _cached(cache: Path, dry_run: bool) -> Iterator[Leftover]:
    for half in sorted(cache.glob("*.half")):
        lock = cache / f"{half.stem}.lock"
        if is_locked(lock):
            continue
        if not dry_run:
            for pid in processes_naming(half):
                end_process(pid)
            shutil.rmtree(half, ignore_errors=True)
        yield Leftover("cache", str(half), "half-made", not dry_run)
    for lock in sorted(cache.glob("*.lock")):
        if not is_locked(lock):
            if not dry_run and (held := try_lock(lock)) is not None:
                held.release()
            yield Leftover("cache", str(lock), "a lock nobody holds", not dry_run)
    for entry in sorted(entry for kind in _KINDS for entry in cache.glob(f"{kind}-*")):
        if entry.suffix in {".half", ".lock"} or not entry.is_dir():
            continue
        age = (time.time() - entry.stat().st_mtime) / 86400
        if age > CACHE_DAYS:
            if not dry_run:
                shutil.rmtree(entry, ignore_errors=True)
            yield Leftover("cache", str(entry), f"not used for {age:.0f} days", not dry_run)


def _databases(settings: Settings, runtime: Path, dry_run: bool, kept: bool) -> Iterator[Leftover]:
    for directory in registry.directories(runtime):
        record = registry.read_record(directory)
        if record is None or not registry.is_used(directory) or not registry.is_alive(directory, record):
            continue
        with _visited(record.provider, dict(record.parameters), directory, record.cluster) as server:
            yield from _on_server(server, settings, dry_run, kept)
    provider = str(settings["provider"])
    if urls.is_url(provider):
        parameters = urls.parameters_of(provider)
        with _visited("external", parameters, external_notes(settings, parameters)) as server:
            yield from _on_server(server, settings, dry_run, kept)


def _visited(provider: str, parameters: dict[str, str], notes: Path, cluster: str = "") -> Server:
    """Return the server as a visitor, who neither reaps at the door nor ends it on leaving."""
    return Server(
        provider,
        "visited by clean-up",
        parameters,
        notes=notes,
        leave=lambda tidy: tidy(),
        reap=False,
        cluster=cluster,
    )


def _on_server(server: Server, settings: Settings, dry_run: bool, kept: bool) -> Iterator[Leftover]:
    for name in server.manager.reap(dry_run=dry_run, kept=kept, patience=PATIENCE_SECONDS):
        yield Leftover("database", f"{name} on {server.safe_url}", "its run is gone", not dry_run)
    oldest = (datetime.now(UTC).date() - timedelta(days=settings["template_age_days"])).isoformat()
    ready = [(name, found) for name, found in server.manager.tagged().items() if found.ready]
    ready.sort(key=lambda pair: (pair[1].used, pair[1].created), reverse=True)
    for place, (name, found) in enumerate(ready):
        if found.used >= today():
            continue
        days = (datetime.now(UTC).date() - date.fromisoformat(found.used)).days
        if found.used < oldest:
            why = f"not used for {days} days"
        elif place >= settings["keep_templates"]:
            why = f"{place} newer ones are kept"
        else:
            continue
        error = ""
        if not dry_run:
            try:
                server.manager.drop(name)
            except (psycopg.Error, ScenariosError) as refused:
                error = str(refused).strip()
        yield Leftover("template", f"{name} on {server.safe_url}", why, not dry_run and not error, error)
