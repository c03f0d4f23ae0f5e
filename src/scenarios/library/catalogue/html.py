"""The library as browsable HTML: what each scenario holds, its conversations and an outline of its objects.

A QA engineer who has to read YAML to find a state makes a new one instead. The pages are plain files without
scripts, so that a CI job can publish them as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from scenarios.errors import LibraryError
from scenarios.library.catalogue.view import Branch, beside, fields, name_of, outline, spoken_by
from scenarios.library.files.expressions import word
from scenarios.library.progress import Progress, told

if TYPE_CHECKING:
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.library import Library
    from scenarios.library.planning.plan import Plan
    from scenarios.library.planning.rows import Row

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --mark: #2a6f97; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
a { color: var(--mark); } h1 { line-height: 1.2; } code { font-size: .9em; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
.tag { background: var(--soft); border-radius: .5rem; padding: .1rem .5rem; margin-right: .3rem; }
.chat { display: flex; flex-direction: column; gap: .4rem; }
.turn { max-width: 75%; padding: .5rem .8rem; border-radius: .8rem; background: var(--soft); }
.turn.other { align-self: flex-end; border: 1px solid var(--line); background: none; }
.turn small, .aside { opacity: .75; } .aside { font-size: .85rem; margin-left: 1rem; }
.day { text-align: center; opacity: .7; margin: .8rem 0; }
pre { white-space: pre-wrap; margin: 0; font: inherit; }
"""
_HEADINGS = "<tr><th>scenario<th>what<th>owner<th>rows</tr>"
_MOST_TURNS = 400
"""Turns of one conversation on a page; of longer ones the last ones are shown."""


def render(library: Library, out: Path, *, progress: Progress | None = None) -> list[Path]:
    """Write the catalogue into the directory *out*; return the files, the index first.

    All pages are made before the first is put there, so that whoever stops it finds what was there before.

    Args:
        library: the scenarios.
        out: the directory; other files in it stay.
        progress: is told before each scenario.

    Raises:
        InvalidScenario: a scenario is wrong.
        LibraryError: the directory cannot be written.
    """
    pages: list[tuple[str, str]] = []
    lines: dict[str, list[str]] = {}
    for name in told(progress, library.names()):
        definition = library[name]
        plan = definition.plan()
        pages.append((f"{name}.html", page(definition, plan)))
        head = definition.head
        tags = "".join(f'<span class="tag">{escape(tag)}</span>' for tag in head.tags)
        lines.setdefault(definition.domain.title, []).append(
            f'<tr><td><a href="{name}.html">{escape(name)}</a></td><td>{escape(head.title)}<br>{tags}</td>'
            f"<td>{escape(head.owner)}</td><td>{sum(plan.counts.values())}</td></tr>"
        )
    body = "".join(
        f"<h2>{escape(system)}</h2><table>{_HEADINGS}{''.join(rows)}</table>"
        for system, rows in sorted(lines.items())
    )
    pages.insert(0, ("index.html", _document("The scenario library", f"<h1>The scenario library</h1>{body}")))
    try:
        _put(out, pages)
    except OSError as error:
        raise LibraryError(f"cannot write the catalogue to {out}", why=error.strerror) from error
    return [out / name for name, _ in pages]


def _put(out: Path, pages: list[tuple[str, str]]) -> None:
    """Write *pages* beside *out* and move them there; the index comes last, when all it leads to is there."""
    beside = out.parent if out.name else out
    beside.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=beside, prefix=f".{out.name}.") as made:
        for name, text in pages:
            (Path(made) / name).write_text(text, "utf-8")
        out.mkdir(exist_ok=True)
        for name, _ in reversed(pages):
            (Path(made) / name).replace(out / name)


def page(definition: ScenarioDefinition, plan: Plan) -> str:
    """Return the page of one scenario."""
    head = definition.head
    parts = [
        '<p><a href="index.html">All scenarios</a></p>',
        f"<h1>{escape(head.title or definition.name)}</h1>",
        f"<p><code>{escape(definition.name)}</code>, {escape(definition.domain.title)}, "
        f"version {head.version}, "
        f"{sum(plan.counts.values())} rows; the clock shows {plan.anchor:%A %d %B %Y %H:%M} UTC</p>",
        f"<p>{escape(head.description)}</p>",
        f"<p><code>scenarios load {escape(definition.name)} --to URL</code></p>",
    ]
    if head.parameters:
        parts.append(
            _table(
                ["parameter", "allowed", "default", "what"],
                [
                    [each.name, each.describe(), word(each.default), each.description]
                    for each in head.parameters.values()
                ],
            )
        )
    top = [row for row in plan.rows if row.parent is None]
    parts.append(f"<h2>Objects</h2>{_outline(outline(plan))}")
    for row in top:
        parts.append(f"<h2>{escape(row.handle)} <small>({escape(row.section.unit)})</small></h2>")
        parts.append(_facts(plan, row))
        parts += _inner(plan, row)
    return _document(definition.name, "".join(parts))


def _inner(plan: Plan, row: Row) -> list[str]:
    parts = []
    for section in row.section.inner:
        rows = [child for child in row.children if child.section is section]
        if not rows:
            continue
        parts.append(f"<h3>{escape(section.key)}</h3>")
        if section.form == "turns":
            parts.append(_chat(row, rows))
        elif section.form == "one":
            parts.append(_facts(plan, rows[0]))
        else:
            data = [fields(plan, each) for each in rows]
            columns = list(dict.fromkeys(key for each in data for key, value in each.items() if _told(value)))
            cells = [
                [each.handle.rpartition(".")[2], *(_word(told.get(key)) for key in columns)]
                for each, told in zip(rows, data, strict=True)
            ]
            parts.append(_table(["handle", *columns], cells))
            for each in rows:
                parts += _inner(plan, each)
    return parts


def _facts(plan: Plan, row: Row) -> str:
    told = {key: value for key, value in fields(plan, row).items() if _told(value) and key != "password"}
    return _table(["", ""], [[key, _word(value)] for key, value in told.items()])


def _chat(user: Row, rows: list[Row]) -> str:
    section = rows[0].section
    names = {word: key for key, word in section.speakers.items()}
    parts = []
    if len(rows) > _MOST_TURNS:
        parts.append(f'<div class="day">{len(rows) - _MOST_TURNS} earlier turns are not shown</div>')
    day = None
    for row in rows[-_MOST_TURNS:]:
        moment = row.values[section.time]
        if moment.date() != day:
            day = moment.date()
            parts.append(f'<div class="day">{moment:%A %d %B %Y}</div>')
        who = names.get(spoken_by(row), "")
        side = "turn other" if who == section.person else "turn"
        name = name_of(user) if who == section.person else who
        text = escape(str(row.values[section.text]))
        parts.append(
            f'<div class="{side}" dir="auto"><small>{escape(name)} {moment:%H:%M}</small>'
            f"<pre>{text}</pre></div>"
        )
        for what, said in beside(row):
            aside = f"{what}: {said}" if said else what
            parts.append(f'<div class="aside" dir="auto">{escape(aside)}</div>')
    return f'<div class="chat">{"".join(parts)}</div>'


def _outline(branches: Iterable[Branch]) -> str:
    """Return a list of lists: who is there, what each has, and how much of it."""
    items = [
        f"<li>{escape(each.label)}{f' <small>{each.count}</small>' if each.count > 1 else ''}"
        f"{_outline(each.inside)}</li>"
        for each in branches
    ]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _told(value: Any) -> bool:
    return value not in (None, "", [], {})


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return "" if value is None else str(value)


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td dir=auto>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )
