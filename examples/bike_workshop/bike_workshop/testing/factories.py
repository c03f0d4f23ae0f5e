"""Factories of the workshop's rows, with the same defaults as its files."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from factory.declarations import LazyAttribute

from bike_workshop.models import Bicycle, Customer, Remark, Repair
from bike_workshop.testing import defaults
from scenarios.factories.base import Parent, RowFactory, RowId, Value
from scenarios.factories.context import current_context
from scenarios.values import Row


def _row(handle: str) -> Row:
    return current_context().row(handle)


class CustomerFactory(RowFactory[Customer]):
    """A customer."""

    class Meta:
        model = Customer

    id = RowId()
    name = Value(defaults.name)
    email: Any = LazyAttribute(lambda o: defaults.email(_row(o.handle), o.name, current_context().instance))
    joined: Any = LazyAttribute(lambda o: defaults.joined(current_context().clock.now))


class BicycleFactory(RowFactory[Bicycle]):
    """A bicycle of the customer built last."""

    class Meta:
        model = Bicycle

    id = RowId()
    customer = Parent(CustomerFactory)
    brand = Value(defaults.brand)
    frame_number: Any = LazyAttribute(
        lambda o: defaults.frame_number(_row(o.handle), current_context().instance)
    )


class RepairFactory(RowFactory[Repair]):
    """A stay of the bicycle built last; open by default."""

    class Meta:
        model = Repair

    id = RowId()
    bicycle = Parent(BicycleFactory)
    state = "OPEN"
    opened: Any = LazyAttribute(lambda o: current_context().clock.now - timedelta(days=3))
    closed: Any = LazyAttribute(lambda o: defaults.closed(o.state, o.opened))


class RemarkFactory(RowFactory[Remark]):
    """What a customer says about the repair built last."""

    class Meta:
        model = Remark

    repair = Parent(RepairFactory)
    author = "CUSTOMER"
    body = Value(lambda row: row.text("bike_workshop.complaints", "body"))
    written: Any = LazyAttribute(lambda o: o.repair.opened)
