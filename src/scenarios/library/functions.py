"""Scenarios written in Python: a function that returns what a file would say, or a builder.

Some states are easier to say in code than in a file. Such a function stands in the same catalogue, and what
it makes becomes the same rows: a builder's graph is turned into a scenario the way a freeze does it, so
that it is loaded, reset, shown and unloaded like any other.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from scenarios.errors import LibraryError
from scenarios.library.columns import CLOCK, DATABASE, KEY, MISSING, specs
from scenarios.library.compose import compose
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.faults import Faults, shown
from scenarios.library.freeze import Writer
from scenarios.library.gather import Found, Gathered, arrange
from scenarios.library.sections import sections_of
from scenarios.library.tree import Branch, from_plain
from scenarios.values.clock import DEFAULT_ANCHOR

if TYPE_CHECKING:
    from scenarios.library.library import Library
    from scenarios.library.sections.base import Sections

F = TypeVar("F", bound=Callable[[], Any])


def scenario(
    *, name: str | None = None, system: str = "", tags: Iterable[str] = (), owner: str = ""
) -> Callable[[F], F]:
    """Mark a function as a scenario of the library it stands in.

    The first line of its docstring is the title, the rest the description. It returns the content of a
    scenario file as plain data, or a builder (``a_scenario(...)``), or what a builder built.

    Args:
        name: the scenario's name, by default the function's.
        system: the system, by default the directory's name.
        tags: what it is listed under.
        owner: the team that looks after it.
    """

    def mark(function: F) -> F:
        function.__scenario__ = {  # type: ignore[attr-defined]  # the mark the catalogue reads
            "scenario": name or function.__name__,
            "system": system,
            "tags": list(tags),
            "owner": owner,
        }
        return function

    return mark


def definition_of(library: Library, name: str, path: Path, function: str) -> ScenarioDefinition:
    """Return the scenario that *function* of the module *path* makes.

    Raises:
        LibraryError: the module cannot be imported, or the function returns something else.
        FaultyScenario: what it returns is not right.
    """
    made = getattr(_module(path), function)
    told: Mapping[str, Any] = made.__scenario__
    title, _, description = (inspect.getdoc(made) or "").partition("\n")
    head = {
        "scenario": name,
        "system": told["system"] or path.resolve().parent.name,
        "title": title.strip().rstrip("."),
        "description": description.strip(),
        "tags": told["tags"],
        "owner": told["owner"],
    }
    content = made()
    if not isinstance(content, Mapping) and hasattr(content, "build") and not hasattr(content, "rendered"):
        content = content.build()
    if hasattr(content, "rendered"):
        sections = sections_of(library.domain(str(head["system"])))
        return from_builder(content, head, sections, path, library.settings["seed"])
    if not isinstance(content, Mapping):
        raise LibraryError(
            f"{function} returns {type(content).__name__}",
            where=shown(path),
            remedy="return a builder, or the content of a scenario file as a dictionary",
        )
    tree = from_plain({**head, **content}, shown(path))
    assert isinstance(tree, Branch)
    faults = Faults()
    composed = compose(tree, lambda other: library.tree(other, faults), library.names, faults)
    faults.raise_if_any(shown(path))
    found = ScenarioDefinition(
        composed, sections_of(library.domain(composed.head.system)), path, library.settings["seed"]
    )
    found.plan()
    return found


def _module(path: Path) -> Any:
    name = f"scenario_library_{path.parent.name}_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LibraryError("cannot import the scenarios", where=shown(path))
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a module does when it is imported is to be told with its place
        del sys.modules[name]
        raise LibraryError(
            "cannot import the scenarios", where=shown(path), why=f"{type(error).__name__}: {error}"
        ) from error
    return module


def from_builder(
    built: Any, head: Mapping[str, Any], sections: Sections, path: Path | None, seed: str
) -> ScenarioDefinition:
    """Return the scenario that a builder *built*, made of its graph as a freeze makes one of rows."""
    rendered = built.rendered
    gathered = Gathered()
    anchor = DEFAULT_ANCHOR
    skipped = {handles.table for handles in sections.handles}
    scope = sections.domain.scope.table if sections.domain.scope is not None else None
    names = {id(obj): handle for handle, obj in rendered.handles.items()}
    known: dict[tuple[str, tuple[Any, ...]], str] = {}

    def take(table: sa.Table, values: dict[str, Any]) -> Found | None:
        if table.fullname == scope:
            return None
        if table.fullname in skipped:
            return None
        found = Found(table, values)
        gathered.rows.append(found)
        gathered.by_key[table.fullname, found.key] = found
        return found

    for obj in rendered.graph.objects():
        mapper = sa.inspect(obj).mapper
        table = mapper.local_table
        state = sa.inspect(obj).dict
        values = {
            column.name: _plain(
                state[key]
                if (key := mapper.get_property_by_column(column).key) in state
                else _default(specs(table)[column.name].default)
            )
            for column in table.columns
            if column.computed is None
        }
        if table.fullname == scope and isinstance(values.get("created_at"), datetime):
            anchor = values["created_at"]
        row = take(table, values)
        if row is not None and id(obj) in names:
            # A prompt belongs to nobody: its handle is one word.
            handle = names[id(obj)]
            known[table.fullname, row.key] = handle.replace(".", "_") if handle[:7] == "prompt." else handle
    for stretch in rendered.graph.stretches:
        for cells in stretch.rows:
            values = {column.name: None for column in stretch.table.columns if column.computed is None}
            values.update({name: _plain(cell) for name, cell in zip(stretch.columns, cells, strict=True)})
            take(stretch.table, values)
    for row in gathered.rows:
        email = row.values.get("email")
        if isinstance(email, str) and "+" in email:
            # The builder's instance has its own suffix; the library adds one when it loads.
            row.values["email"] = f"{email.partition('+')[0]}@{email.rpartition('@')[2]}"
    arrange(gathered, sections)
    writer = Writer(sections, gathered, anchor, None, known)
    writer.strip()
    writer.name_rows()
    clock = {"clock": anchor.isoformat()}
    _, definition = writer.lossless({**head, **clock}, ())
    return ScenarioDefinition(definition.composed, sections, path, seed)


def _default(value: Any) -> Any:
    return None if any(value is marker for marker in (MISSING, CLOCK, KEY, DATABASE)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
