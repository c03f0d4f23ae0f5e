"""The workshop as a system of the framework; the distribution's entry point names `DOMAIN`."""

from __future__ import annotations

from bike_workshop.models import Base
from scenarios.domain import Domain
from scenarios.schema.rendering import render

DOMAIN = Domain(
    name="bike_workshop",
    title="The bike workshop",
    metadata=Base.metadata,
    ddl=lambda: render(Base.metadata, heading="The bike workshop."),
    owner="customer",
    parts={
        "sections": "bike_workshop.testing.sections",
        "builder": "bike_workshop.testing.builder",
        "volume": "bike_workshop.testing.volume",
    },
)
