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

from scenarios.library.faults import Faults, Place, suggest
from scenarios.library.times import Offset, parse_time
from scenarios.library.tree import Branch, Leaf, Node, Series, kind_of, shortened
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

NAME = re.compile(r"[a-z][a-z0-9_]{0,79}\Z")
HANDLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}\Z")
"""What a handle looks like; a nested row's full handle joins handles with dots."""

_PARAMETER_KEYS = ("type", "default", "min", "max", "choices", "description")
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

    def problem(self, value: Any) -> tuple[str, str] | None:
        """Return what is wrong with *value* and what would be right, or None."""
        fits = isinstance(value, _TYPES[self.type]) and (
            self.type == "boolean" or not isinstance(value, bool)
        )
        if not fits:
            return f"{shortened(str(value))} is not of type {self.type}", f"{self.name} is {self.describe()}"
        if self.choices and value not in self.choices:
            words = [str(choice) for choice in self.choices]
            return f"{shortened(str(value))} is not one of its choices", suggest(str(value), words) or ""
        low, high = self.low, self.high
        measure: Any = len(str(value)) if self.type == "text" else value
        if (low is not None and measure < low) or (high is not None and measure > high):
            return f"{shortened(str(value))} is out of bounds", f"{self.name} is {self.describe()}"
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
        """Return the anchor of a loading; *now* takes the place of the file's moment."""
        if now is None and self.moment is not None:
            return self.moment
        present = (now or datetime.now(UTC)).astimezone(UTC)
        anchor = present if now is not None else present.replace(second=0, microsecond=0)
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


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class _HeadReader:
    def __init__(self, tree: Branch, faults: Faults) -> None:
        self.tree = tree
        self.faults = faults

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
        self.faults.add(node.place, key, f"this has to be a text, not {kind_of(node)}", "write it in quotes")
        return default

    def texts(self, node: Node | None, path: str) -> tuple[tuple[str, Place], ...]:
        if node is None:
            return ()
        if not isinstance(node, Series):
            self.faults.add(
                node.place, path, f"this has to be a list, not {kind_of(node)}", "write [one, two]"
            )
            return ()
        found = []
        for at, item in enumerate(node.items):
            if isinstance(item, Leaf) and isinstance(item.value, str):
                found.append((item.value, item.place))
            else:
                self.faults.add(item.place, f"{path}.{at}", f"this has to be a text, not {kind_of(item)}")
        return tuple(found)

    def name(self) -> str:
        node = self.tree.items.get("scenario")
        if node is None:
            where = self.tree.key_place("name") if "name" in self.tree.items else self.tree.place
            self.faults.add(where, "", "the scenario has no name", "add the line scenario: its_name")
            return ""
        value = node.value if isinstance(node, Leaf) else None
        if not isinstance(value, str) or not NAME.match(value):
            self.faults.add(
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
            self.faults.add(node.place, "version", f"a version is a whole number from 1, not {kind_of(node)}")
            return 1
        return value

    def anchor(self) -> Anchor:
        node = self.tree.items.get("clock")
        if node is None:
            return Anchor()
        if isinstance(node, Leaf):
            return Anchor(self.moment(node, "clock"))
        if isinstance(node, Series):
            self.faults.add(node.place, "clock", f"a clock is a moment or a mapping, not {kind_of(node)}")
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
                    self.faults.add(
                        item.place, path, f"{kind_of(item)} is not a weekday", suggest(str(value), _DAYS)
                    )
            elif key == "time":
                try:
                    parsed = parse_time(f"+0s {value}")
                    clock = parsed.clock if isinstance(parsed, Offset) else None
                except ValueError:
                    self.faults.add(
                        item.place, path, f"{kind_of(item)} is not a time of day", "write it as 09:30"
                    )
            else:
                hint = suggest(key, ("anchor", "weekday", "time"))
                self.faults.add(node.key_place(key), path, f"a clock has no {key!r}", hint)
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
            self.faults.add(
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
            self.faults.add(node.place, "parameters", f"this has to be a mapping, not {kind_of(node)}")
            return found
        for name, item in node.items.items():
            path = f"parameters.{name}"
            if not HANDLE.match(name):
                self.faults.add(
                    node.key_place(name),
                    path,
                    f"{name!r} is not a parameter's name",
                    "use letters, digits and _",
                )
                continue
            parameter = self.parameter(name, item, path)
            if parameter is not None:
                found[name] = parameter
        return found

    def parameter(self, name: str, node: Node, path: str) -> Parameter | None:
        if isinstance(node, Series):
            self.faults.add(node.place, path, "a parameter is its default or a mapping, not a list")
            return None
        fields = node.items if isinstance(node, Branch) else {"default": node}
        for key in fields:
            if key not in _PARAMETER_KEYS:
                where = node.key_place(key) if isinstance(node, Branch) else node.place
                self.faults.add(
                    where, f"{path}.{key}", f"a parameter has no {key!r}", suggest(key, _PARAMETER_KEYS)
                )
        if "default" not in fields:
            self.faults.add(node.place, path, "the parameter has no default", "add default: VALUE")
            return None
        values: dict[str, Any] = {
            key: item.value if isinstance(item, Leaf) else None for key, item in fields.items()
        }
        default = values["default"]
        guess = {bool: "boolean", int: "integer", float: "number"}.get(type(default), "text")
        kind = values.get("type", guess)
        if kind not in _TYPES:
            self.faults.add(
                fields["type"].place,
                f"{path}.type",
                f"{kind_of(fields['type'])} is not a type",
                suggest(str(kind), _TYPES),
            )
            return None
        for bound in ("min", "max"):
            value = values.get(bound)
            if bound in fields and (isinstance(value, bool) or not isinstance(value, int | float)):
                self.faults.add(
                    fields[bound].place,
                    f"{path}.{bound}",
                    f"a bound is a number, not {kind_of(fields[bound])}",
                )
                return None
        low, high = values.get("min"), values.get("max")
        if low is not None and high is not None and low > high:
            self.faults.add(
                fields["min"].place, f"{path}.min", f"the least value {low} is above the greatest, {high}"
            )
            return None
        choices: tuple[Any, ...] = ()
        if "choices" in fields:
            listing = fields["choices"]
            if not isinstance(listing, Series) or not listing.items:
                self.faults.add(
                    listing.place, f"{path}.choices", f"choices are a list, not {kind_of(listing)}"
                )
                return None
            choices = tuple(item.value if isinstance(item, Leaf) else None for item in listing.items)
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
            self.faults.add(fields["default"].place, f"{path}.default", *problem)
            return None
        return found

    def extends(self) -> str | None:
        node = self.tree.items.get("extends")
        if node is None:
            return None
        if isinstance(node, Leaf) and isinstance(node.value, str) and node.value:
            return node.value
        self.faults.add(node.place, "extends", f"this has to be a scenario's name, not {kind_of(node)}")
        return None

    def includes(self) -> tuple[Include, ...]:
        node = self.tree.items.get("include")
        if node is None:
            return ()
        if not isinstance(node, Series):
            self.faults.add(
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
            self.faults.add(
                node.place, path, f"an include is a scenario's name or a mapping, not {kind_of(node)}"
            )
            return None
        known = ("scenario", "only", "rename", "parameters")
        for key in node.items:
            if key not in known:
                self.faults.add(
                    node.key_place(key), f"{path}.{key}", f"an include has no {key!r}", suggest(key, known)
                )
        target = node.items.get("scenario")
        if not isinstance(target, Leaf) or not isinstance(target.value, str):
            self.faults.add(node.place, path, "the include names no scenario", "add scenario: NAME")
            return None
        pairs: dict[str, dict[str, Any]] = {"rename": {}, "parameters": {}}
        for key, into in pairs.items():
            item = node.items.get(key)
            if item is None:
                continue
            if not isinstance(item, Branch) or not all(
                isinstance(value, Leaf) for value in item.items.values()
            ):
                self.faults.add(
                    item.place, f"{path}.{key}", f"this has to be a mapping of words, not {kind_of(item)}"
                )
                continue
            into.update({name: value.value for name, value in item.items.items() if isinstance(value, Leaf)})
        for old, new in pairs["rename"].items():
            if not isinstance(new, str) or not HANDLE.match(new):
                self.faults.add(
                    node.place,
                    f"{path}.rename.{old}",
                    f"{new!r} is not a handle",
                    "use letters, digits and _",
                )
                return None
        only = tuple(word for word, _ in self.texts(node.items.get("only"), f"{path}.only"))
        return Include(target.value, node.place, only, pairs["rename"], pairs["parameters"])


def read_head(tree: Branch, faults: Faults) -> Head:
    """Return the head of the scenario file *tree*; what is wrong with it is added to *faults*."""
    reader = _HeadReader(tree, faults)
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
