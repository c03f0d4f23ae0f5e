"""Writes digests of rows as they go to COPY; run by other interpreters, so it needs no database."""

from __future__ import annotations

import hashlib
import json
import sys

from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import ActionType, CoachingPhase
from scenarios.factories import factory_context
from scenarios.factories.dev_coach import UserFactory
from scenarios.graph import Graph
from scenarios.graph.graph import collect
from scenarios.graph.planner import plan
from scenarios.graph.writing_steps import CopyIn, InsertTogether
from scenarios.values import DEFAULT_ANCHOR
from scenarios.volume import Part, recipe


def digest(graph: Graph) -> str:
    """Return a hash over every statement and every row that writes *graph*."""
    found = hashlib.sha256()
    steps = plan(graph, collect(graph))
    step = next(steps, None)
    while step is not None:
        found.update(step.text.encode())
        if isinstance(step, CopyIn):
            found.update(b"".join(step.blocks()))
        elif isinstance(step, InsertTogether):
            found.update(step.argument.encode())
        try:
            step = steps.send(())
        except StopIteration:
            step = None
    return found.hexdigest()


def built() -> Graph:
    """Return a scenario with something of everything."""
    return (
        a_scenario("bytes", seed="s", locale="en_US")
        .user("maya").in_phase(CoachingPhase.INTEGRATION).identities(4).conversation(61).note("x").profile()
        .coach("So?").triggers(ActionType.UPDATE_WHO_YOU_ARE, succeeded=True).says("yes").noted("y")
        .user("omar", verified=False)
        .user("zoe").in_phase(CoachingPhase.COMPLETED).conversation(300)
        .prompt(CoachingPhase.COMPLETED)
        .build()
        .graph
    )  # fmt: skip


def made() -> Graph:
    """Return people made whole by factories, one in each phase."""
    graph = Graph()
    with factory_context("bytes", seed="s", locale="en_US", graph=graph) as context:
        graph.seeded = context.values
        for phase in CoachingPhase:
            UserFactory.create(phase=phase)
    return graph


def generated() -> str:
    """Return a hash over one part of a volume run."""
    found = hashlib.sha256()
    for table in recipe("dev_coach").make(Part("seed", 0, 0, 30, DEFAULT_ANCHOR)):
        found.update(table.table.encode() + table.data)
    return found.hexdigest()


def digests() -> dict[str, str]:
    """Return the three digests."""
    return {"builder": digest(built()), "factories": digest(made()), "volume": generated()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(digests()))
