"""Samples and what is said of them: every script means the same by a median and a p95.

A single timing on a shared machine is an anecdote. Contenders are therefore measured in turns, so that a busy
minute hits them all, and what is published has the number of runs beside it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Figures = dict[str, Any]
"""``median`` and ``p95`` in milliseconds, and the number of ``runs``; or ``why`` there are none."""


def timed(action: Callable[[], object]) -> float:
    """Return how long *action* took, in milliseconds."""
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


def figures(samples: Sequence[float]) -> Figures:
    """Return median and p95 of *samples*; the p95 of few samples is the slowest."""
    ordered = sorted(samples)
    place = min(len(ordered) - 1, int(len(ordered) * 0.95))
    return {"median": statistics.median(ordered), "p95": ordered[place], "runs": len(ordered)}


def in_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Figures]:
    """Measure all *contenders* (each returns its own milliseconds) turn by turn, *rounds* times.

    A contender that cannot run here raises `Unavailable`; its reason becomes its row.
    """
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    missing: dict[str, str] = {}
    for _ in range(rounds):
        for name, measure in contenders.items():
            if name in missing:
                continue
            try:
                samples[name].append(measure())
            except Unavailable as reason:
                missing[name] = str(reason)
    return {
        name: {"why": missing[name]} if name in missing else figures(kept) for name, kept in samples.items()
    }


class Unavailable(Exception):
    """This contender cannot be measured on this machine; the text says why."""
