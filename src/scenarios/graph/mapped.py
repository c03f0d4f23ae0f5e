"""What the writer must know of a mapped class, found once and kept.

Asking the mapper anew for every object would cost more than writing its row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Sequence as SqlSequence
from sqlalchemy import Table
from sqlalchemy.orm import Mapper, RelationshipProperty, registry
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.orm.interfaces import MANYTOMANY, MANYTOONE
from sqlalchemy.schema import Column
from sqlalchemy.types import Integer, TypeDecorator, Uuid

from scenarios.errors import GraphError


@dataclass(frozen=True, slots=True)
class Field:
    """One column of one table, and the attribute that holds its value."""

    column: Column[Any]
    key: str
    default: Callable[[], Any] | None
    omit_none: bool
    """None means "let the database fill it": the column has a server default."""


@dataclass(frozen=True, slots=True)
class Link:
    """A relationship as the writer uses it.

    ``pairs`` are (attribute here, attribute there); for a many-to-one the value comes from there, for a
    one-to-many it goes there. ``secondary`` holds (column, attribute) pairs for both sides of a link table.
    """

    key: str
    uselist: bool
    to_parent: bool
    pairs: tuple[tuple[str, str], ...]
    cascades: bool
    secondary: (
        tuple[Table, tuple[tuple[Column[Any], str], ...], tuple[tuple[Column[Any], str], ...]] | None
    ) = None


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """A mapped class: its tables with their fields, its links, its key."""

    mapper: Mapper[Any]
    tables: tuple[tuple[Table, tuple[Field, ...]], ...]
    links: dict[str, Link]
    link_keys: frozenset[str]
    key_fields: tuple[Field, ...]
    version: tuple[str, Any] | None


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
    tables = []
    for table in mapper.tables:
        if not isinstance(table, Table):
            raise GraphError(
                f"{mapper.class_.__name__} is mapped to something that is not a table",
                remedy="map it to a table, or give its rows with add_rows",
            )
        fields = []
        for column in table.columns:
            if column.computed is not None:
                continue
            try:
                key = mapper.get_property_by_column(column).key
            except UnmappedColumnError:
                continue  # the database fills what the class does not map
            fields.append(field_of(column, key))
        tables.append((table, tuple(fields)))
    links: dict[str, Link] = {}
    for relationship in mapper.relationships:
        link = _link(mapper, relationship)
        if link is not None:
            links[relationship.key] = link
    by_column = {field.column: field for _, fields in tables for field in fields}
    version = None
    if mapper.version_id_col is not None and mapper.version_id_generator:
        key = mapper.get_property_by_column(mapper.version_id_col).key
        version = (key, mapper.version_id_generator)
    return ClassPlan(
        mapper,
        tuple(tables),
        links,
        frozenset(links),
        tuple(by_column[column] for column in mapper.primary_key if isinstance(column, Column)),
        version,
    )


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


def field_of(column: Column[Any], key: str) -> Field:
    """Return the field for *column*, with its Python-side default as a function of nothing."""
    default: Callable[[], Any] | None = None
    given = column.default
    if given is not None and not isinstance(given, SqlSequence):
        if given.is_scalar:
            value = given.arg  # type: ignore[attr-defined]  # only ScalarElementColumnDefault is a scalar
            default = _constant(value)
        elif given.is_callable:
            default = _called(column, given.arg)  # type: ignore[attr-defined]  # as above, for callables
    return Field(column, key, default, column.server_default is not None or column.identity is not None)


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _called(column: Column[Any], function: Callable[[Any], Any]) -> Callable[[], Any]:
    def call() -> Any:
        try:
            return function(None)
        except (AttributeError, TypeError) as error:
            raise GraphError(
                f"the default of {column.table.name}.{column.name} needs a running statement",
                why=str(error),
                remedy="give the value when the object is made",
            ) from error

    return call


def _link(mapper: Mapper[Any], relationship: RelationshipProperty[Any]) -> Link | None:
    if relationship.viewonly:
        return None
    cascades = relationship.cascade.save_update
    uselist = bool(relationship.uselist)
    if relationship.direction is MANYTOMANY:
        secondary = relationship.secondary
        if not isinstance(secondary, Table):
            return None
        here = tuple(
            (remote, mapper.get_property_by_column(local).key)
            for local, remote in relationship.synchronize_pairs
            if isinstance(remote, Column)
        )
        there = tuple(
            (remote, relationship.mapper.get_property_by_column(local).key)
            for local, remote in relationship.secondary_synchronize_pairs or ()
            if isinstance(remote, Column)
        )
        return Link(relationship.key, uselist, False, (), cascades, (secondary, here, there))
    to_parent = relationship.direction is MANYTOONE
    pairs = []
    # A pair is (parent's column, child's column), whichever side the relationship stands on.
    for source, target in relationship.synchronize_pairs:
        if to_parent:
            pairs.append(
                (
                    mapper.get_property_by_column(target).key,
                    relationship.mapper.get_property_by_column(source).key,
                )
            )
        else:
            pairs.append(
                (
                    mapper.get_property_by_column(source).key,
                    relationship.mapper.get_property_by_column(target).key,
                )
            )
    return Link(relationship.key, uselist, to_parent, tuple(pairs), cascades)


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
