"""What names in a Python file stand for, read from its text and never run.

A catalogue that imported the scenarios it lists would pay for every model they use, and would be empty after
the first import that fails. So a default, a bound or a vocabulary is followed to the line that says it, into
other modules where it has to be: their files are found and read, not imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_STEPS = 12
"""How often a name may stand for another name before it is given up."""
_ARITHMETIC: Mapping[type, Any] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
}


class Unreadable(Exception):
    """What a node stands for cannot be known without running the file.

    Attributes:
        node: where, in the file that was asked about.
        why: the reason, as a clause.
    """

    def __init__(self, node: ast.expr, why: str) -> None:
        super().__init__(why)
        self.node = node
        self.why = why


@dataclass(eq=False)
class Source:
    """A Python file as text.

    Attributes:
        tree: its syntax tree.
        names: what its top level binds, by name; the last binding wins, as when it is run.
    """

    path: Path
    tree: ast.Module
    names: dict[str, tuple[ast.stmt, ast.alias | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for statement in _top_level(self.tree.body):
            for name, alias in _bound(statement):
                self.names[name] = (statement, alias)

    def value(self, node: ast.expr) -> Any:
        """Return the constant that *node* is; a member of an enumeration is its value.

        Raises:
            Unreadable: it is none, or only running the file would tell.
        """
        try:
            return _value(self, node, _STEPS)
        except Unreadable as error:
            raise Unreadable(node, error.why) from None

    def meaning(self, node: ast.expr) -> tuple[Source, ast.expr | ast.ClassDef] | None:
        """Return what the annotation *node* stands for: an expression or a class, with the file it is in.

        An expression is a name that is bound nowhere (``int``) or anything that is not a name. None for a
        name whose module cannot be read.
        """
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.copy_location(ast.parse(node.value, mode="eval").body, node)
            except SyntaxError:
                return None
        return _meaning(self, node, _STEPS)

    def word(self, node: ast.expr) -> str:
        """Return the last word of the name *node*, as the module it comes from calls it, or nothing."""
        _, alias = self.names.get(dotted(node), (None, None))
        return (alias.name if alias is not None else dotted(node)).rpartition(".")[2]


def read(path: Path) -> Source:
    """Return the file *path*.

    Raises:
        OSError: it cannot be read.
        SyntaxError: it is not Python.
        ValueError: its text cannot be decoded, or holds a NUL.
    """
    return Source(path, ast.parse(path.read_bytes(), str(path)))


def members(kind: ast.ClassDef, source: Source) -> dict[str, Any] | None:
    """Return the values of an enumeration's members by name, None where *kind* is no enumeration."""
    if not _is_enumeration(kind, source, _STEPS):
        return None
    found: dict[str, Any] = {}
    for statement in kind.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name = statement.targets[0].id
        if name.startswith("_"):
            continue
        value = statement.value
        if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] == "auto":
            found[name] = name.lower()  # as StrEnum has it
        else:
            found[name] = source.value(value)
    return found


def _is_enumeration(kind: ast.ClassDef, source: Source, steps: int) -> bool:
    for base in kind.bases:
        if dotted(base).rpartition(".")[2] in ("Enum", "StrEnum", "IntEnum"):
            return True
        above = _meaning(source, base, steps)
        if above is not None and isinstance(above[1], ast.ClassDef) and steps:
            return _is_enumeration(above[1], above[0], steps - 1)
    return False


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            yield from _top_level(statement.body)
            yield from _top_level(statement.orelse)


def _bound(statement: ast.stmt) -> Iterator[tuple[str, ast.alias | None]]:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement.name, None
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0], alias
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, None
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, None


def dotted(node: ast.expr) -> str:
    """Return the name that *node* is, with its dots; empty where it is something else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


# -- constants -----------------------------------------------------------------------------------------


def _value(source: Source, node: ast.expr, steps: int) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_value(source, item, steps) for item in node.elts]
    if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        pairs = zip(node.keys, node.values, strict=True)
        return {_value(source, key, steps): _value(source, item, steps) for key, item in pairs if key}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(source, node.operand, steps)
        if isinstance(value, int | float):
            return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = _value(source, node.left, steps), _value(source, node.right, steps)
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if numbers or (isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str)):
            return _ARITHMETIC[type(node.op)](left, right)
    if isinstance(node, ast.Attribute) and node.attr == "value":
        return _value(source, node.value, steps)  # of a member, which stands for its value already
    if isinstance(node, ast.Attribute):
        owner = _meaning(source, node.value, steps)
        if owner is not None and isinstance(owner[1], ast.ClassDef):
            known = members(owner[1], owner[0])
            if known is not None and node.attr in known:
                return known[node.attr]
    if isinstance(node, ast.Name | ast.Attribute) and steps:
        found = _meaning(source, node, steps - 1)
        if found is not None and isinstance(found[1], ast.expr) and found[1] is not node:
            return _value(found[0], found[1], steps - 1)
    raise Unreadable(node, f"{ast.unparse(node)[:60]} cannot be read without running the file")


# -- names ---------------------------------------------------------------------------------------------


def _meaning(source: Source, node: ast.expr, steps: int) -> tuple[Source, ast.expr | ast.ClassDef] | None:
    words = dotted(node)
    if not words or words.startswith(".") or not steps:
        return (source, node) if not isinstance(node, ast.Name | ast.Attribute) else None
    name, _, rest = words.partition(".")
    bound = source.names.get(name)
    if bound is None:
        return (source, node) if not rest else None
    statement, alias = bound
    if alias is not None:
        return _imported(statement, alias, rest, steps - 1)
    if rest:
        return None
    if isinstance(statement, ast.ClassDef):
        return source, statement
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        return _meaning(source, statement.value, steps - 1)
    return None


def _imported(
    statement: ast.stmt, alias: ast.alias, rest: str, steps: int
) -> tuple[Source, ast.expr | ast.ClassDef] | None:
    if isinstance(statement, ast.ImportFrom):
        if statement.level or statement.module is None:
            return None
        names = [statement.module, *alias.name.split("."), *(rest.split(".") if rest else ())]
        modules = [statement.module, f"{statement.module}.{alias.name}"]
    else:
        whole = alias.name if alias.asname else alias.name.partition(".")[0]
        names = [whole, *(rest.split(".") if rest else ())]
        modules = [".".join(names[:count]) for count in range(1, len(names))]
    words = ".".join(names).split(".")
    for module in reversed(modules):
        inner = words[module.count(".") + 1 :]
        found = _module(module) if inner else None
        if found is not None:
            expression: ast.expr = ast.Name(inner[0])
            for word in inner[1:]:
                expression = ast.Attribute(expression, word)
            meaning = _meaning(found, expression, steps)
            if meaning is not None and meaning[1] is not expression:
                return meaning
    return None


@lru_cache(maxsize=128)
def _module(name: str) -> Source | None:
    """Return the text of the module *name*, found without importing it or what it stands in."""
    first, *rest = name.split(".")
    loaded = sys.modules.get(first)
    try:
        spec = getattr(loaded, "__spec__", None) or find_spec(first)
        for count in range(len(rest)):
            if spec is None or spec.submodule_search_locations is None:
                return None
            spec = PathFinder.find_spec(
                ".".join([first, *rest[: count + 1]]), list(spec.submodule_search_locations)
            )
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return None
        return read(Path(spec.origin))
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
