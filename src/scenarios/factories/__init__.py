"""Factories: factory_boy's, with seeded values, stable ids and shared parents, and no state on the class.

The centre is `scenarios.factories.base`, which says how to write the factories of a system;
each system's are a module in here, and `factory_for` derives one from any model or table.
"""

from scenarios.factories.base import Ago, Handle, OwnerOf, Parent, RowFactory, RowId, Value
from scenarios.factories.context import FactoryContext, current_context, factory_context
from scenarios.factories.derived import factory_for
from scenarios.factories.rows import TableRow

__all__ = [
    "Ago",
    "FactoryContext",
    "Handle",
    "OwnerOf",
    "Parent",
    "RowFactory",
    "RowId",
    "TableRow",
    "Value",
    "current_context",
    "factory_context",
    "factory_for",
]
