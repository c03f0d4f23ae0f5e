"""What a column becomes that nobody gave a value: the model's own defaults, row by row.

SQLAlchemy knows four kinds and each is somebody else's to evaluate: a constant, a Python function (which may
ask for the row's other values), an SQL expression or a sequence, which only the database can, and the
server's default, for which the column is left out. An INSERT applies them to every column of the *table*,
also to those that a class does not map: a sibling's, in single-table inheritance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Sequence as SqlSequence
from sqlalchemy import bindparam, literal_column
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import Column
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter, ClauseElement
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.types import String, TypeDecorator, TypeEngine

from scenarios.errors import GraphError
from scenarios.graph.encoding import DIALECT, NAMED

Default = Callable[["RowContext"], Any]
"""Makes a value for a row."""


class RowContext:
    """What a function that makes a default is called with: the row's parameters, without a statement.

    Args:
        parameters: returns the row's values so far, by column key.
        column: whose default it is.
    """

    isinsert, isupdate, isdelete = True, False, False
    dialect = DIALECT

    def __init__(self, parameters: Callable[[], Mapping[str, Any]], column: Column[Any]) -> None:
        self._parameters = parameters
        self.current_column = column

    @property
    def current_parameters(self) -> dict[str, Any]:
        """The row's values so far, by column key; nothing for what the database fills."""
        return dict(self._parameters())

    def get_current_parameters(self, isolate_multiinsert_groups: bool = True) -> dict[str, Any]:
        """Return the row's values so far, by column key."""
        return self.current_parameters

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name!r} is known only while a session runs a statement")


def python_default(column: Column[Any]) -> Default | None:
    """Return what makes *column*'s default in Python: of a constant or a function; None without one."""
    given: Any = column.default
    if given is None:
        return None
    if given.is_scalar:
        value = given.arg
        if not isinstance(value, ClauseElement):
            return lambda _: value
    return _called(column, given.arg) if given.is_callable else None


def _called(column: Column[Any], function: Callable[[Any], Any]) -> Default:
    def call(context: RowContext) -> Any:
        try:
            return function(context)
        except Exception as error:
            raise GraphError(
                f"the default of {column.table.name}.{column.name} cannot be made here",
                why=f"it is a function, and needs the application: {type(error).__name__}: {error}",
                hint="give the value when the object is made",
            ) from error

    return call


def sql_default(column: Column[Any]) -> str | None:
    """Return the SQL text of *column*'s default that the client sends; None without one.

    Raises:
        GraphError: it has no text of its own.
    """
    given: Any = column.default
    if isinstance(given, SqlSequence):
        # An optional one is for databases without columns that count by themselves.
        return None if given.optional else text_of(given.next_value())
    if given is None or not given.is_clause_element:
        return None
    try:
        return text_of(given.arg)
    except (CompileError, NotImplementedError) as error:
        raise GraphError(
            f"the default of {column.table.name}.{column.name} cannot be written as SQL",
            why=str(error),
            hint="give the value when the object is made",
        ) from error


def text_of(clause: Any) -> str:
    """Return an expression of the schema as SQL text, its values written in."""
    if isinstance(clause, SelectBase):
        clause = clause.scalar_subquery()
    return f"({clause.compile(dialect=NAMED, compile_kwargs={'literal_binds': True})})"


@lru_cache(maxsize=1024)
def binds_in_sql(kind: TypeEngine[Any]) -> bool:
    """Return whether values of *kind* pass through an SQL expression on their way in."""
    return kind.dialect_impl(DIALECT).bind_expression(bindparam("value", type_=kind)) is not None


def bound_in_sql(kind: TypeEngine[Any], value: str) -> str:
    """Return the SQL text that *kind* makes of *value*, the SQL text of a value's text."""
    bind = bindparam("value", type_=kind)
    expression: Any = kind.dialect_impl(DIALECT).bind_expression(bind)
    cast = literal_column(f"{value}::{_parameter_type(kind)}", kind)

    def replace(element: Any, **_: Any) -> Any:
        return cast if isinstance(element, BindParameter) and element.key == bind.key else None

    expression = visitors.replacement_traverse(expression, {}, replace)
    compiled = expression.compile(
        dialect=NAMED, compile_kwargs={"literal_binds": True, "skip_bind_expression": True}
    )
    return f"({compiled})"


def _parameter_type(kind: TypeEngine[Any]) -> str:
    """Return the type a driver's parameter of *kind* has in SQL."""
    while isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, String) or not type(kind).__module__.startswith("sqlalchemy."):
        # With its length it would be cut off there, and not be refused.
        return "text"
    return kind.compile(dialect=DIALECT)
