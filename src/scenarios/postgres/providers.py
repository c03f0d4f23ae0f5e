"""Where a server comes from: a list of candidates, tried from the top, that says what happened on each
candidate.

A test run that silently falls back to another server is worse than one that fails; one that fails with the
last candidate's complaint only sends people the wrong way. So what was chosen and why is kept for the report,
and when nothing works there is one message with each thing that was tried, what it said, and how to mend it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from scenarios.errors import ScenariosError, ServerError
from scenarios.postgres import embedded, registry, urls
from scenarios.postgres.binaries import Search
from scenarios.postgres.extensions import choose
from scenarios.postgres.places import cache_directory, runtime_directory, server_account
from scenarios.postgres.registry import Record, ServerLease
from scenarios.postgres.server import Server
from scenarios.settings import Setting, Settings


def start_server(
    provider: str | None = None, *, settings: Settings | None = None, share: bool = True
) -> Server:
    """Return a PostgreSQL server to make databases on; a context manager.

    Args:
        provider: ``"embedded"``, ``"container"``, a ``postgresql://`` URL, ``"auto"``, or None for what the
            settings say. Automatic means: a server of ours that is already running for this project, then
            embedded binaries, then a container.
        settings: by default those of the current directory and environment.
        share: use a running server of this project, and let others use ours; it ends with its last user.

    Raises:
        ServerError: no server can be had; the message lists everything that was tried.
        SettingsError: a setting cannot be used.
    """
    settings = settings or Settings()
    wanted = Setting(provider, "the call") if provider is not None else settings.get("provider")
    if urls.is_url(str(wanted.value)):
        return _external(str(wanted.value), wanted.source, settings)
    candidates: dict[str, Callable[[Settings, bool, str], Server]] = {
        "embedded": _embedded,
        "container": _container,
    }
    if wanted.value in candidates:
        return candidates[wanted.value](settings, share, f"demanded by {wanted.source}")
    if wanted.value != "auto":
        raise ServerError(
            f"there is no provider {wanted.value!r}",
            where=wanted.source,
            hint="use auto, embedded, container, or a postgresql:// URL",
        )
    refusals: list[str] = []
    for name in sorted(candidates, key=lambda name: not (share and _runs_already(settings, name))):
        try:
            return candidates[name](settings, share, f"automatic ({wanted.source})")
        except ScenariosError as error:
            refusals.append(f"{name}: {error.what}; {error.why or 'no reason given'}; mend: {error.hint}")
    raise ServerError(
        "no PostgreSQL server could be had",
        why="\n         ".join(refusals),
        hint="mend one of these, or name a server with SCENARIOS_PROVIDER=postgresql://user@host/db",
    )


def _runs_already(settings: Settings, provider: str) -> bool:
    runtime = runtime_directory(settings)
    return any(registry.is_used(directory) for directory in runtime.glob(f"{kind_of(settings, provider)}-*"))


def _external(url: str, source: str, settings: Settings) -> Server:
    parameters = urls.parameters_of(url)
    notes = external_notes(settings, parameters)
    return Server("external", f"named by {source}", parameters, notes=notes, leave=lambda tidy: tidy())


def external_notes(settings: Settings, parameters: Mapping[str, str]) -> Path:
    """Return the directory for creation_markers and measurements that concern an external server."""
    place = hashlib.sha256(urls.safe_url({**parameters, "dbname": ""}).encode()).hexdigest()[:12]
    notes = cache_directory(settings) / f"external-{place}"
    notes.mkdir(mode=0o700, exist_ok=True)
    return notes


def kind_of(settings: Settings, provider: str) -> str:
    """Return the name servers of *provider* with these *settings* share, in this project."""
    own = "|".join(str(settings[name]) for name in ("postgres_bin", "tcp", "image"))
    if provider == "embedded":
        own += "".join(f"|{name}" for name in sorted(noted(settings)))
    return f"{project_prefix(settings)}{provider[0]}{_short(own)}"


def project_prefix(settings: Settings) -> str:
    """Return what the names of all servers of this project begin with."""
    project = settings.project_file.parent if settings.project_file else Path.cwd()
    return _short(f"{os.geteuid()}|{project.resolve()}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:5]


def _embedded(settings: Settings, share: bool, reason: str) -> Server:
    runtime = runtime_directory(settings)
    account = server_account()

    def start(directory: Path) -> Record:
        cache = cache_directory(settings)
        offer = choose(settings, noted(settings), Search())
        found = offer.binaries
        usable = offer.usable(account, cache)
        tcp = settings["tcp"]
        port = None if tcp == "off" else 0 if tcp == "on" else int(tcp)
        more = offer.server_settings
        parameters = embedded.start(usable, account, cache, directory, tcp_port=port, more=more)
        origin = f"{found.source} ({found.bin}) {offer}".rstrip()
        return Record("embedded", parameters, origin, os.getpid(), cluster=directory.name)

    collect_dead(runtime)
    lease = registry.take_server_lease(
        runtime, kind_of(settings, "embedded"), start, end_directory, share=share
    )

    def elsewhere(needed: frozenset[str]) -> Server | None:
        wanted = noted(settings) | needed
        if not wanted <= choose(settings, wanted, Search()).names:
            return None
        _note(settings, wanted)
        return _embedded(settings, share, reason)

    return _leased("embedded", lease, reason, elsewhere)


def noted(settings: Settings) -> frozenset[str]:
    """Return the extensions this project was found to need that its first choice of binaries has not got."""
    with suppress(OSError):
        return frozenset(_notes(settings).read_text("utf-8").split())
    return frozenset()


def _note(settings: Settings, names: frozenset[str]) -> None:
    # For the other workers and the next run, which then begin with the right server.
    half = _notes(settings).with_suffix(f".{os.getpid()}")
    half.write_text("\n".join(sorted(names)), "utf-8")
    half.rename(_notes(settings))


def _notes(settings: Settings) -> Path:
    return cache_directory(settings) / f"extensions-of-{project_prefix(settings)}"


def _container(settings: Settings, share: bool, reason: str) -> Server:
    from scenarios.postgres import container

    runtime = runtime_directory(settings)

    def start(directory: Path) -> Record:
        return container.start(settings, directory)

    collect_dead(runtime)
    lease = registry.take_server_lease(
        runtime, kind_of(settings, "container"), start, end_directory, share=share
    )
    return _leased("container", lease, reason)


def _leased(
    provider: str,
    lease: ServerLease,
    reason: str,
    elsewhere: Callable[[frozenset[str]], Server | None] = lambda needed: None,
) -> Server:
    how = "joined the running server" if lease.joined else "started"
    return Server(
        provider,
        f"{reason}; {how}, {lease.record.origin}",
        lease.record.parameters,
        notes=lease.directory,
        leave=lease.leave,
        directory=lease.directory,
        joined=lease.joined,
        cluster=lease.record.cluster,
        elsewhere=elsewhere,
    )


def end_directory(directory: Path) -> None:
    """End the server in *directory*, of whatever provider, and remove what it left."""
    if (directory / registry.CONTAINER_NOTE).exists():
        from scenarios.postgres import container

        container.end(directory)
    registry.end_embedded(directory)


def collect_dead(runtime: Path) -> list[Path]:
    """End the servers in *runtime* whose users are all gone; return their directories."""
    collected = []
    for directory in registry.directories(runtime):
        # A container whose engine does not answer now is left for the next time.
        with suppress(ScenariosError):
            if not registry.is_used(directory) and registry.collect(directory, end_directory):
                collected.append(directory)
    return collected
