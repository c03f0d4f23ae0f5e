"""Volume: as many users as a load test wants, streamed, in parts that any job runner can spread.

Start at `generation.generate`; `dev_coach` is the recipe of what a user looks like.
"""

from scenarios.volume.generation import Generated, generate
from scenarios.volume.parts import Part, Recipe, recipe

__all__ = ["Generated", "Part", "Recipe", "generate", "recipe"]
