"""The workshop's scenarios said in Python: which row may follow which, and what can be said of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from bike_workshop.testing.sections import SECTIONS
from scenarios.builders.base import When
from scenarios.builders.sections import RowStep, SectionProgram


class ScenarioStep(RowStep):
    """A scenario: add customers, then build or load it."""

    def customer(
        self, handle: str, *, name: str | None = None, email: str | None = None, joined: When | None = None
    ) -> CustomerStep:
        """Add a customer."""
        return self._row(CustomerStep, "customers", handle, name=name, email=email, joined=joined)


class CustomerStep(ScenarioStep):
    """A customer: their bicycles, or another customer."""

    def bicycle(
        self, handle: str | None = None, *, brand: str | None = None, frame_number: str | None = None
    ) -> BicycleStep:
        """Add a bicycle of the customer."""
        return self._row(BicycleStep, "bicycles", handle, brand=brand, frame_number=frame_number)


class BicycleStep(CustomerStep):
    """A bicycle: its repairs, or anything that may follow a customer."""

    def repair(
        self,
        handle: str | None = None,
        *,
        state: str | None = None,
        opened: When | None = None,
        closed: When | None = None,
        price: Decimal | None = None,
    ) -> RepairStep:
        """Bring the bicycle to the workshop."""
        return self._row(
            RepairStep, "repairs", handle, state=state, opened=opened, closed=closed, price=price
        )


class RepairStep(BicycleStep):
    """A repair: what is said about it, or anything that may follow a bicycle."""

    def asks(self, body: str, *, handle: str | None = None, at: When | None = None) -> RepairStep:
        """Let the customer say something."""
        return self._row(RepairStep, "remarks", handle, customer=body, at=at)

    def answers(self, body: str, *, handle: str | None = None, at: When | None = None) -> RepairStep:
        """Let the mechanic say something."""
        return self._row(RepairStep, "remarks", handle, mechanic=body, at=at)


def a_scenario(
    name: str, *, description: str = "", seed: str | None = None, now: datetime | None = None
) -> ScenarioStep:
    """Begin a scenario of the workshop."""
    return ScenarioStep(SectionProgram(SECTIONS, name, description=description, seed=seed, now=now))
