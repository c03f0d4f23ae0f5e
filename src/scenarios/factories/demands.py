"""What CHECKs demand of one column, apart from how that was found out.

The parser that reads CHECKs takes a sixth of a second to import; a command or a test that never derives a
factory must not pay for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PARTITION = "scenarios_partition"
"""In the `info` of a CHECK that says what a partition takes: the condition for one of its partitions."""


class CannotFill(Exception):
    """Why a column cannot be filled, for the factory's message."""


@dataclass(slots=True)
class Demands:
    """What the CHECKs of a table demand of one column, as far as one column can satisfy it alone.

    Attributes:
        low, high: bounds, inclusive; an exclusive one is among ``above`` or ``below``.
        above, below: exclusive bounds.
        options: the only values allowed; for an array, of its elements.
        shortest, longest: bounds of the length of a text or the number of elements.
        patterns: regular expressions (with flags) the text must contain.
        json: the only type allowed of a JSON value, in PostgreSQL's words.
    """

    low: Any = None
    high: Any = None
    above: Any = None
    below: Any = None
    options: list[Any] | None = None
    shortest: int | None = None
    longest: int | None = None
    patterns: list[tuple[str, int]] = field(default_factory=list)
    json: str | None = None

    def narrow(self, other: str, value: Any) -> None:
        """Take the demand ``column <other> value`` into account."""
        if other in {">=", "="}:
            self.low = value if self.low is None else max(self.low, value)
        if other in {"<=", "="}:
            self.high = value if self.high is None else min(self.high, value)
        if other == ">":
            self.above = value if self.above is None else max(self.above, value)
        if other == "<":
            self.below = value if self.below is None else min(self.below, value)

    def take(self, other: Demands) -> None:
        """Take all that *other* demands into account."""
        for sign, bound in ((">=", other.low), ("<=", other.high), (">", other.above), ("<", other.below)):
            if bound is not None:
                self.narrow(sign, bound)
        for sign, length in ((">=", other.shortest), ("<=", other.longest)):
            if length is not None:
                self.narrow_length(sign, length)
        if other.options is not None:
            options = other.options
            self.options = [o for o in self.options if o in options] if self.options is not None else options
        self.patterns += other.patterns
        self.json = other.json or self.json

    def narrow_length(self, other: str, value: int) -> None:
        """Take the demand ``length(column) <other> value`` into account."""
        least = {">": value + 1, ">=": value, "=": value}.get(other)
        most = {"<": value - 1, "<=": value, "=": value}.get(other)
        if least is not None:
            self.shortest = least if self.shortest is None else max(self.shortest, least)
        if most is not None:
            self.longest = most if self.longest is None else min(self.longest, most)
