"""The head of a scenario file: who it is, its clock, its parameters.

What a file says of itself decides how the rest is read (which system, which values its parameters have), so
it is checked before anything else, and alone when many files are only listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from scenarios.errors import LibraryError
from scenarios.library.files.error_list import Place, suggest
from scenarios.library.files.tree import shortened
from scenarios.values.clock import DEFAULT_ANCHOR

HEAD_KEYS = (
    "scenario",
    "system",
    "version",
    "title",
    "description",
    "tags",
    "owner",
    "clock",
    "seed",
    "parameters",
    "extends",
    "include",
    "remove",
    "breaks",
)
"""The keys of the head, in the order in which they are written."""

COMPOSING = ("extends", "include", "remove")
"""Keys of the head that are about rows: what a function returns may have them as well."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,79}\Z")
HANDLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}\Z")
"""What a handle looks like; a nested row's full handle joins handles with dots."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "text": (str,),
    "boolean": (bool,),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """What can be chosen when the scenario is loaded."""

    name: str
    type: str
    default: Any
    place: Place
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    description: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the parameter for ``--json``; bounds and choices only where it has them."""
        found: dict[str, Any] = {"type": self.type, "default": self.default, "description": self.description}
        for key, value in (("min", self.low), ("max", self.high), ("choices", list(self.choices) or None)):
            if value is not None:
                found[key] = value
        return found

    def problem(self, value: Any) -> tuple[str, str] | None:
        """Return what is wrong with *value* and what would be right, or None."""
        fits = isinstance(value, _TYPES[self.type]) and (
            self.type == "boolean" or not isinstance(value, bool)
        )
        if not fits:
            return f"{_shown(value)} is not of type {self.type}", f"{self.name} is {self.describe()}"
        if self.choices and value not in self.choices:
            words = [str(choice) for choice in self.choices]
            return f"{_shown(value)} is not one of its choices", suggest(str(value), words) or ""
        low, high = self.low, self.high
        measure: Any = len(str(value)) if self.type == "text" else value
        if (low is not None and measure < low) or (high is not None and measure > high):
            return f"{_shown(value)} is out of bounds", f"{self.name} is {self.describe()}"
        return None

    def describe(self) -> str:
        """Return the parameter's type and bounds for people."""
        words = {
            "integer": "a whole number",
            "number": "a number",
            "text": "a text",
            "boolean": "true or false",
        }
        text = words[self.type]
        unit = " characters" if self.type == "text" else ""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        if self.low is not None and self.high is not None:
            text += f" from {self.low:g} to {self.high:g}{unit}"
        elif self.low is not None:
            text += f" of at least {self.low:g}{unit}"
        elif self.high is not None:
            text += f" of at most {self.high:g}{unit}"
        return text

    def parse(self, text: str) -> Any:
        """Return the value that *text* from a command line means (the text itself where it means none)."""
        try:
            if self.type == "integer":
                return int(text)
            if self.type == "number":
                return float(text)
        except ValueError:
            return text
        if self.type == "boolean":
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
                text.lower(), text
            )
        return text


def _shown(value: Any) -> str:
    return shortened(value) if isinstance(value, str) else shortened(str(value)).strip("'")


@dataclass(frozen=True, slots=True)
class Include:
    """Another scenario whose rows join this one's."""

    scenario: str
    place: Place
    only: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The scenario's clock: the moment its offsets count from.

    Attributes:
        moment: a fixed moment, or None for the moment of loading.
        weekday: 0 (Monday) to 6 to move the anchor back to the last such day, or None. Literal dates rot and
            purely relative ones change their weekday; this keeps both.
        clock: microseconds since midnight to which the anchor's time of day is set, or None.
    """

    moment: datetime | None = DEFAULT_ANCHOR
    weekday: int | None = None
    clock: int | None = None

    def at(self, now: datetime | None) -> datetime:
        """Return the anchor of a loading; *now* takes the place of the file's moment.

        Raises:
            LibraryError: it would be before the calendar's first day or after its last.
        """
        given = now or self.moment
        try:
            return self._moved_from(given)
        except OverflowError:
            raise LibraryError(
                f"a clock that shows {given} leaves the calendar",
                why="it is moved to the time zone, weekday and time of day of the scenario's clock",
                hint="give a moment that is not in the first or the last days of the years 1 to 9999",
            ) from None

    def _moved_from(self, given: datetime | None) -> datetime:
        present = (given or datetime.now(UTC)).astimezone(UTC)
        anchor = present if given is not None else present.replace(second=0, microsecond=0)
        if self.clock is not None:
            midnight = anchor.replace(hour=0, minute=0, second=0, microsecond=0)
            anchor = midnight + timedelta(microseconds=self.clock)
            if anchor > present:
                anchor -= timedelta(days=1)
        if self.weekday is not None:
            anchor -= timedelta(days=(anchor.weekday() - self.weekday) % 7)
        return anchor


@dataclass(frozen=True, slots=True)
class Head:
    """What a scenario says of itself."""

    name: str
    place: Place
    system: str = ""
    version: int = 1
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    anchor: Anchor = field(default_factory=Anchor)
    seed: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    extends: str | None = None
    include: tuple[Include, ...] = ()
    remove: tuple[tuple[str, Place], ...] = ()
    breaks: tuple[str, ...] = ()
    """Rules of the system that the scenario breaks on purpose."""
