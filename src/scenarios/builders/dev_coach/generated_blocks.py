"""A generated stretch of a conversation: known when the scenario is built, worded when it is written.

Generated messages are most of a scenario's rows, and an object each would cost twenty times as much as a
tuple. When each is said, by whom, in which phase and under which id is settled at once, since actions,
sittings and checks depend on it; what is said is made on the way into the database, while the server takes
what came before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from scenarios.builders.dev_coach.plans import GeneratedBlockPlan
from scenarios.builders.dev_coach.timeline import Placed
from scenarios.domains.dev_coach import CoachingPhase, MessageRole, User
from scenarios.factories.context import FactoryContext
from scenarios.graph import LazyRows
from scenarios.values import conversation, course

MESSAGES = ("id", "user_id", "role", "content", "timestamp", "test_scenario_id")
LINKS = ("id", "user_id", "session_id", "message_id", "test_scenario_id")


@dataclass(frozen=True, slots=True)
class GeneratedBlock:
    """What the handle of a generated stretch stands for: its messages' ids, in order."""

    handle: str
    message_ids: tuple[UUID, ...]


class GeneratedBlockIds:
    """One stretch of one person.

    Args:
        way: the phases it leads through.
        identities: the names of the person's identities, which are spoken of.

    Attributes:
        ids: its messages' ids, in order.
        times: when each is said.
        phases: the phase each belongs to.
    """

    def __init__(
        self,
        block: GeneratedBlockPlan,
        placed: Placed,
        way: Sequence[CoachingPhase],
        context: FactoryContext,
        user: User,
        identities: Sequence[str],
    ) -> None:
        self.block = block
        self.placed = placed
        self.times: list[datetime] = placed.times
        # A stretch that begins with the user is one that begins with the coach without its first turn.
        self._skipped = 0 if block.begins_with is MessageRole.COACH else 1
        self._way = tuple(way)
        self.phases = course(self._way, block.turns + self._skipped)[self._skipped :]
        self._context = context
        self.ids = list(context.values.numbered_ids(block.handle, block.turns))
        self._owner, self._scope = user.id, user.test_scenario_id
        self._client = user.first_name
        self._identities = tuple(identities)

    def spoken(self) -> range:
        """Return the places of what the coach says."""
        return range(self._skipped, len(self.ids), 2)

    def heard(self) -> range:
        """Return the places of what the user says."""
        return range(1 - self._skipped, len(self.ids), 2)

    def messages(self) -> LazyRows:
        """Return the rows of `MESSAGES`."""
        return LazyRows(len(self.ids), self._messages)

    def _messages(self) -> Iterator[tuple[Any, ...]]:
        owner, scope = self._owner, self._scope
        turns = conversation(
            self._context.values.at(self.block.handle),
            self._way,
            len(self.ids) + self._skipped,
            name=self._client,
            identities=self._identities,
            system="dev_coach",
        )
        for key, turn, moment in zip(self.ids, islice(turns, self._skipped, None), self.times, strict=True):
            yield key, owner, turn.role, turn.content, moment, scope

    def sittings(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last place of each sitting."""
        breaks = self.placed.breaks
        ends = [*(first - 1 for first in breaks[1:]), len(self.ids) - 1]
        return zip(breaks, ends, strict=True)

    def links(self, sessions: Sequence[UUID]) -> LazyRows:
        """Return the rows of `LINKS`: each message to the session of its sitting."""
        return LazyRows(len(self.ids), lambda: self._links(sessions))

    def _links(self, sessions: Sequence[UUID]) -> Iterator[tuple[Any, ...]]:
        owner, scope = self._owner, self._scope
        keys = self._context.values.numbered_ids(self.block.handle, len(self.ids), "#link")
        for session, (first, last) in zip(sessions, self.sittings(), strict=True):
            for key, message in zip(islice(keys, last - first + 1), self.ids[first : last + 1], strict=True):
                yield key, owner, session, message, scope
