"""What a value in a scenario file may be, for each kind of column.

Without it a word of three hundred characters, a misspelt phase or a date that is none would travel to the
database and come back as an error about a COPY of many rows, or not come back at all. Each parser reads one
node of the file, says what is wrong in the file's words, and describes itself as JSON Schema for editors.
Columns are known only at run time, from the system's metadata, which is why these are not fixed models.
"""

from __future__ import annotations

import base64
import binascii
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, LiteralString

from scenarios.library.files.error_list import ErrorList, suggest
from scenarios.library.files.tree import Branch, Leaf, Node, Series, kind_of, shortened

_NO_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})
"""What PostgreSQL's numbers can be besides numbers."""


class _Invalid:
    """The value of a node that had an error; it is never written."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()


@dataclass(frozen=True, slots=True)
class Reference:
    """A row named by its handle, standing for the value of its column *column* (None: the referred key)."""

    handle: str
    node: Node
    path: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A text with handles in it: ``Identity ${maya.maker.id} renamed``; parts are texts and references."""

    parts: tuple[str | Reference, ...]
    node: Node
    path: str


class ColumnParser:
    """Reads one node. Subclasses set ``name``, what a person would call such a value."""

    name = "a value"
    example = "VALUE"
    """A value that a message suggests."""
    selected: LiteralString = "{}"
    """How SQL selects a column, such that its values come as they are read here."""
    selected_list: LiteralString = "{}"
    """The same for an array of them."""

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        """Return the value, or ``INVALID`` after adding an error."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of such a value."""
        return {}

    def wrong(
        self, node: Node, path: str, errors: ErrorList, what: str | None = None, hint: str | None = None
    ) -> Any:
        """Add an error and return ``INVALID``."""
        errors.add(node.place, path, what or f"this has to be {self.name}, not {kind_of(node)}", hint)
        return INVALID


class Text(ColumnParser):
    """A text of at most *limit* characters (None: what PostgreSQL holds)."""

    name = "a text"
    example = "TEXT"

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, Template):
            return value
        if not isinstance(value, str):
            hint = "write it in quotes" if isinstance(node, Leaf) and value is not None else None
            return self.wrong(node, path, errors, hint=hint)
        if "\0" in value:
            return self.wrong(
                node, path, errors, "PostgreSQL's text holds no NUL character", r"remove the \0"
            )
        if self.limit is not None and len(value) > self.limit:
            return self.wrong(
                node,
                path,
                errors,
                f"{len(value)} characters, the column holds {self.limit}",
                "shorten the text",
            )
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", **({"maxLength": self.limit} if self.limit else {})}


class EnumText(Text):
    """One of a vocabulary."""

    # psycopg takes an array of a type it does not know (an enumeration's) for one text.
    selected_list = "{}::text[]"

    def __init__(self, words: Sequence[str], what: str = "value") -> None:
        super().__init__()
        self.words = tuple(words)
        self.name = f"one of {', '.join(self.words)}"
        self.what = what
        self.example = self.words[0] if self.words else Text.example

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = super().read(node, path, errors)
        if isinstance(value, str) and value not in self.words:
            return self.wrong(
                node,
                path,
                errors,
                f"{shortened(value)} is not a known {self.what}",
                suggest(value, self.words),
            )
        return value

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


class Integer(ColumnParser):
    """A whole number between *low* and *high*, inclusive."""

    name = "a whole number"

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, bool) or not isinstance(value, int):
            return self.wrong(node, path, errors)
        if not self.low <= value <= self.high:
            return self.wrong(
                node,
                path,
                errors,
                f"{shortened(str(value))} does not fit",
                f"it can be {self.low} to {self.high}",
            )
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Number(ColumnParser):
    """A number; *exact* ones are kept as decimals and may be written in quotes."""

    name = "a number"

    def __init__(self, *, exact: bool) -> None:
        self.exact = exact

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Decimal(str(value)) if self.exact else float(value)
        if self.exact and isinstance(value, str):
            try:
                return Decimal(value)
            except InvalidOperation:
                pass
        if isinstance(value, str) and value in _NO_NUMBERS:
            return float(value)
        return self.wrong(node, path, errors)

    def schema(self) -> dict[str, Any]:
        return {"type": ["number", "string"]} if self.exact else {"type": "number"}


class Bool(ColumnParser):
    """true or false."""

    name = "true or false"
    example = "true"

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, bool):
            return value
        words = {"yes": "true", "on": "true", "no": "false", "off": "false", "1": "true", "0": "false"}
        right = words.get(str(value).lower())
        return self.wrong(node, path, errors, hint=f"write {right}" if right else None)

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Identifier(ColumnParser):
    """A UUID, or the handle of the row that has it."""

    name = "a UUID"

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, Template):
            return value
        try:
            return uuid.UUID(value if isinstance(value, str) else "")
        except ValueError:
            return self.wrong(node, path, errors)

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


class Bytes(ColumnParser):
    """Bytes, written in base 64."""

    name = "bytes in base 64"

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        value = node.value if isinstance(node, Leaf) else None
        try:
            return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
        except (binascii.Error, ValueError):
            return self.wrong(node, path, errors)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "contentEncoding": "base64"}


class ListOf(ColumnParser):
    """An array; its elements have one parser.

    PostgreSQL's arrays have any number of dimensions, unless *deep* is false: the model says how many.
    """

    def __init__(self, element: ColumnParser, *, deep: bool = False) -> None:
        self.element = element
        self.deep = deep
        self.name = "a list"
        self.selected = self.selected_list = element.selected_list

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        if not isinstance(node, Series):
            return self.wrong(node, path, errors, hint="begin each element with a dash, or write []")
        inner = [item for item in node.items if isinstance(item, Series)] if self.deep else []
        if inner and len(inner) == len(node.items):
            if len({len(item.items) for item in inner}) > 1:
                return self.wrong(node, path, errors, "the lists in an array are equally long")
            rows = [self.read(item, f"{path}.{at}", errors) for at, item in enumerate(inner)]
            return INVALID if any(row is INVALID for row in rows) else rows
        found = [
            None
            if isinstance(item, Leaf) and item.value is None
            else self.element.read(item, f"{path}.{at}", errors)
            for at, item in enumerate(node.items)
        ]
        return INVALID if any(item is INVALID for item in found) else found

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.element.schema()}


class Anything(ColumnParser):
    """JSON: whatever the file says, with handles in its texts."""

    name = "anything JSON can hold"

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        if isinstance(node, Branch):
            found: dict[str, Any] = {}
            for key, item in node.items.items():
                if "\0" in key:
                    errors.add(node.key_place(key), path, "JSON in PostgreSQL holds no NUL character")
                    return INVALID
                found[key] = self.read(item, f"{path}.{key}", errors)
            return INVALID if any(value is INVALID for value in found.values()) else found
        if isinstance(node, Series):
            items = [self.read(item, f"{path}.{at}", errors) for at, item in enumerate(node.items)]
            return INVALID if any(item is INVALID for item in items) else items
        value = node.value
        if isinstance(value, str) and "\0" in value:
            return self.wrong(
                node, path, errors, "JSON in PostgreSQL holds no NUL character", r"remove the \0"
            )
        if isinstance(value, float) and not math.isfinite(value):
            return self.wrong(node, path, errors, f"JSON has no number {value}", "write null, or a text")
        return value


class RawText(ColumnParser):
    """A type without a parser of its own (ranges, networks, vectors): its text form, read by PostgreSQL."""

    selected = "{}::text"
    selected_list = "{}::text[]"

    def __init__(self, type_name: str) -> None:
        self.name = f"a {type_name} as PostgreSQL writes it"

    def read(self, node: Node, path: str, errors: ErrorList) -> Any:
        if isinstance(node, Leaf) and isinstance(node.value, str):
            return node.value
        return self.wrong(node, path, errors, hint="write it in quotes")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "description": self.name}
