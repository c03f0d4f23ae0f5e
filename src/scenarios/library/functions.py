"""Scenarios written in Python: a function that returns a builder, model objects, or what a file would say.

Some states are easier to say in code than in a file. Such a function stands in the same catalogue: its head
is read from its text (`files.signature`), its keyword arguments are the scenario's parameters, and what it
makes for their values becomes the same tree of rows as a file. So it is composed, planned, loaded, reset,
shown and unloaded by the code that does so for files, and an instance needs the function no more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache, partial
from pathlib import Path
from traceback import walk_tb
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from sqlalchemy.orm import InstanceState

from scenarios.errors import ScenariosError
from scenarios.library.files.faults import Faults, Place
from scenarios.library.files.head import HEAD_KEYS, Head
from scenarios.library.files.reading_head import read_head
from scenarios.library.files.signature import ARGUMENTS, Marked
from scenarios.library.files.tree import Branch, from_plain
from scenarios.library.freezing.from_builder import from_builder, from_objects

if TYPE_CHECKING:
    from scenarios.library.library import Library

F = TypeVar("F", bound=Callable[..., Any])

_COMPOSING = ("extends", "include", "remove")
"""Keys of a file's head that the content may have: they are about rows."""


@overload
def scenario(function: F, /) -> F: ...
@overload
def scenario(
    *,
    name: str | None = None,
    system: str = "",
    version: int = 1,
    title: str = "",
    description: str = "",
    tags: Iterable[str] = (),
    owner: str = "",
    clock: str | Mapping[str, str] = "",
    seed: str | int = "",
    breaks: Iterable[str] = (),
) -> Callable[[F], F]: ...
def scenario(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    system: str = "",
    version: int = 1,
    title: str = "",
    description: str = "",
    tags: Iterable[str] = (),
    owner: str = "",
    clock: str | Mapping[str, str] = "",
    seed: str | int = "",
    breaks: Iterable[str] = (),
) -> F | Callable[[F], F]:
    """Mark a function as a scenario of the library it stands in.

    It returns a builder (``a_scenario(...)``), what a builder built, objects of mapped classes (a mapping by
    handle, or a list), or the content of a scenario file as plain data.

    Its keyword arguments are the scenario's parameters: their annotations (``int``, ``float``, ``str``,
    ``bool``, ``Literal``, an enumeration) are the types and choices, bounds and a description stand in
    ``Annotated[int, Ge(1), Le(10), "how many"]``, and descriptions in the docstring's ``Args`` as well.

    The catalogue reads the mark and the signature without running the file, so each has to say its values.

    Args:
        function: the function, where the mark has no arguments.
        name: the scenario's name, by default the function's.
        system: the system, by default the directory's name.
        version: its version, from 1.
        title: for the catalogue, by default the first line of the docstring.
        description: by default what follows in the docstring, up to ``Args``.
        tags: what it is listed under.
        owner: the team that looks after it.
        clock: as in a file: a moment, ``now``, or a mapping of ``anchor``, ``weekday`` and ``time``; by
            default the builder's.
        seed: of the generated values.
        breaks: rules of the system that the scenario breaks on purpose.
    """

    def mark(function: F) -> F:
        function.__scenario__ = name or function.__name__  # type: ignore[attr-defined]  # the mark of a scenario
        return function

    return mark(function) if function is not None else mark


def tree_of(library: Library, marked: Marked, values: Mapping[str, Any], faults: Faults) -> Branch | None:
    """Return what a file would be that says what *marked* makes of *values*; None with faults.

    Args:
        library: the library it stands in.
        marked: the function.
        values: values of parameters, by name; others have their defaults.
        faults: collects what is wrong with it.
    """
    own = Faults()
    head = read_head(marked.head, own)
    own.found += marked.faults.found
    faults.found += own.found
    if own.found:
        return None
    rows = _Call(library, marked, head, faults).rows(values)
    if rows is None:
        return None
    return Branch({**marked.head.items, **rows.items}, marked.place, {**marked.head.keys, **rows.keys})


class _Call:
    """One call of a marked function, from its file to its rows."""

    def __init__(self, library: Library, marked: Marked, head: Head, faults: Faults) -> None:
        self.library = library
        self.marked = marked
        self.head = head
        self.faults = faults

    def rows(self, values: Mapping[str, Any]) -> Branch | None:
        try:
            module = _module(self.marked.path, self.marked.path.stat().st_mtime_ns)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a file does, with its line
            self.failed(error, "cannot import the scenarios")
            return None
        function = getattr(module, self.marked.function, None)
        if not callable(function):
            self.faults.add(
                self.marked.place, "", f"{self.marked.function} is no function when the file is run"
            )
            return None
        try:
            content: Any = function(**self.arguments(function, values))
            if not isinstance(content, Mapping) and hasattr(content, "build"):
                content = content.build()
            if hasattr(content, "render"):
                built: Any = content
                return self.through(partial(from_builder, built))
            objects = _objects(content)
            if objects:
                return self.through(partial(from_objects, objects))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a function does, with its line
            self.failed(error, f"{self.marked.function} failed")
            return None
        if isinstance(content, Mapping):
            return self.said(content)
        self.faults.add(
            self.marked.place,
            "",
            f"{self.marked.function} returns {type(content).__name__}",
            "return a builder, objects of your models, or the content of a scenario file as a dictionary",
        )
        return None

    def arguments(self, function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the function is called with: members of an enumeration where its default is one."""
        defaults = getattr(function, "__kwdefaults__", None) or {}
        code = getattr(function, "__code__", None)
        positional = getattr(function, "__defaults__", None) or ()
        if code is not None and positional:
            names = code.co_varnames[: code.co_argcount]
            defaults = {**dict(zip(names[-len(positional) :], positional, strict=True)), **defaults}
        found: dict[str, Any] = {}
        for name, parameter in self.head.parameters.items():
            value = values.get(name, parameter.default)
            if parameter.problem(value):
                value = parameter.default  # whoever gave it is told
            default = defaults.get(name)
            found[name] = type(default)(value) if isinstance(default, Enum) else value
        return found

    def said(self, content: Mapping[str, Any]) -> Branch | None:
        wrong = [key for key in content if key in HEAD_KEYS and key not in _COMPOSING]
        for key in wrong:
            argument = next((name for name, said in ARGUMENTS.items() if said == key), "")
            self.faults.add(
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
        sections = self.library.sections_for(self.head, self.marked.head, self.marked.path, self.faults)
        if sections is None:
            return None
        clock = self.head.anchor.at(None) if "clock" in self.marked.head.items else None
        rows = make(
            self.head.name,
            sections,
            now=clock,
            seed=self.head.seed or self.library.settings["seed"],
            locale=self.library.settings["locale"],
        )
        if clock is not None:
            del rows["clock"]  # the function's own, which moves with the day it is loaded
        found = from_plain(rows, self.marked.place)
        assert isinstance(found, Branch)
        return found

    def failed(self, error: BaseException, what: str) -> None:
        place = self.marked.place
        line = _line(error, self.marked.path)
        if line:
            place = Place(place.file, line, 1)
        if isinstance(error, ScenariosError):
            parts = [error.what, *([error.why] if error.why else [])]
            self.faults.add(place, "", f"{what}: {'; '.join(parts)}", error.remedy)
        else:
            said = " ".join(str(error).split())
            self.faults.add(place, "", f"{what}: {type(error).__name__}{f': {said}' if said else ''}")


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


def _line(error: BaseException, path: Path) -> int:
    """Return the last line of the file *path* that *error* passed on its way, 0 where it passed none."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    where, _, line = (getattr(error, "where", None) or "").rpartition(":")
    if where == str(path) and line.isdigit():
        return int(line)
    trace: TracebackType | None = error.__traceback__
    lines = [number for frame, number in walk_tb(trace) if frame.f_code.co_filename == str(path)]
    return lines[-1] if lines else 0


@lru_cache(maxsize=64)
def _module(path: Path, stamp: int) -> ModuleType:
    """Run the file *path* as it was at *stamp*; nothing is written beside it."""
    name = f"scenario_library_{path.parent.name}_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and enumerations look their module up
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except BaseException:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
        raise
    return module
