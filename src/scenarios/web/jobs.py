"""Loads in the background, and how far they are.

A scenario of a hundred thousand rows takes longer than a browser likes to wait, and a page that merely hangs
gets reloaded, which loads it twice. A load is a job with a page of its own; while rows are written, the
server's own progress view says how many of them are.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scenarios.errors import LibraryError

RUNNING_AT_ONCE = 4
"""Loads at one time; more are refused, so that a script cannot pile them up."""
_KEPT = 60


@dataclass
class Job:
    """One load.

    Attributes:
        scenario: what is loaded.
        stage: what is done now, for people.
        total: rows to write, 0 while unknown.
        result: the instance's name when it is done.
        error: what went wrong.
    """

    scenario: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    stage: str = "waiting"
    total: int = 0
    written: Callable[[], int] | None = None
    result: str | None = None
    error: BaseException | None = None
    began: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    def rows_written(self) -> int:
        """Return how many rows are written by now, as far as the server tells."""
        if self.result is not None:
            return self.total
        return self.written() if self.written is not None else 0


class Jobs:
    """The loads of one page."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, scenario: str, work: Callable[[Job], str]) -> Job:
        """Run *work* in a thread of its own and return its job.

        Raises:
            LibraryError: too many run already.
        """
        job = Job(scenario)
        with self._lock:
            running = sum(not each.done.is_set() for each in self._jobs.values())
            if running >= RUNNING_AT_ONCE:
                raise LibraryError(
                    "too many scenarios are being loaded at once",
                    why=f"{running} loads run",
                    hint="wait for one to finish",
                )
            self._jobs[job.id] = job
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
        threading.Thread(target=self._run, args=(job, work), name=f"load {scenario}", daemon=True).start()
        return job

    def get(self, number: str) -> Job | None:
        """Return the job called *number*."""
        return self._jobs.get(number)

    @staticmethod
    def _run(job: Job, work: Callable[[Job], Any]) -> None:
        try:
            job.result = work(job)
        except BaseException as error:  # noqa: BLE001 - kept and shown by whoever waits for the job
            job.error = error
        finally:
            job.done.set()
