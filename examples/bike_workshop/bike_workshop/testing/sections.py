"""How the workshop's rows stand in its scenario files: repairs under their bicycle, remarks under theirs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bike_workshop.models import Base
from bike_workshop.testing import DOMAIN, defaults
from scenarios.library.planning.plan import earliest
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Section, Sections, Situation, mappers_of
from scenarios.library.sections.suffixes import EMAIL, WORD


def _name(row: Row, situation: Situation) -> str:
    return defaults.name(situation.values(row))


def _email(row: Row, situation: Situation) -> str:
    return defaults.email(situation.values(row), row.values["name"], situation.instance)


def _joined(row: Row, situation: Situation) -> datetime:
    first = earliest(row.subtree())
    return defaults.joined(situation.anchor, [first] if first else [])


def _brand(row: Row, situation: Situation) -> str:
    return defaults.brand(situation.values(row))


def _frame_number(row: Row, situation: Situation) -> str:
    return defaults.frame_number(situation.values(row), situation.instance)


def _closed(row: Row, _: Situation) -> datetime | None:
    return defaults.closed(row.values["state"], row.values["opened"])


def _pace(row: Row, before: Row | None, situation: Situation) -> timedelta:
    """Return the time from one remark to the next; the first is said when the bicycle is brought."""
    if before is None:
        opened = row.up(1).values.get("opened")
        return opened - situation.anchor if isinstance(opened, datetime) else timedelta()
    return situation.values(row).duration("pace", defaults.LEAST, defaults.MOST)


REMARKS = Section(
    key="remarks",
    table="remark",
    form="turns",
    title="What was said about the repair, turn by turn.",
    links={"repair_id": 1},
    names={"written": "at"},
    unit="remark",
    order=("written", "id"),
    speakers={"customer": "CUSTOMER", "mechanic": "MECHANIC"},
    speaker="author",
    text="body",
    time="written",
    pace=_pace,
)
REPAIRS = Section(
    key="repairs",
    table="repair",
    form="list",
    title="The bicycle's stays in the workshop.",
    links={"bicycle_id": 1},
    unit="repair",
    order=("opened",),
    defaults={"closed": _closed},
    derived=frozenset({"closed"}),
    inner=(REMARKS,),
)
BICYCLES = Section(
    key="bicycles",
    table="bicycle",
    form="named",
    title="The customer's bicycles, by handle.",
    links={"customer_id": 1},
    unit="bicycle",
    defaults={"brand": _brand, "frame_number": _frame_number},
    suffixed={"frame_number": WORD},
    inner=(REPAIRS,),
)
CUSTOMERS = Section(
    key="customers",
    table="customer",
    form="named",
    title="The customers, by handle.",
    unit="customer",
    order=("joined",),
    defaults={"name": _name, "email": _email, "joined": _joined},
    suffixed={"email": EMAIL},
    inner=(BICYCLES,),
)

SECTIONS = Sections(DOMAIN, (CUSTOMERS,), people="customer", classes=mappers_of(Base))

__all__: list[Any] = ["SECTIONS"]
