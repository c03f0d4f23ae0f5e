"""How far a long piece of work is, told to whoever asked to be told.

The library shows nothing itself: a log of a job, a page and a terminal want different things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how many steps are done, and how many there are."""


class Stages:
    """The steps of one piece of work, told as they begin.

    Args:
        progress: is told; None for nobody.
        count: how many there are.
    """

    def __init__(self, progress: Progress | None, count: int) -> None:
        self._progress = progress
        self._count = count
        self._begun = 0

    def begin(self, what: str) -> None:
        """Say what is done from now on."""
        if self._progress is not None:
            self._progress(what, self._begun, self._count)
        self._begun += 1


def told(progress: Progress | None, items: Sequence[T], name: Callable[[T], str] = str) -> Iterator[T]:
    """Yield *items*, and tell before each which it is."""
    stages = Stages(progress, len(items))
    for item in items:
        stages.begin(name(item))
        yield item
