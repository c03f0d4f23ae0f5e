"""The names under which the plugin's parts find each other, and the words of its options.

Who puts something under a key, and who takes it, says what it is: it is not imported here, where every run of
pytest would pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from scenarios.settings import Settings

SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
WORKER: pytest.StashKey[Any] = pytest.StashKey()
REPORTER: pytest.StashKey[Any] = pytest.StashKey()
TEST: pytest.StashKey[Any] = pytest.StashKey()

OPTIONS = ("provider", "seed", "keep_failed", "report", "max_rows", "coverage")
"""Settings that have a command-line option, ``--scenarios-<name>``."""

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
