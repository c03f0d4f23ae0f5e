"""What the writer must know of a mapped class, found once and kept.

Asking the mapper anew for every object would cost more than writing its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.orm import Mapper, RelationshipProperty, registry
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.orm.interfaces import MANYTOMANY, MANYTOONE
from sqlalchemy.schema import Column
from sqlalchemy.sql.elements import BinaryExpression, ClauseElement
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import Integer, TypeDecorator, Uuid

from scenarios.errors import GraphError
from scenarios.graph.defaults import Default, python_default, sql_default


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One column of one table, and the attribute that holds its value.

    Attributes:
        column: the column.
        key: where an object has its value; a name no object has, where the writer makes it.
        assigned: the attribute that is told what a default came to; None for a column the class does not map.
        default: makes the value where there is none.
        omit_none: None means "let the database fill it".
        computed: the SQL text that the database fills it with, where that is the model's and not its own.
    """

    column: Column[Any]
    key: str
    assigned: str | None
    default: Default | None
    omit_none: bool
    computed: str | None


Fields = tuple[Field, ...]
"""The fields of one table; those of two classes are one object where they are alike."""


@dataclass(frozen=True, slots=True)
class Link:
    """A relationship as the writer uses it.

    ``pairs`` are (attribute here, attribute there); for a many-to-one the value comes from there, for a
    one-to-many it goes there. ``secondary`` holds (column, attribute) pairs for both sides of a link table.
    """

    key: str
    uselist: bool
    to_parent: bool
    unread: bool
    """Its collection is never held by the object, only what is added to it."""
    pairs: tuple[tuple[str, str], ...]
    cascades: bool
    secondary: (
        tuple[Table, tuple[tuple[Column[Any], str], ...], tuple[tuple[Column[Any], str], ...]] | None
    ) = None


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """A mapped class: its tables with their fields, its links, its key."""

    mapper: Mapper[Any]
    tables: tuple[tuple[Table, Fields], ...]
    links: dict[str, Link]
    link_keys: frozenset[str]
    key_fields: Fields
    key_attributes: frozenset[str]
    by_key: Mapping[str, Field]
    """The field of each attribute that a default is assigned to."""


_CONSTRUCTOR = registry().constructor
"""What SQLAlchemy gives a class that has no constructor of its own: it sets what it is called with."""

_plans: dict[Mapper[Any], ClassPlan] = {}


def plan_of(mapper: Mapper[Any]) -> ClassPlan:
    """Return the plan of a mapped class."""
    plan = _plans.get(mapper)
    if plan is None:
        plan = _plans[mapper] = _plan(mapper)
    return plan


def _plan(mapper: Mapper[Any]) -> ClassPlan:
    tables: list[tuple[Table, Fields]] = []
    for table in mapper.tables:
        if not isinstance(table, Table):
            raise GraphError(
                f"{mapper.class_.__name__} is mapped to something that is not a table",
                hint="map it to a table, or give its rows with add_rows",
            )
        found = (_field(mapper, column) for column in table.columns if column.computed is None)
        tables.append((table, _shared(tuple(each for each in found if each is not None))))
    links: dict[str, Link] = {}
    for relationship in mapper.relationships:
        link = _link(mapper, relationship)
        if link is not None:
            links[relationship.key] = link
    by_column = {field.column: field for _, fields in tables for field in fields}
    key_fields = tuple(by_column[column] for column in mapper.primary_key if isinstance(column, Column))
    return ClassPlan(
        mapper,
        tuple(tables),
        links,
        frozenset(links),
        key_fields,
        frozenset(field.key for field in key_fields),
        {field.assigned: field for _, fields in tables for field in fields if field.assigned is not None},
    )


_fields: dict[Any, Fields] = {}


def _shared(fields: Fields) -> Fields:
    """Return the same fields for classes of one table that have the same columns, so that their rows can be
    written together."""
    versions = any(field.key == _VERSION for field in fields)
    if versions or any(field.assigned is None for field in fields):
        return fields
    return _fields.setdefault(tuple((field.column, field.key) for field in fields), fields)


_VERSION = "\0version"
_UNMAPPED = "\0"
"""Names that no attribute has."""


def _field(mapper: Mapper[Any], column: Column[Any]) -> Field | None:
    """Return the field of *column*; None where neither the class nor a default of the model fills it."""
    try:
        key = attribute_of(mapper, column)
    except UnmappedColumnError:
        # A default of the column is applied by every INSERT, whichever class it is for.
        field = field_of(column, _UNMAPPED + column.key, None)
        return field if field.default is not None or field.computed is not None else None
    generator = mapper.version_id_generator
    if column is mapper.version_id_col and generator:
        return Field(column, _VERSION, key, lambda _: generator(None), False, None)
    field = field_of(column, key, key)
    # A class that shares the column with a sibling can have a default of its own.
    own = getattr(mapper.attrs[key], "_default_scalar_value", None)
    if own is not None and not isinstance(own, ClauseElement):
        field = replace(field, default=lambda _: own)
    return field


def attribute_of(mapper: Mapper[Any], column: Any) -> str:
    """Return the attribute that has the value of *column*.

    Of a joined table's key that is its parent's: what a session copies from there.

    Raises:
        UnmappedColumnError: the class does not map it.
    """
    for each in mapper.iterate_to_root():
        if each.inherit_condition is None or each.local_table is not column.table:
            continue
        for part in iterate(each.inherit_condition):
            if isinstance(part, BinaryExpression):
                pair = [part.left, part.right]
                if any(side is column for side in pair):
                    return attribute_of(mapper, pair[0] if pair[1] is column else pair[1])
    return mapper.get_property_by_column(column).key


def constructor_of(model: type[Any]) -> Any:
    """Return the constructor of a mapped class; None where it is SQLAlchemy's own."""
    mapper: Mapper[Any] = inspect_mapped(model)
    mapper.registry.configure()
    init = mapper.class_manager.original_init
    return None if init is _CONSTRUCTOR else init


def plain_attributes(mapper: Mapper[Any]) -> frozenset[str]:
    """Return the attributes whose values can be put into an object's dictionary when it is made.

    Those of columns, where setting them does nothing but keep the value and its history: no validator or
    mutable type listens, and the class is made by SQLAlchemy's own constructor. An object that no session
    will see before the writer needs no history, which is most of what setting an attribute costs.
    """
    mapper.registry.configure()
    manager = mapper.class_manager
    if manager.original_init is not _CONSTRUCTOR:
        return frozenset()
    return frozenset(
        attribute.key
        for attribute in mapper.column_attrs
        if not list(manager[attribute.key].dispatch.set) and len(attribute.columns) == 1
    )


def field_of(column: Column[Any], key: str, assigned: str | None) -> Field:
    """Return the field for *column*, with the model's default for it."""
    computed = sql_default(column)
    return Field(
        column,
        key,
        assigned,
        python_default(column),
        computed is not None or column.server_default is not None or column.identity is not None,
        computed,
    )


def _link(mapper: Mapper[Any], relationship: RelationshipProperty[Any]) -> Link | None:
    if relationship.viewonly:
        return None
    cascades = relationship.cascade.save_update
    uselist = bool(relationship.uselist)
    unread = relationship.lazy in {"dynamic", "write_only"}
    if relationship.direction is MANYTOMANY:
        secondary = relationship.secondary
        if not isinstance(secondary, Table):
            return None
        here = tuple(
            (remote, attribute_of(mapper, local))
            for local, remote in relationship.synchronize_pairs
            if isinstance(remote, Column)
        )
        there = tuple(
            (remote, attribute_of(relationship.mapper, local))
            for local, remote in relationship.secondary_synchronize_pairs or ()
            if isinstance(remote, Column)
        )
        return Link(relationship.key, uselist, False, unread, (), cascades, (secondary, here, there))
    to_parent = relationship.direction is MANYTOONE
    pairs = []
    # A pair is (parent's column, child's column), whichever side the relationship stands on.
    for source, target in relationship.synchronize_pairs:
        if to_parent:
            pairs.append(
                (
                    attribute_of(mapper, target),
                    attribute_of(relationship.mapper, source),
                )
            )
        else:
            pairs.append(
                (
                    attribute_of(mapper, source),
                    attribute_of(relationship.mapper, target),
                )
            )
    return Link(relationship.key, uselist, to_parent, unread, tuple(pairs), cascades)


def column_named(table: Table, name: str) -> Column[Any]:
    """Return the column that the database calls *name*; a model may know it by another key.

    Raises:
        KeyError: there is none.
    """
    column = table.columns.get(name)
    if column is None or column.name != name:
        column = next((each for each in table.columns if each.name == name), column)
    if column is None:
        raise KeyError(name)
    return column


def columns_named(table: Table, names: Sequence[str]) -> tuple[Column[Any], ...]:
    """Return the columns that the database calls *names*."""
    return tuple(column_named(table, name) for name in names)


def is_uuid(column: Column[Any]) -> bool:
    """Return whether *column* holds UUIDs."""
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(kind, Uuid) or column.type.python_type is UUID if _has_python_type(column) else False


def is_integer(column: Column[Any]) -> bool:
    """Return whether *column* holds integers."""
    return isinstance(column.type, Integer)


def _has_python_type(column: Column[Any]) -> bool:
    try:
        return column.type.python_type is not None
    except NotImplementedError:
        return False
