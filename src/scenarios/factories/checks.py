"""Reading CHECK constraints: what they demand of a column, and whether a row satisfies them.

A factory that ignores CHECKs builds rows the database refuses, and one that guesses is right only on the
tables it was written for. Here each constraint is parsed (sqlglot), simple demands become bounds that
values are drawn within, and every drawn row is evaluated against all constraints that can be read. One that
cannot be read is never passed over in silence: `Unreadable` says which.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from itertools import islice
from typing import Any
from uuid import UUID

import sqlglot
from sqlglot import expressions as e
from sqlglot.errors import SqlglotError

from scenarios.factories.demands import Demands
from scenarios.factories.patterns import python_pattern


class Unreadable(Exception):
    """An expression this module does not understand; the text is the part in question."""


@dataclass(frozen=True, slots=True)
class Check:
    """A parsed CHECK.

    Attributes:
        name: the constraint's name, or its text where it has none.
        text: its condition.
        columns: the columns it mentions.
        tree: None where it could not be parsed; only a database can say then whether it holds.
    """

    name: str
    text: str
    columns: frozenset[str]
    tree: e.Expr | None

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether *row* satisfies the constraint; NULL does, as in SQL.

        Raises:
            Unreadable: part of the condition is not understood.
        """
        if self.tree is None:
            raise Unreadable(self.text)
        try:
            return _value(self.tree, row) is not False
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, re.error) as error:
            raise Unreadable(self.text) from error


# Texts, quoted names and casts stay as they are; a word may be a column.
_TOKENS = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"
        |::\s*(?:(?:timestamp|time)(?:\s*\(\d+\))?\s+with(?:out)?\s+time\s+zone
                |character\s+varying|double\s+precision|bit\s+varying|[\w.]+))
      |(?P<word>[A-Za-z_][\w$]*)(?!\s*[('])""",
    re.VERBOSE,
)


def read_check(name: str | None, text: str, columns: Collection[str] = ()) -> Check:
    """Parse the condition of a CHECK.

    Args:
        name: the constraint's name, if it has one.
        text: the condition.
        columns: the columns of the table. Some have names that are commands elsewhere (``lock``, ``set``).
    """
    # SQLAlchemy 2.0 reflects `(a) = (b)` without its first and its last parenthesis.
    for condition in (text, f"({text})"):
        tree = _parse(condition, columns)
        if tree is not None:
            return Check(
                name or condition, condition, frozenset(c.name for c in tree.find_all(e.Column)), tree
            )
    mentioned = {found["word"] for found in _TOKENS.finditer(text) if found["word"] in columns}
    mentioned |= {column for column in columns if f'"{column}"' in text}
    return Check(name or text, text, frozenset(mentioned), None)


def _parse(condition: str, columns: Collection[str]) -> e.Expr | None:
    quoted = _TOKENS.sub(
        lambda found: f'"{found["word"]}"' if found["word"] in columns else found[0], condition
    )
    try:
        # As an expression of a query: by itself, `show = 'X'` would be a command.
        query = sqlglot.parse_one(f"SELECT {quoted}", dialect="postgres")
    except SqlglotError:
        return None
    if isinstance(query, e.Select) and len(query.expressions) == 1 and len(query.args) and not _more(query):
        found: e.Expr = query.expressions[0]
        return found
    return None


def _more(query: e.Select) -> bool:
    return any(value for key, value in query.args.items() if key not in {"expressions", "kind"})


_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "=": "="}
_COMPARE: dict[type[e.Expr], str] = {e.GT: ">", e.GTE: ">=", e.LT: "<", e.LTE: "<=", e.EQ: "="}


def demands(check: Check) -> Mapping[str, Demands]:
    """Return what a CHECK demands of single columns; what it says of several together is left to `holds`."""
    found: dict[str, Demands] = {}
    for part in _conjuncts(check.tree) if check.tree is not None else ():
        _demand(part, lambda column: found.setdefault(column, Demands()))
    return found


def ways(check: Check) -> Iterator[Mapping[str, Demands]]:
    """Yield what each way of satisfying a CHECK demands of columns, ``a OR b`` being two; at most 64."""
    for way in islice(_ways(check.tree), 64) if check.tree is not None else ():
        found: dict[str, Demands] = {}
        for part in way:
            _demand(part, lambda column, found=found: found.setdefault(column, Demands()))  # type: ignore[misc]
        yield found


def _ways(tree: e.Expr) -> Iterator[list[e.Expr]]:
    tree = _bare(tree)
    if isinstance(tree, e.And):
        for left in _ways(tree.this):
            for right in _ways(tree.expression):
                yield left + right
    elif isinstance(tree, e.Or):
        yield from _ways(tree.this)
        yield from _ways(tree.expression)
    else:
        yield [tree]


def _conjuncts(tree: e.Expr) -> Iterator[e.Expr]:
    tree = _bare(tree)
    if isinstance(tree, e.And):
        yield from _conjuncts(tree.this)
        yield from _conjuncts(tree.expression)
    else:
        yield tree


def _bare(tree: e.Expr) -> e.Expr:
    while isinstance(tree, (e.Paren, e.Cast)):
        tree = tree.this
    return tree


def _demand(part: e.Expr, of: Callable[[str], Demands]) -> None:
    try:
        if isinstance(part, e.Between):
            column, low, high = _bare(part.this), _literal(part.args["low"]), _literal(part.args["high"])
            if isinstance(column, e.Column):
                of(column.name).narrow(">=", low)
                of(column.name).narrow("<=", high)
        elif isinstance(part, e.In) and isinstance(column := _bare(part.this), e.Column):
            of(column.name).options = [_literal(option) for option in part.expressions]
        elif isinstance(part, e.ArrayContainedBy) and isinstance(column := _bare(part.this), e.Column):
            of(column.name).options = list(_literal(part.expression))
        elif isinstance(part, (e.RegexpLike, e.RegexpILike)) and isinstance(
            column := _bare(part.this), e.Column
        ):
            flags = re.IGNORECASE if isinstance(part, e.RegexpILike) else 0
            of(column.name).patterns.append((python_pattern(str(_literal(part.expression))), flags))
        elif type(part) in _COMPARE:
            _compare(part.this, part.expression, _COMPARE[type(part)], of)
    except (Unreadable, TypeError, ValueError):
        return  # `holds` will say so when it is evaluated


def _compare(left: e.Expr, right: e.Expr, other: str, of: Callable[[str], Demands]) -> None:
    bare = _bare(right)
    if _is_length(bare) or (isinstance(bare, e.Column) and not isinstance(_bare(left), e.Column)):
        left, right, other = right, left, _FLIPPED[other]
    # The casts of a literal say what it is; those of a column are PostgreSQL's.
    left, value_of = _bare(left), right
    right = _bare(right)
    if isinstance(left, e.Anonymous) and left.name.lower() in {"jsonb_typeof", "json_typeof"}:
        if other == "=" and isinstance(inner := _bare(left.expressions[0]), e.Column):
            of(inner.name).json = str(_literal(value_of))
    elif isinstance(right, (e.Any, e.Array)) and other == "=" and isinstance(left, e.Column):
        inner = right.this if isinstance(right, e.Any) else right
        of(left.name).options = list(_literal(inner))
    elif isinstance(left, (e.Lower, e.Upper)) and other == "=":
        # What is written so already stays so.
        if isinstance(inner := _bare(left.this), e.Column):
            given = _literal(right.this) if isinstance(right, e.Any) else [_literal(value_of)]
            of(inner.name).options = list(given)
    elif isinstance(left, e.Column) and isinstance(right, (e.CurrentTimestamp, e.CurrentDate)):
        if other in {">", ">="}:  # what is drawn lies in the past anyhow
            of(left.name).narrow(other, _LATER)
    elif isinstance(left, e.Column) and not isinstance(right, e.Column):
        value = _literal(value_of)
        if other == "=":
            of(left.name).options = [value]
        else:
            of(left.name).narrow(other, value)
    elif _is_length(left):
        argument = _bare(left.expressions[0] if isinstance(left, e.Anonymous) else left.this)
        if isinstance(argument, e.Column):
            of(argument.name).narrow_length(other, int(_literal(value_of)))


_LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""After the moment of any test."""


def _is_length(tree: e.Expr) -> bool:
    if isinstance(tree, (e.Length, e.ArraySize)):
        return True
    return isinstance(tree, e.Anonymous) and tree.name.lower() in {"cardinality", "octet_length"}


def _literal(tree: e.Expr) -> Any:
    return _value(tree, {})


# -- evaluation ----------------------------------------------------------------------------------------

_ARITHMETIC: dict[type[e.Expr], Callable[[Any, Any], Any]] = {
    e.Add: operator.add,
    e.Sub: operator.sub,
    e.Mul: operator.mul,
    e.Mod: operator.mod,
}
_RELATION: dict[type[e.Expr], Callable[[Any, Any], bool]] = {
    e.GT: operator.gt,
    e.GTE: operator.ge,
    e.LT: operator.lt,
    e.LTE: operator.le,
    e.EQ: operator.eq,
    e.NEQ: operator.ne,
}


def _value(tree: e.Expr, row: Mapping[str, Any]) -> Any:
    """Evaluate an expression over a row, with SQL's three values of truth (None is unknown)."""
    if isinstance(tree, e.Paren):
        return _value(tree.this, row)
    if isinstance(tree, e.And):
        left, right = _value(tree.this, row), _value(tree.expression, row)
        return False if left is False or right is False else None if left is None or right is None else True
    if isinstance(tree, e.Or):
        left, right = _value(tree.this, row), _value(tree.expression, row)
        return True if left is True or right is True else None if left is None or right is None else False
    if isinstance(tree, e.Not):
        inner = _value(tree.this, row)
        return None if inner is None else not inner
    if isinstance(tree, e.Is):
        same = _value(tree.this, row) is _value(tree.expression, row)
        return not same if tree.args.get("negate") else same
    if isinstance(tree, (e.NullSafeEQ, e.NullSafeNEQ)):
        same = _plain(_value(tree.this, row)) == _plain(_value(tree.expression, row))
        return same if isinstance(tree, e.NullSafeEQ) else not same
    if isinstance(tree, e.Column):
        if tree.name not in row:
            raise Unreadable(tree.sql("postgres"))
        return _plain(row[tree.name])
    if isinstance(tree, (e.Literal, e.Null, e.Boolean, e.Neg)):
        return _constant(tree, row)
    if isinstance(tree, (e.Array, e.Tuple)):
        return [_value(item, row) for item in tree.expressions]
    if isinstance(tree, e.Case):
        return _case(tree, row)
    if isinstance(tree, e.Coalesce):
        for option in (tree.this, *tree.expressions):
            found = _value(option, row)
            if found is not None:
                return found
        return None
    return _strict(tree, row)


def _constant(tree: e.Expr, row: Mapping[str, Any]) -> Any:
    if isinstance(tree, e.Null):
        return None
    if isinstance(tree, e.Boolean):
        return bool(tree.this)
    if isinstance(tree, e.Neg):
        inner = _value(tree.this, row)
        return None if inner is None else -inner
    text = str(tree.this)
    if isinstance(tree, e.Literal) and tree.is_string:
        return text
    return int(text) if re.fullmatch(r"\d+", text) else Decimal(text)


def _case(tree: e.Case, row: Mapping[str, Any]) -> Any:
    subject = tree.args.get("this")
    for branch in tree.args.get("ifs", ()):
        condition = _value(branch.this, row)
        if subject is not None:
            condition = condition == _value(subject, row)
        if condition is True:
            return _value(branch.args["true"], row)
    default = tree.args.get("default")
    return None if default is None else _value(default, row)


def _strict(tree: e.Expr, row: Mapping[str, Any]) -> Any:
    """Evaluate what is NULL as soon as one of its arguments is."""
    kind = type(tree)
    if isinstance(tree, e.CurrentTimestamp):
        return datetime.now(UTC)
    if isinstance(tree, e.CurrentDate):
        return datetime.now(UTC).date()
    if isinstance(tree, e.Cast):
        return _cast(_value(tree.this, row), tree.to.sql("postgres").lower())
    if isinstance(tree, e.Between):
        value, low, high = (_value(x, row) for x in (tree.this, tree.args["low"], tree.args["high"]))
        return None if None in (value, low, high) else low <= _like(value, low) <= high
    if isinstance(tree, e.In):
        value = _value(tree.this, row)
        if not tree.expressions:
            raise Unreadable(tree.sql("postgres"))
        return None if value is None else value in [_value(option, row) for option in tree.expressions]
    if kind in _RELATION:
        right_tree = tree.expression
        if isinstance(right_tree, e.Any):
            value, options = _value(tree.this, row), _value(right_tree.this, row)
            return None if value is None or options is None else value in options
        left, right = _value(tree.this, row), _value(right_tree, row)
        if left is None or right is None:
            return None
        try:
            return _RELATION[kind](_like(left, right), _like(right, left))
        except TypeError as error:
            raise Unreadable(tree.sql("postgres")) from error
    if kind in _ARITHMETIC or isinstance(tree, e.Div):
        left, right = _value(tree.this, row), _value(tree.expression, row)
        if left is None or right is None:
            return None
        if isinstance(tree, e.Div):
            return left // right if isinstance(left, int) and isinstance(right, int) else left / right
        return _ARITHMETIC[kind](left, right)
    if isinstance(tree, (e.ArrayContainedBy, e.ArrayContainsAll)):
        left, right = _value(tree.this, row), _value(tree.expression, row)
        if left is None or right is None:
            return None
        if not isinstance(left, list) or not isinstance(right, list):
            raise Unreadable(tree.sql("postgres"))
        inner, outer = (left, right) if isinstance(tree, e.ArrayContainedBy) else (right, left)
        return all(item in outer for item in inner)
    return _function(tree, row)


def _function(tree: e.Expr, row: Mapping[str, Any]) -> Any:
    if isinstance(tree, (e.RegexpLike, e.RegexpILike)):
        value, pattern = _value(tree.this, row), _value(tree.expression, row)
        flags = re.IGNORECASE if isinstance(tree, e.RegexpILike) else 0
        found = None if value is None else re.search(python_pattern(pattern), value, flags)
        return None if value is None else found is not None
    if isinstance(tree, (e.Like, e.ILike)):
        value, pattern = _value(tree.this, row), _value(tree.expression, row)
        flags = re.DOTALL | (re.IGNORECASE if isinstance(tree, e.ILike) else 0)
        pattern = re.escape(pattern).replace("%", ".*").replace("_", ".") if pattern is not None else None
        return None if value is None or pattern is None else re.fullmatch(pattern, value, flags) is not None
    name = tree.name.lower() if isinstance(tree, e.Anonymous) else type(tree).__name__.lower()
    several = _of_several(tree, name, row)
    if several is not NotImplemented:
        return several
    functions: dict[str, Callable[[Any], Any]] = {
        "length": len,
        "charlength": len,
        "char_length": len,
        "arraysize": len,
        "cardinality": len,
        "octet_length": lambda text: len(text.encode() if isinstance(text, str) else text),
        "lower": str.lower,
        "upper": str.upper,
        "trim": str.strip,
        "btrim": str.strip,
        "abs": abs,
        "isempty": lambda given: given.is_empty,
        "jsonb_typeof": _json_type,
        "json_typeof": _json_type,
    }
    if name not in functions:
        raise Unreadable(tree.sql("postgres"))
    argument = tree.expressions[0] if isinstance(tree, e.Anonymous) else tree.this
    value = _value(argument, row)
    return None if value is None else functions[name](value)


def _of_several(tree: e.Expr, name: str, row: Mapping[str, Any]) -> Any:
    """Evaluate a function of more than one argument; NotImplemented where it is none of these."""
    if name == "num_nonnulls":
        return sum(_value(each, row) is not None for each in tree.expressions)
    if name == "num_nulls":
        return sum(_value(each, row) is None for each in tree.expressions)
    if isinstance(tree, (e.Greatest, e.Least)):
        given = [v for v in (_value(each, row) for each in (tree.this, *tree.expressions)) if v is not None]
        return None if not given else max(given) if isinstance(tree, e.Greatest) else min(given)
    other: dict[type[e.Expr], tuple[str, Callable[[Any, Any], Any]]] = {
        e.StrPosition: ("substr", lambda text, part: text.find(part) + 1),
        e.StartsWith: ("expression", str.startswith),
        e.Left: ("expression", lambda text, count: text[:count]),
        e.Right: ("expression", lambda text, count: text[-count:] if count else ""),
        e.JSONBContainsTopKey: ("expression", lambda given, key: key in given),
    }
    if type(tree) not in other:
        return NotImplemented
    argument, function = other[type(tree)]
    left, right = _value(tree.this, row), _value(tree.args[argument], row)
    return None if left is None or right is None else function(left, right)


def _json_type(value: Any) -> str:
    kinds: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "boolean"}
    return kinds.get(type(value), "number")


def _cast(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if "[" in kind or kind.startswith(("text", "varchar", "char", "json", "citext", "name")):
        return value
    if kind.startswith("bpchar"):
        return value.rstrip() if isinstance(value, str) else value
    try:
        if kind.startswith("timestamp"):
            return datetime.fromisoformat(value) if isinstance(value, str) else value
        if kind == "date":
            return date.fromisoformat(value) if isinstance(value, str) else value
        if kind.startswith(("numeric", "decimal", "double", "real")):
            return Decimal(str(value))
        if kind.startswith(("int", "bigint", "smallint")) and not kind.startswith("interval"):
            return int(value)
        if kind == "uuid":
            return value if isinstance(value, UUID) else UUID(value)
        if kind.startswith("bool"):
            return value if isinstance(value, bool) else value.lower() in {"t", "true", "yes", "on", "1"}
    except (ValueError, InvalidOperation) as error:
        raise Unreadable(f"{value!r}::{kind}") from error
    if isinstance(value, str) and not kind.startswith(_OTHER_THAN_TEXT):
        return value  # an enumeration, or a domain over a text
    raise Unreadable(f"{value!r}::{kind}")


_OTHER_THAN_TEXT = (
    "interval", "time", "inet", "cidr", "macaddr", "money", "bit", "varbit", "bytea", "point", "line", "lseg",
    "box", "path", "polygon", "circle", "tsvector", "tsquery", "xml", "hstore", "oid", "reg", "pg_", "serial",
    "numrange", "daterange", "tsrange", "tstzrange", "nummulti", "datemulti", "tsmulti", "tstzmulti",
)  # fmt: skip
"""Types of PostgreSQL whose values are not their texts."""


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return list(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _like(value: Any, other: Any) -> Any:
    """Return *value* as what it is compared with: PostgreSQL reads a text literal as the column's type."""
    if isinstance(value, str) and isinstance(other, UUID):
        return UUID(value)
    if isinstance(value, str) and not isinstance(other, str):
        return _cast(value, {datetime: "timestamp", date: "date"}.get(type(other), "numeric"))
    if isinstance(value, float) and isinstance(other, Decimal):
        return Decimal(str(value))
    if isinstance(value, datetime) and isinstance(other, datetime) and value.tzinfo is None and other.tzinfo:
        return value.replace(tzinfo=other.tzinfo)
    if isinstance(value, datetime) and type(other) is date:
        return value.date()
    return value
