"""Which files are a project's own: not those of an installed package, of Python, or of a tool's cache.

A template is named by the project's files it was made from. Counting installed ones would cost a second for
each start; those change by a new version, which changes a lock file, not unseen.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_ROOTS = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg", "manage.py", "alembic.ini")


def project_root(start: Path) -> Path:
    """Return the repository *start* is in, else the nearest directory above it that looks like a project."""
    above = [start, *start.parents]
    for names in ((".git", ".hg"), _ROOTS):
        for directory in above:
            if any((directory / name).exists() for name in names):
                return directory
    return start


def files_under(home: Path) -> Iterator[Path]:
    """Yield the files below *home* in order, without hidden ones, caches and environments."""
    for directory, folders, names in os.walk(home):
        folders[:] = sorted(each for each in folders if not _is_passed_over(each))
        if directory != str(home) and "pyvenv.cfg" in names:
            folders.clear()
            continue
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith((".pyc", ".pyo", "~")):
                yield Path(directory, name)


def is_own(path: Path, root: Path) -> bool:
    """Whether the file *path*, absolute, is the project's whose root is *root*.

    A module counts wherever it lies, as a package beside the repository that was installed as it stands does.
    """
    if path.is_relative_to(root):
        below = path.relative_to(root).parts
        hidden = any(_is_passed_over(part) for part in below[:-1])
        return not hidden and not _is_installed(path)
    return path.suffix == ".py" and not any(map(_is_passed_over, path.parts)) and not _is_installed(path)


def _is_passed_over(name: str) -> bool:
    return name in _PASSED_OVER or (name.startswith(".") and name not in {".", ".."})


def _is_installed(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in _installed())


@cache
def _installed() -> tuple[Path, ...]:
    """Where nothing is a project's: Python, its packages, this package, what the system writes."""
    library = sysconfig.get_paths()
    places = {library[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    if sys.prefix != sys.base_prefix:
        places.add(sys.prefix)
    places |= {"/proc", "/sys", "/dev", str(Path(__file__).parents[1])}
    return tuple(Path(os.path.realpath(place)) for place in places)


def is_temporary(path: Path) -> bool:
    """Whether *path* is in the system's directory for temporary files."""
    return path.is_relative_to(Path(os.path.realpath(tempfile.gettempdir())))
