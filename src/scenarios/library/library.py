"""The library: a scenario by its name, whether a file says it or a function makes it.

`index` knows what there is. Here one is read, composed with those it is made of, checked, and kept until
one of its files changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.errors import LibraryError
from scenarios.library.files.error_list import ErrorList, InvalidScenario, shown, suggest
from scenarios.library.files.head import HEAD_KEYS, Head
from scenarios.library.files.signature import Marked
from scenarios.library.files.tree import Branch, read_text, read_tree
from scenarios.library.index import Entry, Index, is_path, stamp_of
from scenarios.settings import Settings

if TYPE_CHECKING:
    from scenarios.domain import Domain
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.files.compose import Composed, Source
    from scenarios.library.sections import Sections


class Library(Index):
    """Scenarios in one or more directories; an earlier directory's scenario hides a later one's of that name.

    Args:
        path: a directory, several, or None for those of the setting ``library`` and the built-in one. That
            one only outside a project with a schema of its own, or with the setting ``bundled``.
        domains: systems by name, besides those that are installed.
        project: the system of files that name none of those, and stand in no directory called like one; or
            a function that finds it out, called at the first such file.
        project_name: what that system is called, or a function that says it.
        only: a system; what is listed are its scenarios. Those of others can be called by name all the same.
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
        project_name: str | Callable[[], str] = "project",
        only: str | None = None,
    ) -> None:
        self.settings = settings or Settings()
        given = domains.values() if isinstance(domains, Mapping) else domains
        self._domains = {domain.name: domain for domain in given}
        self._project = project
        self._project_name = project_name
        self._only = only
        if path is None:
            roots = [Path(each) for each in self.settings["library"]]
            if self.settings["bundled"] or not self.settings["schema"]:
                roots.append(_built_in())
        else:
            roots = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
        super().__init__(
            roots, home=self.settings.home, named=f"; the setting is {self.settings.get('library')}"
        )
        self._trees: dict[Path, tuple[tuple[int, int], Branch | None, ErrorList]] = {}
        self._definitions: dict[Any, tuple[tuple[tuple[Path, int, int], ...], ScenarioDefinition]] = {}

    def __getitem__(self, name: str) -> ScenarioDefinition:
        """Return the scenario *name*.

        Raises:
            LibraryError: there is none.
            InvalidScenario: its file is wrong; every error is listed.
        """
        path = self.file_of(name)
        if path is not None:
            return self.read(path)
        function = self.functions().get(name)
        if function is not None:
            return self._of_function(function)
        raise LibraryError(
            f"there is no scenario {name!r}",
            where=", ".join(shown(root) for root in self.roots),
            hint=self._instead_of(name),
        )

    def _instead_of(self, name: str) -> str:
        bundled = _built_in()
        if bundled not in self.roots and any(bundled.rglob(f"{name}.yaml")):
            return (
                "it comes with pg-scenarios, and this project has a schema of its own; "
                "bundled = true in [tool.scenarios] shows both"
            )
        instead = suggest(name, self.names()) or "the library is empty"
        if any(root != bundled for root in self.roots):
            return instead
        return f"{instead}; your own are found where `library` in [tool.scenarios] says, or --library DIR"

    def names(self) -> list[str]:
        """Return the names of all scenarios that are listed, sorted."""
        return super().names() if self._only is None else sorted(each.name for each in self.entries())

    def entries(self) -> list[Entry]:
        """Return the catalogue; each line has the name by which commands know the scenario's system."""
        from scenarios.domain import domain_names

        found = super().entries()
        if self._project is not None:
            others = {*self._domains, *domain_names()}
            found = [
                each
                if each.system in others or (each.head and each.head.system)
                else replace(each, system=self.project_name)
                for each in found
            ]
        wanted = [each for each in found if self._only in (None, each.system)]
        return sorted(wanted, key=lambda entry: (entry.system, entry.name))

    @property
    def project_name(self) -> str:
        """What the project's own system is called."""
        if callable(self._project_name):
            self._project_name = self._project_name()
        return self._project_name

    def find(self, name: str) -> ScenarioDefinition:
        """Return the scenario *name*: a name in the library, or the path of a file.

        Raises:
            LibraryError: there is none, or it is a directory.
            InvalidScenario: its file is wrong; every error is listed.
        """
        if not is_path(name):
            return self[name]
        if Path(name).is_dir():
            raise LibraryError(
                f"{name} is a directory",
                hint=f"name one of its files, or make it the library: --library {name}",
            )
        if not Path(name).exists():
            raise LibraryError(
                "there is no such scenario file",
                where=name,
                hint="scenarios list says what there is by name",
            )
        return self.read(name)

    def read(self, path: str | Path) -> ScenarioDefinition:
        """Return the scenario in the file *path*, read, composed and checked with its default parameters.

        Raises:
            LibraryError: there is no such file, or it is a Python file with none or several scenarios.
            InvalidScenario: it is wrong; every error is listed, and nothing was loaded.
        """
        path = Path(path)
        if path.suffix == ".py":
            return self._of_function(self._only_function(path))
        errors = ErrorList()
        cached = self._cached(path)
        if cached is not None:
            return cached
        tree = self._tree(path, errors)
        if tree is None:
            raise InvalidScenario(shown(path), errors.found)
        return self._defined(path, path, tree, errors)

    def _of_function(self, function: Marked) -> ScenarioDefinition:
        from scenarios.library.functions import tree_of

        key = (function.path, function.name)
        cached = self._cached(key)
        if cached is not None:
            return cached
        errors = ErrorList()
        tree = tree_of(self, function, {}, errors)
        if tree is None:
            raise InvalidScenario(shown(function.path), errors.found)
        return self._defined(key, function.path, tree, errors, function)

    def _only_function(self, path: Path) -> Marked:
        if not path.is_file():
            raise LibraryError("cannot read the scenario file", where=shown(path), why="there is none")
        found = self.functions_in(path)
        if len(found) != 1:
            names = ", ".join(each.name for each in found)
            raise LibraryError(
                f"the file has {len(found) or 'no'} functions marked @scenario",
                where=shown(path),
                hint=f"name one: {names}; with --library {shown(path.parent)}" if found else None,
            )
        return found[0]

    def _cached(self, key: Any) -> ScenarioDefinition | None:
        cached = self._definitions.get(key)
        if cached is not None and all(stamp_of(file) == (size, time) for file, size, time in cached[0]):
            return cached[1]
        return None

    def _defined(
        self, key: Any, path: Path, tree: Branch, errors: ErrorList, function: Marked | None = None
    ) -> ScenarioDefinition:
        """Return the scenario that *tree* is, composed, checked, and kept until one of its files changes."""
        from scenarios.library.definition import ScenarioDefinition
        from scenarios.library.files.compose import compose

        source = self._source(path, errors)
        said = _read_already(function, tree)
        composed = compose(tree, source, lambda: self._names_for(path), errors, head=said)
        head = composed.head
        if function is None and head.name and head.name != path.stem:
            errors.add(
                tree.items["scenario"].place,
                "scenario",
                f"the scenario is called {head.name!r}, its file {path.name!r}",
                f"call the file {head.name}{path.suffix}, or the scenario {path.stem}",
            )
        sections = self.sections_for(head, tree, path, errors)
        if sections is None:
            raise InvalidScenario(shown(path), errors.found)
        files = {**self.files(), **self.beside(path)}
        called = [name for name in composed.parts if name not in files]
        functions = self.functions() if called else {}
        varies = function is not None or any(name in functions for name in called)
        definition = ScenarioDefinition(
            composed,
            sections,
            path,
            self.settings["seed"],
            self.settings["locale"],
            (lambda values: self._again(path, tree, function, values)) if varies else None,
        )
        if errors.found:
            self._also(definition, errors)
            raise InvalidScenario(shown(path), errors.found)
        definition.check()
        used = [path, *(files.get(name) or functions[name].path for name in composed.parts)]
        self._definitions[key] = (tuple((file, *stamp_of(file)) for file in used), definition)
        return definition

    def _again(
        self, path: Path, tree: Branch, function: Marked | None, values: Mapping[str, Any]
    ) -> Composed:
        """Return the scenario composed for *values* of its parameters.

        Raises:
            InvalidScenario: a function fails for them.
        """
        from scenarios.library.files.compose import compose
        from scenarios.library.functions import tree_of

        errors = ErrorList()
        own = tree if function is None else tree_of(self, function, values, errors)
        errors.raise_if_any(shown(path))
        assert own is not None
        source, said = self._source(path, errors), _read_already(function, own)
        composed = compose(own, source, lambda: self._names_for(path), errors, values, said)
        errors.raise_if_any(shown(path))
        return composed

    def _source(self, path: Path, errors: ErrorList) -> Source:
        """Return where the scenario in the file *path* finds those it is made of."""
        beside = self.beside(path)

        def source(name: str, values: Mapping[str, Any]) -> Branch | None:
            return self._tree(beside[name], errors) if name in beside else self.tree(name, errors, values)

        return source

    def _names_for(self, path: Path) -> list[str]:
        return sorted({*self.beside(path), *self.names()})

    def _also(self, definition: ScenarioDefinition, errors: ErrorList) -> None:
        """Add the errors of the rows to those of the head, so that one run shows both."""
        try:
            definition.plan()
        except InvalidScenario as error:
            errors.found.extend(error.errors)

    def sections_for(self, head: Head, tree: Branch, path: Path, errors: ErrorList) -> Sections | None:
        """Return the sections of the system of the scenario *head*; None with an error where there is none.

        Args:
            head: what the scenario says of itself.
            tree: where it says it.
            path: its file, whose directory names the system when the scenario does not.
            errors: collects what is wrong.

        Raises:
            DomainError: the system is there and cannot be used.
        """
        from scenarios.domain import domain_names, get_domain
        from scenarios.errors import DomainError
        from scenarios.library.sections import sections_of

        name = head.system or path.resolve().parent.name
        own = self._own(name)
        if own is not None and (not head.system or name == own.domain.name):
            return own
        try:
            return sections_of(self._domains.get(name) or get_domain(name))
        except DomainError as error:
            node = tree.items.get("system")
            place = node.place if node is not None else tree.place
            known = [*domain_names(), *self._domains]
            if self._project is not None:
                known.insert(0, self.project_name)
            if name in known:
                raise
            what = error.what if head.system else f"the scenario names no system, and {name!r} is none"
            hint = suggest(name, known)
            if not head.system and self._project is None:
                hint = f"{hint}; for tables of your own, say where they are: schema in [tool.scenarios]"
            errors.add(place, "system" if node is not None else "", what, hint)
            return None

    def domain(self, name: str) -> Domain:
        """Return the system *name*: one given to this library, or an installed one.

        Raises:
            DomainError: there is none.
        """
        from scenarios.domain import get_domain

        own = self._own(name)
        if own is not None and name == own.domain.name:
            return own.domain
        return self._domains.get(name) or get_domain(name)

    def _own(self, name: str) -> Sections | None:
        """Return the project's sections, unless *name* is that of a system that is given or installed."""
        from scenarios.domain import domain_names

        if self._project is None or name in (*self._domains, *domain_names()):
            return None
        if callable(self._project):
            self._project = self._project()
        return self._project

    def tree(self, name: str, errors: ErrorList, values: Mapping[str, Any] | None = None) -> Branch | None:
        """Return the tree of the scenario *name*, None where there is none.

        Args:
            name: its name.
            errors: collects what is wrong with its file.
            values: values of parameters, for one that is written in Python.
        """
        path = self.file_of(name)
        if path is not None:
            return self._tree(path, errors)
        function = self.functions().get(name)
        if function is None:
            return None
        from scenarios.library.functions import tree_of

        return tree_of(self, function, values or {}, errors)

    def _tree(self, path: Path, errors: ErrorList) -> Branch | None:
        try:
            stamp = stamp_of(path)
            data = None
            cached = self._trees.get(path)
            if cached is None or cached[0] != stamp:
                data = path.read_bytes()
        except OSError as error:
            raise LibraryError(
                "cannot read the scenario file", where=shown(path), why=error.strerror
            ) from error
        if data is not None:
            own = ErrorList()
            text = read_text(data, shown(path), own)
            tree = read_tree(text, shown(path), own) if text is not None else None
            cached = (stamp, tree, own)
            self._trees[path] = cached
        assert cached is not None
        errors.found.extend(cached[2].found)
        return cached[1]


def _read_already(function: Marked | None, tree: Branch) -> Head | None:
    """Return the head of *tree* where its function's mark said all of it."""
    if function is None or any(key in tree.items and key not in function.head.items for key in HEAD_KEYS):
        return None
    return function.said


def _built_in() -> Path:
    from scenarios.resources import resource

    return resource("scenario_library")
