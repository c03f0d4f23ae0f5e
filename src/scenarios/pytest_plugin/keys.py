"""The names under which the plugin's parts find each other, and the words of its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from scenarios.pytest_plugin.isolation import Test
    from scenarios.pytest_plugin.reporter import Reporter
    from scenarios.pytest_plugin.worker import Worker
    from scenarios.settings import Settings

SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
WORKER: pytest.StashKey[Worker] = pytest.StashKey()
REPORTER: pytest.StashKey[Reporter] = pytest.StashKey()
TEST: pytest.StashKey[Test] = pytest.StashKey()

OPTIONS = ("provider", "seed", "keep_failed", "report", "max_rows", "coverage")
"""Settings that have a command-line option, ``--scenarios-<name>``."""

STRATEGIES = ("rollback", "restore", "clone")
"""The isolation strategies, cheapest first."""

BROADER_FIXTURES = frozenset(
    {
        "scenario_db_url",
        "scenario_session_db",
        "scenario_package_db",
        "scenario_module_db",
        "scenario_class_db",
    }
)
"""Fixtures that outlive a test, all of the worker's shared database."""

WIDTHS = ("function", "class", "module", "package", "session")
"""The scopes of fixtures, narrowest first."""
