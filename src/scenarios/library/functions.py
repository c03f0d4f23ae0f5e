"""Scenarios written in Python: a function that returns a builder, model objects, or what a file would say.

Some states are easier to say in code than in a file. Such a function stands in the same catalogue: its head
is read from its mark and signature (`files.signature`), its keyword arguments are the scenario's parameters,
and what it makes for their values becomes the same tree of rows as a file. So it is composed, planned,
loaded, reset, shown and unloaded by the code that does so for files, and an instance needs the function no
more.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm import InstanceState

from scenarios.importing import importable, line_in, why_failed
from scenarios.library.files.error_list import ErrorList, Place
from scenarios.library.files.head import COMPOSING, HEAD_KEYS, Head
from scenarios.library.files.mark import ARGUMENTS
from scenarios.library.files.signature import Marked
from scenarios.library.files.tree import Branch, from_plain
from scenarios.library.freezing.from_builder import from_builder, from_objects
from scenarios.library.planning.sections import Sections
from scenarios.settings import Settings
from scenarios.values.clock import DEFAULT_ANCHOR


class Home(Protocol):
    """What a function has to know of the library that it stands in."""

    settings: Settings
    home: Path

    def sections_for(self, head: Head, tree: Branch, path: Path, errors: ErrorList) -> Sections | None: ...


def tree_of(library: Home, marked: Marked, values: Mapping[str, Any], errors: ErrorList) -> Branch | None:
    """Return what a file would be that says what *marked* makes of *values*; None with errors.

    Args:
        library: the library it stands in.
        marked: the function.
        values: values of parameters, by name; others have their defaults.
        errors: collects what is wrong with it.
    """
    errors.found += marked.errors.found
    if marked.errors.found:
        return None
    rows = _Call(library, marked, errors).rows(values)
    if rows is None:
        return None
    return Branch({**marked.head.items, **rows.items}, marked.place, {**marked.head.keys, **rows.keys})


class _Call:
    """One call of a marked function, from its file to its rows."""

    def __init__(self, library: Home, marked: Marked, errors: ErrorList) -> None:
        self.library = library
        self.marked = marked
        self.head = marked.said
        self.errors = errors

    def rows(self, values: Mapping[str, Any]) -> Branch | None:
        function = self.marked.function
        assert function is not None, "its error has been told"
        name = function.__name__
        try:
            with importable(self.library.home):
                content: Any = function(**self.arguments(function, values))
            program: Any = None if isinstance(content, Mapping) else getattr(content, "program", None)
            if hasattr(program, "tree"):  # of a builder that says what a file says
                said: Branch = program.tree()
                if "clock" in self.marked.head.items:
                    said.items.pop("clock", None)  # the function's own
                return said
            if program is not None:  # of another builder, built or not
                settings = self.library.settings
                seed = self.head.seed or settings["seed"]
                return self.through(partial(from_builder, program, seed=seed, locale=settings["locale"]))
            objects = _objects(content)
            if objects:
                return self.through(partial(from_objects, objects))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a function does, with its line
            self.failed(error, f"{name} failed")
            return None
        if isinstance(content, Mapping):
            return self.said(content)
        self.errors.add(
            self.marked.place,
            "",
            f"{name} returns {type(content).__name__}",
            "return a builder, objects of your models, or the content of a scenario file as a dictionary",
        )
        return None

    def arguments(self, function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the function is called with: members of an enumeration where its default is one."""
        known = inspect.signature(function).parameters
        found: dict[str, Any] = {}
        for name, parameter in self.head.parameters.items():
            value = values.get(name, parameter.default)
            if parameter.problem(value):
                value = parameter.default  # whoever gave it is told
            default = known[name].default if name in known else None
            found[name] = type(default)(value) if isinstance(default, Enum) else value
        return found

    def said(self, content: Mapping[str, Any]) -> Branch | None:
        wrong = [key for key in content if key in HEAD_KEYS and key not in COMPOSING]
        for key in wrong:
            argument = next((name for name, said in ARGUMENTS.items() if said == key), "")
            self.errors.add(
                self.marked.place,
                str(key),
                f"{key!r} belongs to the function, not to what it returns",
                f"write @scenario({argument}=...)" if argument else "make them the function's arguments",
            )
        tree = from_plain(content, self.marked.place)
        assert isinstance(tree, Branch)
        return None if wrong else tree

    def through(self, make: Callable[..., dict[str, Any]]) -> Branch | None:
        """Return the tree of the rows that *make* gives, a function of `from_builder`."""
        sections = self.library.sections_for(self.head, self.marked.head, self.marked.path, self.errors)
        if sections is None:
            return None
        clock = self.head.anchor.at(None) if "clock" in self.marked.head.items else None
        rows = make(sections, now=clock)
        if clock is not None or rows["clock"] == DEFAULT_ANCHOR.isoformat():
            del rows["clock"]  # the function's own, which moves with the day it is loaded, or the usual one
        found = from_plain(rows, self.marked.place)
        assert isinstance(found, Branch)
        return found

    def failed(self, error: BaseException, what: str) -> None:
        place = self.marked.place
        line = line_in(error, self.marked.path)
        if line:
            place = Place(place.file, line, 1)
        self.errors.add(place, "", *why_failed(error, what, self.library.home))


def _objects(content: Any) -> dict[str, Any] | None:
    """Return *content* as objects of mapped classes by handle; None where it is something else."""
    if isinstance(content, Mapping):
        named = {str(handle): obj for handle, obj in content.items()}
    elif isinstance(content, list | tuple):
        counts: dict[str, int] = {}
        named = {}
        for obj in content:
            unit = type(obj).__name__.lower()
            counts[unit] = counts.get(unit, 0) + 1
            named[f"{unit}_{counts[unit]}"] = obj
    else:
        return None
    mapped = all(
        isinstance(getattr(obj, "_sa_instance_state", None), InstanceState) for obj in named.values()
    )
    return named if mapped else None
