"""Volume: as many users as a load test wants, streamed, in parts that any job runner can spread.

Start at `generation.generate`; what a user of a system looks like is its `Recipe`, the part ``volume``.
"""

from scenarios.volume.generation import Generated, generate
from scenarios.volume.parts import Part, Recipe, recipe

__all__ = ["Generated", "Part", "Recipe", "generate", "recipe"]
