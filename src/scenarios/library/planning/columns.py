"""What the columns of a table accept and become when a file does not mention them.

The metadata knows lengths, vocabularies, foreign keys and defaults already; said again by hand for each
system they would drift from it. A file may leave out any column that has a default, and gets exactly the
value the database would give it, except that times come from the scenario's clock and keys from its
handles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from scenarios.column_types import type_of
from scenarios.domain import REFERS_TO
from scenarios.graph.defaults import RowContext, sql_default
from scenarios.library.files.column_parsers import (
    ColumnParser,
    EnumText,
    Identifier,
    ListOf,
    RawText,
)


class _Marker:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


MISSING: Final = _Marker("MISSING")
"""No value: the column has no default and the file gives none."""
CLOCK: Final = _Marker("CLOCK")
"""The default is the current time: the scenario's."""
KEY: Final = _Marker("KEY")
"""The default is a fresh key."""
FUNCTION: Final = _Marker("FUNCTION")
"""The default is a function of the model, which is asked for each row; see `planning.functions`."""
DATABASE: Final = _Marker("DATABASE")
"""The default is an expression only the database can evaluate; the column is left out."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a foreign key points.

    Attributes:
        table: the table.
        column: its column.
        pairs: every column of the key with the one that it has to equal.
    """

    table: str
    column: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column as a file sees it.

    Attributes:
        name: the column's name.
        label: its name in files: foreign keys without ``_id``.
        column: the column.
        parser: what its values may be.
        target: where it points, or None.
        default: its value when not given: a value, or one of the markers of this module.
        required: a file has to give it.
    """

    name: str
    label: str
    column: sa.Column[Any]
    parser: ColumnParser
    target: Target | None
    default: Any
    required: bool
    serial: bool

    @property
    def made_there(self) -> bool:
        """Whether the database makes the value, where nobody gives it: a number, or an ordered key."""
        return self.serial or self.default is DATABASE


_IN = re.compile(r"^\W*\"?(?P<column>\w+)\"?(?:::\w+)?\s+(?:IN|in)\s*\((?P<words>.*)\)\W*$", re.DOTALL)
_SUBSET = re.compile(r"^\W*\"?(?P<column>\w+)\"?\s*<@\s*ARRAY\[(?P<words>.*)\]", re.DOTALL)
_WORD = re.compile(r"'((?:[^']|'')*)'")


def vocabularies(table: sa.Table) -> dict[str, tuple[str, ...]]:
    """Return the words each column accepts, as far as CHECK constraints say it by listing them."""
    found: dict[str, tuple[str, ...]] = {}
    for constraint in table.constraints:
        if not isinstance(constraint, sa.CheckConstraint):
            continue
        text = str(constraint.sqltext)
        match = _IN.match(text) or _SUBSET.match(text)
        if match and match["column"] in table.columns:
            words = tuple(word.replace("''", "'") for word in _WORD.findall(match["words"]))
            if words:
                found[match["column"]] = words
    return found


def target_of(column: sa.Column[Any]) -> Target | None:
    """Return where *column* points; of several foreign keys the one that has it alone wins."""
    best: tuple[int, Target] | None = None
    for key in column.foreign_keys:
        constraint = key.constraint
        width = len(constraint.columns) if constraint is not None else 1
        if best is None or width < best[0]:
            elements = constraint.elements if constraint is not None else [key]
            pairs = tuple((part.parent.name, part.target_fullname.rpartition(".")[2]) for part in elements)
            table, _, name = key.target_fullname.rpartition(".")
            best = (width, Target(table, name, pairs))
    if best is None and REFERS_TO in column.info:
        table, _, name = str(column.info[REFERS_TO]).rpartition(".")
        return Target(table, name, ((column.name, name),))
    return best[1] if best else None


_NOW = re.compile(r"(now|(clock|transaction|statement)_timestamp)\(\)|current_(timestamp|date)", re.I)
_RANDOM = re.compile(r"\(?(?:\w+\.)?(?:gen_random_uuid|uuid_generate_v[14]\w*)\(\)\)?(?:::[\w ()]+)?", re.I)
"""A key that is as good from anywhere else; one with a prefix or an order to it the database has to make."""
_LITERAL = re.compile(r"'(?P<text>(?:[^']|'')*)'(::[\w\s\[\]()]+)?\Z")


def members_of(type_: sa.Enum) -> Mapping[str, Any]:
    """Return the members of the Python enum behind *type_* by the word the database has for each.

    That is a member's name, and not its value, unless the type says otherwise; without an enum class the
    words stand for themselves.
    """
    if type_.enum_class is None:
        return {str(word): word for word in type_.enums}
    return dict(zip(type_.enums, type_.enum_class.__members__.values(), strict=True))


def python_value(value: Any, column: sa.Column[Any]) -> Any:
    """Return *value* as a file has it: for a member of an enumeration its word."""
    if not isinstance(value, Enum):
        return value
    if isinstance(column.type, sa.Enum):
        return next(
            (word for word, member in members_of(column.type).items() if member is value), value.value
        )
    return value.value


def default_of(column: sa.Column[Any]) -> Any:
    """Return what *column* becomes when nobody says: a value, or a marker of this module."""
    if column.computed is not None:
        return DATABASE
    default: Any = column.default
    if default is not None and default.is_scalar:
        return python_value(default.arg, column)
    if default is not None and default.is_callable:
        return _of_function(column, default.arg)
    if default is not None and default.is_sequence and not column.primary_key and not default.optional:
        return DATABASE
    if default is not None and not default.is_sequence:
        text = sql_default(column)
        if text is not None:
            return _server_default(column, text[1:-1], quoted=False)
    if column.identity is not None:
        return KEY
    server: Any = column.server_default
    if server is None:
        if column.primary_key and (
            isinstance(column.type, sa.Uuid) or column is column.table.autoincrement_column
        ):
            return KEY
        return None if column.nullable else MISSING
    text = str(getattr(getattr(server, "arg", None), "text", getattr(server, "arg", ""))).strip()
    # A plain string is a literal; text(...) and func.now() are expressions.
    quoted = isinstance(getattr(server, "arg", None), str)
    return _server_default(column, text, quoted=quoted)


def _of_function(column: sa.Column[Any], function: Any) -> Any:
    """Return what stands for a function of the model: a marker, or an empty list that every row has."""
    try:
        made, again = (function(RowContext(dict, column)) for _ in range(2))
    except Exception:  # noqa: BLE001 - a function of somebody else's: it is asked again where its row is known
        return FUNCTION
    if isinstance(made, UUID):
        return KEY if made != again else FUNCTION
    if isinstance(made, date) and isinstance(column.type, sa.DateTime | sa.Date):
        return CLOCK
    return made if isinstance(made, list | dict) and made == again else FUNCTION


def _server_default(column: sa.Column[Any], text: str, *, quoted: bool) -> Any:
    type_ = column.type
    if quoted:
        literal: str | None = text
    else:
        match = _LITERAL.match(text)
        literal = match["text"].replace("''", "'") if match else None
    if literal is None:
        if _NOW.fullmatch(text):
            return CLOCK
        if _RANDOM.fullmatch(text) or (text.startswith("nextval(") and isinstance(type_, sa.Integer)):
            return KEY
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        if re.fullmatch(r"-?\d+", text) and isinstance(type_, sa.Integer):
            return int(text)
        return None if text.lower() == "null" else DATABASE
    if isinstance(type_, sa.ARRAY):
        return [] if literal == "{}" else DATABASE
    known = type_of(type_).default
    try:
        return DATABASE if known is None else known(literal)
    except (LookupError, ValueError):
        return DATABASE


def _is_serial(column: sa.Column[Any]) -> bool:
    return column.identity is not None or (
        isinstance(column.type, sa.Integer) and (default_of(column) is KEY)
    )


@lru_cache(maxsize=512)
def specs(table: sa.Table) -> Mapping[str, ColumnSpec]:
    """Return what files may say of each column of *table*, in its order; computed ones are left out."""
    words = vocabularies(table)
    found: dict[str, ColumnSpec] = {}
    for column in table.columns:
        if column.computed is not None:
            continue
        name = column.name
        target = target_of(column)
        label = name[:-3] if target is not None and name.endswith("_id") and len(name) > 3 else name
        if label != name and label in table.columns:
            label = name
        type_: Any = column.type
        parser = parser_of(type_, words.get(name), name.replace("_", " "))
        if isinstance(type_, pg.UUID):
            parser = Identifier()
        default = default_of(column)
        found[name] = ColumnSpec(
            name, label, column, parser, target, default, default is MISSING, _is_serial(column)
        )
    return found


def is_json(column: sa.Column[Any]) -> bool:
    """Return whether *column* holds JSON."""
    return isinstance(column.type, sa.JSON)


def parser_of(type_: Any, vocabulary: Sequence[str] | None = None, what: str = "value") -> ColumnParser:
    """Return the parser of a column of the SQLAlchemy type *type_*.

    Args:
        type_: the column's type.
        vocabulary: the words it accepts, where a CHECK or an enum limits it.
        what: what such a word is called in messages.
    """
    if isinstance(type_, sa.Interval | pg.INTERVAL):
        vocabulary = None
    elif isinstance(type_, sa.TypeDecorator):
        type_ = type_.impl_instance
    if isinstance(type_, pg.DOMAIN):
        return parser_of(type_.data_type, vocabulary, what)
    if isinstance(type_, sa.ARRAY):
        parser: ColumnParser = ListOf(
            parser_of(type_.item_type, vocabulary, what), deep=type_.dimensions is None
        )
        for _ in range((type_.dimensions or 1) - 1):
            parser = ListOf(parser)
        return parser
    if isinstance(type_, sa.Enum):
        return EnumText([str(word) for word in type_.enums], what)
    if vocabulary:
        return EnumText(vocabulary, what)
    known = type_of(type_).parser
    if known is not None:
        found: ColumnParser = known(type_)
        return found
    # What SQLAlchemy has no type for (composite types, xml, geometry) PostgreSQL reads from its text as well.
    return RawText("value" if isinstance(type_, sa.types.NullType) else type(type_).__name__.lower())


def key_columns(table: sa.Table) -> list[str]:
    """Return the names of the columns of *table*'s primary key."""
    return [column.name for column in table.primary_key.columns]
