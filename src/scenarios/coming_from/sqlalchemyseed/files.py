"""Seed files (JSON, YAML, CSV) as values that know where they stand.

A seed file turned into plain dictionaries has forgotten its lines, and "no Company fits the filter" is of
little help in a file of two thousand. Values are exactly those that sqlalchemyseed's own loader would give:
YAML by PyYAML's safe loader, so ``yes`` is true and ``2026-03-04`` a date; CSV fields are texts.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from scenarios.errors import LibraryError
from scenarios.library.files.error_list import ErrorList, Place, shown
from scenarios.library.files.tree import read_text

MAX_DEPTH = 60
"""Nesting beyond this is refused, and so is an alias that contains itself."""
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Item:
    """A value, with where it stands.

    Attributes:
        value: a mapping or a list of items, or what a scalar means.
        place: file, line and column.
        path: where in the file, ``[1].data[0].!company``.
    """

    value: Any
    place: Place
    path: str

    @property
    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: item.plain for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain for item in self.value]
        return self.value


def seed_files(paths: list[Path]) -> list[Path]:
    """Return the files of *paths* in the order in which they are seeded: a directory's by name.

    Raises:
        LibraryError: a path does not exist, is no seed file, or a directory holds none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in (".json", *_YAML))
            if not inside:
                raise LibraryError("a directory holds no seed file", where=str(path), hint="name .csv files")
            found += inside
        elif not path.is_file():
            raise LibraryError("there is no such seed file", where=str(path))
        elif path.suffix.lower() not in (".json", ".csv", *_YAML):
            raise LibraryError(
                f"{path.name} is no seed file", where=str(path), hint="seed files are JSON, YAML or CSV"
            )
        else:
            found.append(path)
    return found


def read_seeds(path: Path, errors: ErrorList, *, model: str | None = None) -> Item | None:
    """Return what the file *path* says, None with errors.

    Args:
        path: the file.
        errors: collects what is wrong.
        model: the class of the rows of a CSV file, ``models.Person``.

    Raises:
        LibraryError: the file cannot be read.
    """
    name = shown(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LibraryError("cannot read the seed file", where=name, why=error.strerror) from error
    text = read_text(data, name, errors)
    if text is None:
        return None
    if path.suffix.lower() == ".csv":
        return _from_csv(text, name, model, errors)
    if path.suffix.lower() == ".json":
        return _from_json(text, name, errors)
    return _from_yaml(text, name, errors)


def _from_yaml(text: str, name: str, errors: ErrorList) -> Item | None:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _item(node, loader, name, "", errors, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        errors.add(_place(name, mark), "", f"this is not YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        errors.add(Place(name), "", f"this is not YAML: {error}")
    finally:
        loader.dispose()
    return None


def _item(node: Any, loader: Any, name: str, path: str, errors: ErrorList, depth: int) -> Item:
    place = _place(name, node.start_mark)
    if depth > MAX_DEPTH:
        errors.add(place, path, f"nested deeper than {MAX_DEPTH} levels")
        return Item(None, place, path)
    if node.tag == "tag:yaml.org,2002:map":
        loader.flatten_mapping(node)  # what << brings in
        items = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                errors.add(_place(name, key_node.start_mark), path, f"the key {key!r} is no text", "quote it")
                continue
            items[key] = _item(value_node, loader, name, _under(path, key), errors, depth + 1)
        return Item(items, place, path)
    if node.tag == "tag:yaml.org,2002:seq":
        inner = enumerate(node.value)
        return Item(
            [_item(each, loader, name, f"{path}[{at}]", errors, depth + 1) for at, each in inner], place, path
        )
    return Item(loader.construct_object(node, deep=True), place, path)


def _from_json(text: str, name: str, errors: ErrorList) -> Item | None:
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        errors.add(Place(name, error.lineno, error.colno), "", f"this is not JSON: {error.msg}")
        return None
    except RecursionError:
        errors.add(Place(name), "", f"nested deeper than {MAX_DEPTH} levels")
        return None
    try:
        # JSON is YAML but for tabs, which stand outside its texts only; its nodes know their places.
        node = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        node = None
    return _placed(plain, node, name, "")


def _placed(plain: Any, node: Any, name: str, path: str) -> Item:
    place = _place(name, node.start_mark) if node is not None else Place(name)
    if isinstance(plain, dict):
        inner = {} if node is None else {key.value: value for key, value in node.value}
        items = {key: _placed(each, inner.get(key), name, _under(path, key)) for key, each in plain.items()}
        return Item(items, place, path)
    if isinstance(plain, list):
        nodes = [None] * len(plain) if node is None else node.value
        return Item(
            [
                _placed(each, within, name, f"{path}[{at}]")
                for at, (each, within) in enumerate(zip(plain, nodes, strict=True))
            ],
            place,
            path,
        )
    return Item(plain, place, path)


def _from_csv(text: str, name: str, model: str | None, errors: ErrorList) -> Item | None:
    start = Place(name, 1, 1)
    if model is None:
        errors.add(
            start, "", "a CSV file does not say what its rows are", "give --model package.module.Class"
        )
        return None
    reader = csv.DictReader(StringIO(text, newline=""), skipinitialspace=True)
    rows = list(_rows(reader, name, errors))
    return Item({"model": Item(model, start, "model"), "data": Item(rows, start, "data")}, start, "")


def _rows(reader: csv.DictReader[str], name: str, errors: ErrorList) -> Iterator[Item]:
    for at, row in enumerate(reader):
        place, path = Place(name, reader.line_num, 1), f"row {at + 1}"
        if None in row or None in row.values():
            errors.add(place, path, "this row has not as many fields as the header")
            continue
        yield Item({key: Item(value, place, f"{path}.{key}") for key, value in row.items()}, place, path)


def _place(name: str, mark: Any) -> Place:
    return Place(name) if mark is None else Place(name, mark.line + 1, mark.column + 1)


def _under(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
