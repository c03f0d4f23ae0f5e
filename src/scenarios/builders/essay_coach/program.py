"""An EssayCoach scenario that can be loaded: what was told of it, and the rows it becomes."""

from __future__ import annotations

from scenarios.builders.base import Rendered
from scenarios.builders.essay_coach.given import render_as_given
from scenarios.builders.essay_coach.plans import Told
from scenarios.builders.essay_coach.render import render
from scenarios.factories.context import FactoryContext


class EssayCoachProgram(Told):
    """An EssayCoach scenario as it was told, and what becomes of it; the arguments are those of `Told`."""

    def render(self, context: FactoryContext, instance: str) -> Rendered:
        """Make the rows of *instance*: exactly those that were told, or with what belongs to them."""
        return (render_as_given if self.as_given else render)(self, context, instance)
