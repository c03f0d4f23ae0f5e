"""YAML text as a tree in which every key and value knows its line and column.

A file turned into plain dictionaries has forgotten where anything stood, so an error found later (a handle
that names nothing, a length the column does not hold) could not be pointed at. The text is read as
libyaml's events, which is some thirty times faster than composing it in Python, and plain words are
resolved by YAML 1.2's core schema: ``no`` and ``off`` are words, times are texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from scenarios.json_text import number_word
from scenarios.library.files.error_list import ErrorList, Place

Scalar: TypeAlias = "str | int | float | bool | None"

_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
MAX_DEPTH = 60
"""Nesting beyond this is refused; real files stay below ten."""
MAX_CHARACTERS = 32 * 1024 * 1024
"""Longer files are refused; generate long stretches instead of writing them out."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,4000}\Z")
_OTHER_INTEGER = re.compile(r"0o[0-7]{1,400}\Z|0x[0-9a-fA-F]{1,400}\Z")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?\Z|[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z"
)


@dataclass(slots=True)
class Leaf:
    """A scalar; ``plain`` when it was written without quotes."""

    value: Scalar
    place: Place
    plain: bool = True


@dataclass(slots=True)
class Branch:
    """A mapping; ``keys`` has the place of each key, ``origin`` the renamings under which it was included."""

    items: dict[str, Node]
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)

    def key_place(self, key: str) -> Place:
        """Return the place of *key*."""
        return self.keys.get(key, self.place)


@dataclass(slots=True)
class Series:
    """A sequence."""

    items: list[Node]
    place: Place


Node: TypeAlias = "Leaf | Branch | Series"


def kind_of(node: Node) -> str:
    """Return what *node* is, for messages."""
    if isinstance(node, Branch):
        return "a mapping"
    if isinstance(node, Series):
        return "a list"
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, str):
        return f"the text {shortened(value)}"
    return f"the number {value}"


def shortened(text: str, limit: int = 60) -> str:
    """Return *text* quoted and cut to *limit* characters."""
    return repr(text) if len(text) <= limit else f"{text[: limit - 1]!r}…"


def resolve(text: str) -> Scalar:
    """Return what an unquoted word means by YAML 1.2's core schema."""
    first = text[:1]
    if first.isalpha() or first in ("", "~"):
        if text in _NULL:
            return None
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        return text
    if _INTEGER.match(text):
        return int(text)
    if _OTHER_INTEGER.match(text):
        return int(text, 0)
    if first in "+-.0123456789" and _FLOAT.match(text):
        return float(
            text.replace(".inf", "inf")
            .replace(".Inf", "inf")
            .replace(".INF", "inf")
            .replace(".nan", "nan")
            .replace(".NaN", "nan")
            .replace(".NAN", "nan")
        )
    return text


def to_plain(node: Node) -> Any:
    """Return *node* as dictionaries, lists and scalars that JSON can hold."""
    if isinstance(node, Branch):
        return {key: to_plain(item) for key, item in node.items.items()}
    if isinstance(node, Series):
        return [to_plain(item) for item in node.items]
    return number_word(node.value) if type(node.value) is float else node.value


def from_plain(value: Any, place: str | Place) -> Node:
    """Return plain data (from JSON, or from Python) as a tree that stands at *place*, or in that file."""
    return _planted(value, Place(place) if isinstance(place, str) else place)


def _planted(value: Any, place: Place) -> Node:
    kind = type(value)
    if kind is str:
        return Leaf(value, place, plain=False)
    if kind is dict or isinstance(value, Mapping):
        return Branch({str(key): _planted(item, place) for key, item in value.items()}, place)
    if isinstance(value, (list, tuple)):
        return Series([_planted(item, place) for item in value], place)
    return Leaf(value, place, plain=not isinstance(value, str))


class _Stop(Exception):  # not an error: it ends the reading of one file
    """The text cannot be read further."""


class _Reader:
    def __init__(self, text: str, file: str, errors: ErrorList, only: frozenset[str] | None) -> None:
        self.file = file
        self.errors = errors
        self.only = only
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))

    def place(self, mark: Any) -> Place:
        return Place(self.file, mark.line + 1, mark.column + 1)

    def fail(self, mark: Any, what: str, hint: str | None = None) -> _Stop:
        self.errors.add(self.place(mark), "", what, hint)
        return _Stop()

    def document(self) -> Node | None:
        next(self.events)  # the stream's start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        root = self.node(next(self.events), 0, root=True)
        if self.only is not None:
            return root
        next(self.events)  # the document's end
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self.fail(event.start_mark, "a second document begins here", "write one scenario a file")
        return root

    def node(self, event: Any, depth: int, *, root: bool = False) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            if event.tag is not None and event.tag != "!":
                raise self.fail(event.start_mark, f"the tag {event.tag} has no meaning here", "remove it")
            if event.anchor is not None:
                raise self._anchor(event)
            plain = event.style is None or event.style == ""
            value = resolve(event.value) if plain and event.tag is None else event.value
            return Leaf(value, self.place(event.start_mark), plain)
        if isinstance(event, yaml.AliasEvent):
            raise self._anchor(event)
        if event.tag is not None:
            raise self.fail(event.start_mark, f"the tag {event.tag} has no meaning here", "remove it")
        if event.anchor is not None:
            raise self._anchor(event)
        if depth >= MAX_DEPTH:
            raise self.fail(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._series(event, depth)
        return self._branch(event, depth, root=root)

    def _series(self, event: Any, depth: int) -> Series:
        items: list[Node] = []
        for inner in self.events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            items.append(self.node(inner, depth + 1))
        return Series(items, self.place(event.start_mark))

    def _branch(self, event: Any, depth: int, *, root: bool) -> Branch:
        branch = Branch({}, self.place(event.start_mark))
        for inner in self.events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            if not isinstance(inner, yaml.ScalarEvent):
                raise self.fail(
                    inner.start_mark, "a key has to be a word", "quote it if it begins with [ or {"
                )
            key = inner.value
            where = self.place(inner.start_mark)
            if root and self.only is not None and key not in self.only:
                return branch
            if inner.anchor is not None:
                raise self._anchor(inner)
            value = self.node(next(self.events), depth + 1)
            if key in branch.items:
                first = branch.keys[key]
                self.errors.add(
                    where, key, "this key stands here a second time", f"the first is in line {first.line}"
                )
                continue
            branch.items[key] = value
            branch.keys[key] = where
        return branch

    def _anchor(self, event: Any) -> _Stop:
        return self.fail(
            event.start_mark,
            "anchors (&) and aliases (*) are not used in scenario files",
            "quote a text that begins with * or &; share content with extends or include",
        )


def read_text(data: bytes, file: str, errors: ErrorList) -> str | None:
    """Return the text of a file's *data*, or None with an error."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        head = data[: error.start]
        line = head.count(b"\n") + 1
        column = error.start - (head.rfind(b"\n") + 1) + 1
        errors.add(Place(file, line, column), "", "this is not UTF-8 text", "save the file as UTF-8")
        return None
    if len(text) > MAX_CHARACTERS:
        errors.add(
            Place(file, 1, 1), "", f"longer than {MAX_CHARACTERS} characters", "generate long stretches"
        )
        return None
    return text


def read_tree(text: str, file: str, errors: ErrorList, *, only: Iterable[str] | None = None) -> Branch | None:
    """Return the mapping that *text* is, or None with errors.

    Args:
        text: YAML.
        file: its name, for places.
        errors: collects what is wrong.
        only: stop at the first top-level key that is not one of these; for reading the head of many files.
    """
    try:
        reader = _Reader(text, file, errors, frozenset(only) if only is not None else None)
        root = reader.document()
    except _Stop:
        return None
    except yaml.MarkedYAMLError as error:
        # What was opened and never closed is at the start of it, not at the end of the file.
        unclosed = error.problem is not None and "unexpected end of stream" in error.problem
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark is not None else Place(file, 1, 1)
        why = " ".join(part for part in (error.context, error.problem) if part)
        errors.add(place, "", f"this is not YAML: {why}", _syntax_hint(why))
        return None
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        head = text[:position]
        place = Place(file, head.count("\n") + 1, position - (head.rfind("\n") + 1) + 1)
        errors.add(
            place, "", "a character that YAML does not allow", r"write it as an escape in double quotes, \x07"
        )
        return None
    if root is None or (isinstance(root, Leaf) and root.value is None):
        errors.add(Place(file, 1, 1), "", "the file is empty", "begin with scenario: NAME")
        return None
    if not isinstance(root, Branch):
        errors.add(
            root.place,
            "",
            f"a scenario file is a mapping, this is {kind_of(root)}",
            "begin with scenario: NAME",
        )
        return None
    return root


def _syntax_hint(why: str) -> str | None:
    if "cannot start any token" in why:
        return "indent with spaces, not tabs; quote a text that begins with % @ or `"
    if "mapping values are not allowed" in why:
        return "quote a text that contains a colon followed by a space"
    if "could not find expected ':'" in why:
        return "a key lacks its colon, or a long text its quotes"
    if "block" in why:
        return "check the indentation of this line against the lines above"
    return None
