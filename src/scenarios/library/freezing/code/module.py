"""A module with one function marked ``@scenario`` that makes what was frozen.

The function speaks the system's builder where that has words for the state. Where it has not, the function
returns what a scenario file would say, and a comment tells why: both stand in the catalogue, and are loaded,
reset and composed alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from scenarios.library.files.tree import to_plain
from scenarios.library.freezing.code.generator import CodeGenerator
from scenarios.library.freezing.code.proof import prove
from scenarios.library.freezing.code.words import NotExpressible, call, literal
from scenarios.library.progress import Progress, Stages

if TYPE_CHECKING:
    from scenarios.library.freezing.freeze import Frozen


@dataclass(frozen=True, slots=True)
class Module:
    """A frozen state as Python.

    Attributes:
        text: the module.
        reason: why it is said as data; empty where the builder says it.
    """

    text: str
    reason: str = ""


def as_python(frozen: Frozen, *, progress: Progress | None = None) -> Module:
    """Return a module with one function marked ``@scenario`` that makes what was frozen.

    It is run before it is handed out, and what it makes is compared with what was frozen, row by row.

    Args:
        frozen: what was frozen.
        progress: is told what is being done.
    """
    stages = Stages(progress, 2)
    definition = frozen.definition
    if not {"builder", "as_code"} <= set(definition.domain.parts):
        return _as_data(frozen, f"{definition.domain.title} has no builder")
    speaker: type[CodeGenerator] = definition.domain.part("as_code").SPEAKER
    try:
        stages.begin("saying it with the builder")
        text = _with_builder(frozen, speaker(definition.name, definition.plan()))
        stages.begin("running what was said, and comparing")
        prove(text, definition)
    except NotExpressible as reason:
        return _as_data(frozen, f"the builder cannot say it all: {reason}")
    return Module(text)


def _with_builder(frozen: Frozen, speaker: CodeGenerator) -> str:
    body = speaker.body()
    words = [word for word in speaker.vocabulary if re.search(rf"\b{word}\.", body)]
    times = [word for word in ("date", "timedelta") if re.search(rf"\b{word}\(", body)]
    imports = [
        f"from datetime import {', '.join(sorted({'UTC', 'datetime', *times}))}\n",
        f"from {frozen.definition.domain.parts['builder']} import a_scenario",
        *([f"from {speaker.vocabulary_in} import {', '.join(words)}"] if words else []),
        "from scenarios.library import scenario",
        *(["from scenarios.values import Clock"] if speaker.clocked else []),
    ]
    return _module(frozen, "\n".join(imports), [], {}, "object", body)


def _as_data(frozen: Frozen, reason: str) -> Module:
    content: dict[str, Any] = to_plain(frozen.definition.composed.tree)
    head: dict[str, Any] = {key: content.pop(key) for key in ("clock", "seed") if key in content}
    for key in ("scenario", "system", "title", "tags"):
        content.pop(key, None)
    reason = " ".join(reason.split())
    text = _module(
        frozen,
        "from typing import Any\n\nfrom scenarios.library import scenario",
        [f"Said as data, as a scenario file would, because {reason}"],
        head,
        "dict[str, Any]",
        f"    return {literal(content, 4)}\n",
    )
    return Module(text, reason)


def _module(
    frozen: Frozen, imports: str, remarks: list[str], head: Mapping[str, Any], returned: str, body: str
) -> str:
    definition = frozen.definition
    title = _docstring(definition.head.title)
    function = f"{definition.name}_" if iskeyword(definition.name) else definition.name
    mark = call(
        "@scenario",
        name=definition.name if function != definition.name else None,
        system=definition.domain.name,
        tags=list(definition.head.tags),
        **head,
    ).replace("\n    ", "\n")
    notes = "\n".join(f"# {note}" for note in (*frozen.notes, *remarks))
    above = "\n\n".join(filter(None, [f'"""{title}"""', imports, notes]))
    return f'{above}\n\n\n{mark}\ndef {function}() -> {returned}:\n    """{title}"""\n{body}'


def _docstring(title: str) -> str:
    return " ".join(title.replace("\\", "\\\\").replace('"', "'").split()).rstrip(".") + "."
