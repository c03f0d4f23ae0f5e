"""``convert``: seed files to one scenario file; ``scenarios import`` is its face.

Read (`files`), seeded into objects in memory (`seeding`), said as rows (`writing`), and then read as a load
would read it, so that nothing is handed out that cannot be loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.coming_from.sqlalchemyseed.files import read_seeds, seed_files
from scenarios.coming_from.sqlalchemyseed.seeding import PREFIX, Seeding
from scenarios.coming_from.sqlalchemyseed.writing import Writing
from scenarios.domain import Domain
from scenarios.errors import LibraryError
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.files.compose import compose
from scenarios.library.files.emit import to_yaml
from scenarios.library.files.error_list import ErrorList, InvalidScenario, Place, shown
from scenarios.library.files.head import NAME
from scenarios.library.files.tree import read_tree
from scenarios.library.planning.sections import EXTRA
from scenarios.library.sections import Sections
from scenarios.projects import NAME as PROJECT


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion gave.

    Attributes:
        text: the scenario file.
        rows: number of rows by table.
        notes: what differs from the seed files on purpose, as sentences.
    """

    text: str
    rows: dict[str, int]
    notes: tuple[str, ...]


def convert(
    paths: Sequence[Path], *, name: str, model: str | None = None, prefix: str = PREFIX, title: str = ""
) -> Converted:
    """Return seed files as one scenario file.

    The models that the files name are imported.

    Args:
        paths: files or directories of them, in the order in which they would be seeded.
        name: the scenario's name.
        model: the class of the rows of CSV files, ``models.Person``.
        prefix: what marks a reference; ``ref_prefix`` of the seeder.
        title: the scenario's title; by default it names the files.

    Raises:
        InvalidScenario: something cannot be said in a scenario file; every error is listed with its place.
        LibraryError: there is no such file, or the name cannot be a scenario's.
    """
    if not NAME.match(name):
        raise LibraryError(
            f"{name[:60]!r} is not a scenario's name",
            hint="use lower-case letters, digits and _, beginning with a letter, at most 80",
        )
    files = seed_files(list(paths))
    source = ", ".join(shown(file) for file in files)
    errors = ErrorList()
    seeding = Seeding(errors, prefix)
    for file in files:
        item = read_seeds(file, errors, model=model)
        if item is not None:
            seeding.entities(item)
    writer = Writing(seeding)
    rows = writer.rows()
    if not errors.found and not rows:
        errors.add(Place(source), "", "there is no row in it")
    if errors.found:
        raise InvalidScenario(source, errors.found)
    head = {"scenario": name, "title": title or f"Seeds from {', '.join(file.name for file in files)}"}
    text = to_yaml({**head, EXTRA: rows}, spaced=[EXTRA])
    _prove(text, name, seeding)
    return Converted(text, {table: len(each) for table, each in rows.items()}, tuple(writer.notes()))


def _prove(text: str, name: str, seeding: Seeding) -> None:
    """Read the file as a load would, so that nothing is handed out that cannot be loaded."""
    errors = ErrorList()
    tree = read_tree(text, f"{name}.yaml", errors)
    if tree is not None:
        composed = compose(tree, lambda other, given: None, list, errors)
        domain = Domain(PROJECT, "the project", seeding.made[0].metadata, lambda: "")
        if not errors.found:
            ScenarioDefinition(composed, Sections(domain)).check()
    if errors.found:
        raise InvalidScenario(f"{name}.yaml", errors.found)
