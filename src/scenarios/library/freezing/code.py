"""A frozen state as Python: a function for the same catalogue, said with the builder where it can be said.

Generated code that looks right and builds something else is worse than none. So the code is run before it is
handed out, and what it makes is compared with what was frozen, row by row; where the builder cannot say a
state, the function returns the content of a scenario file instead, and a comment tells why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pprint import pformat
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scenarios.domain import PERSONAL
from scenarios.errors import ScenariosError
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.files.compose import compose
from scenarios.library.files.faults import Faults
from scenarios.library.files.tree import Branch, from_plain, to_plain
from scenarios.library.freezing.code_dev_coach import statements as dev_coach
from scenarios.library.freezing.saying import CannotSay

if TYPE_CHECKING:
    from scenarios.library.freezing.freeze import Frozen
    from scenarios.library.planning.plan import Plan

_SPEAKERS: Mapping[str, Callable[[str, Plan], str]] = {"dev_coach": dev_coach}
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def as_python(frozen: Frozen) -> str:
    """Return a module with one function marked ``@scenario`` that builds what was frozen.

    The function calls the system's builder. Where that cannot say the state, the function returns what the
    scenario file would say, below a comment with the reason.
    """
    definition = frozen.definition
    system = definition.domain.name
    speaker = _SPEAKERS.get(system)
    if speaker is None:
        return _as_data(frozen, f"no code is made with the builder of {definition.domain.title}")
    try:
        text = _module(frozen, speaker(definition.name, definition.plan()))
        _prove(text, definition)
    except CannotSay as reason:
        return _as_data(frozen, str(reason))
    except ScenariosError as error:
        return _as_data(frozen, f"{error.what}: {error.why}" if error.why else error.what)
    return text


def _module(frozen: Frozen, body: str) -> str:
    definition = frozen.definition
    head = definition.head
    system = definition.domain.name
    words = [word for word in _VOCABULARY if re.search(rf"\b{word}\.", body)]
    vocabulary = f"from scenarios.domains.{system} import {', '.join(words)}\n" if words else ""
    clock = "from scenarios.values import Clock\n" if "at(" in re.sub(r"\w+\.at\(", "", body) else ""
    notes = "".join(f"# {note}\n" for note in frozen.notes)
    return (
        f'"""{_docstring(head.title)}"""\n\n'
        "from datetime import UTC, date, datetime  # noqa: F401 - whichever the state needs\n\n"
        f"from scenarios.builders.{system} import a_scenario\n{vocabulary}"
        f"from scenarios.library import scenario\n{clock}\n{notes}\n\n"
        f'@scenario(system="{system}", tags={list(head.tags)!r})\n'
        f"def {head.name}() -> object:\n"
        f'    """{_docstring(head.title)}"""\n'
        f"{body}"
    )


_VOCABULARY = (
    "ActionType",
    "CoachingPhase",
    "IdentityCategory",
    "IdentityState",
    "MessageRole",
    "PromptType",
)


def _docstring(title: str) -> str:
    return title.replace("\\", "\\\\").replace('"', "'").rstrip(".") + "."


def _as_data(frozen: Frozen, reason: str) -> str:
    definition = frozen.definition
    content = {
        key: value
        for key, value in to_plain(definition.composed.tree).items()
        if key not in ("scenario", "system", "title", "tags")
    }
    head = definition.head
    body = pformat(content, indent=4, width=100, sort_dicts=False)
    notes = "".join(f"# {note}\n" for note in frozen.notes)
    reason = " ".join(reason.split())
    return (
        f'"""{_docstring(head.title)}"""\n\n'
        "from typing import Any\n\n"
        "from scenarios.library import scenario\n\n"
        f"{notes}# Said as data, as a scenario file would, because the builder cannot say it all:\n"
        f"# {reason}\n\n\n"
        f"@scenario(system={definition.domain.name!r}, tags={tuple(head.tags)!r})\n"
        f"def {head.name}() -> dict[str, Any]:\n"
        f'    """{_docstring(head.title)}"""\n'
        f"    return {body}\n"
    )


# -- proof ---------------------------------------------------------------------------------------------


def _prove(text: str, definition: ScenarioDefinition) -> None:
    """Run *text* and compare what it builds with *definition*.

    Raises:
        CannotSay: something differs.
    """
    from scenarios.library.freezing.from_builder import from_builder

    space: dict[str, Any] = {"__name__": "frozen"}
    exec(compile(text, "<frozen>", "exec"), space)
    rows = from_builder(space[definition.name]().build(), definition.name, definition.sections)
    tree = from_plain({"scenario": definition.name, **rows}, "<frozen>")
    assert isinstance(tree, Branch)
    faults = Faults()
    built = ScenarioDefinition(compose(tree, lambda _name, _values: None, list, faults), definition.sections)
    faults.raise_if_any("<frozen>")
    wanted, got = comparable(definition.plan()), comparable(built.plan())
    lost = list((wanted - got).elements()) + list((got - wanted).elements())
    if lost:
        table, columns = lost[0]
        other = next((row for row in (got - wanted).elements() if row[0] == table), None)
        differing = (
            [name for (name, value), (_, its) in zip(columns, other[1], strict=False) if value != its]
            if other is not None
            else []
        )
        raise CannotSay(f"rows of {table} would differ{' in ' + ', '.join(differing) if differing else ''}")


def comparable(plan: Plan) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the rows of *plan* up to ids: a key stands for what its row says, and secrets say nothing."""
    said: dict[str, str] = {}
    for row in plan.rows:
        for column in row.table.primary_key.columns:
            value = row.values.get(column.name)
            if isinstance(value, UUID):
                own = sorted(
                    (each.name, repr(row.values.get(each.name)))
                    for each in row.table.columns
                    if not isinstance(row.values.get(each.name), UUID | dict)
                    and each.info.get(PERSONAL) != "secret"
                )
                said[str(value)] = f"<{row.table.name} {own}>"

    def told(value: Any) -> str:
        if isinstance(value, dict):
            return repr(sorted((key, told(item)) for key, item in value.items()))
        if isinstance(value, list | tuple):
            return repr([told(item) for item in value])
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        return _UUID.sub(lambda match: said.get(match.group().lower(), match.group()), f"{text}")

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
