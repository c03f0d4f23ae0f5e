"""The fluent builder: a state said in sentences, checked call by call, loaded as often as wanted.

Each system's builder is a package in here and begins with its `a_scenario`. The centre is
`scenarios.builders.base`, which says how to write the builder of another system.
"""

from scenarios.builders.base import BuiltScenario, Loaded, Program, Rendered, Step

__all__ = ["BuiltScenario", "Loaded", "Program", "Rendered", "Step"]
