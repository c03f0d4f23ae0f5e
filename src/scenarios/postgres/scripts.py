"""Running a `.sql` file without psql.

A plain dump holds `COPY .. FROM stdin` blocks and psql's `\\restrict` lines, which a server does not
understand; a script that fails names a character position nobody can find. Here the blocks are fed through
COPY, the two psql lines that protect a dump are passed over, any other psql command is refused by name, and
an error names the file and the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg

from scenarios.errors import TemplateError

_COPY = re.compile(r"^COPY\s.*\sFROM\s+stdin\b.*;\s*$", re.IGNORECASE)
_PASSED_OVER = ("\\restrict", "\\unrestrict")


def run_script(conn: psycopg.Connection[Any], script: str, name: str) -> None:
    """Run *script* on the autocommit connection *conn*.

    Args:
        name: what to call the script in errors, its path by preference.

    Raises:
        TemplateError: a statement was refused, or is a command of psql's.
    """
    for line, text, rows in _pieces(script, name):
        try:
            if rows is None:
                if text.strip():
                    conn.execute(text.encode(), prepare=False)
            else:
                with conn.cursor() as cursor, cursor.copy(text.encode()) as copy:
                    copy.write(rows)
        except psycopg.Error as error:
            position = error.diag.statement_position
            if position is not None:
                line += text.count("\n", 0, int(position) - 1)
            raise TemplateError(
                "a statement of the schema was refused",
                where=f"{name}, line {line}",
                why=f"{error.diag.sqlstate or ''} {error.diag.message_primary or error}".strip(),
                remedy=error.diag.message_hint or "mend the script; nothing of the template was kept",
            ) from error


def _pieces(script: str, name: str) -> Iterator[tuple[int, str, str | None]]:
    """Give the script as (first line, text, rows): rows for a COPY block, None for plain SQL."""
    if "\\" not in script:
        yield 1, script, None
        return
    lines = script.split("\n")
    begin, number, quoted = 0, 0, _Quotes()
    while number < len(lines):
        line = lines[number]
        outside = not quoted.open
        if outside and line.startswith("\\"):
            if not line.startswith(_PASSED_OVER):
                raise TemplateError(
                    f"cannot run the psql command {line.split()[0]!r}",
                    where=f"{name}, line {number + 1}",
                    remedy="take it out, or give a callable that runs psql",
                )
            lines[number] = ""
        elif outside and _COPY.match(line):
            if number > begin:
                yield begin + 1, "\n".join(lines[begin:number]), None
            end = number + 1
            while end < len(lines) and lines[end].rstrip("\r") != "\\.":
                end += 1
            rows = "\n".join(lines[number + 1 : end])
            yield number + 1, line, f"{rows}\n" if rows else ""
            begin = number = end + 1
            continue
        quoted.read(lines[number])
        number += 1
    yield begin + 1, "\n".join(lines[begin:]), None


class _Quotes:
    """Whether the text read so far ends inside a string, an identifier, a comment or a dollar quote."""

    _TOKEN = re.compile(r"--|/\*|\*/|'|\"|\$(?:[A-Za-z_]\w*)?\$")

    def __init__(self) -> None:
        self.open = ""

    def read(self, line: str) -> None:
        for match in self._TOKEN.finditer(line):
            token = match[0]
            if not self.open:
                if token == "--":
                    return
                self.open = {"/*": "*/", "*/": ""}.get(token, token)
            elif token == self.open:
                self.open = ""
