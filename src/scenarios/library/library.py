"""The library: directories of scenarios, found by name.

A scenario is looked up by its file's name, so that loading one reads one file whatever the number of others,
and listing reads heads only. Python functions marked with ``@scenario`` stand in the same catalogue.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.errors import LibraryError
from scenarios.library.files.faults import Faults, FaultyScenario, Place, shown, suggest
from scenarios.library.files.head import HEAD_KEYS, Head
from scenarios.library.files.reading_head import read_head
from scenarios.library.files.tree import Branch, read_text, read_tree
from scenarios.settings import Settings

if TYPE_CHECKING:
    from scenarios.domain import Domain
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.sections import Sections

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the catalogue.

    Attributes:
        name: the scenario's name.
        system: its system.
        path: its file.
        head: what it says of itself; None where it cannot be read.
        faults: what is wrong with its head.
    """

    name: str
    system: str
    path: Path
    head: Head | None
    faults: Faults

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
            "parameters": {
                name: {"type": each.type, "default": each.default, "description": each.description}
                for name, each in (head.parameters if head else {}).items()
            },
            "file": shown(self.path),
            "faults": [fault.as_dict() for fault in self.faults.found],
        }


class Library:
    """Scenarios in one or more directories; an earlier directory's scenario hides a later one's of that name.

    Args:
        path: a directory, several, or None for those of the setting ``library`` and the built-in one.
        domains: systems by name, besides those that are installed.
        project: the system of files that name none of those, and stand in no directory called like one; or
            a function that finds it out, called at the first such file.
        settings: by default the run's.

    Raises:
        LibraryError: a directory does not exist.
    """

    def __init__(
        self,
        path: str | Path | Iterable[str | Path] | None = None,
        *,
        domains: Mapping[str, Domain] | Iterable[Domain] = (),
        settings: Settings | None = None,
        project: Sections | Callable[[], Sections] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        given = domains.values() if isinstance(domains, Mapping) else domains
        self._domains = {domain.name: domain for domain in given}
        self._project = project
        if path is None:
            self.roots = [*map(Path, self.settings["library"]), _built_in()]
        elif isinstance(path, str | Path):
            self.roots = [Path(path)]
        else:
            self.roots = [Path(each) for each in path]
        for root in self.roots:
            if not root.is_dir():
                raise LibraryError(
                    f"there is no scenario library at {root}",
                    why="the directory does not exist" if not root.exists() else "it is not a directory",
                    remedy=f"name a directory; the setting is {self.settings.get('library')}",
                )
        self._trees: dict[Path, tuple[tuple[int, int], Branch | None, Faults]] = {}
        self._definitions: dict[Path, tuple[tuple[tuple[Path, int, int], ...], ScenarioDefinition]] = {}
        self._python: dict[str, tuple[Path, str]] | None = None

    def __repr__(self) -> str:
        return f"Library({', '.join(str(root) for root in self.roots)})"

    # -- finding ---------------------------------------------------------------------------------------

    def files(self) -> dict[str, Path]:
        """Return the file of each scenario by name, built from file names alone."""
        found: dict[str, Path] = {}
        for root in self.roots:
            for path in sorted(root.rglob("*")):
                if path.suffix in SUFFIXES and not path.name.startswith((".", "_")) and path.is_file():
                    found.setdefault(path.stem, path)
        return found

    def python_scenarios(self) -> dict[str, tuple[Path, str]]:
        """Return file and function of each Python scenario by name, found without importing anything."""
        if self._python is None:
            found: dict[str, tuple[Path, str]] = {}
            for root in self.roots:
                for path in sorted(root.rglob("*.py")):
                    if not path.name.startswith((".", "_")):
                        for name, function in _marked(path):
                            found.setdefault(name, (path, function))
            self._python = found
        return self._python

    def names(self) -> list[str]:
        """Return the names of all scenarios, sorted."""
        return sorted({*self.files(), *self.python_scenarios()})

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
            faults = Faults()
            tree = self._head_tree(path, faults)
            head = read_head(tree, faults) if tree is not None else None
            system = (head.system if head else "") or path.parent.name
            found.append(Entry(name, system, path, head, faults))
        for name, (path, function) in self.python_scenarios().items():
            head = _python_head(path, function, name)
            found.append(Entry(name, head.system or path.parent.name, path, head, Faults()))
        return sorted(found, key=lambda entry: (entry.system, entry.name))

    def _head_tree(self, path: Path, faults: Faults) -> Branch | None:
        text = read_text(path.read_bytes(), shown(path), faults)
        return read_tree(text, shown(path), faults, only=HEAD_KEYS) if text is not None else None

    # -- reading ---------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> ScenarioDefinition:
        """Return the scenario *name*.

        Raises:
            LibraryError: there is none.
            FaultyScenario: its file is wrong; every fault is listed.
        """
        path = self._direct(name) or self.files().get(name)
        if path is not None:
            return self.read(path)
        if name in self.python_scenarios():
            from scenarios.library.functions import definition_of

            return definition_of(self, name, *self.python_scenarios()[name])
        raise LibraryError(
            f"there is no scenario {name!r}",
            where=", ".join(shown(root) for root in self.roots),
            remedy=suggest(name, self.names()) or "the library is empty",
        )

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

    def read(self, path: str | Path) -> ScenarioDefinition:
        """Return the scenario in the file *path*, read, composed and checked with its default parameters.

        Raises:
            LibraryError: there is no such file.
            FaultyScenario: it is wrong; every fault is listed, and nothing was loaded.
        """
        from scenarios.library.definition import ScenarioDefinition
        from scenarios.library.files.compose import compose

        path = Path(path)
        cached = self._definitions.get(path)
        if cached is not None and all(_stamp(file) == (size, time) for file, size, time in cached[0]):
            return cached[1]
        faults = Faults()
        tree = self._tree(path, faults)
        if tree is None:
            raise FaultyScenario(shown(path), faults.found)
        composed = compose(tree, lambda name: self.tree(name, faults), self.names, faults)
        head = composed.head
        if head.name and head.name != path.stem:
            faults.add(
                tree.items["scenario"].place,
                "scenario",
                f"the scenario is called {head.name!r}, its file {path.name!r}",
                f"call the file {head.name}{path.suffix}, or the scenario {path.stem}",
            )
        sections = self._sections(head, tree, path, faults)
        if sections is None:
            raise FaultyScenario(shown(path), faults.found)
        definition = ScenarioDefinition(
            composed, sections, path, self.settings["seed"], self.settings["locale"]
        )
        if faults.found:
            self._also(definition, faults)
            raise FaultyScenario(shown(path), faults.found)
        definition.check()
        used = [path, *(self.files()[name] for name in composed.parts if name in self.files())]
        self._definitions[path] = (tuple((file, *_stamp(file)) for file in used), definition)
        return definition

    def _also(self, definition: ScenarioDefinition, faults: Faults) -> None:
        """Add the faults of the rows to those of the head, so that one run shows both."""
        try:
            definition.plan()
        except FaultyScenario as error:
            faults.found.extend(error.faults)

    def _sections(self, head: Head, tree: Branch, path: Path, faults: Faults) -> Any:
        from scenarios.domain import domain_names, get_domain
        from scenarios.errors import DomainError
        from scenarios.library.sections import sections_of

        name = head.system or path.resolve().parent.name
        if self._project is not None and name not in (*self._domains, *domain_names()):
            if callable(self._project):
                self._project = self._project()
            if not head.system or name == self._project.domain.name:
                return self._project
        try:
            return sections_of(self._domains.get(name) or get_domain(name))
        except DomainError as error:
            node = tree.items.get("system")
            place = node.place if node is not None else tree.place
            known = [*domain_names(), *self._domains]
            if name in known:
                raise
            what = error.what if head.system else f"the scenario names no system, and {name!r} is none"
            hint = suggest(name, known)
            if not head.system and self._project is None:
                hint = f"{hint}; for tables of your own, say where they are: schema in [tool.scenarios]"
            faults.add(place, "system" if node is not None else "", what, hint)
            return None

    def domain(self, name: str) -> Domain:
        """Return the system *name*: one given to this library, or an installed one.

        Raises:
            DomainError: there is none.
        """
        from scenarios.domain import get_domain

        return self._domains.get(name) or get_domain(name)

    def tree(self, name: str, faults: Faults) -> Branch | None:
        """Return the tree of the scenario file *name*, None where there is none."""
        path = self._direct(name) or self.files().get(name)
        return self._tree(path, faults) if path is not None else None

    def _tree(self, path: Path, faults: Faults) -> Branch | None:
        try:
            stamp = _stamp(path)
            data = None
            cached = self._trees.get(path)
            if cached is None or cached[0] != stamp:
                data = path.read_bytes()
        except OSError as error:
            raise LibraryError(
                "cannot read the scenario file", where=shown(path), why=error.strerror
            ) from error
        if data is not None:
            own = Faults()
            text = read_text(data, shown(path), own)
            tree = read_tree(text, shown(path), own) if text is not None else None
            cached = (stamp, tree, own)
            self._trees[path] = cached
        assert cached is not None
        faults.found.extend(cached[2].found)
        return cached[1]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return (found.st_size, found.st_mtime_ns)


def _directories(root: Path) -> list[Path]:
    return sorted(each for each in root.iterdir() if each.is_dir())


def _built_in() -> Path:
    from scenarios.resources import resource

    return resource("scenario_library")


def _marked(path: Path) -> list[tuple[str, str]]:
    """Return name and function of each ``@scenario`` in the module *path*, from its text alone."""
    text = path.read_text("utf-8", "replace")
    if "@scenario" not in text:
        return []
    try:
        module = ast.parse(text)
    except SyntaxError:
        return []  # importing it will say so, with its line
    found = []
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and _decorator(node) is not None:
            found.append((_constant(node, "name") or node.name, node.name))
    return found


def _decorator(node: ast.FunctionDef) -> ast.expr | None:
    for decorator in node.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", None)
        if name == "scenario":
            return decorator
    return None


def _constant(node: ast.FunctionDef, key: str) -> Any:
    decorator = _decorator(node)
    if isinstance(decorator, ast.Call):
        for keyword in decorator.keywords:
            if keyword.arg == key:
                try:
                    return ast.literal_eval(keyword.value)
                except ValueError:
                    return None
    return None


def _python_head(path: Path, function: str, name: str) -> Head:
    module = ast.parse(path.read_text("utf-8"))
    node = next(each for each in module.body if isinstance(each, ast.FunctionDef) and each.name == function)
    text = ast.get_docstring(node) or ""
    title, _, description = text.partition("\n")
    tags = _constant(node, "tags") or ()
    return Head(
        name=name,
        place=Place(shown(path), node.lineno, 1),
        system=str(_constant(node, "system") or ""),
        title=title.strip().rstrip("."),
        description=description.strip(),
        tags=tuple(map(str, tags)),
        owner=str(_constant(node, "owner") or ""),
    )
