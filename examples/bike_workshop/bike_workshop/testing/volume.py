"""What ``scenarios generate bike_workshop`` makes: customers, some with several bicycles and repairs.

What a part holds follows from its seed and number, so parts are made in any order and on any machine.
"""

from __future__ import annotations

from datetime import timedelta

from bike_workshop.testing import DOMAIN, defaults
from scenarios.values import Row, Seeded
from scenarios.volume.parts import Collector, Part, TableData

_TABLES = (
    ("customer", ("id", "name", "email", "joined")),
    ("bicycle", ("id", "customer_id", "brand", "frame_number")),
    ("repair", ("id", "bicycle_id", "state", "opened", "closed")),
    ("remark", ("repair_id", "author", "body", "written")),
)


class WorkshopRecipe:
    """The recipe; it holds nothing, so that any process can use it."""

    domain = DOMAIN

    def owner(self, part: Part) -> TableData | None:
        """Return nothing: rows belong to their customers alone."""
        return None

    def keys(self, part: Part) -> tuple[str, str, list[str]]:
        """Return the table and key column of the part's people, and their keys."""
        return "customer", "id", [str(_customer(part, index).uuid()) for index in part.indexes]

    def make(self, part: Part) -> list[TableData]:
        """Return all rows of the part."""
        rows = Collector(DOMAIN, _TABLES)
        for index in part.indexes:
            customer = _customer(part, index)
            name = defaults.name(customer)
            joined = defaults.joined(part.anchor) - customer.duration(
                "since", timedelta(), timedelta(days=900)
            )
            rows.add("customer", [(customer.uuid(), name, f"customer.{index}@example.com", joined)])
            for number in range(customer.skewed("bicycles", 1, 6, 1)):
                _bicycle(part, customer, index, number, rows)
        return list(rows.finish())


def _customer(part: Part, index: int) -> Row:
    return Seeded(part.seed, "volume/bike_workshop", part.locale).at(f"customer-{index:08d}")


def _bicycle(part: Part, customer: Row, index: int, number: int, rows: Collector) -> None:
    row = customer.seeded.at(f"{customer.handle}.{number}")
    rows.add("bicycle", [(row.uuid(), customer.uuid(), defaults.brand(row), f"FR-{index}-{number}")])
    opened = part.anchor - row.duration("opened", timedelta(days=1), timedelta(days=180))
    state = row.choice("state", ("OPEN", "DONE", "COLLECTED"))
    repair = row.uuid("repair")
    rows.add("repair", [(repair, row.uuid(), state, opened, defaults.closed(state, opened))])
    answered = opened + row.duration("answered", defaults.LEAST, defaults.MOST)
    rows.add(
        "remark",
        [
            (repair, "CUSTOMER", row.text("bike_workshop.complaints", "asked"), opened),
            (repair, "MECHANIC", row.text("bike_workshop.answers", "answered"), answered),
        ],
    )


RECIPE = WorkshopRecipe()
