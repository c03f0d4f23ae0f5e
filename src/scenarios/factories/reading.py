"""What a schema says of the rows of a model or table: keys, columns, how to draw each, and what binds them
together.

`scenarios.factories.derived` draws rows; what it needs to know is read here once a table, so that drawing a
row asks SQLAlchemy nothing. What is not understood is kept with its reason, for the error that names it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Mapper
from sqlalchemy.schema import Column
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import Integer, SmallInteger, TypeDecorator, Uuid

from scenarios.errors import FactoryError
from scenarios.factories.demands import PARTITION, CannotFill, Demands
from scenarios.factories.kinds import Kind, kind_of

if TYPE_CHECKING:
    from scenarios.factories.checks import Check


@dataclass(slots=True)
class Foreign:
    """A foreign key and the relationship that stands for it."""

    name: str
    columns: tuple[str, ...]
    target: Table
    remote: tuple[str, ...]
    relationship: str | None
    required: bool
    itself: bool


@dataclass(slots=True)
class Unique:
    """A unique key: its columns, and when it applies."""

    name: str
    columns: tuple[str, ...]
    nulls_too: bool
    where: Check | None


@dataclass(slots=True)
class Plan:
    """What was read of one model or table; columns by name.

    Attributes:
        label: what the user calls it.
        model: the mapped class, None for a bare table.
        keys: the attribute of each column.
        kinds: how to draw it.
        reasons: why it cannot be drawn.
        optional: columns that may be NULL.
        constants: columns with a plain default.
        identity_keys: keys that are numbered where the database does not do it in time.
        referred: columns of a bare table that others, or its own rows, refer to and cannot do without.
        narrow: keys that a column of 16 bits refers to, or that have 16 bits themselves.
    """

    label: str
    model: type[Any] | None
    table: Table
    keys: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Column[Any]] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    constants: dict[str, Any] = field(default_factory=dict)
    identity_keys: set[str] = field(default_factory=set)
    foreign: list[Foreign] = field(default_factory=list)
    uniques: list[Unique] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    narrow: set[str] = field(default_factory=set)
    referred: set[str] = field(default_factory=set)


_plans: dict[Any, Plan] = {}


def read(target: Any) -> Plan:
    """Return what is known of a mapped class or a table, read when first asked for.

    Raises:
        FactoryError: *target* is neither.
    """
    if target not in _plans:
        _plans[target] = _plan(target)
    return _plans[target]


def _plan(target: Any) -> Plan:
    if isinstance(target, Table):
        plan = Plan(target.name, None, target)
        plan.keys = {column.name: column.name for column in target.columns}
        plan.columns = {column.name: column for column in target.columns}
    else:
        mapper = _mapper(target)
        table = mapper.local_table
        if not isinstance(table, Table):
            raise FactoryError(f"{target.__name__} is not mapped to a table", hint="give the table")
        plan = Plan(target.__name__, target, table)
        for each in mapper.tables:
            for column in each.columns:
                # Of a column that inherited tables share, the attribute is the same.
                if not isinstance(column, Column) or column is mapper.polymorphic_on:
                    continue
                if mapper.columns.contains_column(column):
                    plan.keys.setdefault(column.name, mapper.get_property_by_column(column).key)
                    plan.columns.setdefault(column.name, column)
    _read_foreign(plan)
    demands = _read_checks(plan)
    _read_uniques(plan)
    _read_columns(plan, demands)
    return plan


def _mapper(target: Any) -> Mapper[Any]:
    try:
        mapper = inspect_mapped(target)
    except NoInspectionAvailable:
        mapper = None
    if not isinstance(mapper, Mapper):
        raise FactoryError(
            f"a factory can be derived from a mapped class or a Table, not from {target!r}",
            hint="use the SQLAlchemy model, or reflect the table: Table(..., autoload_with=engine)",
        )
    mapper.registry.configure()
    return mapper


def _tables(plan: Plan) -> Sequence[Table]:
    if plan.model is None:
        return (plan.table,)
    return [table for table in _mapper(plan.model).tables if isinstance(table, Table)]


def _read_foreign(plan: Plan) -> None:
    own = _tables(plan)
    for table in own:
        for constraint in table.constraints:
            if not isinstance(constraint, ForeignKeyConstraint):
                continue
            target = constraint.referred_table
            if target in own and target is not table:
                continue  # the link of joined inheritance
            columns = tuple(element.parent.name for element in constraint.elements)
            if not set(columns) <= plan.keys.keys():
                continue
            plan.foreign.append(
                Foreign(
                    str(constraint.name or ""),
                    columns,
                    target,
                    tuple(element.column.name for element in constraint.elements),
                    _relationship(plan, columns, target),
                    all(not plan.columns[name].nullable for name in columns),
                    target is table,
                )
            )
    plan.foreign = [each for each in plan.foreign if not _of_partition(each, plan.foreign)]
    # The widest first: what it says of shared columns binds the narrower ones.
    plan.foreign.sort(
        key=lambda foreign: (
            not foreign.required,
            -len(foreign.columns),
            foreign.columns,
            foreign.target.fullname,
            foreign.remote,
        )
    )


def _of_partition(foreign: Foreign, every: Sequence[Foreign]) -> bool:
    """Return whether *foreign* is what PostgreSQL keeps for each partition of the table that is referred to.

    SQLAlchemy reflects these too (2.1.9): the name of the key that was declared, and a number. Our own
    reflection leaves them out; in metadata that a project reflected, only names tell partitions.
    """
    declared = foreign.name.rstrip("0123456789")
    return any(
        other.name != foreign.name
        and other.name.rstrip("0123456789") == declared
        and len(other.name) < len(foreign.name)
        and foreign.target.name.startswith(f"{other.target.name}_")
        and (other.columns, other.remote) == (foreign.columns, foreign.remote)
        for other in every
    )


def _relationship(plan: Plan, columns: tuple[str, ...], target: Table) -> str | None:
    if plan.model is None:
        return None
    for relationship in _mapper(plan.model).relationships:
        local = {column.name for column in relationship.local_columns}
        if (
            relationship.direction.name == "MANYTOONE"
            and not relationship.viewonly
            and relationship.mapper.local_table is target
            and local <= set(columns)
        ):
            return relationship.key
    return None


def _condition(text: Any) -> str:
    if isinstance(text, ClauseElement):
        dialect: Any = pg.dialect  # untyped in SQLAlchemy
        compiled = text.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})
        # The compiler doubles per cent signs for the driver.
        return str(compiled).replace("%%", "%")
    return str(text)


def _read_checks(plan: Plan) -> dict[str, Demands]:
    found: dict[str, Demands] = {}
    conditions = [
        (
            str(constraint.name) if constraint.name else None,
            _condition(constraint.sqltext),
            constraint.info.get(PARTITION),
        )
        for table in _tables(plan)
        for constraint in sorted(
            {*table.constraints, *(each for column in table.columns for each in column.constraints)},
            key=lambda c: str(c.name),
        )
        if isinstance(constraint, CheckConstraint)
    ]
    for column in plan.columns.values():
        kind = column.type
        if isinstance(kind, pg.DOMAIN) and kind.check is not None:
            named = f'"{column.name}"'
            conditions.append((str(kind.name), re.sub(r"\bVALUE\b", named, _condition(kind.check)), None))
    if not conditions:
        return found
    from scenarios.factories.checks import demands, read_check

    for name, text, example in conditions:
        check = read_check(name, text, plan.columns)
        plan.checks.append(check)
        for column_name, demand in (demands(check) if example is None else _way(plan, example)).items():
            found.setdefault(column_name, Demands()).take(demand)
    return found


def _way(plan: Plan, example: str) -> Mapping[str, Demands]:
    """Return what makes rows fall into the partition that takes *example*."""
    from scenarios.factories.checks import read_check, ways

    for way in ways(read_check(None, example, plan.columns)):
        if not way:
            continue
        try:
            for name, demand in way.items():
                kind_of(plan.columns[name], demand)
        except (CannotFill, KeyError):
            continue
        return way
    return {}


def _read_uniques(plan: Plan) -> None:
    for table in _tables(plan):
        for constraint in sorted(table.constraints, key=lambda c: str(c.name)):
            if isinstance(constraint, (UniqueConstraint, PrimaryKeyConstraint)) and len(constraint.columns):
                columns = tuple(column.name for column in constraint.columns)
                nulls = constraint.dialect_options["postgresql"].get("nulls_not_distinct") is True
                label = str(constraint.name) if constraint.name else f"({', '.join(columns)})"
                if set(columns) <= plan.keys.keys():
                    plan.uniques.append(Unique(label, columns, nulls, None))
        for index in sorted(table.indexes, key=lambda i: str(i.name)):
            if not index.unique:
                continue
            columns = _index_columns(index, plan)
            where = index.dialect_options["postgresql"].get("where")
            check = None
            if where is not None:
                from scenarios.factories.checks import read_check

                check = read_check(str(index.name), _condition(where), plan.columns)
            if columns and set(columns) <= plan.keys.keys():
                plan.uniques.append(Unique(str(index.name), columns, False, check))


def _index_columns(index: Index, plan: Plan) -> tuple[str, ...]:
    """Return the columns an index is on, those inside expressions such as ``lower(email)`` included."""
    found: dict[str, None] = {}
    for expression in index.expressions:
        if isinstance(expression, Column):
            found[expression.name] = None
        else:
            text = _condition(expression)
            found.update((name, None) for name in plan.keys if re.search(rf"\b{re.escape(name)}\b", text))
    return tuple(found)


def _read_columns(plan: Plan, demands: Mapping[str, Demands]) -> None:
    inherited = {name for foreign in plan.foreign for name in foreign.columns}
    unique = {name for each in plan.uniques for name in each.columns}
    referring, circular = _referring(plan), _in_circle(plan)
    # The database's default of one column may contradict what is drawn for another: draw both.
    related = {name for check in plan.checks if len(check.columns) > 1 for name in check.columns}
    for name, column in plan.columns.items():
        if circular and any(not each.nullable for each in referring[name]):
            plan.referred.add(name)
        if name in inherited or column.computed is not None:
            continue
        if column.primary_key and _is_uuid(column):
            plan.kinds[name] = kind_of(column, Demands())
            continue
        if column.primary_key and _numbers_itself(column):
            if any(isinstance(each.type, SmallInteger) for each in (column, *referring[name])):
                plan.narrow.add(name)
            # An object's number comes from the database; a bare row needs one, for others to refer to.
            if plan.model is None:
                plan.identity_keys.add(name)
            continue
        if column.server_default is not None or column.identity is not None:
            if name not in unique and name not in related:
                continue
        elif column.default is not None and column.default.is_scalar and name not in unique:
            plan.constants[name] = column.default.arg  # type: ignore[attr-defined]  # a scalar default has one
            continue
        if column.nullable and column.server_default is None:
            plan.optional.add(name)
        try:
            plan.kinds[name] = kind_of(column, demands.get(name, Demands()), unique=name in unique)
        except CannotFill as error:
            if column.default is not None or column.server_default is not None:
                continue
            plan.reasons[name] = str(error)
    if plan.model is None and not (plan.kinds or plan.constants or plan.identity_keys or plan.foreign):
        _read_one(plan, demands)


def _read_one(plan: Plan, demands: Mapping[str, Demands]) -> None:
    """Draw one column though it has a default: a row of none cannot be written."""
    for name, column in plan.columns.items():
        if column.computed is None and name not in plan.reasons:
            try:
                plan.kinds[name] = kind_of(column, demands.get(name, Demands()))
            except CannotFill:
                continue
            return


def _referring(plan: Plan) -> defaultdict[str, list[Column[Any]]]:
    """Return the columns of the same metadata whose foreign keys lead to each column of the table."""
    found: defaultdict[str, list[Column[Any]]] = defaultdict(list)
    prefix = f"{plan.table.fullname}."
    for other in plan.table.metadata.tables.values():
        for key in other.foreign_keys:
            target = key.target_fullname
            if target.startswith(prefix):
                found[target.removeprefix(prefix)].append(key.parent)
    return found


def _in_circle(plan: Plan) -> bool:
    """Return whether a row of the table needs, by way of its parents, a row of the table."""
    if plan.model is not None:
        return any(foreign.itself and foreign.required for foreign in plan.foreign)
    seen: set[Table] = set()
    tables = [plan.table]
    while tables:
        for constraint in tables.pop().foreign_key_constraints:
            if all(not column.nullable for column in constraint.columns):
                if constraint.referred_table is plan.table:
                    return True
                if constraint.referred_table not in seen:
                    seen.add(constraint.referred_table)
                    tables.append(constraint.referred_table)
    return False


def _is_uuid(column: Column[Any]) -> bool:
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(kind, Uuid)


def _numbers_itself(column: Column[Any]) -> bool:
    table = column.table
    return isinstance(column.type, Integer) and (
        column.identity is not None
        or column.server_default is not None
        or (isinstance(table, Table) and table.autoincrement_column is column)
    )
