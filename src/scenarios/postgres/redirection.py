"""While migrations run, no connection but to the template.

A project's ``env.py`` takes its URL from wherever the project keeps it, so it leads to the developer's own
database. Which engine it makes, and when, is not known beforehand: so every engine of SQLAlchemy connects to
the template for as long as this lasts, and what cannot be led there is refused before anything is sent.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from scenarios.errors import TemplateError, redact
from scenarios.postgres import urls
from scenarios.postgres.audit import heard_by

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import Dialect
    from sqlalchemy.pool import ConnectionPoolEntry

LINES_FOR_ENV = """let env.py use the connection it is given, before it makes an engine:
    given = context.config.attributes.get("connection")
    if given is not None:
        context.configure(connection=given, target_metadata=target_metadata)
        with context.begin_transaction():
            context.run_migrations()"""

_OURS = "scenarios: leads to the template"
"""In a pool's note on a connection; the pool clears it when it connects anew."""
_LIBPQ = frozenset({"psycopg", "psycopg_async", "psycopg2", "psycopg2cffi"})
_ASYNCPG = (
    *("host", "port", "user", "password", "dbname", "target_session_attrs"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert"),
)
KEPT = frozenset(
    {
        *("options", "application_name", "client_encoding", "autocommit", "context", "server_settings"),
        *("prepare_threshold", "row_factory", "cursor_factory", "connection_factory", "connection_class"),
        *("statement_cache_size", "max_cached_statement_lifetime", "max_cacheable_statement_size"),
        *("prepared_statement_cache_size", "prepared_statement_name_func", "record_class"),
        *("timeout", "command_timeout", "connect_timeout"),
    }
)
"""What an engine's own arguments may keep: what says how to connect, nothing that says where to."""
_READ_ONLY = "-c default_transaction_read_only=on"
_WRITABLE = "-c default_transaction_read_only=off"
_SOCKET_DRIVERS = ("asyncpg.", "pg8000.")


def given_url(parameters: Mapping[str, str]) -> str:
    """Return the URL of the template for ``sqlalchemy.url``, password included."""
    url = urls.sqlalchemy_url({**parameters, "options": parameters.get("options") or _WRITABLE})
    return url.render_as_string(hide_password=False)


@contextmanager
def only_to(parameters: Mapping[str, str]) -> Iterator[None]:
    """Let every engine connect to the database of the libpq *parameters*, whatever its URL says.

    Threads that were there before go on as they are. Connections made meanwhile are not used afterwards: a
    pool that made one replaces it when it is next asked.

    What is not an engine: ``asyncpg`` and ``pg8000`` are refused; ``psycopg``, ``psycopg2`` and ``psql``
    connect where they are told, but may only read there unless they say otherwise, by libpq's ``PGOPTIONS``.

    Raises:
        TemplateError: in the code that connects, for an engine that cannot be led to the template.
    """
    from sqlalchemy import Engine, event
    from sqlalchemy.pool import Pool

    guard = _Guard(parameters)
    listeners: list[tuple[Any, str, Any]] = [
        (Engine, "do_connect", guard.connect),
        (Pool, "connect", guard.connected),
        (Pool, "checkout", guard.check_out),
        (Engine, "before_cursor_execute", guard.execute),
    ]
    options = os.environ.get("PGOPTIONS")
    for target, name, listener in listeners:
        event.listen(target, name, listener)
    os.environ["PGOPTIONS"] = _READ_ONLY
    try:
        with heard_by(guard.hear):
            yield
    finally:
        if options is None:
            os.environ.pop("PGOPTIONS", None)
        else:
            os.environ["PGOPTIONS"] = options
        for target, name, listener in listeners:
            event.remove(target, name, listener)
        guard.close()


class _Guard:
    def __init__(self, parameters: Mapping[str, str]) -> None:
        self.parameters = parameters
        self.records: list[ConnectionPoolEntry] = []
        self._others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        self._connecting = 0

    def _concerns_us(self) -> bool:
        return threading.get_ident() not in self._others

    def connect(self, dialect: Dialect, record: ConnectionPoolEntry | None, cargs: Any, cparams: Any) -> Any:
        if not self._concerns_us():
            return None
        arguments = redirected(dialect.name, dialect.driver, self.parameters, cparams)
        if arguments is None:
            raise _refused(f"{dialect.name}+{dialect.driver}", _named(cargs, cparams))
        self._connecting += 1
        try:
            connection = dialect.connect(**arguments)
        finally:
            self._connecting -= 1
        if record is not None:
            record.info[_OURS] = True
            self.records.append(record)
        return connection

    def close(self) -> None:
        for record in self.records:
            record.invalidate(soft=True)
            # Of a loop that is over, a connection may not be closed any more.
            with suppress(Exception):
                record.invalidate()
        self.records.clear()

    def connected(self, connection: Any, record: ConnectionPoolEntry) -> None:
        if self._concerns_us() and _OURS not in record.info:
            # The engine was given a `creator` or a pool of its own, which asks nobody.
            connection.close()
            raise _refused("an engine with a creator of its own", type(connection).__module__)

    def check_out(self, connection: Any, record: ConnectionPoolEntry, proxy: object) -> None:
        if self._concerns_us() and _OURS not in record.info:
            from sqlalchemy.exc import DisconnectionError

            # Open since before the build. The pool makes another one, and asks us.
            raise DisconnectionError("it does not lead to the template")

    def execute(self, connection: Connection, *arguments: object) -> None:
        if self._concerns_us() and _OURS not in connection.connection.info:
            where = connection.engine.url.render_as_string(hide_password=True)
            raise _refused("a connection that was open before", where)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect" or self._connecting or not self._concerns_us():
            return
        frame = sys._getframe()
        while (caller := frame.f_back) is not None:
            frame = caller
            module = frame.f_globals.get("__name__", "")
            if module.startswith(_SOCKET_DRIVERS):
                raise _refused(module.partition(".")[0], str(arguments[1]))


def redirected(
    database: str, driver: str, parameters: Mapping[str, str], given: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return what a driver is called with to connect to the database of the libpq *parameters*.

    Args:
        database: the dialect's name, ``"postgresql"``.
        driver: the driver's, ``"asyncpg"``.
        parameters: libpq's.
        given: the arguments it would have been called with.

    Returns:
        its arguments; None for a driver we do not know.
    """
    kept = {name: value for name, value in given.items() if name in KEPT}
    if database != "postgresql":
        return None
    if driver in _LIBPQ:
        options = " ".join(filter(None, [_WRITABLE, parameters.get("options"), kept.pop("options", None)]))
        return {**parameters, **kept, "options": options}
    if driver == "asyncpg":
        where = {name: parameters[name] for name in _ASYNCPG if name in parameters}
        return {**kept, "dsn": urls.libpq_url(where)}
    if driver == "pg8000":
        host, port = parameters.get("host", ""), parameters.get("port") or "5432"
        here = host.startswith("/")
        place = {"unix_sock": f"{host}/.s.PGSQL.{port}"} if here else {"host": host, "port": int(port)}
        login = {name: parameters[name] for name in ("user", "password") if name in parameters}
        encrypted = {"ssl_context": True} if parameters.get("sslmode", "") in _ENCRYPTED else {}
        return {**kept, **place, **login, **encrypted, "database": parameters.get("dbname")}
    return None


_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})


def _named(cargs: Any, cparams: Any) -> str:
    """Name the target of a connection that is not made, without its password."""
    names = ("host", "port", "dbname", "database", "user")
    said = [f"{name}={cparams[name]}" for name in names if cparams.get(name)]
    return redact(" ".join([*(str(each) for each in cargs if each), *said])) or "its default database"


def _refused(what: str, target: str) -> TemplateError:
    return TemplateError(
        "the migrations would connect to another database than the template",
        where=target,
        why=f"{what} cannot be led to the template; nothing was sent there",
        hint=LINES_FOR_ENV,
    )
