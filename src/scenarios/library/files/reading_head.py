"""The head of a file read: each key checked by itself, all errors collected.

An error in the clock must not hide one in a parameter, and a file whose head is wrong is still listed: so
each key has a reader that adds its errors and gives a usable value in every case.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from scenarios.errors import LibraryError
from scenarios.library.files.error_list import ErrorList, Place, suggest
from scenarios.library.files.head import _TYPES, HANDLE, NAME, Anchor, Head, Include, Parameter
from scenarios.library.files.times import Offset, parse_time
from scenarios.library.files.tree import Branch, Leaf, Node, Series, kind_of
from scenarios.values.clock import DEFAULT_ANCHOR

_PARAMETER_KEYS = ("type", "default", "min", "max", "choices", "description")
_OPTIONS = ("self", "db", "as_name", "now", "connection")
"""Names that a parameter cannot have, since loading takes parameters as arguments."""
_NESTED = ("a choice is one value", "write each as a text, a number, true or false")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class _HeadReader:
    def __init__(self, tree: Branch, errors: ErrorList) -> None:
        self.tree = tree
        self.errors = errors

    def text(self, key: str, default: str = "") -> str:
        node = self.tree.items.get(key)
        if node is None:
            return default
        if isinstance(node, Leaf) and isinstance(node.value, str):
            return node.value.strip()
        if (
            key == "seed"
            and isinstance(node, Leaf)
            and isinstance(node.value, int)
            and not isinstance(node.value, bool)
        ):
            return str(node.value)
        self.errors.add(node.place, key, f"this has to be a text, not {kind_of(node)}", "write it in quotes")
        return default

    def texts(self, node: Node | None, path: str) -> tuple[tuple[str, Place], ...]:
        if node is None:
            return ()
        if not isinstance(node, Series):
            self.errors.add(
                node.place, path, f"this has to be a list, not {kind_of(node)}", "write [one, two]"
            )
            return ()
        found = []
        for at, item in enumerate(node.items):
            if isinstance(item, Leaf) and isinstance(item.value, str):
                found.append((item.value, item.place))
            else:
                self.errors.add(item.place, f"{path}.{at}", f"this has to be a text, not {kind_of(item)}")
        return tuple(found)

    def name(self) -> str:
        node = self.tree.items.get("scenario")
        if node is None:
            where = self.tree.key_place("name") if "name" in self.tree.items else self.tree.place
            self.errors.add(where, "", "the scenario has no name", "add the line scenario: its_name")
            return ""
        value = node.value if isinstance(node, Leaf) else None
        if not isinstance(value, str) or not NAME.match(value):
            self.errors.add(
                node.place,
                "scenario",
                f"{kind_of(node)} is not a scenario's name",
                "use lower-case letters, digits and _, beginning with a letter, at most 80",
            )
            return ""
        return value

    def version(self) -> int:
        node = self.tree.items.get("version")
        if node is None:
            return 1
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
            self.errors.add(node.place, "version", f"a version is a whole number from 1, not {kind_of(node)}")
            return 1
        return value

    def anchor(self) -> Anchor:
        node = self.tree.items.get("clock")
        if node is None:
            return Anchor()
        found = self._anchor(node)
        try:
            found.at(None)
        except LibraryError as error:
            self.errors.add(node.place, "clock", error.what, error.hint)
            return Anchor()
        return found

    def _anchor(self, node: Node) -> Anchor:
        if isinstance(node, Leaf):
            return Anchor(self.moment(node, "clock"))
        if isinstance(node, Series):
            self.errors.add(node.place, "clock", f"a clock is a moment or a mapping, not {kind_of(node)}")
            return Anchor()
        moment: datetime | None = DEFAULT_ANCHOR
        clock = weekday = None
        for key, item in node.items.items():
            path = f"clock.{key}"
            value = item.value if isinstance(item, Leaf) else None
            if key == "anchor":
                moment = self.moment(item, path)
            elif key == "weekday":
                if isinstance(value, str) and value.lower() in _DAYS:
                    weekday = _DAYS.index(value.lower())
                else:
                    self.errors.add(
                        item.place, path, f"{kind_of(item)} is not a weekday", suggest(str(value), _DAYS)
                    )
            elif key == "time":
                try:
                    parsed = parse_time(f"+0s {value}")
                    clock = parsed.clock if isinstance(parsed, Offset) else None
                except ValueError:
                    self.errors.add(
                        item.place, path, f"{kind_of(item)} is not a time of day", "write it as 09:30"
                    )
            else:
                hint = suggest(key, ("anchor", "weekday", "time"))
                self.errors.add(node.key_place(key), path, f"a clock has no {key!r}", hint)
        return Anchor(moment, weekday, clock)

    def moment(self, node: Node, path: str) -> datetime | None:
        value = node.value if isinstance(node, Leaf) else None
        try:
            found = parse_time(value if isinstance(value, str) else "")
        except ValueError:
            found = None
        if isinstance(found, datetime):
            return found.astimezone(UTC)
        if value != "now":
            self.errors.add(
                node.place,
                path,
                f"{kind_of(node)} is not a moment",
                "write now, or 2025-03-03T09:00:00+00:00",
            )
        return None

    def parameters(self) -> dict[str, Parameter]:
        node = self.tree.items.get("parameters")
        found: dict[str, Parameter] = {}
        if node is None:
            return found
        if not isinstance(node, Branch):
            self.errors.add(node.place, "parameters", f"this has to be a mapping, not {kind_of(node)}")
            return found
        for name, item in node.items.items():
            path = f"parameters.{name}"
            if not HANDLE.match(name):
                self.errors.add(
                    node.key_place(name),
                    path,
                    f"{name!r} is not a parameter's name",
                    "use letters, digits and _",
                )
                continue
            if name in _OPTIONS:
                self.errors.add(
                    node.key_place(name), path, f"{name!r} is an option of load(), choose another name"
                )
                continue
            parameter = self.parameter(name, item, path)
            if parameter is not None:
                found[name] = parameter
        return found

    def parameter(self, name: str, node: Node, path: str) -> Parameter | None:
        if isinstance(node, Series):
            self.errors.add(node.place, path, "a parameter is its default or a mapping, not a list")
            return None
        fields = node.items if isinstance(node, Branch) else {"default": node}
        for key in fields:
            if key not in _PARAMETER_KEYS:
                where = node.key_place(key) if isinstance(node, Branch) else node.place
                self.errors.add(
                    where, f"{path}.{key}", f"a parameter has no {key!r}", suggest(key, _PARAMETER_KEYS)
                )
        if "default" not in fields:
            self.errors.add(node.place, path, "the parameter has no default", "add default: VALUE")
            return None
        values: dict[str, Any] = {
            key: item.value if isinstance(item, Leaf) else None for key, item in fields.items()
        }
        default = values["default"]
        guess = {bool: "boolean", int: "integer", float: "number"}.get(type(default), "text")
        kind = values.get("type", guess)
        if kind not in _TYPES:
            self.errors.add(
                fields["type"].place,
                f"{path}.type",
                f"{kind_of(fields['type'])} is not a type",
                suggest(str(kind), _TYPES),
            )
            return None
        for bound in ("min", "max"):
            value = values.get(bound)
            if bound in fields and (isinstance(value, bool) or not isinstance(value, int | float)):
                self.errors.add(
                    fields[bound].place,
                    f"{path}.{bound}",
                    f"a bound is a number, not {kind_of(fields[bound])}",
                )
                return None
        low, high = values.get("min"), values.get("max")
        if low is not None and high is not None and low > high:
            self.errors.add(
                fields["min"].place, f"{path}.min", f"the least value {low} is above the greatest, {high}"
            )
            return None
        choices: tuple[Any, ...] = ()
        if "choices" in fields:
            listing = fields["choices"]
            if not isinstance(listing, Series) or not listing.items:
                self.errors.add(
                    listing.place, f"{path}.choices", f"choices are a list, not {kind_of(listing)}"
                )
                return None
            bounds = Parameter(name, str(kind), default, node.place, low, high)
            for number, item in enumerate(listing.items):
                wrong = bounds.problem(item.value) if isinstance(item, Leaf) else _NESTED
                if wrong:
                    self.errors.add(item.place, f"{path}.choices.{number}", *wrong)
                    return None
            choices = tuple(item.value for item in listing.items if isinstance(item, Leaf))
        found = Parameter(
            name,
            str(kind),
            default,
            node.place,
            low,
            high,
            choices,
            str(values.get("description") or "").strip(),
        )
        problem = found.problem(default)
        if problem:
            self.errors.add(fields["default"].place, f"{path}.default", *problem)
            return None
        return found

    def extends(self) -> str | None:
        node = self.tree.items.get("extends")
        if node is None:
            return None
        if isinstance(node, Leaf) and isinstance(node.value, str) and node.value:
            return node.value
        self.errors.add(node.place, "extends", f"this has to be a scenario's name, not {kind_of(node)}")
        return None

    def includes(self) -> tuple[Include, ...]:
        node = self.tree.items.get("include")
        if node is None:
            return ()
        if not isinstance(node, Series):
            self.errors.add(
                node.place, "include", f"this has to be a list, not {kind_of(node)}", "begin each with a dash"
            )
            return ()
        found = []
        for at, item in enumerate(node.items):
            include = self.include(item, f"include.{at}")
            if include is not None:
                found.append(include)
        return tuple(found)

    def include(self, node: Node, path: str) -> Include | None:
        if isinstance(node, Leaf) and isinstance(node.value, str):
            return Include(node.value, node.place)
        if not isinstance(node, Branch):
            self.errors.add(
                node.place, path, f"an include is a scenario's name or a mapping, not {kind_of(node)}"
            )
            return None
        known = ("scenario", "only", "rename", "parameters")
        for key in node.items:
            if key not in known:
                self.errors.add(
                    node.key_place(key), f"{path}.{key}", f"an include has no {key!r}", suggest(key, known)
                )
        target = node.items.get("scenario")
        if not isinstance(target, Leaf) or not isinstance(target.value, str):
            self.errors.add(node.place, path, "the include names no scenario", "add scenario: NAME")
            return None
        pairs: dict[str, dict[str, Any]] = {"rename": {}, "parameters": {}}
        for key, into in pairs.items():
            item = node.items.get(key)
            if item is None:
                continue
            if not isinstance(item, Branch) or not all(
                isinstance(value, Leaf) for value in item.items.values()
            ):
                self.errors.add(
                    item.place, f"{path}.{key}", f"this has to be a mapping of words, not {kind_of(item)}"
                )
                continue
            into.update({name: value.value for name, value in item.items.items() if isinstance(value, Leaf)})
        for old, new in pairs["rename"].items():
            if not isinstance(new, str) or not HANDLE.match(new):
                self.errors.add(
                    node.place,
                    f"{path}.rename.{old}",
                    f"{new!r} is not a handle",
                    "use letters, digits and _",
                )
                return None
        only = tuple(word for word, _ in self.texts(node.items.get("only"), f"{path}.only"))
        return Include(target.value, node.place, only, pairs["rename"], pairs["parameters"])


def read_head(tree: Branch, errors: ErrorList) -> Head:
    """Return the head of the scenario file *tree*; what is wrong with it is added to *errors*."""
    reader = _HeadReader(tree, errors)
    return Head(
        name=reader.name(),
        place=tree.place,
        system=reader.text("system"),
        version=reader.version(),
        title=reader.text("title"),
        description=reader.text("description"),
        tags=tuple(tag for tag, _ in reader.texts(tree.items.get("tags"), "tags")),
        owner=reader.text("owner"),
        anchor=reader.anchor(),
        seed=reader.text("seed"),
        parameters=reader.parameters(),
        extends=reader.extends(),
        include=reader.includes(),
        remove=reader.texts(tree.items.get("remove"), "remove"),
        breaks=tuple(rule for rule, _ in reader.texts(tree.items.get("breaks"), "breaks")),
    )
