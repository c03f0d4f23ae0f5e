"""``${...}`` in texts and ``when:`` conditions: how parameters and handles get into a scenario.

Without parameters a team writes the same scenario five times; without handles in texts and JSON an action's
parameters hold the id of a row that was never loaded. The language stops there: no loops, no arithmetic.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from scenarios.library.files.column_parsers import Reference, Template
from scenarios.library.files.error_list import ErrorList, suggest
from scenarios.library.files.tree import Branch, Leaf, Node, Series, resolve

_HOLE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*\Z")
_WHEN = re.compile(
    r"\s*(?P<no>not\s+)?(?P<name>[A-Za-z]\w*)\s*((?P<op>==|!=|>=|<=|>|<)\s*(?P<value>.+?)\s*)?\Z", re.DOTALL
)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def escape(text: str) -> str:
    """Return *text* such that reading it from a file gives it back."""
    return text.replace("${", "$${") if "${" in text else text


def word(value: Any) -> str:
    """Return a parameter's value as it stands inside a text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


class Filler:
    """Puts parameters into a tree and marks the handles in its texts.

    Args:
        parameters: their values.
        errors: collects what is wrong.
    """

    def __init__(self, parameters: Mapping[str, Any], errors: ErrorList) -> None:
        self.parameters = parameters
        self.errors = errors

    def fill(self, node: Node, path: str = "") -> Node:
        """Return *node* with its parameters in place; parts without any are returned as they are."""
        if isinstance(node, Leaf):
            value = node.value
            if isinstance(value, str) and "${" in value:
                return Leaf(self.text(value, node, path), node.place, node.plain)
            return node
        if isinstance(node, Series):
            items = [self.fill(item, f"{path}.{at}") for at, item in enumerate(node.items)]
            if all(new is old for new, old in zip(items, node.items, strict=True)):
                return node
            return Series(items, node.place)
        filled = {key: self.fill(item, f"{path}.{key}" if path else key) for key, item in node.items.items()}
        if all(filled[key] is item for key, item in node.items.items()):
            return node
        return Branch(filled, node.place, node.keys, node.origin)

    def text(self, text: str, node: Leaf, path: str) -> Any:
        """Return what *text* means: a value, a text, or a `Template` where it has handles."""
        parts: list[str | Reference] = []
        spot = 0
        for match in _HOLE.finditer(text):
            parts.append(text[spot : match.start()])
            spot = match.end()
            if match.group() == "$${":
                parts.append("${")
                continue
            name = (match.group(1) or "").strip()
            if match.group(1) is None or not _PATH.match(name):
                self.errors.add(
                    node.place,
                    path,
                    f"{match.group()!r} is neither a parameter nor a handle",
                    "write $${ for a plain ${",
                )
                continue
            if name in self.parameters:
                value = self.parameters[name]
                if match.start() == 0 and match.end() == len(text):
                    return value
                parts.append(word(value))
                continue
            if "." not in name:
                hint = suggest(name, self.parameters) or "declare it under parameters"
                self.errors.add(node.place, path, f"{name!r} is not a parameter", hint)
                continue
            parts.append(Reference(name, node, path))
        parts.append(text[spot:])
        if any(isinstance(part, Reference) for part in parts):
            return Template(tuple(part for part in parts if part != ""), node, path)
        return "".join(part for part in parts if isinstance(part, str))

    def holds(self, node: Node, path: str) -> bool:
        """Return whether the condition *node* holds."""
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, bool):
            return value
        match = _WHEN.match(value) if isinstance(value, str) else None
        if match is None:
            self.errors.add(
                node.place, path, "this is not a condition", "write a parameter, or parameter >= 5"
            )
            return False
        name = match["name"]
        if name not in self.parameters:
            hint = suggest(name, self.parameters) or "declare it under parameters"
            self.errors.add(node.place, path, f"{name!r} is not a parameter", hint)
            return False
        left = self.parameters[name]
        if match["op"] is None:
            return bool(left) is not bool(match["no"])
        right = resolve(match["value"].strip("'\""))
        try:
            return _OPERATORS[match["op"]](left, right) is not bool(match["no"])
        except TypeError:
            self.errors.add(node.place, path, f"{name} cannot be compared with {match['value']}")
            return False
