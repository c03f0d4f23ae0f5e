"""Rows of a plan as objects people can use."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, configure_mappers, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import UnmappedColumnError

from scenarios.graph.mapped import attribute_of
from scenarios.library.planning.columns import members_of
from scenarios.library.planning.plan import Serial
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Sections


def row_object(row: Row, sections: Sections) -> Any:
    """Return *row* as a detached object of its model, or as a namespace where no model is known."""
    mapper = sections.classes.get(row.table.fullname)
    columns = {column.name: column for column in row.table.columns}
    values = {name: _as_loaded(columns[name], value) for name, value in row.values.items()}
    if mapper is None:
        return SimpleNamespace(**values)
    configure_mappers()  # attributes of a class cannot be set before
    table = mapper.local_table
    assert isinstance(table, sa.Table), "mappers_of gives those of tables"
    return _object(mapper, {column: values[column.name] for column in table.columns if column.name in values})


def _object(mapper: Mapper[Any], values: dict[sa.Column[Any], Any]) -> Any:
    kind = mapper.polymorphic_on
    if isinstance(kind, sa.Column) and kind in values:
        # The class that a query would give: the row says which.
        mapper = mapper.polymorphic_map.get(values[kind], mapper)
    found = mapper.class_manager.new_instance()
    for column, value in values.items():
        try:
            key = attribute_of(mapper, column)
        except UnmappedColumnError:
            continue  # a sibling's, or one that the class leaves out
        set_committed_value(found, key, value)
    make_transient_to_detached(found)
    return found


def _as_loaded(column: sa.Column[Any], value: Any) -> Any:
    """Return *value* as a query would: enum members for words of an enum, which need not be their values."""
    if isinstance(value, Serial):
        return None  # the database has not counted it yet
    kind = column.type
    if isinstance(kind, sa.Enum) and isinstance(value, str):
        return members_of(kind)[value]
    if isinstance(value, datetime) and isinstance(kind, sa.DateTime) and not kind.timezone:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value.copy() if isinstance(value, list | dict) else value
