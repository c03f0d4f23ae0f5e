"""One scenario made of several: extends, include, overrides, remove.

A library in which every file repeats its neighbour's two hundred lines drifts apart within a month. A file
can continue another one (``extends``), take in the people of others (``include``, renamed where needed),
append to a list (``conversation+``) and take rows away (``remove``). The composed tree keeps each part's
own place, so errors point at the file that has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.library.files.error_list import ErrorList, Place, suggest
from scenarios.library.files.expressions import Filler, word
from scenarios.library.files.head import HEAD_KEYS, Head, Include, Parameter
from scenarios.library.files.reading_head import read_head
from scenarios.library.files.tree import Branch, Leaf, Node, Series, from_plain, kind_of, to_plain

_OWN = frozenset(
    {"scenario", "version", "title", "description", "tags", "owner", "extends", "include", "remove", "breaks"}
)
"""Head keys that a scenario does not take over from the one it extends."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A scenario with everything it is made of.

    Attributes:
        head: the composed head: its own words, with the parameters of all parts.
        tree: the rows of all parts, parameters not yet filled in.
        parts: the names of the scenarios it is made of besides itself.
    """

    head: Head
    tree: Branch
    parts: tuple[str, ...] = ()


Source = Callable[[str, Mapping[str, Any]], "Branch | None"]
"""Returns the tree of a scenario by name, None where there is none; errors are its own business.

It is given the values of parameters, as far as they are known: a scenario written in Python has a tree for
each of them. Those of a file stay open in its tree."""


def compose(
    tree: Branch,
    source: Source,
    names: Callable[[], list[str]],
    errors: ErrorList,
    values: Mapping[str, Any] | None = None,
    head: Head | None = None,
) -> Composed:
    """Return the scenario *tree* with what it extends and includes.

    Args:
        tree: the tree of its file.
        source: gives the trees of other scenarios.
        names: the names of all scenarios, for hints.
        errors: collects what is wrong.
        values: values of parameters; others have their defaults.
        head: what *tree* says of itself, where it has been read.
    """
    return _Composer(source, names, errors).compose(tree, (), values or {}, head)


class _Composer:
    def __init__(self, source: Source, names: Callable[[], list[str]], errors: ErrorList) -> None:
        self.source = source
        self.names = names
        self.errors = errors

    def compose(
        self, tree: Branch, above: tuple[str, ...], values: Mapping[str, Any], head: Head | None = None
    ) -> Composed:
        head = head or read_head(tree, self.errors)
        chain = (*above, head.name)
        values = {**{name: each.default for name, each in head.parameters.items()}, **values}
        parts: list[str] = []
        parameters: dict[str, Parameter] = {}
        rows = Branch({}, tree.place)
        keys: dict[str, Node] = {}
        if head.extends is not None:
            base = self.other(head.extends, _place(tree, "extends"), chain, "extends", values)
            if base is not None:
                parts += [head.extends, *base.parts]
                parameters.update(base.head.parameters)
                keys = {
                    key: node for key, node in base.tree.items.items() if key in HEAD_KEYS and key not in _OWN
                }
                rows = _rows(base.tree)
        for include in head.include:
            known = {**values, **include.parameters}
            found = self.other(include.scenario, include.place, chain, "include", known)
            if found is not None:
                parts += [include.scenario, *found.parts]
                taken = self.included(found, include)
                for name, parameter in found.head.parameters.items():
                    if name not in include.parameters:
                        parameters.setdefault(name, parameter)
                rows = self.merged(rows, taken, "")
        rows = self.merged(rows, _rows(tree), "")
        for path, place in head.remove:
            self.remove(rows, path, place)
        own = {key: node for key, node in tree.items.items() if key in HEAD_KEYS}
        composed = Branch({**keys, **own, **rows.items}, tree.place, {**rows.keys, **tree.keys})
        parameters.update(head.parameters)
        # The own head has been read; only what it takes over is new.
        whole = read_head(Branch({**keys, **own}, tree.place, tree.keys), ErrorList()) if keys else head
        complete = Head(
            **{**{name: getattr(whole, name) for name in Head.__slots__}, "parameters": parameters}
        )
        return Composed(complete, composed, tuple(dict.fromkeys(parts)))

    def other(
        self, name: str, place: Place, chain: tuple[str, ...], key: str, values: Mapping[str, Any]
    ) -> Composed | None:
        if name in chain:
            self.errors.add(
                place, key, f"{name!r} is made of itself: {' -> '.join((*chain, name))}", "break the circle"
            )
            return None
        if len(chain) > 20:
            self.errors.add(place, key, "more than twenty scenarios upon each other")
            return None
        before = len(self.errors.found)
        tree = self.source(name, values)
        if tree is None:
            if len(self.errors.found) > before:
                return None  # there is one, and what is wrong with it has been told
            self.errors.add(place, key, f"there is no scenario {name!r}", suggest(name, self.names()))
            return None
        return self.compose(tree, chain, values)

    def included(self, found: Composed, include: Include) -> Branch:
        tree = _rows(found.tree)
        for name, value in include.parameters.items():
            parameter = found.head.parameters.get(name)
            if parameter is None:
                hint = suggest(name, found.head.parameters)
                self.errors.add(
                    include.place, f"include.{include.scenario}", f"it has no parameter {name!r}", hint
                )
                continue
            problem = parameter.problem(value)
            if problem:
                self.errors.add(include.place, f"include.{include.scenario}.{name}", *problem)
        if include.parameters:
            tree = _fixed(tree, include.parameters)
        result = Branch({}, tree.place, dict(tree.keys))
        handles: set[str] = set()
        for key, node in tree.items.items():
            if not isinstance(node, Branch):
                if not include.only:
                    result.items[key] = node
                continue
            section = Branch({}, node.place)
            for handle, item in node.items.items():
                handles.add(handle)
                if include.only and handle not in include.only:
                    continue
                name = include.rename.get(handle, handle)
                if isinstance(item, Branch) and include.rename:
                    item = Branch(item.items, item.place, item.keys, {**item.origin, **include.rename})
                section.items[name] = item
                section.keys[name] = node.key_place(handle)
            if section.items or not include.only:
                result.items[key] = section
        for handle in (*include.only, *include.rename):
            if handle not in handles:
                self.errors.add(
                    include.place,
                    f"include.{include.scenario}",
                    f"it has no row {handle!r}",
                    suggest(handle, sorted(handles)),
                )
        return result

    def merged(self, base: Branch, own: Branch, path: str) -> Branch:
        items, keys = dict(base.items), dict(base.keys)
        for key, node in own.items.items():
            where = f"{path}.{key}" if path else key
            place = own.key_place(key)
            if key.endswith("+") and not key.endswith("++"):
                self.append(items, keys, key[:-1], node, place, where)
                continue
            key = key[:-1] if key.endswith("++") else key
            old = items.get(key)
            if isinstance(old, Branch) and isinstance(node, Branch):
                items[key] = self.merged(old, node, where)
            elif isinstance(node, Branch):
                items[key] = self.merged(Branch({}, node.place, origin=node.origin), node, where)
            else:
                items[key] = node
            keys[key] = place
        return Branch(items, own.place, keys, own.origin or base.origin)

    def append(
        self, items: dict[str, Node], keys: dict[str, Place], key: str, node: Node, place: Place, path: str
    ) -> None:
        old = items.get(key)
        if not isinstance(node, Series):
            self.errors.add(
                node.place,
                path,
                f"only a list can be appended, not {kind_of(node)}",
                f"write {key}: for a value",
            )
            return
        if old is not None and not isinstance(old, Series):
            self.errors.add(place, path, f"{key} is {kind_of(old)}, a list cannot be appended to it")
            return
        items[key] = Series([*(old.items if old is not None else []), *node.items], node.place)
        keys[key] = place

    def remove(self, rows: Branch, path: str, place: Place) -> None:
        *steps, last = path.split(".")
        node: Node = rows
        for step in steps:
            inner = node.items.get(step) if isinstance(node, Branch) else None
            if inner is None:
                known = node.items if isinstance(node, Branch) else ()
                self.errors.add(place, "remove", f"{path!r}: there is no {step!r}", suggest(step, known))
                return
            node = inner
        if not isinstance(node, Branch) or last not in node.items:
            known = node.items if isinstance(node, Branch) else ()
            self.errors.add(place, "remove", f"{path!r}: there is no {last!r}", suggest(last, known))
            return
        del node.items[last]


def escape_key(key: str) -> str:
    """Return *key* such that a file with it has *key* itself: one plus sign at its end would append."""
    return f"{key}+" if key.endswith("+") else key


def _rows(tree: Branch) -> Branch:
    items = {key: node for key, node in tree.items.items() if key not in HEAD_KEYS}
    return Branch(items, tree.place, dict(tree.keys))


def _place(tree: Branch, key: str) -> Place:
    node = tree.items.get(key)
    return node.place if node is not None else tree.place


_HOLE = re.compile(r"\$\$\{|\$\{\s*([A-Za-z]\w*)\s*\}")


def _fixed(tree: Branch, values: Mapping[str, Any]) -> Branch:
    """Return *tree* with the parameters *values* put in, everything else left as it is written."""

    def text(node: Leaf) -> Leaf:
        value = node.value
        if not isinstance(value, str) or "${" not in value:
            return node
        whole = _HOLE.fullmatch(value)
        if whole and whole.group(1) in values:
            return Leaf(values[whole.group(1)], node.place, node.plain)

        def fill(match: re.Match[str]) -> str:
            name = match.group(1)
            return word(values[name]).replace("${", "$${") if name in values else match.group()

        return Leaf(_HOLE.sub(fill, value), node.place, node.plain)

    filler = Filler(values, ErrorList())  # what is wrong with a condition is told when all of it is known

    def decided(node: Node) -> Node:
        said = node.value if isinstance(node, Leaf) and isinstance(node.value, str) else ""
        name = next((word for word in re.findall(r"[A-Za-z]\w*", said) if word != "not"), None)
        return Leaf(filler.holds(node, ""), node.place) if name in values else walk(node)

    def walk(node: Node) -> Node:
        if isinstance(node, Leaf):
            return text(node)
        if isinstance(node, Series):
            return Series([walk(item) for item in node.items], node.place)
        items = {key: decided(item) if key == "when" else walk(item) for key, item in node.items.items()}
        return Branch(items, node.place, node.keys, node.origin)

    found = walk(tree)
    assert isinstance(found, Branch)
    return found


def origins_of(tree: Branch) -> dict[str, dict[str, str]]:
    """Return under which names included rows of *tree* know each other, by path; what plain data forgets."""
    found = {}
    for key, section in tree.items.items():
        if isinstance(section, Branch):
            for handle, item in section.items.items():
                if isinstance(item, Branch) and item.origin:
                    found[f"{key}.{handle}"] = dict(item.origin)
    return found


def to_template(composed: Composed) -> dict[str, Any]:
    """Return the composed rows as JSON, complete enough to load them again without the files."""
    rows = to_plain(_rows(composed.tree))
    return {"rows": rows, "origins": origins_of(composed.tree), "order": dict(_orders(rows))}


def _stored_order(key: str) -> tuple[int, bytes]:
    """Sort keys as JSONB does, which forgets the order they were given in."""
    data = key.encode()
    return len(data), data


def _orders(data: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the keys of each mapping in *data* that JSONB would put in another order, by its path.

    The order of rows decides which identity column each gets, and what ``generate`` finds before it.
    """
    if isinstance(data, dict):
        keys = list(data)
        if keys != sorted(keys, key=_stored_order):
            yield path, keys
        for key, item in data.items():
            yield from _orders(item, f"{path}/{_escaped(key)}")
    elif isinstance(data, list):
        for place, item in enumerate(data):
            yield from _orders(item, f"{path}/{place}")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _ordered(data: Any, orders: Mapping[str, list[str]], path: str = "") -> Any:
    """Return *data* with its mappings in the order that `_orders` noted."""
    if isinstance(data, dict):
        keys = orders.get(path, list(data))
        return {key: _ordered(data[key], orders, f"{path}/{_escaped(key)}") for key in keys}
    if isinstance(data, list):
        return [_ordered(item, orders, f"{path}/{place}") for place, item in enumerate(data)]
    return data


def from_template(template: Mapping[str, Any], file: str) -> Branch:
    """Return the tree of what `to_template` made."""
    tree = from_plain(_ordered(template["rows"], template.get("order", {})), file)
    assert isinstance(tree, Branch)
    for path, origin in template.get("origins", {}).items():
        section, _, handle = path.partition(".")
        inner = tree.items.get(section)
        item = inner.items.get(handle) if isinstance(inner, Branch) else None
        if isinstance(item, Branch):
            item.origin = origin
    return tree
