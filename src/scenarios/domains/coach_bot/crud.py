"""Create, read, update and delete: one typed base, and what each of the four tables asks beyond it.

Nothing here commits or rolls back the caller's transaction. Every write happens inside a savepoint of its
own, so a refused one leaves the session usable, with everything done before it intact; the transaction
belongs to `scenarios.domains.coach_bot.connection`. Errors are those of `scenarios.domains.coach_bot.errors`
alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import pydantic
from sqlalchemy import ColumnElement, Select, inspect, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from scenarios.domains.coach_bot import queries, schemas
from scenarios.domains.coach_bot.audit import sent_details
from scenarios.domains.coach_bot.errors import (
    CoachBotError,
    ConcurrentChange,
    Invalid,
    NotFound,
    driver_errors,
)
from scenarios.domains.coach_bot.models import SEND_MESSAGE, Chat, Log, Message, User
from scenarios.domains.coach_bot.queries import LARGEST_PAGE, Cursor

ModelT = TypeVar("ModelT", User, Chat, Message, Log)
CreateT = TypeVar("CreateT", bound=schemas.Incoming)
UpdateT = TypeVar("UpdateT", bound=schemas.Partial)
ReadT = TypeVar("ReadT", bound=schemas.Outgoing)


@dataclass(frozen=True, slots=True)
class Page(Generic[ModelT]):
    """Some rows in order, and where the next page begins; ``next`` is None on the last page."""

    rows: Sequence[ModelT]
    next: Cursor | None


class Crud(Generic[ModelT, CreateT, UpdateT, ReadT]):
    """Create, read, update and delete rows of one table.

    Args:
        model: the table's model.
        create: the schema of new rows.
        update: the schema of changes.
        read: the schema of what goes out.
        order: the columns that give rows their stable order; the last is the key.
    """

    def __init__(
        self,
        model: type[ModelT],
        *,
        create: type[CreateT],
        update: type[UpdateT],
        read: type[ReadT],
        order: tuple[InstrumentedAttribute[datetime], InstrumentedAttribute[UUID]],
    ) -> None:
        self.model: type[ModelT] = model
        self.name: Final = {"users": "user", "chats": "chat", "messages": "message", "logs": "log entry"}[
            model.__tablename__
        ]
        self._create, self._update, self._read, self._order = create, update, read, order

    # -- reading ----------------------------------------------------------------------------------------

    async def find(self, session: AsyncSession, id: UUID, *, lock: bool = False) -> ModelT | None:
        """Return the row, or None.

        Args:
            session: the caller's session.
            id: the row's key.
            lock: hold the row until the transaction ends, and read what is in the database now.

        Raises:
            CoachBotError: the database could not answer.
        """
        query = self._by_id(id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        with driver_errors(f"read the {self.name}"):
            return (await session.execute(query)).scalar_one_or_none()

    async def get(self, session: AsyncSession, id: UUID, *, lock: bool = False) -> ModelT:
        """Return the row; the arguments are those of `find`.

        Raises:
            NotFound: there is none.
        """
        row = await self.find(session, id, lock=lock)
        if row is None:
            raise NotFound(f"there is no {self.name} {id}")
        return row

    async def get_multi(self, session: AsyncSession, *, skip: int = 0, limit: int = 100) -> Sequence[ModelT]:
        """Return rows in a stable order (by time, then by key).

        Raises:
            Invalid: *skip* is negative, or *limit* is not between 1 and `LARGEST_PAGE`.
        """
        if skip < 0:
            raise Invalid(f"cannot skip {skip} rows", field="skip", hint="give 0 or more")
        return await self._all(
            session, select(self.model).order_by(*self._order).offset(skip).limit(_checked(limit))
        )

    def read(self, row: ModelT) -> ReadT:
        """Return *row* as it goes out."""
        return self._read.model_validate(row)

    # -- writing ----------------------------------------------------------------------------------------

    async def create(self, session: AsyncSession, data: CreateT | Mapping[str, Any]) -> ModelT:
        """Store a new row and return it, with what the database filled in.

        Raises:
            Invalid: a value does not fit.
            Conflict: a unique or foreign key refuses it; its meaning is in the message.
        """
        given = self._validated(self._create, data).model_dump()
        row = self.model(**given)
        async with self._savepoint(session, f"create the {self.name}"):
            session.add(row)
        return row

    async def update(
        self,
        session: AsyncSession,
        row: ModelT,
        changes: UpdateT | Mapping[str, Any],
        *,
        unchanged_since: datetime | None = None,
    ) -> ModelT:
        """Change the given fields of *row* and return it; the others stay as they are in the database.

        Args:
            session: the caller's session, which *row* belongs to.
            row: the row as it was read.
            changes: a schema, or a mapping of some of its fields.
            unchanged_since: the ``updated_at`` the caller saw. The change is made only if it still holds,
                otherwise two people's edits would silently become the later one's.

        Raises:
            Invalid: an unknown field, or a value that does not fit.
            NotFound: the row was deleted in the meantime.
            ConcurrentChange: it was changed since *unchanged_since*.
            Conflict: a unique or foreign key refuses the change; *row* then shows what the database has.
        """
        given = self._validated(self._update, changes).changes()
        # Not row.id: a row that a roll-back expired would be loaded on first use, which asyncio refuses.
        identity = inspect(row).identity
        if identity is None:
            raise NotFound(f"the {self.name} was never stored")
        id: UUID = identity[0]
        if unchanged_since is not None:
            current = await self.get(session, id, lock=True)
            if current.updated_at != unchanged_since:
                raise ConcurrentChange(
                    f"the {self.name} {id} was changed in the meantime",
                    why=f"you saw it as of {unchanged_since.isoformat()}, it is of "
                    f"{current.updated_at.isoformat()}",
                    hint="read it again and repeat the change",
                )
        try:
            async with self._savepoint(session, f"update the {self.name}"):
                for field, value in given.items():
                    setattr(row, field, value)
        except CoachBotError:
            # The roll-back to the savepoint expired the row, and asyncio cannot load it on first use.
            await self._reload(session, row)
            raise
        return row

    async def delete(self, session: AsyncSession, id: UUID) -> ModelT:
        """Delete the row, and with it everything that hangs on it, and return it as it was.

        Raises:
            NotFound: there is none.
        """
        row = await self.get(session, id, lock=True)
        async with self._savepoint(session, f"delete the {self.name}"):
            await session.delete(row)
        return row

    # -- shared -----------------------------------------------------------------------------------------

    def _by_id(self, id: UUID) -> Select[ModelT]:
        key: ColumnElement[bool] = self.model.id == id
        return select(self.model).where(key)

    async def _all(self, session: AsyncSession, query: Select[ModelT]) -> Sequence[ModelT]:
        with driver_errors(f"read {self.model.__tablename__}"):
            return (await session.execute(query)).scalars().all()

    async def _page(self, session: AsyncSession, query: Select[ModelT], limit: int) -> Page[ModelT]:
        # One row more than asked for tells whether there is a next page.
        rows = await self._all(session, query.limit(_checked(limit) + 1))
        if len(rows) <= limit:
            return Page(rows, None)
        last = rows[limit - 1]
        time, _ = self._order
        return Page(rows[:limit], Cursor(getattr(last, time.key), last.id))

    @asynccontextmanager
    async def _savepoint(self, session: AsyncSession, doing: str) -> AsyncIterator[None]:
        with driver_errors(doing):
            async with session.begin_nested():
                yield
                await session.flush()

    async def _reload(self, session: AsyncSession, row: ModelT) -> None:
        try:
            with driver_errors(f"read the {self.name}"):
                await session.refresh(row)
        except (CoachBotError, InvalidRequestError):
            # Deleted, or the connection is gone: the error under way says so already.
            return

    def _validated(self, schema: type[CreateT] | type[UpdateT], data: Any) -> Any:
        if isinstance(data, schema):
            return data
        try:
            return schema.model_validate(data)
        except pydantic.ValidationError as error:
            errors = error.errors(include_input=False, include_url=False)
            raise Invalid(
                f"the {self.name} cannot be stored like this",
                field=".".join(map(str, errors[0]["loc"])) or None,
                why="; ".join(_error(error) for error in errors),
            ) from None  # Pydantic's own message repeats the values


def _error(error: Mapping[str, Any]) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else str(error["msg"])


def _checked(limit: int) -> int:
    if not 1 <= limit <= LARGEST_PAGE:
        raise Invalid(f"a page cannot have {limit} rows", field="limit", hint=f"ask for 1 to {LARGEST_PAGE}")
    return limit


class UserCrud(Crud[User, schemas.UserCreate, schemas.UserUpdate, schemas.UserRead]):
    """Users."""

    async def by_email(self, session: AsyncSession, email: str) -> User | None:
        """Return the user with this address, whatever its case, or None."""
        found = await self._all(session, queries.user_by_email(email))
        return found[0] if found else None


class ChatCrud(Crud[Chat, schemas.ChatCreate, schemas.ChatUpdate, schemas.ChatRead]):
    """Chats."""

    async def of_user(
        self, session: AsyncSession, user_id: UUID, *, skip: int = 0, limit: int = 100
    ) -> Sequence[Chat]:
        """Return a user's chats, oldest first; none for a user who does not exist."""
        if skip < 0:
            raise Invalid(f"cannot skip {skip} rows", field="skip", hint="give 0 or more")
        query = queries.chats_of_user(user_id).offset(skip).limit(_checked(limit))
        return await self._all(session, query)


class MessageCrud(Crud[Message, schemas.MessageCreate, schemas.MessageUpdate, schemas.MessageRead]):
    """Messages."""

    async def of_chat(
        self, session: AsyncSession, chat_id: UUID, *, after: Cursor | None = None, limit: int = 100
    ) -> Page[Message]:
        """Return a page of a chat's messages in the order they were sent.

        A cursor, unlike an offset, neither repeats nor loses a message when others are added in between.
        """
        return await self._page(session, queries.messages_of_chat(chat_id, after=after), limit)

    async def latest(self, session: AsyncSession, chat_id: UUID, *, count: int = 20) -> Sequence[Message]:
        """Return the last messages of a chat in the order they were sent: what an answer is based on."""
        return (await self._all(session, queries.latest_messages(chat_id, _checked(count))))[::-1]


class LogCrud(Crud[Log, schemas.LogCreate, schemas.LogUpdate, schemas.LogRead]):
    """The audit trail."""

    async def of_chat(
        self,
        session: AsyncSession,
        chat_id: UUID,
        *,
        action: str | None = None,
        after: Cursor | None = None,
        limit: int = 100,
    ) -> Page[Log]:
        """Return a page of a chat's audit trail in order, all actions or one."""
        return await self._page(session, queries.logs_of_chat(chat_id, action=action, after=after), limit)

    async def sent(self, session: AsyncSession, message: Message) -> Log:
        """Record that a person sent *message*."""
        return await self.create(
            session,
            schemas.LogCreate(
                user_id=message.sender_id,
                chat_id=message.chat_id,
                action=SEND_MESSAGE,
                details=sent_details(message.content),
            ),
        )


users: Final = UserCrud(
    User,
    create=schemas.UserCreate,
    update=schemas.UserUpdate,
    read=schemas.UserRead,
    order=(User.created_at, User.id),
)
chats: Final = ChatCrud(
    Chat,
    create=schemas.ChatCreate,
    update=schemas.ChatUpdate,
    read=schemas.ChatRead,
    order=(Chat.created_at, Chat.id),
)
messages: Final = MessageCrud(
    Message,
    create=schemas.MessageCreate,
    update=schemas.MessageUpdate,
    read=schemas.MessageRead,
    order=(Message.sent_at, Message.id),
)
logs: Final = LogCrud(
    Log,
    create=schemas.LogCreate,
    update=schemas.LogUpdate,
    read=schemas.LogRead,
    order=(Log.logged_at, Log.id),
)
