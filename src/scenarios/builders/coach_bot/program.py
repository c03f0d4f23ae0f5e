"""A Coach Bot scenario that can be loaded: what was said, and the rows it becomes."""

from __future__ import annotations

from scenarios.builders.base import Rendered
from scenarios.builders.coach_bot.plans import Said
from scenarios.builders.coach_bot.render import render
from scenarios.factories.context import FactoryContext


class CoachBotProgram(Said):
    """A Coach Bot scenario as it was said, and what becomes of it; the arguments are those of `Program`."""

    def render(self, context: FactoryContext, instance: str) -> Rendered:
        """Make the rows of *instance*."""
        return render(self, context, instance)
