"""How many generated examples a test gets: few in `make test`, many in `make test-all`.

``SCENARIOS_TEST_EXAMPLES`` multiplies the budgets; `search` goes on for a time instead of a number.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

TIMES = int(os.environ.get("SCENARIOS_TEST_EXAMPLES", "1"))
SECONDS = float(os.environ.get("SCENARIOS_TEST_SECONDS", "150"))
_AT_A_TIME = 100


def examples(few: int) -> int:
    """The number of examples of a test that gets *few* where a person waits."""
    return few * TIMES


def search(test: Callable[..., None], seeds: tuple[int, ...], **strategies: Any) -> int:
    """Try *test* on the examples of each of the *seeds*, then on new ones for ``SCENARIOS_TEST_SECONDS``.

    Returns how many it tried. A failure is made small and told with its arguments; written as
    ``@example(...)`` above the test of the same name, it is kept as a case.
    """
    tried = 0
    last = time.monotonic() + SECONDS

    def counted(**values: Any) -> None:
        nonlocal tried
        tried += 1
        test(**values)

    def run(seed: int) -> None:
        fitted = hypothesis.settings(
            max_examples=_AT_A_TIME,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )(hypothesis.given(**strategies)(counted))
        try:
            hypothesis.seed(seed)(fitted)()
        except BaseException as error:
            error.add_note(f"the seed was {seed}")
            raise

    for seed in seeds:
        run(seed)
    while time.monotonic() < last:
        run(random.SystemRandom().getrandbits(32))
    return tried
