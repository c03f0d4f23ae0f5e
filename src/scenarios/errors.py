"""Every error this project raises on purpose, with one base class.

Without it a caller would have to catch the errors of psycopg, SQLAlchemy, Pydantic, PyYAML and the operating
system, and a person would read *that* something failed but not where, why, or what to do about it. Each
message here answers the four questions, in that order, and never contains a password.
"""

from __future__ import annotations

import re
from typing import Any

# To the last @, since a password that was not escaped may hold one, or a slash.
_PASSWORD_IN_URL = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*:/{1,3}[^\s:/@'\"]*):[^\s'\"]*@", re.IGNORECASE)
_PASSWORD_IN_DSN = re.compile(r"(?P<head>\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE)


def redact(text: str) -> str:
    """Return *text* with the passwords of URLs and libpq connection strings replaced by ``***``."""
    text = _PASSWORD_IN_URL.sub(r"\g<head>:***@", text)
    return _PASSWORD_IN_DSN.sub(r"\g<head>***", text)


def hidden(text: str) -> str:
    """Return *text*, which should have been an address and is none, with nothing that may be a password."""
    shown = redact(text)
    return f"***@{text.rpartition('@')[2]}" if shown == text and "@" in text else shown


class ScenariosError(Exception):
    """The base of every error this project raises on purpose.

    Args:
        what: what could not be done, as a sentence without its full stop.
        where: the place: a file with line and column, a table, a database, a command.
        why: the cause, in the words of the thing that refused where there are any.
        hint: what the reader can do now.
    """

    def __init__(
        self, what: str, *, where: str | None = None, why: str | None = None, hint: str | None = None
    ) -> None:
        self.what = redact(what)
        self.where = redact(where) if where else None
        self.why = redact(why) if why else None
        self.hint = redact(hint) if hint else None
        super().__init__(self._render())

    def _render(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.why:
            lines.append(f"  why:   {self.why}")
        if self.hint:
            lines.append(f"  do:    {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # The keyword-only parts would be lost on the way back from a pytest-xdist worker.
        return (_rebuild, (type(self), self.__dict__.copy(), self.args))


def _rebuild(cls: type[ScenariosError], state: dict[str, object], args: tuple[object, ...]) -> ScenariosError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    error.args = args
    return error


class SettingsError(ScenariosError):
    """A setting has a value that cannot be used; the message says where the value came from."""


class ServerError(ScenariosError):
    """No PostgreSQL server could be had, or the one in use went away."""


class TemplateError(ScenariosError):
    """A template database could not be built from its schema."""


class DatabaseError(ScenariosError):
    """An isolated database could not be created, cloned, opened or dropped."""


class SafetyError(ScenariosError):
    """Something destructive was asked of a database that does not carry this project's tag."""


class JournalError(ScenariosError):
    """A snapshot could not be taken, restored or compared."""


class SnapshotFileError(JournalError):
    """A portable snapshot file cannot be read, or does not fit the database."""


class ValuesError(ScenariosError):
    """A value could not be made: a unique space ran out, or a name is unknown."""


class FactoryError(ScenariosError):
    """A factory cannot build a valid row; the message names the column and how to fill it."""


class BuilderError(ScenariosError):
    """A call on the builder does not make sense; the message is about that call."""


class GraphError(ScenariosError):
    """Objects could not be turned into rows, or the rows were refused by the database.

    Attributes:
        table: the table whose rows were being written, where the database does not say which row it refused.
    """

    table: str | None = None


class DomainError(ScenariosError):
    """A domain is unknown or lacks a part that was asked for."""


class LibraryError(ScenariosError):
    """A scenario cannot be found, composed, loaded, reset or unloaded."""


class ScenarioFileError(LibraryError):
    """A scenario file is wrong; the message lists every error with line and column."""


class InstanceBusy(LibraryError):
    """Somebody else was at an instance for too long, or has its rows locked; trying again may help."""


class RowsInTheWay(LibraryError):
    """Rows of others hang on an instance that is to be reset or unloaded; nothing was removed.

    Attributes:
        rows: each of them, a `scenarios.library.instances.ownership.InTheWay`.
    """

    rows: tuple[Any, ...] = ()


class FreezeError(LibraryError):
    """Rows could not be turned into a scenario file."""


class ValidationError(ScenariosError):
    """Loaded data breaks an invariant of its system."""


class SchemaDriftError(ScenariosError):
    """Models, migrations, rendered DDL or a live database disagree."""
