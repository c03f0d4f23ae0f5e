"""Templates and what they use: escaping is on everywhere, and what is marked as safe is made here."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jinja2
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from starlette.requests import Request
from starlette.responses import HTMLResponse

from scenarios import __version__
from scenarios.web.guard import Door
from scenarios.web.picture import words

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
_LARGEST = 300_000
"""Characters of a file that are coloured; longer ones are shown plain."""
_coloured: OrderedDict[int, Markup] = OrderedDict()


def code(text: str, language: str = "yaml") -> Markup:
    """Return *text* coloured, as HTML with classes only."""
    key = hash((text, language))
    if key not in _coloured:
        if len(text) > _LARGEST:
            made = Markup("<pre>{}</pre>").format(text)
        else:
            lexer = get_lexer_by_name(language, stripnl=False)
            inner = highlight(text, lexer, HtmlFormatter(nowrap=True))
            made = Markup('<pre class="code" tabindex="0"><code>') + Markup(inner) + Markup("</code></pre>")
        _coloured[key] = made
        while len(_coloured) > 60:
            _coloured.popitem(last=False)
    return _coloured[key]


def shown(value: Any, limit: int = 400) -> str:
    """Return a value of a database for people, in at most *limit* characters."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        # A time without zone is nobody's in particular, and least of all this machine's.
        if value.tzinfo is None:
            return f"{value:%Y-%m-%d %H:%M:%S}"
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple):
        text = ", ".join(shown(each, 80) for each in value) or "(empty)"
    elif isinstance(value, bytes | memoryview):
        text = f"{len(bytes(value))} bytes"
    else:
        text = str(value)
        if text == "":
            return "(empty)"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def spoken(value: Any) -> str:
    """Return a value with a vocabulary's word as people write it."""
    text = str(value)
    return words(text) if text.isupper() else text


def ago(moment: datetime) -> str:
    """Return how long *moment* is past, in the largest fitting unit."""
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def plural(count: int, word: str) -> str:
    """Return ``1 row`` or ``5,000 rows``."""
    many = f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in "aeiou" else f"{word}s"
    return f"{count:,} {word if count == 1 else many}"


class Pages:
    """Renders templates for requests."""

    def __init__(self, door: Door, where: str) -> None:
        self._door = door
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(shown=shown, ago=ago, code=code, words=spoken)
        self._environment.globals.update(plural=plural, version=__version__, where=where)

    def render(self, request: Request, page: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Return the page made from the template *page*."""
        session = getattr(request.state, "session", None)
        csrf = self._door.csrf(session) if session else ""
        template = self._environment.get_template(page)
        text = template.render(path=request.url.path, csrf=csrf, signed_in=bool(session), **values)
        return HTMLResponse(text, status)
