"""The scenario library: files, catalogue, load, freeze.

The centre is `library.Library`; `definition` is a scenario, `plan` its rows, `instances` one loading of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.files.error_list import ErrorDetails, InvalidScenario
    from scenarios.library.files.mark import scenario
    from scenarios.library.instances.instance import Instance
    from scenarios.library.library import Library

_HOMES = {
    "ErrorDetails": "files.error_list",
    "InvalidScenario": "files.error_list",
    "Instance": "instances.instance",
    "Library": "library",
    "ScenarioDefinition": "definition",
    "scenario": "files.mark",
}

__all__ = ["ErrorDetails", "Instance", "InvalidScenario", "Library", "ScenarioDefinition", "scenario"]


def __getattr__(name: str) -> object:
    # Listing scenarios must not import what loading one needs.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
