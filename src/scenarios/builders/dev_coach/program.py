"""A Dev Coach scenario that can be loaded: what was said, the rows it becomes, the prompts it shares.

Prompts belong to no instance. Two loads that both make version 3 of a phase's prompt would collide, so one
that is in the database already is found inside the loading transaction, and used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from scenarios.builders.base import Rendered
from scenarios.builders.dev_coach.plans import Said
from scenarios.builders.dev_coach.render import render
from scenarios.domains.dev_coach import Prompt
from scenarios.factories.context import FactoryContext

# Prompts are shared by all instances: two loads at once must not both find a version missing.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('prompts_prompt'))"
_PROMPTS = "SELECT id, coaching_phase, version FROM prompts_prompt"


class DevCoachProgram(Said):
    """A Dev Coach scenario as it was said, and what becomes of it; the arguments are those of `Said`."""

    def render(self, context: FactoryContext, instance: str) -> Rendered:
        """Make the rows of *instance*."""
        return render(self, context, instance)

    def before_write(self, connection: psycopg.Connection[Any], rendered: Rendered) -> None:
        """Use the prompts that are in the database already, by phase and version."""
        if self.prompts:
            connection.execute(_LOCK)
            self._use(rendered, connection.execute(_PROMPTS).fetchall())

    async def before_write_async(self, connection: Any, rendered: Rendered) -> None:
        """Do what `before_write` does over a psycopg or asyncpg connection."""
        if not self.prompts:
            return
        await connection.execute(_LOCK)
        if isinstance(connection, psycopg.AsyncConnection):
            self._use(rendered, await (await connection.execute(_PROMPTS)).fetchall())
        else:
            self._use(rendered, await connection.fetch(_PROMPTS))

    def _use(self, rendered: Rendered, known: Iterable[Any]) -> None:
        there = {(phase, version): key for key, phase, version in known}
        for node in list(rendered.graph.roots()):
            if isinstance(node.obj, Prompt) and (node.obj.coaching_phase, node.obj.version) in there:
                node.obj.id = there[node.obj.coaching_phase, node.obj.version]
                rendered.graph.add(node.obj, existing=True)
