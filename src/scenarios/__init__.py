"""Test scenarios for PostgreSQL.

A test, a QA engineer or a CI job names a realistic state, gets a database already in it, commits whatever
it likes, and is back in that state about a millisecond later.

Only the public names live here, and each is imported when it is first used: the pytest plugin imports this
package in every test run, also in those that never ask for a database, and must cost nothing there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.domain import Domain, get_domain
    from scenarios.errors import ScenariosError
    from scenarios.journal import Changes, Snapshot
    from scenarios.library import Instance, Library
    from scenarios.postgres import Database, Server, attach, start_server

__version__ = "0.1.0"

_HOMES = {
    "Changes": "scenarios.journal",
    "Database": "scenarios.postgres",
    "Domain": "scenarios.domain",
    "Instance": "scenarios.library",
    "Library": "scenarios.library",
    "ScenariosError": "scenarios.errors",
    "Server": "scenarios.postgres",
    "Snapshot": "scenarios.journal",
    "attach": "scenarios.postgres",
    "get_domain": "scenarios.domain",
    "start_server": "scenarios.postgres",
}

__all__ = [
    "Changes",
    "Database",
    "Domain",
    "Instance",
    "Library",
    "ScenariosError",
    "Server",
    "Snapshot",
    "attach",
    "get_domain",
    "start_server",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'scenarios' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
