"""The mark that makes a Python function a scenario.

Every file of scenarios imports it, and a catalogue imports those files: so it needs nothing of what reads,
plans or loads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from scenarios.errors import LibraryError
from scenarios.library.files.error_list import suggest

F = TypeVar("F", bound=Callable[..., Any])

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
MARK = "__scenario__"
"""Where ``@scenario`` leaves its arguments on the function."""


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
    **unknown: object,
) -> F | Callable[[F], F]:
    """Mark a function as a scenario of the library it stands in.

    It returns a builder (``a_scenario(...)``), what a builder built, objects of mapped classes (a mapping by
    handle, or a list), or the content of a scenario file as plain data.

    Its keyword arguments are the scenario's parameters: their annotations (``int``, ``float``, ``str``,
    ``bool``, ``Literal``, an enumeration) are the types and choices, bounds and a description stand in
    ``Annotated[int, Ge(1), Le(10), "how many"]``, and descriptions in the docstring's ``Args`` as well.

    The catalogue imports the file to read the mark and the signature, once as long as it stays as it is; what
    is only needed to make the rows may be imported inside the function.

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

    Raises:
        LibraryError: there is no such argument.
    """
    given = {
        "name": name,
        "system": system,
        "version": version if version != 1 else None,
        "title": title,
        "description": description,
        "tags": tags if isinstance(tags, str) else list(tags),
        "owner": owner,
        "clock": clock,
        "seed": seed,
        "breaks": breaks if isinstance(breaks, str) else list(breaks),
    }
    for argument in unknown:
        raise LibraryError(f"scenario() has no argument {argument!r}", hint=suggest(argument, given))
    if function is not None and not callable(function):
        raise LibraryError(
            "scenario() takes named arguments only",
            hint="write name=... for a name that is not the function's",
        )

    def mark(function: F) -> F:
        said = {key: value for key, value in given.items() if value not in (None, "", [])}
        setattr(function, MARK, said)
        return function

    return mark(function) if function is not None else mark
