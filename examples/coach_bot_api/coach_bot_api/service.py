"""What happens when somebody says something: three rows in order, and nothing lost if the coach is away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from coach_bot_api.coach import Coach, CoachIsAway
from scenarios.domains.coach_bot import Message
from scenarios.domains.coach_bot.connection import CoachBotDatabase
from scenarios.domains.coach_bot.crud import chats, logs, messages


@dataclass(frozen=True)
class Exchange:
    """A stored message and the reply to it, if the coach had one."""

    status: Literal["success", "partial_success"]
    message: Message
    reply: Message | None


async def say(database: CoachBotDatabase, coach: Coach, chat_id: UUID, content: str) -> Exchange:
    """Store a message of the chat's user and its log, ask the coach, store the reply.

    The message is committed before the coach is asked: it outlives an outage, and no connection of the pool
    waits for a model that takes half a minute.
    """
    async with database.transaction() as session:
        chat = await chats.get(session, chat_id)
        message = await messages.create(
            session, {"chat_id": chat.id, "sender_id": chat.user_id, "content": content}
        )
        await logs.sent(session, message)
        conversation = await messages.latest(session, chat_id)
    try:
        answer = await coach.answer(conversation)
    except CoachIsAway:
        return Exchange("partial_success", message, None)
    async with database.transaction() as session:
        reply = await messages.create(
            session, {"chat_id": chat_id, "sender_id": message.sender_id, "content": answer}
        )
    return Exchange("success", message, reply)
