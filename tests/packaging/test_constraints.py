"""What is pinned can be installed with every Python the project promises, the first releases included."""

from __future__ import annotations

import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

CHECKOUT = Path(__file__).parents[2]


def test_the_pins_take_every_release_of_the_promised_pythons() -> None:
    """Debian 12 has Python 3.11.2, and pip says only "conflict" about a pin that wants 3.11.5."""
    promised = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert promised == ">=3.11"
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pins = {Requirement(line).name.lower() for line in lines if line and not line.startswith("#")}
    wanted = {
        found.metadata["Name"]: found.metadata["Requires-Python"]
        for found in distributions()
        if found.metadata["Name"].lower() in pins and found.metadata["Requires-Python"]
    }
    assert len(wanted) > 100
    refusing = {name: text for name, text in wanted.items() if not SpecifierSet(text).contains("3.11.0")}
    assert refusing == {}
