"""Everything that is wrong with a scenario file, collected, each with its place and what would be right.

A reader that stops at the first error makes its user run it once per error, and a message without a line
makes them search. ErrorList are extraction while a file is read, composed and checked, and raised together;
nothing is loaded while there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from scenarios.errors import ScenarioFileError


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column count from 1, and are 0 where there is no text to point at."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class ErrorDetails:
    """One thing that is wrong.

    Attributes:
        place: where it stands.
        path: the path inside the file, ``users.maya.identities.maker``; empty for the file as a whole.
        what: what is wrong, as a clause.
        hint: what would be right, or None.
    """

    place: Place
    path: str
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        head = f"{self.place}: {self.path}: {self.what}" if self.path else f"{self.place}: {self.what}"
        return f"{head}; {self.hint}" if self.hint else head

    def as_dict(self) -> dict[str, object]:
        """Return the error for ``--json``."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "path": self.path,
            "what": self.what,
            "hint": self.hint,
        }


class InvalidScenario(ScenarioFileError):
    """A scenario cannot be used; ``errors`` has every reason."""

    def __init__(self, name: str, errors: Iterable[ErrorDetails]) -> None:
        self.errors = tuple(sorted(set(errors), key=lambda error: (error.place, error.path, error.what)))
        count = len(self.errors)
        first = self.errors[0]
        if count == 1:
            super().__init__(
                f"{name} has an error: {_clause(first)}",
                where=str(first.place),
                hint=f"{first.hint}; nothing was loaded" if first.hint else "nothing was loaded",
            )
        else:
            listing = "\n".join(f"    {error}" for error in self.errors)
            super().__init__(f"{name} has {count} errors; nothing was loaded\n{listing}")


def _clause(error: ErrorDetails) -> str:
    return f"{error.path}: {error.what}" if error.path else error.what


class ErrorList:
    """The errors found so far."""

    def __init__(self) -> None:
        self.found: list[ErrorDetails] = []

    def add(self, place: Place, path: str, what: str, hint: str | None = None) -> None:
        """Note an error."""
        self.found.append(ErrorDetails(place, path, what, hint))

    def raise_if_any(self, name: str) -> None:
        """Raise what was found, if anything was.

        Raises:
            InvalidScenario: there are errors.
        """
        if self.found:
            raise InvalidScenario(name, self.found)


def suggest(word: str, known: Iterable[str]) -> str | None:
    """Return a hint for a *word* that is not one of *known*: the nearest, or the list when it is short."""
    choices = [choice for choice in known if choice]
    if not choices:
        return None
    folded = {choice.casefold(): choice for choice in reversed(choices)}
    near = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if not near:
        begun = [choice for choice in folded if len(word) > 2 and choice.startswith(word.casefold())]
        near = begun if len(begun) == 1 else []
    if near:
        return f"did you mean {folded[near[0]]}?"
    if len(choices) <= 14:
        return f"it can be {', '.join(choices)}"
    return f"it can be {', '.join(choices[:12])}, and {len(choices) - 12} more"


def shown(path: Path | str) -> str:
    """Return *path* as people write it: relative to the current directory where that is shorter."""
    path = Path(path)
    try:
        relative = path.resolve().relative_to(Path.cwd())
    except (ValueError, OSError):
        return str(path)
    return str(relative)
