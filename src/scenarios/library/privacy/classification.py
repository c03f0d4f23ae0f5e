"""What the columns of any schema hold of people: said in ``pyproject.toml``, in SQL comments, or on models.

Tables made by a ``.sql`` file or by migrations have no place for ``info={"personal": KIND}``. So the same is
said by ``[tool.scenarios.personal]``, or by a comment on the column that contains ``personal: KIND``. What is
proposed here is a proposal: from names, types and a sample of the values, for a person to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from scenarios.domain import PERSONAL
from scenarios.errors import SettingsError
from scenarios.library.files.error_list import suggest
from scenarios.library.privacy.pseudonyms import KINDS, needs_classification

if TYPE_CHECKING:
    import psycopg

NO = "no"
"""Said of a column that holds nothing personal."""
SAMPLE = 200
"""Values of a column that are looked at."""

_COMMENT = re.compile(r"\bpersonal:\s*(?P<kind>\w+)", re.IGNORECASE)
_NAMES: tuple[tuple[str, str], ...] = (
    (r"e_?mail", "email"),
    (r"(^|_)(first|given|fore)_?name|(^|_)fname", "first_name"),
    (r"(^|_)(last|family|sur)_?name|(^|_)lname", "last_name"),
    (r"user_?name|login|nick", "username"),
    (r"phone|mobile|(^|_)(tel|fax)($|_)", "phone"),
    (r"passw|secret|token|(^|_)(hash|salt|iban|pin|ssn|otp)($|_)|api_?key|card", "secret"),
    (r"birth|(^|_)(dob|born)($|_)", "date_of_birth"),
    (r"address|street|district|postal|postcode|zip|(^|_)(city|ip|town)($|_)", "address"),
)
_NOT_PERSONAL = re.compile(r"(^|_)(status|state|kind|type|currency|locale|language|timezone|slug|sku|color)$")
_CONTENT: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")),
    ("phone", re.compile(r"(\+|00)\d[\d ()./-]{6,}\Z")),
)
_DATES = sa.Date | sa.DateTime


def classify(tables: Iterable[sa.Table], said: Mapping[str, Any], where: str) -> None:
    """Note on the columns of *tables* what *said* and their comments say of them; *said* has the last word.

    Args:
        tables: the tables of a schema.
        said: ``table.column`` and a kind, or `NO`.
        where: where that was said, for errors.

    Raises:
        SettingsError: there is no such column or kind.
    """
    columns = {f"{table.fullname}.{column.name}": column for table in tables for column in table.columns}
    for column in columns.values():
        comment = _COMMENT.search(column.comment or "")
        if comment is not None and PERSONAL not in column.info:
            column.info[PERSONAL] = _kind(comment["kind"].lower(), f"the comment on {column}")
    for name, kind in said.items():
        if name not in columns:
            raise SettingsError(
                f"there is no column {name!r}",
                where=where,
                hint=suggest(name, list(columns)) or 'write "table.column" = "email"',
            )
        columns[name].info[PERSONAL] = _kind(kind, f"{name} in {where}")


def _kind(kind: Any, where: str) -> str | None:
    if kind == NO:
        return None
    if kind not in KINDS:
        raise SettingsError(
            f"{kind!r} is no kind of personal data",
            where=where,
            hint=f"write one of {', '.join(KINDS)}, {NO}",
        )
    return str(kind)


def propose(
    tables: Iterable[sa.Table], conn: psycopg.Connection[Any] | None = None
) -> dict[str, tuple[str | None, str]]:
    """Return what each unclassified column seems to hold, and why that seems so; None where nobody can tell.

    Args:
        tables: the tables of a schema.
        conn: where values can be looked at; by default names and types alone tell.
    """
    return {
        f"{table.fullname}.{column.name}": _proposal(table, column, conn)
        for table in tables
        for column in table.columns
        if needs_classification(column) and PERSONAL not in column.info
    }


def _proposal(
    table: sa.Table, column: sa.Column[Any], conn: psycopg.Connection[Any] | None
) -> tuple[str | None, str]:
    kind: Any = column.type
    if isinstance(kind, sa.LargeBinary):
        return None, "bytes: nothing tells what they are"
    for pattern, name in _NAMES:
        fits = isinstance(kind, _DATES) if name == "date_of_birth" else not isinstance(kind, _DATES)
        if fits and re.search(pattern, column.name, re.IGNORECASE):
            return name, "its name"
    if isinstance(kind, _DATES):
        return NO, "a date that is no birthday by its name"
    if conn is not None and isinstance(kind, sa.String):
        values = _sample(table, column, conn)
        for name, shape in _CONTENT:
            if values and sum(bool(shape.match(value)) for value in values) * 2 > len(values):
                return name, "its values"
    if _NOT_PERSONAL.search(column.name):
        return NO, "its name"
    if column.name.lower() in ("name", "full_name", "fullname"):
        people = re.search(
            r"user|person|people|customer|client|patient|owner|author|member|employee|staff|contact|actor",
            table.name,
            re.IGNORECASE,
        )
        return (
            ("last_name", "its name, in a table of people") if people else ("text", "it may mention people")
        )
    return "text", "it may mention people"


def _sample(table: sa.Table, column: sa.Column[Any], conn: psycopg.Connection[Any]) -> list[str]:
    from psycopg import sql

    query = sql.SQL("SELECT {0}::text FROM {1} WHERE {0} IS NOT NULL LIMIT {2}").format(
        sql.Identifier(column.name), sql.Identifier(table.schema or "public", table.name), sql.Literal(SAMPLE)
    )
    return [value for (value,) in conn.execute(query).fetchall()]


def as_toml(proposals: Mapping[str, tuple[str | None, str]]) -> str:
    """Return *proposals* as the lines of a TOML table; what nobody can tell is a comment."""
    lines = []
    for name, (kind, why) in proposals.items():
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        said = f'"{quoted}" = "{kind}"' if kind is not None else f'# "{quoted}" = '
        lines.append(f"{said}  # {why}")
    return "\n".join(lines)


def written_into(text: str, lines: str) -> str:
    """Return the text of a ``pyproject.toml`` with *lines* added to its ``[tool.scenarios.personal]``."""
    header = "[tool.scenarios.personal]"
    found = re.search(rf"^{re.escape(header)}[ \t]*(#.*)?$", text, re.MULTILINE)
    if found is not None:
        return f"{text[: found.end()]}\n{lines}{text[found.end() :]}"
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}\n{header}\n{lines}\n"
