"""The workshop's system: a file, the builder and the factories say the same, and all of it can be loaded."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from importlib.metadata import entry_points

import psycopg
import pytest
from bike_workshop.models import Bicycle, Customer, Remark, Repair
from bike_workshop.testing import DOMAIN, factories
from bike_workshop.testing.builder import a_scenario
from sqlalchemy import func, select

from scenarios.domain import get_domain
from scenarios.errors import BuilderError
from scenarios.factories.context import factory_context
from scenarios.library import Library
from scenarios.volume import generate

FILE = """\
scenario: same
system: bike_workshop
customers:
  maya:
    bicycles:
      tandem:
        repairs:
          - as: slipping
            opened: -3d
            remarks:
              - customer: The chain slips.
              - mechanic: I see.
              - {customer: Thank you., at: +1h}
          - {state: DONE, opened: -30d, price: "48.50"}
"""


SAID = {"maya": ("name", "email"), "maya.tandem": ("customer_id", "brand", "frame_number")}
"""What follows from a row's handle; a time follows from the rows below as well."""


def said(name="same"):
    """Say the file's scenario."""
    return (
        a_scenario(name)
        .customer("maya")
        .bicycle("tandem")
        .repair("slipping", opened="-3d")
        .asks("The chain slips.")
        .answers("I see.")
        .asks("Thank you.", at="+1h")
        .repair(state="DONE", opened="-30d", price=Decimal("48.50"))
    )


def columns(plan):
    """Return the rows by handle, keys that the database counts left out."""
    return {
        row.handle: {
            name: value for name, value in row.values.items() if (row.table.name, name) != ("remark", "id")
        }
        for row in plan.rows
    }


@pytest.fixture
def library(tmp_path):
    """A library with the scenario as a file and as a function."""
    (tmp_path / "same.yaml").write_text(FILE, "utf-8")
    (tmp_path / "more.py").write_text(
        "from bike_workshop.testing.builder import a_scenario\nfrom scenarios.library import scenario\n\n\n"
        "@scenario(system='bike_workshop')\ndef more(repairs: int = 2):\n"
        "    step = a_scenario('more').customer('maya').bicycle()\n"
        "    for _ in range(repairs):\n        step = step.repair(opened='-9d')\n    return step\n",
        "utf-8",
    )
    return Library(tmp_path)


def test_the_distribution_registers_the_system():
    assert "bike_workshop" in {point.name for point in entry_points(group="scenarios.domains")}
    assert get_domain("bike_workshop") is DOMAIN


def test_the_file_and_the_builder_are_the_same_rows(library):
    built = said().build().rendered.handles
    assert columns(library["same"].plan()) == columns(built.plan)
    assert columns(library["same"].plan(instance="Friday")) == columns(
        said().build().render("Friday").handles.plan
    )


def test_a_factory_makes_the_same_customer_and_bicycle(library):
    plan = library["same"].plan()
    with factory_context("same"):
        maya = factories.CustomerFactory.build(handle="maya")
        tandem = factories.BicycleFactory.build(handle="maya.tandem", customer=maya)
    wanted = plan.by_handle["maya"].values
    joined = wanted["joined"]
    assert (maya.id, maya.name, maya.email, maya.joined) == (
        wanted["id"],
        wanted["name"],
        wanted["email"],
        joined,
    )
    wanted = plan.by_handle["maya.tandem"].values
    assert (tandem.id, tandem.brand, tandem.frame_number) == tuple(
        wanted[name] for name in ("id", "brand", "frame_number")
    )


@pytest.mark.scenario("waiting_for_parts")
def test_a_test_starts_in_the_state(scenario, scenario_session):
    assert scenario["maya.tandem"].brand == "Rowan"
    open_ones = scenario_session.scalars(select(Repair).where(Repair.closed.is_(None))).all()
    assert [repair.id for repair in open_ones] == [scenario["maya.slipping"].id]
    assert scenario_session.scalar(select(func.count(Customer.id))) == 2


def test_the_builder_loads_what_it_said(scenario_db, scenario_session):
    loaded = said().load(scenario_db)
    again = said().load(scenario_session, as_name="again")
    assert loaded["maya"].email == "maya.griffin+same@example.com"
    assert again["maya"].email == "maya.griffin+again@example.com"
    assert loaded.sign_in == [{"handle": "maya", "email": loaded["maya"].email}]
    remarks = scenario_session.scalars(select(Remark).order_by(Remark.id)).all()
    assert [remark.author for remark in remarks] == ["CUSTOMER", "MECHANIC", "CUSTOMER"] * 2
    assert loaded["maya.slipping.remark_2"].id == remarks[1].id
    assert scenario_session.get(Bicycle, again["maya.tandem"].id).repairs[1].price == Decimal("48.50")


def test_the_builder_loads_from_asynchronous_code(scenario_db):
    async def load():
        async with await psycopg.AsyncConnection.connect(scenario_db.dsn) as connection:
            return await said().load_async(connection)

    assert asyncio.run(load())["maya.slipping.remark_3"].id


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (lambda: a_scenario("x").customer("maya").customer("maya"), "taken by a customer"),
        (lambda: a_scenario("x").customer("maya").bicycle().repair(state="LOST"), "'LOST'"),
        (lambda: a_scenario("x").customer("maya").bicycle().repair(opened="soon"), "time"),
        (lambda: a_scenario("x").customer("maya").bicycle().repair(price="much"), "price"),
        (lambda: a_scenario("x").customer("ma ya"), "cannot be a handle"),
    ],
)
def test_what_cannot_be_is_refused_at_its_line(wrong, what):
    with pytest.raises(BuilderError, match=what) as caught:
        wrong()
    assert __file__ in caught.value.where


def test_what_only_all_of_it_shows_is_refused_at_its_line():
    with pytest.raises(BuilderError, match="outside the calendar") as caught:
        a_scenario("x").customer("maya").bicycle().repair(opened="0001-01-01T00:00:00+00:00").build()
    assert __file__ in caught.value.where


def test_a_function_takes_parameters_and_is_reset_and_unloaded(library, scenario_db):
    instance = library["more"].load(scenario_db, repairs=3)
    assert instance.counts == {"customer": 1, "bicycle": 1, "repair": 3}
    with scenario_db.connect() as connection:
        connection.execute("UPDATE repair SET price = 1")
    instance.reset()
    with scenario_db.connect() as connection:
        assert connection.execute("SELECT count(price) FROM repair").fetchone() == (0,)
    assert instance.unload().rows["repair"] == 3


def test_volume_is_generated(scenario_db):
    assert generate("bike_workshop", 50, scenario_db.dsn, seed="s").tables["customer"] == 50
    with scenario_db.connect() as connection:
        assert connection.execute("SELECT count(*) FROM customer").fetchone() == (50,)
        assert connection.execute("SELECT count(*) > 50 FROM remark").fetchone() == (True,)
