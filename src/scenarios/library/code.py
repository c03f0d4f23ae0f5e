"""A frozen state as Python: a function for the same catalogue."""

from __future__ import annotations

from pprint import pformat
from typing import TYPE_CHECKING

from scenarios.library.tree import to_plain

if TYPE_CHECKING:
    from scenarios.library.freeze import Frozen


def as_python(frozen: Frozen) -> str:
    """Return a module with one function marked ``@scenario`` that returns what was frozen."""
    definition = frozen.definition
    content = {
        key: value
        for key, value in to_plain(definition.composed.tree).items()
        if key not in ("scenario", "system", "title", "tags")
    }
    head = definition.head
    body = pformat(content, indent=4, width=100, sort_dicts=False)
    notes = "\n".join(f"# {note}" for note in frozen.notes)
    return (
        f'"""{head.title}."""\n\n'
        "from typing import Any\n\n"
        "from scenarios.library import scenario\n\n"
        f"{notes}\n\n\n"
        f"@scenario(system={definition.domain.name!r}, tags={tuple(head.tags)!r})\n"
        f"def {head.name}() -> dict[str, Any]:\n"
        f'    """{head.title}."""\n'
        f"    return {body}\n"
    )
