"""The head of a scenario written in Python: its decorator, its signature and its docstring, as a file's head.

A function with parameters has to be listed, shown, checked and loaded exactly like a file with parameters.
So what Python says by its own means (keyword arguments with annotations and defaults, ``Literal``, bounds in
``Annotated``, the docstring's ``Args``) becomes the tree that the head of a file is, each word with its line,
and is read by the same reader. Nothing is imported: what the text does not say is a fault.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.library.files.faults import Faults, Place, shown, suggest
from scenarios.library.files.tree import Branch, Leaf, Node, from_plain
from scenarios.library.files.unrun import Source, Unreadable, dotted, members, read

ARGUMENTS = {
    "name": "scenario",
    "system": "system",
    "version": "version",
    "title": "title",
    "description": "description",
    "tags": "tags",
    "owner": "owner",
    "clock": "clock",
    "seed": "seed",
    "breaks": "breaks",
}
"""The arguments of ``@scenario`` and the keys of a file's head that they are."""

_TYPES = {"int": "integer", "float": "number", "str": "text", "bool": "boolean"}
_HELP = "annotate it as int, float, str, bool, Literal[...] or an enumeration"
_BOUNDS: Mapping[str, tuple[str, ...]] = {
    "Ge": ("min",),
    "Le": ("max",),
    "Gt": ("above",),
    "Lt": ("below",),
    "MinLen": ("min",),
    "MaxLen": ("max",),
    "Len": ("min", "max"),
    "Interval": (),
    "Field": (),
    "Doc": ("description",),
}
"""What metadata of an annotation says by its place; names are those of annotated-types and Pydantic."""
_NAMED = {
    "ge": "min",
    "le": "max",
    "gt": "above",
    "lt": "below",
    "min_length": "min",
    "max_length": "max",
    "description": "description",
    "documentation": "description",
}
_REFUSED = ("MultipleOf", "Predicate", "Timezone", "Unit")
_ARGS = re.compile(r"^(Args|Arguments|Parameters):[ \t]*$", re.MULTILINE)
_END = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields):[ \t]*$", re.MULTILINE)
_SECTION = re.compile(r"^[A-Z]\w*:[ \t]*$", re.MULTILINE)
_ENTRY = re.compile(r"^(\w+)(?:\s*\([^)]*\))?:[ \t]*")


@dataclass(frozen=True, slots=True)
class Marked:
    """A function marked ``@scenario``.

    Attributes:
        name: the scenario's name.
        function: the function's name; empty for a file that cannot be read.
        path: the file.
        head: what would stand in a file's head.
        faults: what cannot be read as one.
        place: the line of the function.
    """

    name: str
    function: str
    path: Path
    head: Branch
    faults: Faults
    place: Place


def marked(path: Path) -> list[Marked]:
    """Return the functions marked ``@scenario`` in the file *path*, in their order, without running it."""
    file = shown(path)
    try:
        if b"@" not in path.read_bytes():
            return []
        source = read(path)
    except SyntaxError as error:
        text = path.read_text("utf-8", "replace")
        if "@scenario" not in text and ".scenario" not in text:
            return []
        place = Place(file, error.lineno or 1, error.offset or 1)
        return [_unreadable(path, place, f"this is not Python: {error.msg}")]
    except (OSError, ValueError) as error:
        return [_unreadable(path, Place(file, 1, 1), f"cannot be read: {error}")]
    found = []
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorator = next((each for each in node.decorator_list if _is_mark(each)), None)
            if decorator is not None:
                found.append(_Reader(source, node, decorator).marked())
    return found


def _is_mark(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return dotted(target).rpartition(".")[2] == "scenario" and "pytest" not in dotted(target)


def _unreadable(path: Path, place: Place, what: str) -> Marked:
    faults = Faults()
    faults.add(place, "", what)
    head = Branch({"scenario": Leaf(path.stem, place, plain=False)}, place)
    return Marked(path.stem, "", path, head, faults, place)


class _Reader:
    def __init__(
        self, source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr
    ) -> None:
        self.source = source
        self.node = node
        self.decorator = decorator
        self.file = shown(source.path)
        self.faults = Faults()

    def place(self, node: ast.stmt | ast.expr | ast.arg | ast.keyword) -> Place:
        return Place(self.file, node.lineno, node.col_offset + 1)

    def marked(self) -> Marked:
        place = self.place(self.node)
        title, description, told = _docstring(ast.get_docstring(self.node) or "")
        head = Branch({"scenario": Leaf(self.node.name, place, plain=False)}, place)
        for key, text in (("title", title), ("description", description)):
            if text:
                head.items[key] = Leaf(text, place, plain=False)
        self.decorated(head)
        if isinstance(self.node, ast.AsyncFunctionDef):
            self.faults.add(place, "", "a scenario is an ordinary function, this one is async", "write def")
        parameters = self.parameters(told)
        if parameters.items:
            head.items["parameters"] = parameters
        name = head.items["scenario"]
        word = name.value if isinstance(name, Leaf) and isinstance(name.value, str) else self.node.name
        return Marked(word, self.node.name, self.source.path, head, self.faults, place)

    # -- the decorator ---------------------------------------------------------------------------------

    def decorated(self, head: Branch) -> None:
        call = self.decorator
        if not isinstance(call, ast.Call):
            return
        for argument in call.args:
            self.faults.add(
                self.place(argument),
                "",
                "scenario() takes named arguments only",
                "write name=... for a name that is not the function's",
            )
        for keyword in call.keywords:
            place = self.place(keyword)
            key = ARGUMENTS.get(keyword.arg or "")
            if key is None:
                what = f"scenario() has no argument {keyword.arg!r}" if keyword.arg else "** cannot be read"
                self.faults.add(place, "", what, suggest(keyword.arg or "", ARGUMENTS))
                continue
            try:
                value = self.source.value(keyword.value)
            except Unreadable as error:
                self.faults.add(self.place(error.node), key, error.why, "write the value itself")
                continue
            head.items[key] = from_plain(value, self.place(keyword.value))
            head.keys[key] = place

    # -- the signature ---------------------------------------------------------------------------------

    def parameters(self, told: Mapping[str, str]) -> Branch:
        arguments = self.node.args
        found = Branch({}, self.place(self.node))
        for extra, stars in ((arguments.vararg, "*"), (arguments.kwarg, "**")):
            if extra is not None:
                self.faults.add(
                    self.place(extra),
                    "parameters",
                    f"{stars}{extra.arg} cannot be a parameter",
                    "name each parameter, with a default",
                )
        for only in arguments.posonlyargs:
            self.faults.add(
                self.place(only), f"parameters.{only.arg}", "a parameter is given by name", "remove the /"
            )
        given = {argument.arg for argument, _ in self.arguments()}
        for name in told.keys() - given:
            self.faults.add(
                self.place(self.node.body[0]),
                f"parameters.{name}",
                f"the docstring describes {name!r}, which is no argument",
                suggest(name, given),
            )
        for argument, default in self.arguments():
            node = self.parameter(argument, default, told.get(argument.arg, ""))
            if node is not None:
                found.items[argument.arg] = node
                found.keys[argument.arg] = self.place(argument)
        return found

    def arguments(self) -> Iterator[tuple[ast.arg, ast.expr | None]]:
        arguments = self.node.args
        defaults: list[ast.expr | None] = [None] * (len(arguments.args) - len(arguments.defaults))
        # Defaults of positional-only ones come first and belong to those.
        own = arguments.defaults[-len(arguments.args) :] if arguments.args else []
        yield from zip(arguments.args, [*defaults, *own], strict=True)
        yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)

    def parameter(self, argument: ast.arg, default: ast.expr | None, told: str) -> Branch | None:
        path = f"parameters.{argument.arg}"
        if default is None:
            self.faults.add(
                self.place(argument), path, "the parameter has no default", f"write {argument.arg}: int = 4"
            )
            return None
        fields: dict[str, Node] = {}
        try:
            value = self.source.value(default)
        except Unreadable as error:
            self.faults.add(self.place(default), f"{path}.default", error.why, "write the value itself")
            return None
        fields["default"] = from_plain(value, self.place(default))
        if argument.annotation is not None:
            try:
                self.annotated(self.source, argument.annotation, fields, path)
            except Unreadable as error:
                self.faults.add(self.place(argument.annotation), path, error.why, _HELP)
                return None
        if told and "description" not in fields:
            fields["description"] = Leaf(told, self.place(argument), plain=False)
        return Branch(fields, self.place(argument), {key: node.place for key, node in fields.items()})

    def annotated(self, source: Source, node: ast.expr, fields: dict[str, Node], path: str) -> None:
        """Add the type, the bounds, the choices and the description that an annotation says."""
        place = fields["default"].place if source is not self.source else self.place(node)
        found = source.meaning(node)
        if found is None:
            raise Unreadable(node, f"{ast.unparse(node)[:60]} cannot be read without running the file")
        where, what = found
        if isinstance(what, ast.ClassDef):
            values = members(what, where)
            if not values:
                raise Unreadable(node, f"{what.name} is not a type of a parameter")
            self.choices(node, list(values.values()), fields, place)
            return
        if isinstance(what, ast.Name) and what.id in _TYPES:
            fields["type"] = Leaf(_TYPES[what.id], place, plain=False)
            return
        word = where.word(what.value) if isinstance(what, ast.Subscript) else ""
        if isinstance(what, ast.Subscript) and word == "Literal":
            items = what.slice.elts if isinstance(what.slice, ast.Tuple) else [what.slice]
            self.choices(node, [where.value(item) for item in items], fields, place)
            return
        if isinstance(what, ast.Subscript) and word == "Annotated" and isinstance(what.slice, ast.Tuple):
            kind, *metadata = what.slice.elts
            self.annotated(where, kind, fields, path)
            for each in metadata:
                self.metadata(where, each, fields, place, path)
            return
        raise Unreadable(node, f"{ast.unparse(node)[:60]} is not a type of a parameter")

    def choices(self, node: ast.expr, values: list[Any], fields: dict[str, Node], place: Place) -> None:
        kinds = {type(value) for value in values}
        if not kinds <= {int, str, float} or (str in kinds and len(kinds) > 1):
            raise Unreadable(node, "choices are texts, or numbers")
        kind = "text" if kinds == {str} else "integer" if kinds == {int} else "number"
        fields["type"] = Leaf(kind, place, plain=False)
        fields["choices"] = from_plain(values, place)

    def metadata(
        self, source: Source, node: ast.expr, fields: dict[str, Node], place: Place, path: str
    ) -> None:
        """Add what one piece of an annotation's metadata says; what is not about parameters says nothing."""
        if isinstance(node, ast.Name | ast.Attribute):
            found = source.meaning(node)
            if found is None or not isinstance(found[1], ast.expr):
                return
            source, node = found[0], found[1]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            fields["description"] = Leaf(node.value, place, plain=False)
            return
        word = source.word(node.func if isinstance(node, ast.Call) else node)
        if word in _REFUSED:
            self.faults.add(place, path, f"{word} cannot be said of a parameter", "use Ge, Le, Gt, Lt or Len")
            return
        if not isinstance(node, ast.Call) or word not in _BOUNDS:
            return
        said = list(zip(_BOUNDS[word], node.args, strict=False))
        said += [(_NAMED[each.arg], each.value) for each in node.keywords if each.arg in _NAMED]
        for key, value in said:
            self.bound(key, source.value(value), fields, place, path)

    def bound(self, key: str, value: Any, fields: dict[str, Node], place: Place, path: str) -> None:
        if value is None:
            return
        if key in ("above", "below"):
            kind = fields.get("type")
            if not isinstance(kind, Leaf) or kind.value != "integer" or not isinstance(value, int):
                self.faults.add(place, path, "a bound that is excluded is for whole numbers", "use Ge and Le")
                return
            key, value = ("min", value + 1) if key == "above" else ("max", value - 1)
        fields[key] = Leaf(value, place, plain=False)


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
