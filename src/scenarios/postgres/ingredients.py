"""What a template was made from beyond what its source names: the project's files its build read.

A migration imports a helper, a function creates the tables of another module, `op.execute` is given the text
of a file: none of it is known before the build has run. So the build is watched. What it opened, which
directories it listed, and the modules that what ran imports (also those that were loaded long before) are
kept with the template, by hash, and compared when the template is next asked for.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from scenarios.postgres.audit import heard_by
from scenarios.postgres.project_files import is_own, is_temporary
from scenarios.postgres.schemas import Source, digest

_FILE, _LISTING = "file", "listing of"
_WRITES = os.O_WRONLY | os.O_RDWR
GONE = "gone"
"""What a file hashes to that is not there."""


class Ingredients:
    """The files a build read.

    Args:
        source: what is built; the files it names are counted by it already.
    """

    def __init__(self, source: Source) -> None:
        self._root = source.root
        self._counted = {_real(file) for file in source.files}
        self._counted_folders = {file.parent for file in self._counted}
        self._follow = [_real(file) for file in source.follow]
        self._functions = list(source.functions)
        self._opened: dict[str, None] = {}
        self._listed: dict[str, None] = {}

    @contextmanager
    def watched(self, *functions: Callable[..., object]) -> Iterator[None]:
        """Note what is read meanwhile, here or in another thread; *functions* are what is about to run."""
        self._functions += functions
        with heard_by(self._hear):
            yield

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            reads = not flags & _WRITES if mode is None else not set("wax+") & set(mode)
            if reads and isinstance(path, str | bytes | os.PathLike):
                self._opened[os.path.abspath(os.fsdecode(path))] = None
        elif event in ("os.listdir", "os.scandir"):
            path = arguments[0]
            # Importing a module lists the directories it may be in.
            importing = sys._getframe(2).f_globals.get("__name__") == "importlib._bootstrap_external"
            if not importing and isinstance(path, str | bytes | os.PathLike):
                self._listed[os.path.abspath(os.fsdecode(path))] = None

    def read(self) -> dict[str, str]:
        """Return the hash of each file and listing by its name, which `now` understands."""
        files = {_real(_source_of(name)) for name in self._opened}
        # What belongs to a run of the tests, not to the schema: pytest reads where a test stands, say.
        files |= _imported_by([*files, *self._follow], self._functions, self._root)
        found = [
            f"{_FILE} {self._name(file)}"
            for file in files - self._counted
            if file.is_file() and is_own(file, self._root) and not self._is_litter(file)
        ]
        folders = {_real(Path(name)) for name in self._listed} - self._counted_folders
        found += [
            f"{_LISTING} {self._name(folder)}"
            for folder in folders
            if folder.is_dir() and is_own(folder / "any", self._root) and folder.is_relative_to(self._root)
        ]
        return now(sorted(found), self._root)

    def _is_litter(self, file: Path) -> bool:
        return is_temporary(file) and not file.is_relative_to(self._root)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path)


def now(names: Iterable[str], root: Path) -> dict[str, str]:
    """Return what *names*, of files and listings in the project at *root*, hash to at present."""
    return {name: _hash(name, root) for name in names}


def unchanged(read: Mapping[str, str], root: Path) -> bool:
    """Whether everything that was *read* for a template is still the same."""
    return all(_hash(name, root) == before for name, before in read.items())


def _hash(name: str, root: Path) -> str:
    kind, where = (_LISTING, name.removeprefix(f"{_LISTING} ")) if name.startswith(_LISTING) else (_FILE, "")
    try:
        if kind == _LISTING:
            names = sorted(each for each in os.listdir(root / where) if each != "__pycache__")
            return digest(*names)
        return digest((root / name.removeprefix(f"{_FILE} ")).read_bytes())
    except OSError:
        return GONE


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _source_of(name: str) -> Path:
    """Return the module whose compiled form *name* is, or the file itself."""
    if name.endswith(".pyc"):
        from importlib.util import source_from_cache

        try:
            return Path(source_from_cache(name))
        except ValueError:
            pass
    return Path(name)


# --- modules


def _imported_by(files: Iterable[Path], functions: Iterable[Callable[..., object]], root: Path) -> set[Path]:
    """Return the project's modules that *files* import and *functions* use, and what those import in turn."""
    own: dict[str, Path] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(module, ModuleType) and isinstance(file, str) and file.endswith(".py"):
            path = _real(Path(file))
            if is_own(path, root):
                own[name] = path
    packages = {path: module_package(sys.modules[name]) for name, path in own.items()}
    waiting = [file for file in files if file.suffix == ".py" and is_own(file, root)]
    for function in functions:
        waiting += [own[name] for name in used_by(function) if name in own]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        names = imports_of(file, packages.get(file, ""))
        waiting += [own[name] for name in names if name in own]
    return found


def module_package(module: ModuleType) -> str:
    """Return the package that relative imports in *module* start from."""
    return str(getattr(module, "__package__", "") or "")


def imports_of(file: Path, package: str) -> set[str]:
    """Return the names of modules that the module *file* may import, anywhere in it, with their packages."""
    return set().union(*_imports(str(file), package).values())


def _imports(file: str, package: str) -> dict[str, set[str]]:
    """Return for each name that *file* binds by an import, anywhere in it, the modules it may come from."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                name = each.asname or each.name.partition(".")[0]
                found.setdefault(name, set()).update(_with_packages(each.name))
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join(filter(None, [*above, node.module]))
            for each in node.names:
                modules = {*_with_packages(base), f"{base}.{each.name}"}
                found.setdefault(each.asname or each.name, set()).update(modules)
    return found


def _with_packages(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts) + 1)} - {""}


def used_by(function: Callable[..., object]) -> set[str]:
    """Return the names of modules that *function* uses, itself or by functions of its own module.

    The file it stands in counts as a whole, see `code_digest`. What that imports for others does not: where
    it is a ``conftest.py``, that is the whole application.
    """
    use = _Use()
    use.follow(function)
    return use.modules


class _Use:
    def __init__(self) -> None:
        self.modules: set[str] = set()
        self._seen: set[int] = set()
        self._bound: dict[str, dict[str, set[str]]] = {}

    def follow(self, value: Any, home: str | None = None) -> None:
        """Note what *value* uses, which was reached from the module *home*."""
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, functools.partial):
            for each in (value.func, *value.args, *value.keywords.values()):
                self.follow(each, home)
            return
        if isinstance(value, ModuleType):
            self.modules |= _with_packages(value.__name__)
            return
        if not isinstance(value, type) and callable(value):
            value = inspect.unwrap(value)
            value = getattr(value, "__func__", value)
        module = getattr(value, "__module__", None)
        if not isinstance(module, str):
            return
        if home is not None and module != home:
            self.modules |= _with_packages(module)
        elif isinstance(value, FunctionType):
            self._follow_code(value, module)

    def _follow_code(self, function: FunctionType, module: str) -> None:
        space = function.__globals__
        if module not in self._bound:
            file = str(space.get("__file__", ""))
            package = module_package(sys.modules[module]) if module in sys.modules else ""
            self._bound[module] = _imports(file, package) if file.endswith(".py") else {}
        for name in _names(function.__code__):
            # A constant does not say where it was imported from.
            self.modules |= self._bound[module].get(name, set())
            if name in space:
                self.follow(space[name], module)
        for cell in function.__closure__ or ():
            self.follow(cell.cell_contents, module)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
