"""Fail where modules import each other in a circle, at whatever time; ``make lint`` runs it.

An import inside a function or under TYPE_CHECKING hides a circle from Python, and not from whoever has to
understand one module without the other. The modules of one system may refer to each other, as its tables do.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

STILL_THERE = {
    "scenarios.postgres": "alembic_schema asked_extensions connections container database database_manager "
    "ingredients registry schemas scripts server templates",
    "scenarios.library": "definition instances.entering instances.instance instances.load "
    "instances.ownership instances.removal instances.sheet instances.start",
}
"""The modules of the two circles that are left: none may be added, and what is mended goes from here."""


def imports(root: Path) -> dict[str, set[str]]:
    """Return for each module under *root* those of them that it imports, wherever in its text."""
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in root.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                named |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                for each in node.names:
                    inner = f"{node.module}.{each.name}"
                    named.add(inner if inner in modules else node.module)
        found[name] = (named & modules.keys()) - {name}
    return found


def circles(found: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules of which each imports itself by way of the others."""
    left = {name: set(named) for name, named in found.items()}
    groups: list[set[str]] = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            group = set(error.args[1])
        else:
            return groups
        # Those of a circle become one, so that the next one that shares a module with it is found with it.
        first = min(group)
        named = set().union(*(left[name] for name in group)) - group
        members = set().union(*(each for each in groups if each & group), group)
        groups = [each for each in groups if not each & group] + [members]
        left = {
            name: {first if each in group else each for each in others}
            for name, others in left.items()
            if name not in group
        }
        left[first] = named


def forbidden(root: Path, systems: list[str]) -> list[str]:
    """Return a sentence for each circle that may not be."""
    return [
        "a circle of imports: " + ", ".join(sorted(group))
        for group in circles(imports(root))
        if not any(all(name.split(".")[2:3] == [system] for name in group) for system in systems)
        and not any(group <= {f"{top}.{name}" for name in left.split()} for top, left in STILL_THERE.items())
    ]


if __name__ == "__main__":
    top = Path(__file__).parents[1]
    project = tomllib.loads((top / "pyproject.toml").read_text("utf-8"))["project"]
    if said := forbidden(top / "src", list(project["entry-points"]["scenarios.domains"])):
        sys.exit("\n".join(said))
