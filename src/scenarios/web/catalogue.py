"""What the catalogue shows of each scenario, kept as long as its file is as it was."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from scenarios.errors import ScenariosError
from scenarios.web.picture import people_of, phases_of, words

if TYPE_CHECKING:
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.index import Entry
    from scenarios.library.planning.plan import Plan
    from scenarios.postgres.doctor import Diagnosis
    from scenarios.web.service import Service

T = TypeVar("T")
_KEPT = 80


@dataclass(frozen=True, slots=True)
class Card:
    """A scenario in the catalogue."""

    name: str
    system: str
    title: str
    description: str
    tags: tuple[str, ...]
    phases: tuple[str, ...]
    people: int
    rows: int
    error: str

    @property
    def text(self) -> str:
        """What is searched."""
        parts = (self.name, self.system, self.title, self.description, *self.tags, *self.phases)
        return " ".join(parts).casefold()

    def fits(self, q: str = "", system: str = "", tag: str = "", phase: str = "") -> bool:
        """Return whether all that is given fits."""
        return (
            all(word in self.text for word in q.casefold().split())
            and system in ("", self.system)
            and (not tag or tag in self.tags)
            and (not phase or phase in self.phases)
        )


class Catalogue:
    """The cards of a library, and pictures of plans, made once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._facts: dict[str, tuple[Any, tuple[tuple[str, ...], int, int, str]]] = {}
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.RLock()
        self._diagnosis: Diagnosis | None = None

    def warm(self) -> None:
        """Read everything once, so that the first visitor does not wait."""
        self.cards()

    def cards(self) -> list[Card]:
        """Return a card for each scenario, also for those that cannot be loaded."""
        return [self._card(entry) for entry in self._service.entries()]

    def _card(self, entry: Entry) -> Card:
        head = entry.head
        phases, people, rows, error = self._look(entry)
        return Card(
            entry.name,
            entry.system,
            head.title if head else "",
            head.description if head else "",
            tuple(head.tags) if head else (),
            phases,
            people,
            rows,
            error,
        )

    def _look(self, entry: Entry) -> tuple[tuple[str, ...], int, int, str]:
        stamp = entry.path.stat().st_mtime_ns
        known = self._facts.get(entry.name)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            plan = self._service.plan(self._service.definition(entry.name))
            found = (tuple(map(words, phases_of(plan))), len(people_of(plan)), len(plan.rows), "")
        except ScenariosError as error:
            found = ((), 0, 0, error.what)
        self._facts[entry.name] = (stamp, found)
        return found

    def remembered(self, kind: str, plan: Plan, page: int, make: Callable[[], T]) -> T:
        """Return what *make* makes of *plan*, made once."""
        key = (kind, id(plan), page)
        with self._lock:
            known = self._kept.get(key)
            if known is None or known[0] is not plan:
                known = self._kept[key] = (plan, make())
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            found: T = known[1]
            return found

    def source(self, definition: ScenarioDefinition) -> tuple[str, str]:
        """Return the file of *definition* and its language."""
        path = definition.path
        if path is None:
            return "", "yaml"
        return path.read_text("utf-8", "replace"), "python" if path.suffix == ".py" else "yaml"

    def diagnosis(self, *, again: bool = False) -> Diagnosis:
        """Return what the doctor says, measured once unless *again*."""
        from scenarios.postgres.doctor import diagnose

        with self._lock:
            if self._diagnosis is None or again:
                self._diagnosis = diagnose(self._service.library.settings)
            return self._diagnosis
