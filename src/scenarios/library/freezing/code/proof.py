"""The proof of generated code: it is run, and what it builds is compared with what was frozen.

Generated code that looks right and builds something else is worse than none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scenarios.domain import PERSONAL
from scenarios.errors import ScenariosError
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.files.compose import compose
from scenarios.library.files.error_list import ErrorList
from scenarios.library.files.tree import Branch, from_plain
from scenarios.library.freezing.code.words import NotExpressible
from scenarios.library.freezing.from_builder import from_builder
from scenarios.library.planning.plan import Plan, Serial

if TYPE_CHECKING:
    from scenarios.library.planning.rows import Row

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_FILE = "<frozen>"

Alike = tuple[str, tuple[tuple[str, str], ...]]
"""A row up to its keys: the table, and the text of each column."""


def prove(text: str, definition: ScenarioDefinition) -> None:
    """Run the module *text* and compare what its function builds with *definition*.

    Raises:
        NotExpressible: it cannot be built, or something differs.
    """
    space: dict[str, Any] = {"__name__": "frozen"}
    try:
        exec(compile(text, _FILE, "exec"), space)
        built = next(each for each in space.values() if hasattr(each, "__scenario__"))().build()
        rows = from_builder(built.program, definition.sections)
        again = _definition({"scenario": definition.name, **rows}, definition)
        wanted, got = comparable(definition.plan()), comparable(again.plan())
    except ScenariosError as error:
        raise NotExpressible(f"{error.what}: {error.why}" if error.why else error.what) from error
    except Exception as error:
        raise NotExpressible(f"{type(error).__name__}: {error}") from error
    lost, extra = wanted - got, got - wanted
    if lost or extra:
        raise NotExpressible(_difference(lost, extra))


def _definition(content: Mapping[str, Any], like: ScenarioDefinition) -> ScenarioDefinition:
    tree = from_plain(content, _FILE)
    assert isinstance(tree, Branch)
    errors = ErrorList()
    composed = compose(tree, lambda _name, _values: None, list, errors)
    errors.raise_if_any(_FILE)
    return ScenarioDefinition(composed, like.sections)


def _difference(lost: Counter[Alike], extra: Counter[Alike]) -> str:
    table, columns = next((lost or extra).elements())
    other = next((row for row in extra.elements() if row[0] == table), None) if lost else None
    differing = [
        name
        for (name, value), (_, its) in zip(columns, other[1] if other else (), strict=False)
        if value != its and name != "id"  # a key stands for the rest of its row
    ]
    return f"rows of {table} would differ{' in ' + ', '.join(differing) if differing else ''}"


def comparable(plan: Plan) -> Counter[Alike]:
    """Return the rows of *plan* up to keys: a key stands for what its row says, and secrets say nothing.

    So does an id that no row has as its key (of a login session, say): it stands for the rows that share it.
    """
    keys: dict[str, str] = {}
    numbers: dict[tuple[str, str], str] = {}
    shared: dict[str, list[str]] = {}
    for row in plan.rows:
        said = _own(row)
        for column in row.table.columns:
            value = row.values.get(column.name)
            if column.primary_key and isinstance(value, UUID):
                keys[str(value)] = said
            elif column.primary_key and isinstance(value, Serial):
                numbers[row.handle, column.name] = said
            elif isinstance(value, UUID) and not column.foreign_keys:
                shared.setdefault(str(value), []).append(f"{said}.{column.name}")
    for text, whose in shared.items():
        keys.setdefault(text, f"<shared by {sorted(whose)}>")

    def told(value: Any) -> str:
        if isinstance(value, Serial):
            return numbers.get((value.row.handle, value.column), "made by the database")
        if isinstance(value, dict):
            return repr(sorted((key, told(item)) for key, item in value.items()))
        if isinstance(value, list | tuple):
            return repr([told(item) for item in value])
        return _UUID.sub(lambda match: keys.get(match.group().lower(), match.group()), _text(value))

    return Counter(
        (
            row.table.fullname,
            tuple(
                (column.name, told(row.values.get(column.name)))
                for column in row.table.columns
                if column.info.get(PERSONAL) != "secret" and column.computed is None
            ),
        )
        for row in plan.rows
    )


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value.normalize())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _own(row: Row) -> str:
    """Return what *row* says of itself, keys and secrets left out."""
    said = sorted(
        (column.name, _text(value))
        for column in row.table.columns
        if not isinstance(value := row.values.get(column.name), UUID | dict | Serial)
        and column.info.get(PERSONAL) != "secret"
    )
    return f"<{row.table.name} {said}>"
