"""Fail where generic code names a system that comes with the project; ``make lint`` runs it.

A slice is what lies under the system's name in `domains`, `factories` or `builders`. All else reaches a
system through its `Domain` and must work for a stranger's as well.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def named(root: Path) -> list[str]:
    """Return each place in the sources under *root* that names a system it is no part of."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    systems = list(project["entry-points"]["scenarios.domains"])
    # dev_coach, DevCoach, Dev Coach
    name = re.compile("|".join(system.replace("_", "[_ ]?") for system in systems), re.IGNORECASE)
    found = []
    for path in sorted((root / "src").rglob("*")):
        inside = path.relative_to(root / "src").with_suffix("").parts[1:3]
        if not path.is_file() or path.suffix == ".pyc" or (len(inside) == 2 and inside[1] in systems):
            continue
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            if match := name.search(line):
                found.append(f"{path.relative_to(root)}:{number}: names {match.group()}")
    return found


if __name__ == "__main__":
    places = named(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
    if places:
        sys.exit("\n".join(places))
