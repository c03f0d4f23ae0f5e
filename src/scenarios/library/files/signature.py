"""The head of a scenario written in Python: its mark, its signature and its docstring, as a file's head.

A function with parameters has to be listed, shown, checked and loaded exactly like a file with parameters.
So what Python says by its own means (keyword arguments with annotations and defaults, ``Literal``, bounds in
``Annotated``, the docstring's ``Args``) becomes the tree that the head of a file is, each word with its line,
and is read by the same reader. The file is imported, once as long as it stays as it is; one that cannot be
stands in the catalogue with the reason, beside the others.
"""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scenarios.importing import imported_file, line_in, why_failed
from scenarios.library.files.error_list import ErrorList, Place, shown, suggest
from scenarios.library.files.head import Head
from scenarios.library.files.mark import ARGUMENTS, MARK
from scenarios.library.files.reading_head import read_head
from scenarios.library.files.tree import Branch, Leaf, Node, from_plain

_TYPES: Mapping[object, str] = {int: "integer", float: "number", str: "text", bool: "boolean"}
_HELP = "annotate it as int, float, str, bool, Literal[...] or an enumeration"
_BOUNDS = {"ge": "min", "le": "max", "gt": "above", "lt": "below", "min_length": "min", "max_length": "max"}
"""Attributes of an annotation's metadata that bound it: those of annotated-types and Pydantic."""
_REFUSED = ("MultipleOf", "Predicate", "Timezone", "Unit")
_ARGS = re.compile(r"^(Args|Arguments|Parameters):[ \t]*$", re.MULTILINE)
_END = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields):[ \t]*$", re.MULTILINE)
_SECTION = re.compile(r"^[A-Z]\w*:[ \t]*$", re.MULTILINE)
_ENTRY = re.compile(r"^(\w+)(?:\s*\([^)]*\))?:[ \t]*")

_Node = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Marked:
    """A function marked ``@scenario``.

    Attributes:
        name: the scenario's name.
        function: the function; None for one that cannot be imported.
        path: the file.
        head: what would stand in a file's head.
        said: the same, read.
        errors: what is wrong with it.
        place: the line of the function.
    """

    name: str
    function: Callable[..., Any] | None
    path: Path
    head: Branch
    said: Head
    errors: ErrorList
    place: Place


class _Unreadable(Exception):
    """An annotation says no parameter."""


def marked(path: Path, home: Path) -> list[Marked]:
    """Return the functions marked ``@scenario`` in the file *path*, in their order.

    A file without such a function is not imported.

    Args:
        path: the file.
        home: the directory whose modules it may import.
    """
    file = shown(path)
    try:
        data = path.read_bytes()
        if b"@" not in data or b"scenario" not in data:
            return []
        body = ast.parse(data, str(path)).body
        nodes = {node.name: node for node in body if isinstance(node, _Node) and _mark_of(node) is not None}
    except SyntaxError as error:
        text = path.read_text("utf-8", "replace")
        if "@scenario" not in text and ".scenario" not in text:
            return []
        place = Place(file, error.lineno or 1, error.offset or 1)
        return [_unreadable(path, path.stem, place, place, f"this is not Python: {error.msg}")]
    except (OSError, ValueError) as error:
        place = Place(file, 1, 1)
        return [_unreadable(path, path.stem, place, place, f"cannot be read: {error}")]
    if not nodes:
        return []
    places = {name: Place(file, node.lineno, node.col_offset + 1) for name, node in nodes.items()}
    try:
        module = imported_file(path, home)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a file does, with its line
        what, hint = why_failed(error, "cannot import the scenarios", home)
        line = line_in(error, path)
        return [
            _unreadable(path, name, place, Place(file, line, 1) if line else place, what, hint)
            for name, place in places.items()
        ]
    found = []
    for name, node in nodes.items():
        function: Any = getattr(module, name, None)
        if hasattr(function, MARK):
            found.append(_Reader(path, node, function).marked())
        else:
            what = f"{name} is no function when the file is run"
            found.append(_unreadable(path, name, places[name], places[name], what))
    return found


def _mark_of(node: _Node) -> ast.expr | None:
    """Return the decorator ``@scenario`` of the definition *node*."""
    for decorator in node.decorator_list:
        target = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if target.rpartition(".")[2] == "scenario" and "pytest" not in target:
            return decorator
    return None


def _unreadable(
    path: Path, name: str, place: Place, error: Place, what: str, hint: str | None = None
) -> Marked:
    errors = ErrorList()
    errors.add(error, "", what, hint)
    head = Branch({"scenario": Leaf(name, place, plain=False)}, place)
    return Marked(name, None, path, head, read_head(head, errors), errors, place)


class _Reader:
    """Reads the head of *function*; *node*, its definition, says where each word of it stands."""

    def __init__(self, path: Path, node: _Node, function: Callable[..., Any]) -> None:
        self.path = path
        self.node = node
        self.function = function
        self.file = shown(path)
        self.errors = ErrorList()
        self.at = self.place(node)
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
        self.places = {each.arg: self.place(each) for each in every}

    def place(self, node: Any) -> Place:
        return Place(self.file, node.lineno, node.col_offset + 1)

    def marked(self) -> Marked:
        title, description, told = _docstring(inspect.getdoc(self.function) or "")
        head = Branch({"scenario": Leaf(self.node.name, self.at, plain=False)}, self.at)
        for key, text in (("title", title), ("description", description)):
            if text:
                head.items[key] = Leaf(text, self.at, plain=False)
        call = _mark_of(self.node)
        keywords = call.keywords if isinstance(call, ast.Call) else []
        places = {keyword.arg: keyword for keyword in keywords}
        for name, value in getattr(self.function, MARK).items():
            keyword = places.get(name)
            key = ARGUMENTS[name]
            head.items[key] = from_plain(value, self.place(keyword.value) if keyword else self.at)
            head.keys[key] = self.place(keyword) if keyword else self.at
        if inspect.iscoroutinefunction(self.function):
            self.errors.add(self.at, "", "a scenario is an ordinary function, this one is async", "write def")
        parameters = self.parameters(told)
        if parameters.items:
            head.items["parameters"] = parameters
        name = head.items["scenario"]
        word = name.value if isinstance(name, Leaf) and isinstance(name.value, str) else self.node.name
        said = read_head(head, self.errors)
        return Marked(word, self.function, self.path, head, said, self.errors, self.at)

    # -- the signature ---------------------------------------------------------------------------------

    def parameters(self, told: Mapping[str, str]) -> Branch:
        found = Branch({}, self.at)
        given = inspect.signature(self.function).parameters
        ordinary = {
            name for name, each in given.items() if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        }
        for name in told.keys() - ordinary:
            self.errors.add(
                self.place(self.node.body[0]),
                f"parameters.{name}",
                f"the docstring describes {name!r}, which is no argument",
                suggest(name, ordinary),
            )
        for name, each in given.items():
            place, path = self.places.get(name, self.at), f"parameters.{name}"
            if name not in ordinary:
                stars = "*" if each.kind is each.VAR_POSITIONAL else "**"
                what = f"{stars}{name} cannot be a parameter"
                self.errors.add(place, "parameters", what, "name each parameter, with a default")
            elif each.kind is each.POSITIONAL_ONLY:
                self.errors.add(place, path, "a parameter is given by name", "remove the /")
            elif each.default is each.empty:
                what = "the parameter has no default"
                self.errors.add(place, path, what, f"write {name}: int = 4")
            else:
                node = self.parameter(each, place, path, told.get(name, ""))
                if node is not None:
                    found.items[name] = node
                    found.keys[name] = place
        return found

    def parameter(self, each: inspect.Parameter, place: Place, path: str, told: str) -> Branch | None:
        default = each.default.value if isinstance(each.default, Enum) else each.default
        fields: dict[str, Node] = {"default": from_plain(default, place)}
        if each.annotation is not each.empty:
            try:
                self.annotated(self.evaluated(each.annotation), fields, place, path)
            except _Unreadable as error:
                self.errors.add(place, path, str(error), _HELP)
                return None
        if told and "description" not in fields:
            fields["description"] = Leaf(told, place, plain=False)
        return Branch(fields, place, dict.fromkeys(fields, place))

    def evaluated(self, annotation: Any) -> Any:
        if not isinstance(annotation, str):
            return annotation
        try:
            holder = SimpleNamespace(__annotations__={"it": annotation})
            names = getattr(self.function, "__globals__", {})
            return typing.get_type_hints(holder, names, include_extras=True)["it"]
        except Exception as error:
            raise _Unreadable(f"{annotation[:60]} cannot be evaluated: {error}") from error

    def annotated(self, kind: Any, fields: dict[str, Node], place: Place, path: str) -> None:
        """Add the type, the bounds, the choices and the description that an annotation says."""
        kind = getattr(kind, "__value__", kind)  # a ``type`` statement's
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            self.annotated(kind.__origin__, fields, place, path)
            for each in kind.__metadata__:
                self.metadata(each, fields, place, path)
        elif origin is typing.Literal:
            self.choices([_plain(value) for value in typing.get_args(kind)], fields, place)
        elif isinstance(kind, type) and issubclass(kind, Enum) and len(kind):
            self.choices([member.value for member in kind], fields, place)
        elif isinstance(kind, type) and kind in _TYPES:
            fields["type"] = Leaf(_TYPES[kind], place, plain=False)
        else:
            raise _Unreadable(f"{inspect.formatannotation(kind)[:60]} is not a type of a parameter")

    def choices(self, values: list[Any], fields: dict[str, Node], place: Place) -> None:
        kinds = {type(value) for value in values}
        if not kinds <= {int, str, float} or (str in kinds and len(kinds) > 1):
            raise _Unreadable("choices are texts, or numbers")
        kind = "text" if kinds == {str} else "integer" if kinds == {int} else "number"
        fields["type"] = Leaf(kind, place, plain=False)
        fields["choices"] = from_plain(values, place)

    def metadata(self, each: Any, fields: dict[str, Node], place: Place, path: str) -> None:
        """Add what one piece of an annotation's metadata says; what is not about parameters says nothing."""
        if isinstance(each, str):
            fields["description"] = Leaf(each, place, plain=False)
            return
        word = type(each).__name__
        if word in _REFUSED:
            self.errors.add(place, path, f"{word} cannot be said of a parameter", "use Ge, Le, Gt, Lt or Len")
            return
        for inner in _inner(each):
            self.metadata(inner, fields, place, path)
        for attribute in ("description", "documentation"):
            if isinstance(text := getattr(each, attribute, None), str):
                fields["description"] = Leaf(text, place, plain=False)
        for attribute, key in _BOUNDS.items():
            if (value := getattr(each, attribute, None)) is not None:
                self.bound(key, value, fields, place, path)

    def bound(self, key: str, value: Any, fields: dict[str, Node], place: Place, path: str) -> None:
        if key in ("above", "below"):
            kind = fields.get("type")
            if not isinstance(kind, Leaf) or kind.value != "integer" or not isinstance(value, int):
                self.errors.add(place, path, "a bound that is excluded is for whole numbers", "use Ge and Le")
                return
            key, value = ("min", value + 1) if key == "above" else ("max", value - 1)
        fields[key] = Leaf(value, place, plain=False)


def _inner(each: Any) -> Iterator[Any]:
    """Yield the metadata that Pydantic's ``Field`` keeps its bounds in."""
    found = getattr(each, "metadata", None)
    if isinstance(found, list):
        yield from found


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _docstring(text: str) -> tuple[str, str, dict[str, str]]:
    """Return the title, the description and what is said of each argument."""
    title, _, rest = text.partition("\n")
    arguments = _ARGS.search(rest)
    end = _END.search(rest)
    description = rest[: end.start()] if end else rest
    told: dict[str, str] = {}
    if arguments is not None:
        following = _SECTION.search(rest, arguments.end())
        section = inspect.cleandoc(rest[arguments.end() : following.start() if following else None])
        name = ""
        for line in section.splitlines():
            entry = _ENTRY.match(line)
            if entry is not None:
                name = entry[1]
                told[name] = line[entry.end() :].strip()
            elif name and line.startswith(" "):
                told[name] = f"{told[name]} {line.strip()}".strip()
    return title.strip().rstrip("."), description.strip(), told
