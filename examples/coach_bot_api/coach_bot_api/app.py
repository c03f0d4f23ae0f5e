"""The application: its life, its routes, and its errors as status codes.

Run it with ``uvicorn coach_bot_api.app:create_app --factory``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Query, Request, Response, status
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from coach_bot_api.coach import AskingCoach, Coach
from coach_bot_api.service import say
from scenarios.domains.coach_bot import schemas
from scenarios.domains.coach_bot.connection import CoachBotDatabase
from scenarios.domains.coach_bot.crud import chats, logs, messages, users
from scenarios.domains.coach_bot.errors import CoachBotError, Conflict, Invalid, NotFound, Unavailable
from scenarios.domains.coach_bot.queries import LARGEST_PAGE, Cursor
from scenarios.domains.coach_bot.settings import load_settings


def database_of(request: Request) -> CoachBotDatabase:
    """The application's database, made when it started."""
    database: CoachBotDatabase = request.app.state.database
    return database


async def transaction(
    database: Annotated[CoachBotDatabase, Depends(database_of)],
) -> AsyncIterator[AsyncSession]:
    """One transaction for the request."""
    async with database.transaction() as session:
        yield session


# scope="function": committed before the response is sent. With FastAPI's default the client would be told of
# rows whose commit may still fail.
Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
Database = Annotated[CoachBotDatabase, Depends(database_of)]
Skip = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
After = Annotated[str | None, Query(description="`next` of the page before")]


class Said(BaseModel):
    """What a person says."""

    content: schemas.Content


class ExchangeRead(BaseModel):
    """A stored message and the coach's reply, null while the coach is away."""

    status: Literal["success", "partial_success"]
    message: schemas.MessageRead
    reply: schemas.MessageRead | None


class MessagePage(BaseModel):
    """Some messages in order; ``next`` is where the next page begins."""

    items: list[schemas.MessageRead]
    next: str | None


class LogPage(BaseModel):
    """Some lines of the audit trail in order; ``next`` is where the next page begins."""

    items: list[schemas.LogRead]
    next: str | None


def create_app(database: CoachBotDatabase | None = None, coach: Coach | None = None) -> FastAPI:
    """Return the application.

    Args:
        database: None connects to what the environment or ``.env`` says when the application starts.
        coach: who answers; None asks back.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.database = database or CoachBotDatabase(settings=load_settings())
        app.state.coach = coach or AskingCoach()
        await app.state.database.wait_until_ready()
        try:
            yield
        finally:
            await app.state.database.close()

    app = FastAPI(title="Coach Bot", lifespan=life)
    app.add_exception_handler(CoachBotError, as_response)
    add_user_routes(app)
    add_chat_routes(app)
    return app


async def as_response(request: Request, error: Exception) -> JSONResponse:
    """Return an error of the data layer as a status code and a text for people."""
    match error:
        case NotFound():
            code = status.HTTP_404_NOT_FOUND
        case Conflict():
            code = status.HTTP_409_CONFLICT
        case Invalid():
            code = status.HTTP_422_UNPROCESSABLE_CONTENT
        case Unavailable():
            code = status.HTTP_503_SERVICE_UNAVAILABLE
        case _:
            code = status.HTTP_500_INTERNAL_SERVER_ERROR
    body = {"error": getattr(error, "what", ""), "why": getattr(error, "why", None)}
    for name in ("constraint", "field"):
        if getattr(error, name, None):
            body[name] = getattr(error, name)
    headers = {"Retry-After": "1"} if code == status.HTTP_503_SERVICE_UNAVAILABLE else None
    return JSONResponse(body, code, headers)


def add_user_routes(app: FastAPI) -> None:
    """Users, and whether the service can serve."""

    @app.get("/health")
    async def health(database: Database, response: Response) -> dict[str, str]:
        if await database.is_ready():
            return {"status": "ok"}
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return {"status": "the database does not answer"}

    @app.post("/users", status_code=status.HTTP_201_CREATED)
    async def create_user(data: schemas.UserCreate, session: Transaction) -> schemas.UserRead:
        return users.read(await users.create(session, data))

    @app.get("/users")
    async def list_users(session: Transaction, skip: Skip = 0, limit: Limit = 100) -> list[schemas.UserRead]:
        return [users.read(user) for user in await users.get_multi(session, skip=skip, limit=limit)]

    @app.get("/users/{user_id}")
    async def get_user(user_id: UUID, session: Transaction) -> schemas.UserRead:
        return users.read(await users.get(session, user_id))

    @app.patch("/users/{user_id}")
    async def update_user(
        user_id: UUID,
        changes: schemas.UserUpdate,
        session: Transaction,
        if_unmodified_since_version: Annotated[AwareDatetime | None, Header()] = None,
    ) -> schemas.UserRead:
        seen: datetime | None = if_unmodified_since_version
        user = await users.get(session, user_id)
        return users.read(await users.update(session, user, changes, unchanged_since=seen))

    @app.delete("/users/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
    async def delete_user(user_id: UUID, session: Transaction) -> None:
        await users.delete(session, user_id)


def add_chat_routes(app: FastAPI) -> None:
    """Chats, what is said in them, and the audit trail."""

    @app.post("/users/{user_id}/chats", status_code=status.HTTP_201_CREATED)
    async def create_chat(user_id: UUID, session: Transaction) -> schemas.ChatRead:
        return chats.read(await chats.create(session, schemas.ChatCreate(user_id=user_id)))

    @app.get("/users/{user_id}/chats")
    async def list_chats(
        user_id: UUID, session: Transaction, skip: Skip = 0, limit: Limit = 100
    ) -> list[schemas.ChatRead]:
        user = await users.get(session, user_id)
        found = await chats.of_user(session, user.id, skip=skip, limit=limit)
        return [chats.read(chat) for chat in found]

    @app.post("/chats/{chat_id}/messages", status_code=status.HTTP_201_CREATED)
    async def say_something(chat_id: UUID, said: Said, request: Request, database: Database) -> ExchangeRead:
        exchange = await say(database, request.app.state.coach, chat_id, said.content)
        return ExchangeRead(
            status=exchange.status,
            message=messages.read(exchange.message),
            reply=messages.read(exchange.reply) if exchange.reply else None,
        )

    @app.get("/chats/{chat_id}/messages")
    async def list_messages(
        chat_id: UUID, session: Transaction, after: After = None, limit: Limit = 100
    ) -> MessagePage:
        chat = await chats.get(session, chat_id)
        page = await messages.of_chat(
            session, chat.id, after=Cursor.parse(after) if after else None, limit=limit
        )
        return MessagePage(
            items=[messages.read(row) for row in page.rows], next=str(page.next) if page.next else None
        )

    @app.get("/chats/{chat_id}/logs")
    async def list_logs(
        chat_id: UUID,
        session: Transaction,
        action: str | None = None,
        after: After = None,
        limit: Limit = 100,
    ) -> LogPage:
        chat = await chats.get(session, chat_id)
        page = await logs.of_chat(
            session, chat.id, action=action, after=Cursor.parse(after) if after else None, limit=limit
        )
        return LogPage(
            items=[logs.read(row) for row in page.rows], next=str(page.next) if page.next else None
        )
