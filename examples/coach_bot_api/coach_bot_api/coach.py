"""Who answers. The real one is a language model; this one asks back, and can be away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scenarios.domains.coach_bot import Message


class CoachIsAway(Exception):
    """No answer could be had."""


class Coach(Protocol):
    """Anything that can answer a conversation."""

    async def answer(self, conversation: Sequence[Message]) -> str:
        """Return the reply to the last message.

        Raises:
            CoachIsAway: there is none.
        """
        ...


class AskingCoach:
    """Answers each message with a question about it."""

    async def answer(self, conversation: Sequence[Message]) -> str:
        """Return a question about the last message."""
        return f"What makes this matter to you: “{conversation[-1].content.strip()}”?"


class NoCoach:
    """The coach during an outage."""

    async def answer(self, conversation: Sequence[Message]) -> str:
        """Never answer.

        Raises:
            CoachIsAway: always.
        """
        raise CoachIsAway("no coach is connected")
