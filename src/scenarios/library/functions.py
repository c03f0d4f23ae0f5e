"""Scenarios written in Python: a function that returns what a file would say, or a builder.

Some states are easier to say in code than in a file. Such a function stands in the same catalogue, and what
it makes becomes the same rows: a builder's graph is turned into a scenario the way a freeze does it, so
that it is loaded, reset, shown and unloaded like any other.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scenarios.errors import LibraryError
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.files.compose import compose
from scenarios.library.files.faults import Faults, shown
from scenarios.library.files.tree import Branch, from_plain
from scenarios.library.freezing.from_builder import from_builder
from scenarios.library.sections import sections_of

if TYPE_CHECKING:
    from scenarios.library.library import Library

F = TypeVar("F", bound=Callable[[], Any])


def scenario(
    *, name: str | None = None, system: str = "", tags: Iterable[str] = (), owner: str = ""
) -> Callable[[F], F]:
    """Mark a function as a scenario of the library it stands in.

    The first line of its docstring is the title, the rest the description. It returns the content of a
    scenario file as plain data, or a builder (``a_scenario(...)``), or what a builder built.

    Args:
        name: the scenario's name, by default the function's.
        system: the system, by default the directory's name.
        tags: what it is listed under.
        owner: the team that looks after it.
    """

    def mark(function: F) -> F:
        function.__scenario__ = {  # type: ignore[attr-defined]  # the mark the catalogue reads
            "scenario": name or function.__name__,
            "system": system,
            "tags": list(tags),
            "owner": owner,
        }
        return function

    return mark


def definition_of(library: Library, name: str, path: Path, function: str) -> ScenarioDefinition:
    """Return the scenario that *function* of the module *path* makes.

    Raises:
        LibraryError: the module cannot be imported, or the function returns something else.
        FaultyScenario: what it returns is not right.
    """
    made = getattr(_module(path), function)
    told: Mapping[str, Any] = made.__scenario__
    title, _, description = (inspect.getdoc(made) or "").partition("\n")
    head = {
        "scenario": name,
        "system": told["system"] or path.resolve().parent.name,
        "title": title.strip().rstrip("."),
        "description": description.strip(),
        "tags": told["tags"],
        "owner": told["owner"],
    }
    content = made()
    if not isinstance(content, Mapping) and hasattr(content, "build") and not hasattr(content, "rendered"):
        content = content.build()
    if hasattr(content, "rendered"):
        sections = sections_of(library.domain(str(head["system"])))
        return from_builder(content, head, sections, path, library.settings["seed"])
    if not isinstance(content, Mapping):
        raise LibraryError(
            f"{function} returns {type(content).__name__}",
            where=shown(path),
            remedy="return a builder, or the content of a scenario file as a dictionary",
        )
    tree = from_plain({**head, **content}, shown(path))
    assert isinstance(tree, Branch)
    faults = Faults()
    composed = compose(tree, lambda other: library.tree(other, faults), library.names, faults)
    faults.raise_if_any(shown(path))
    found = ScenarioDefinition(
        composed, sections_of(library.domain(composed.head.system)), path, library.settings["seed"]
    )
    found.plan()
    return found


def _module(path: Path) -> Any:
    name = f"scenario_library_{path.parent.name}_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LibraryError("cannot import the scenarios", where=shown(path))
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a module does when it is imported is to be told with its place
        del sys.modules[name]
        raise LibraryError(
            "cannot import the scenarios", where=shown(path), why=f"{type(error).__name__}: {error}"
        ) from error
    return module
