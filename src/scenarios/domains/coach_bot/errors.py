"""The one tree of errors Coach Bot's data layer raises, and how the driver's errors become part of it.

Without it a caller has to know that a duplicate is an `IntegrityError`, a text that is too long a plain
`DBAPIError`, a full pool a `TimeoutError` of SQLAlchemy and a killed connection any of five classes; and
would show people the name of a constraint instead of what it means.

====================  ==============================================================  ==========
error                 when                                                            HTTP
====================  ==============================================================  ==========
`NotFound`            the row asked for does not exist (any more)                     404
`Conflict`            a unique or foreign key refuses; `Conflict.constraint` names it 409
`ConcurrentChange`    somebody else changed or locks the row; trying again may help   409
`Invalid`             a value can never be stored as it is                            422
`Unavailable`         no connection could be had, or it was lost                      503
====================  ==============================================================  ==========
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy.exc import DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from scenarios.errors import ScenariosError

MEANINGS: Final[Mapping[str, str]] = {
    "users_pkey": "a user with this id exists already",
    "users_email_key": "another user has this e-mail address",
    "users_email_lower_key": "another user has this e-mail address (upper and lower case count as the same)",
    "chats_pkey": "a chat with this id exists already",
    "chats_user_id_fkey": "the chat's user does not exist",
    "messages_pkey": "a message with this id exists already",
    "messages_chat_id_fkey": "the message's chat does not exist",
    "messages_sender_id_fkey": "the message's sender does not exist",
    "logs_pkey": "a log entry with this id exists already",
    "logs_user_id_fkey": "the log entry's user does not exist",
    "logs_chat_id_fkey": "the log entry's chat does not exist",
}
"""What each constraint means to a person; a test keeps it complete."""


class CoachBotError(ScenariosError):
    """The base of every error Coach Bot's data layer raises."""


class NotFound(CoachBotError):
    """The row asked for does not exist (any more)."""


class Conflict(CoachBotError):
    """The rows that are there refuse the change.

    Attributes:
        constraint: the constraint's name in the database, None where no constraint was broken.
    """

    def __init__(self, what: str, *, constraint: str | None = None, **parts: str | None) -> None:
        self.constraint = constraint
        super().__init__(what, **parts)


class ConcurrentChange(Conflict):
    """Another transaction changed or holds the row; reading again and repeating may succeed."""


class Invalid(CoachBotError):
    """A value can never be stored as it is.

    Attributes:
        field: the field or column it was meant for, None where the database does not tell.
    """

    def __init__(self, what: str, *, field: str | None = None, **parts: str | None) -> None:
        self.field = field
        super().__init__(what, **parts)


class Unavailable(CoachBotError):
    """No connection could be had, or it was lost; what the transaction did is gone."""


_CONCURRENT: Final[Mapping[str, str]] = {
    "40001": "another transaction changed the same rows",
    "40P01": "two transactions waited for each other and this one was chosen to give way",
    "55P03": "another transaction holds the row",
    "57014": "the statement was cancelled or took longer than it may",
}
_LOST_CLASSES: Final = ("08", "53", "57P", "58")
_CACHED_PLAN: Final = "cached statement plan"


@contextmanager
def driver_errors(doing: str, *, network: bool = True) -> Iterator[None]:
    """Turn what SQLAlchemy and the driver raise inside the block into this tree.

    Args:
        doing: what is being done, as the start of a sentence: ``"create a user"``.
        network: whether a time-out or a broken connection in the block can only be the database's. False
            around code that may wait for others as well.

    Raises:
        CoachBotError: the fitting one; the original error is its ``__cause__``.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise translate(error, doing) from error
    except (ConnectionError, TimeoutError) as error:
        if not network:
            raise
        raise translate(error, doing) from error


def translate(error: BaseException, doing: str) -> CoachBotError:
    """Return the error of this tree that says what *error* means.

    The values of the statement are left out: they may be personal, and messages end up in logs.
    """
    what = f"could not {doing}"
    if isinstance(error, PoolTimeout):
        return Unavailable(
            what,
            why="every connection of the pool is in use",
            hint="try again, or raise COACH_BOT_POOL_SIZE or COACH_BOT_POOL_TIMEOUT",
        )
    if isinstance(error, StaleDataError):
        return NotFound(what, why="the row was deleted in the meantime")
    if isinstance(error, PendingRollbackError):
        return Unavailable(
            what, why="the transaction failed before and is over", hint="begin a new transaction"
        )
    if isinstance(error, DBAPIError):
        return _from_driver(error, what)
    if isinstance(error, OSError | TimeoutError):
        return Unavailable(what, why=f"the server cannot be reached: {error}", hint="is PostgreSQL running?")
    if isinstance(error, SQLAlchemyError):
        # A mistake in the calling code (an unknown column, say): no value of the user's is at fault.
        return CoachBotError(what, why=str(error))
    raise TypeError(f"not an error of the database: {error!r}")


def _from_driver(error: DBAPIError, what: str) -> CoachBotError:
    original = error.orig
    state = str(getattr(original, "sqlstate", None) or "")
    message = _first_line(original)
    if error.connection_invalidated or state.startswith(_LOST_CLASSES):
        return Unavailable(what, why=message, hint="begin a new transaction")
    if _CACHED_PLAN in message:
        return ConcurrentChange(
            what, why="the schema was changed since the statement was prepared", hint="try again"
        )
    if state in _CONCURRENT:
        return ConcurrentChange(what, why=_CONCURRENT[state], hint="read the row again and repeat")
    if state in {"23505", "23503", "23P01"}:
        constraint = _detail(original, "constraint_name")
        return Conflict(what, constraint=constraint, why=MEANINGS.get(constraint or "", message))
    if state == "23502":
        field = _detail(original, "column_name")
        return Invalid(what, field=field, why=f"{field} must have a value")
    if state[:2] in {"22", "23"}:
        return Invalid(what, field=_detail(original, "column_name"), why=_without_values(message))
    if error.statement is None:
        # Refused before there was a statement: a wrong password, a database that is missing or closed.
        return Unavailable(what, why=message, hint="is DATABASE_URL right, and the database open?")
    return CoachBotError(what, why=message)


def _detail(original: BaseException | None, name: str) -> str | None:
    """Return what the server said of the error: asyncpg keeps it on the error, psycopg in ``diag``."""
    for source in (original, getattr(original, "diag", None), getattr(original, "__cause__", None)):
        value: Any = getattr(source, name, None)
        if value:
            return str(value)
    return None


def _first_line(original: BaseException | None) -> str:
    # SQLAlchemy prefixes asyncpg's messages with the class in angle brackets.
    text = str(original).strip().splitlines()[0] if original is not None and str(original).strip() else ""
    return text.partition(">: ")[2] or text if text.startswith("<class ") else text


def _without_values(message: str) -> str:
    # asyncpg quotes the argument it could not encode: "… argument $1: 'Maya' (expected …)".
    if message.startswith("invalid input for query argument"):
        head, _, _ = message.partition(":")
        _, bracket, reason = message.rpartition(" (")
        return f"{head}{bracket}{reason}"
    return message
