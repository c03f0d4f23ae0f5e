"""Rows of a plan as objects people can use."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, configure_mappers, make_transient_to_detached

from scenarios.library.planning.columns import members_of
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Sections


def row_object(row: Row, sections: Sections) -> Any:
    """Return *row* as a detached object of its model, or as a namespace where no model is known."""
    mapper = sections.classes.get(row.table.fullname)
    values = {name: _as_loaded(row.table.columns[name], value) for name, value in row.values.items()}
    if mapper is None:
        return SimpleNamespace(**values)
    return _object(mapper, values)


def _object(mapper: Mapper[Any], values: dict[str, Any]) -> Any:
    configure_mappers()  # attributes of a class cannot be set before
    found = mapper.class_manager.new_instance()
    for column, value in values.items():
        prop = mapper.get_property_by_column(mapper.local_table.c[column])
        setattr(found, prop.key, value)
    make_transient_to_detached(found)
    return found


def _as_loaded(column: sa.Column[Any], value: Any) -> Any:
    """Return *value* as a query would: enum members for words of an enum, which need not be their values."""
    kind = column.type
    if isinstance(kind, sa.Enum) and isinstance(value, str):
        return members_of(kind)[value]
    if isinstance(value, datetime) and isinstance(kind, sa.DateTime) and not kind.timezone:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value.copy() if isinstance(value, list | dict) else value
