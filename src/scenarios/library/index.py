"""Directories of scenarios: which there are and what they say of themselves, without reading more than that.

A scenario is looked up by its file's name, so that loading one reads one file whatever the number of others,
and listing reads heads only. Python functions marked with ``@scenario`` stand in the same catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.errors import LibraryError
from scenarios.library.files.error_list import ErrorDetails, ErrorList, Place, shown
from scenarios.library.files.head import HEAD_KEYS, Head
from scenarios.library.files.reading_head import read_head
from scenarios.library.files.signature import Marked, marked
from scenarios.library.files.tree import Branch, read_text, read_tree

SUFFIXES = (".yaml", ".yml")


def is_path(name: str) -> bool:
    """Return whether *name* is the path of a scenario's file, and no name in a library."""
    return name.endswith((*SUFFIXES, ".py")) or "/" in name or name in (".", "..")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the catalogue.

    Attributes:
        name: the scenario's name.
        system: its system.
        path: its file.
        head: what it says of itself; None where it cannot be read.
        errors: what is wrong with its head.
    """

    name: str
    system: str
    path: Path
    head: Head | None
    errors: ErrorList

    def as_dict(self) -> dict[str, Any]:
        """Return the line for ``--json``."""
        head = self.head
        return {
            "name": self.name,
            "system": self.system,
            "title": head.title if head else "",
            "description": head.description if head else "",
            "tags": list(head.tags) if head else [],
            "owner": head.owner if head else "",
            "version": head.version if head else None,
            "parameters": {name: each.as_dict() for name, each in (head.parameters if head else {}).items()},
            "file": shown(self.path),
            "errors": [error.as_dict() for error in self.errors.found],
        }


class Index:
    """Scenarios in one or more directories; an earlier directory's scenario hides a later one's of that name.

    Args:
        roots: the directories.
        home: the directory whose modules Python scenarios may import.
        named: for messages, where the directories come from.

    Raises:
        LibraryError: a directory does not exist.
    """

    def __init__(self, roots: Iterable[Path], *, home: Path, named: str = "") -> None:
        self.home = home
        self.roots = list(roots)
        for root in self.roots:
            if not root.is_dir():
                raise LibraryError(
                    f"there is no scenario library at {root}",
                    why="the directory does not exist" if not root.exists() else "it is not a directory",
                    hint=f"name a directory{named}",
                )
        self._marked: dict[Path, tuple[tuple[int, int], list[Marked]]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(str(root) for root in self.roots)})"

    def files(self) -> dict[str, Path]:
        """Return the file of each scenario by name, built from file names alone."""
        found: dict[str, Path] = {}
        for root in self.roots:
            for path in sorted(root.rglob("*")):
                if _is_file(path):
                    found.setdefault(path.stem, path)
        return found

    def beside(self, path: Path) -> dict[str, Path]:
        """Return the files in the directory of *path* by name, where that is none of the library's.

        A draft that is named by its path, and what it is made of, need no library to be in.
        """
        home = path.resolve().parent
        if not home.is_dir() or any(home.is_relative_to(root.resolve()) for root in self.roots):
            return {}
        return {each.stem: each for each in sorted(home.iterdir()) if _is_file(each)}

    def functions(self) -> dict[str, Marked]:
        """Return the functions marked ``@scenario`` by the name of their scenario.

        One of a file that cannot be imported stands here under the function's name, with the error.
        """
        found: dict[str, Marked] = {}
        for root in self.roots:
            for path in sorted(root.rglob("*.py")):
                if not path.name.startswith((".", "_")):
                    for each in self.functions_in(path):
                        found.setdefault(each.name, each)
        return found

    def hidden(self) -> list[ErrorDetails]:
        """Return an error for each scenario that has the name of another one in the same directory."""
        found = []
        for root in self.roots:
            known: dict[str, Place] = {}
            files = [path for path in sorted(root.rglob("*")) if _is_file(path)]
            places = [(path.stem, Place(shown(path))) for path in files]
            for path in sorted(root.rglob("*.py")):
                if not path.name.startswith((".", "_")):
                    places += [(each.name, each.place) for each in self.functions_in(path)]
            for name, place in places:
                if name in known:
                    found.append(
                        ErrorDetails(
                            place, "", f"the scenario {name} is in {known[name].file} already", "rename one"
                        )
                    )
                known.setdefault(name, place)
        return found

    def functions_in(self, path: Path) -> list[Marked]:
        """Return the functions marked ``@scenario`` in the file *path*."""
        stamp = stamp_of(path)
        known = self._marked.get(path)
        if known is None or known[0] != stamp:
            known = self._marked[path] = (stamp, marked(path, self.home))
        return known[1]

    def names(self) -> list[str]:
        """Return the names of all scenarios, sorted."""
        return sorted({*self.files(), *self.functions()})

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def entries(self) -> list[Entry]:
        """Return the catalogue: the head of every scenario, also of those that cannot be loaded."""
        found = []
        for name, path in self.files().items():
            errors = ErrorList()
            tree = self._head_tree(path, errors)
            head = read_head(tree, errors) if tree is not None else None
            system = (head.system if head else "") or path.parent.name
            found.append(Entry(name, system, path, head, errors))
        for name, each in self.functions().items():
            system = each.said.system or each.path.parent.name
            found.append(Entry(name, system, each.path, each.said, each.errors))
        return sorted(found, key=lambda entry: (entry.system, entry.name))

    def _head_tree(self, path: Path, errors: ErrorList) -> Branch | None:
        try:
            data = path.read_bytes()
        except OSError as error:
            errors.add(Place(shown(path)), "", f"cannot be read: {error.strerror}")
            return None
        text = read_text(data, shown(path), errors)
        return read_tree(text, shown(path), errors, only=HEAD_KEYS) if text is not None else None

    def file_of(self, name: str) -> Path | None:
        """Return the file of the scenario *name*, None where none is called so."""
        return self._direct(name) or self.files().get(name)

    def _direct(self, name: str) -> Path | None:
        # The usual places first: looking one file up must not walk a large directory.
        if not name.replace("_", "").isalnum():
            return None
        for root in self.roots:
            for place in (root, *(each for each in _directories(root))):
                for suffix in SUFFIXES:
                    path = place / f"{name}{suffix}"
                    if path.is_file():
                        return path
        return None


def stamp_of(path: Path) -> tuple[int, int]:
    """Return what changes when the file *path* does: its size and its time."""
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return (found.st_size, found.st_mtime_ns)


def _is_file(path: Path) -> bool:
    return path.suffix in SUFFIXES and not path.name.startswith((".", "_")) and path.is_file()


def _directories(root: Path) -> list[Path]:
    return sorted(each for each in root.iterdir() if each.is_dir())
