"""What a project's own code is imported with, and what is said when that fails.

A command is started anywhere, pytest puts directories of its own choosing first, and so a name that a test
can import fails on the command line. Here both import what lies beside ``pyproject.toml``, and a failure is
told with its line and what to do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from traceback import walk_tb
from types import ModuleType

from scenarios.errors import ScenariosError


@contextmanager
def importable(directory: Path) -> Iterator[None]:
    """Let the modules of *directory* be imported, as they are where Python is started there."""
    place = str(directory)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        if place in sys.path:
            sys.path.remove(place)


def imported_file(path: Path, home: Path) -> ModuleType:
    """Return the module in the file *path*, run once as long as the file stays as it is.

    It may import what lies in *home*; nothing is written beside it.

    Raises:
        Exception: whatever the file raises when it is run.
    """
    return _imported_file(path, home, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _imported_file(path: Path, home: Path, stamp: int) -> ModuleType:
    name = f"scenario_library_{path.parent.name}_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and enumerations look their module up
    try:
        with importable(home):
            exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
        raise
    return module


def why_failed(error: BaseException, what: str, home: Path) -> tuple[str, str | None]:
    """Return what to say of a project's code that failed with *error*, and what to do about it.

    Args:
        error: what was raised.
        what: what failed, as a clause.
        home: the directory whose modules can be imported.
    """
    if isinstance(error, ScenariosError):
        return f"{what}: {'; '.join(filter(None, (error.what, error.why)))}", error.hint
    said = " ".join(str(error).split())
    return f"{what}: {type(error).__name__}{f': {said}' if said else ''}", remedy_of(error, home)


def remedy_of(error: BaseException, home: Path) -> str | None:
    """Return what to do about a module that was not found, None where it was something else."""
    if not isinstance(error, ImportError) or not error.name:
        return None
    ours = Path(__file__).resolve().parent
    own = next((each for each in (home / "scenarios", home / "scenarios.py") if each.exists()), None)
    if error.name.partition(".")[0] == "scenarios" and own is not None and own.resolve() != ours:
        return (
            f"{own} has the name of this package, whose modules are found instead of yours: "
            "give it another name"
        )
    if isinstance(error, ModuleNotFoundError):
        return f"install it, or put it into {home}, where pyproject.toml is"
    return None


def line_in(error: BaseException, path: Path) -> int:
    """Return the last line of the file *path* that *error* passed on its way, 0 where it passed none."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    where, _, line = (getattr(error, "where", None) or "").rpartition(":")
    if where == str(path) and line.isdigit():
        return int(line)
    lines = [
        number for frame, number in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)
    ]
    return lines[-1] if lines else 0
