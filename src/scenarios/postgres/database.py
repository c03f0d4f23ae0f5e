"""A database to work in: its URLs and engines, and the journal's snapshots.

A test wants one object that gives it a connection in whatever dialect its application speaks and puts the
database back afterwards. What is destructive here asks the database itself whether it is ours.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from scenarios.errors import DatabaseError, SafetyError, ScenariosError
from scenarios.ownership import is_ours, is_pooled, require_ours
from scenarios.postgres import urls
from scenarios.postgres.connections import answers, arrive, connect, sealed, stay_open
from scenarios.postgres.snapshot_fallbacks import SnapshotFallbacks

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from scenarios.journal import Changes, Restored, Snapshot
    from scenarios.postgres.server import Server

T = TypeVar("T")

_AS_OPENED = (
    b"SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *;"
    b" SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; "
)
"""DISCARD ALL but for prepared statements, of which the driver keeps count."""


class Database:
    """A PostgreSQL database; a context manager that gives it back.

    Attributes:
        name: its name on the server.
        server: the server it was made on; None for one that was attached.
        owned: whether it carries our tag; nothing destructive works on one that does not.
        schema: what it was made from: a Domain, a MetaData, a path, a callable, or None.
        keep: whether it stays when the run ends.
        lock_timeout: seconds that `connect`, `engine` and `async_engine` wait for a lock, where nothing else
            sets a limit; 0 waits without end.
        source: the database it was cloned from.
    """

    def __init__(
        self,
        parameters: Mapping[str, str],
        *,
        name: str,
        server: Server | None,
        owned: bool,
        schema: object = None,
        source: str = "",
        keep: bool = False,
    ) -> None:
        self.name = name
        self.server = server
        self.owned = owned
        self.schema = schema
        self.keep = keep
        self.lock_timeout = 0.0
        self._parameters = dict(parameters)
        self._cluster = server.cluster if server is not None else None
        self.source = source
        self._lock = threading.RLock()
        self._control: psycopg.Connection[Any] | None = None
        self._engine: Engine | None = None
        self._async_engine: AsyncEngine | None = None
        self._closed = False
        self._pristine = owned
        self._fallbacks = SnapshotFallbacks()

    # How to reach it

    @property
    def _reach(self) -> dict[str, str]:
        """The libpq parameters, handed to somebody who may write."""
        self._pristine = False
        return self._parameters

    @property
    def url(self) -> str:
        """The SQLAlchemy URL with the driver psycopg, password included."""
        return urls.sqlalchemy_url(self._reach).render_as_string(hide_password=False)

    @property
    def async_url(self) -> str:
        """The SQLAlchemy URL with the driver asyncpg where it is installed, psycopg otherwise."""
        return urls.sqlalchemy_url(self._reach, _async_driver()).render_as_string(hide_password=False)

    @property
    def dsn(self) -> str:
        """The libpq URI, password included; psycopg, asyncpg and psql read it."""
        return urls.libpq_url(self._reach)

    @property
    def safe_url(self) -> str:
        """`dsn` without the password, for people and logs."""
        return urls.safe_url(self._parameters)

    @property
    def psql(self) -> str:
        """The command with which a person looks into the database. It does not show the password."""
        passwords = self.server.password_file if self.server is not None else None
        return f"{f'PGPASSFILE={passwords} ' if passwords else ''}psql '{self.safe_url}'"

    @property
    def environment(self) -> dict[str, str]:
        """The libpq environment variables for the database, password included, for other programs."""
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        names["dbname"] = "PGDATABASE"
        found = {names[key]: value for key, value in self._reach.items() if key in names}
        if self._cluster and "PGHOSTADDR" in os.environ:
            found["PGHOSTADDR"] = ""  # It would lead past PGHOST, to another server.
        return found

    @property
    def engine(self) -> Engine:
        """A SQLAlchemy engine, made on first use and disposed of by `close`."""
        with self._lock:
            self._require_open()
            if self._engine is None:
                from sqlalchemy import create_engine, event

                more = sealed(self._parameters) if self._cluster else {}
                engine = create_engine(urls.sqlalchemy_url(self._reach), connect_args=more)
                event.listen(engine, "connect", self._arrived)
                self._engine = engine
            return self._engine

    @property
    def async_engine(self) -> AsyncEngine:
        """An async SQLAlchemy engine without a pool, since a pool would belong to one event loop."""
        with self._lock:
            self._require_open()
            if self._async_engine is None:
                from sqlalchemy.ext.asyncio import create_async_engine
                from sqlalchemy.pool import NullPool

                url = urls.sqlalchemy_url(self._reach, _async_driver())
                self._async_engine = create_async_engine(url, poolclass=NullPool)
                self.limit_waits(self._async_engine)
            return self._async_engine

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a new psycopg connection.

        Raises:
            ServerError: it is refused.
        """
        self._require_open()
        conn = connect(self._reach, autocommit=autocommit, cluster=self._cluster)
        if self.lock_timeout:
            answers(conn, self._limit)
        return conn

    @property
    def _journal(self) -> psycopg.Connection[Any]:
        """The cached autocommit connection the journal has to itself."""
        with self._lock:
            self._require_open()
            if self._control is None or self._control.closed:
                from scenarios import journal

                if self.server is not None:
                    self.server.manager.read_tag(self.name)  # An application may have commented over it.
                conn = connect(self._parameters, application="pg-scenarios journal", cluster=self._cluster)
                if self._cluster is not None or not is_pooled(conn):
                    journal.dedicate(conn)
                stay_open(conn)
                self._control = conn
            return self._control

    def _ask_journal(self, act: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Return what *act* returns on the journal's connection, on another one where it had been cut.

        A test of reconnecting ends all connections, a pooler restarts: nothing the next test should hear of.
        What is asked of the journal is one transaction, and may be asked twice.
        """
        import psycopg

        with self._lock:
            conn = self._journal
            try:
                return act(conn)
            except (ScenariosError, psycopg.Error):
                if not conn.closed:
                    raise
            return act(self._journal)

    def _arrived(self, conn: Any, record: object = None) -> None:
        """Called with each new connection of `engine`."""
        if self._cluster is not None:
            arrive(conn, self._parameters, self._cluster)
        if self.lock_timeout:
            answers(conn, self._limit)

    @property
    def _limit(self) -> bytes:
        # What the application's own ALTER DATABASE or ALTER ROLE sets holds.
        limit = b"SELECT set_config('lock_timeout', '%d', false) WHERE current_setting('lock_timeout') = '0'"
        return limit % int(self.lock_timeout * 1000)

    def limit_waits(self, engine: AsyncEngine) -> None:
        """Let connections of *engine* wait for a lock no longer than `lock_timeout`."""
        from sqlalchemy import event

        @event.listens_for(engine.sync_engine, "connect")
        def limit(conn: Any, record: object) -> None:
            if self.lock_timeout:
                cursor = conn.cursor()
                cursor.execute(self._limit.decode())
                cursor.close()
                conn.commit()

    def reset_connections(self) -> None:
        """Give the idle connections of `engine` the state in which they were opened.

        A setting, a role, a session's lock or a temporary table would otherwise be found by whoever gets the
        connection from the pool next.
        """
        with self._lock:
            if self._engine is None:
                return
            pool: Any = self._engine.pool
            idle = [pool.connect() for _ in range(pool.checkedin())]
            for connection in idle:
                if not answers(connection.driver_connection, _AS_OPENED + self._limit):
                    connection.invalidate()  # its server process was ended
                connection.close()

    # The journal

    def snapshot(self, name: str | None = None) -> Snapshot:
        """Remember the state of the database; costs a fraction of a millisecond.

        Where rows cannot be undone (our role may not, see `Server.limits`; or a table is too wide), the
        snapshot is a copy of the database and costs what a clone costs; nobody else may be connected then.

        Raises:
            SafetyError: the database is not ours.
            JournalError: it cannot be taken.
            DatabaseError: it must be a copy, and somebody is connected.
        """
        from scenarios import journal

        with self._lock:
            pristine = self._pristine
            try:
                taken = self._ask_journal(lambda conn: journal.snapshot(conn, name))
            except journal.CannotRestoreInPlace as error:
                if self.server is None:
                    raise
                source = self.source if pristine else self.fork().name
                return self._fallbacks.by_copy(name, self.name, source, error)
            if pristine or taken.pristine:
                self._fallbacks.by_clone(taken)
            return taken

    def mark(self, name: str, *, wait: float) -> int | None:
        """Take a snapshot called *name* where the journal can, and return its number; never copy anything.

        Args:
            name: to find it again by.
            wait: how long to wait for open transactions that have written, in seconds.
        """
        from scenarios import journal
        from scenarios.errors import JournalError

        def act(conn: psycopg.Connection[Any]) -> int | None:
            if not journal.is_installed(conn):
                return None
            return journal.snapshot(conn, name, wait=wait).number

        try:
            return self._ask_journal(act)
        except (JournalError, SafetyError):  # SafetyError: through a pooler
            return None

    def restore(self, snapshot: Snapshot | str) -> Restored:
        """Put the database back into the state of *snapshot*; open connections stay valid.

        What cannot be undone in place (DDL, say) is undone by a fresh clone under the same name, where the
        snapshot was taken before anybody could write to the database; connections are then ended.

        Raises:
            SafetyError: the database is not ours.
            JournalError: it cannot be done.
        """
        from scenarios import journal

        with self._lock:
            begun = time.perf_counter()

            def replaced(why: str) -> Restored:
                return journal.Restored(ms=(time.perf_counter() - begun) * 1000, in_place=False, why=why)

            copy = self._fallbacks.copy_of(snapshot)
            if copy is not None:
                self._replace_by(copy.source)
                return replaced(f"a copy was put in place: {copy.why}")
            current = self._fallbacks.current(snapshot)
            try:
                return self._ask_journal(lambda conn: journal.restore(conn, current))
            except journal.CannotRestoreInPlace as error:
                first = self._fallbacks.clone_of(current)
                if first is None or self.server is None:
                    raise
                self.recreate()
                again = self._ask_journal(lambda conn: journal.snapshot(conn, first.name))
                self._fallbacks.renew(again)
                return replaced(error.why or error.what)

    def changes(self, since: Snapshot | str) -> Changes:
        """Return the rows inserted, updated and deleted since *since*."""
        from scenarios import journal

        return self._ask_journal(lambda conn: journal.changes(conn, self._fallbacks.current(since)))

    @contextmanager
    def restored(self) -> Iterator[Snapshot]:
        """Take a snapshot, and restore it after the block, whatever happens in it."""
        from scenarios import journal

        taken = self.snapshot()
        try:
            yield taken
        finally:
            if self.restore(taken).in_place:
                self._ask_journal(lambda conn: journal.forget(conn, taken))

    def checksum(self) -> str:
        """Return a checksum of every table and sequence."""
        from scenarios import journal

        return self._ask_journal(journal.checksum)

    def save(self, path: str | Path) -> None:
        """Write the database's content to a portable snapshot file."""
        from scenarios import journal

        self._ask_journal(lambda conn: journal.save(conn, path))

    def open(self, path: str | Path) -> None:
        """Replace the database's content by that of a portable snapshot file.

        Raises:
            SafetyError: the database is not ours.
            SnapshotFileError: the file cannot be read or does not fit.
        """
        from scenarios import journal

        def act(conn: psycopg.Connection[Any]) -> None:
            require_ours(conn, "open a snapshot file")
            journal.open_file(conn, path)

        self._ask_journal(act)

    # Copies

    def fork(self, name: str | None = None) -> Database:
        """Return a new database with this one's present content.

        PostgreSQL copies no database somebody is connected to, so our own idle connections are closed and
        reopened; others must be closed by who holds them.

        Raises:
            DatabaseError: the database is in use, or was attached.
        """
        server = self._require_server("fork")
        self._hang_up()
        return server.fork(self, name)

    def end_connections(self) -> list[str]:
        """End all connections to the database, ours included; engines that ping reconnect by themselves.

        Returns:
            the name each connection of somebody else gave its application, empty where it gave none.

        Raises:
            SafetyError: the database is not ours.
            DatabaseError: our role may not.
        """
        server = self._require_server("end the connections to")
        self._hang_up()
        return server.manager.end_connections(self.name)

    def recreate(self) -> None:
        """Replace the database by a fresh clone of what it was made from, under the same name and URL.

        Connections to it are ended; engines reconnect by themselves.

        Raises:
            SafetyError: the database is not ours.
            DatabaseError: the clone cannot be made, or the database was attached.
        """
        self._replace_by(self.source)

    def become(self, copy: Database) -> None:
        """Replace the database by a clone of *copy*, under the same name and URL.

        A snapshot taken before *copy* was forked from this database stays valid. Connections are ended.

        Raises:
            SafetyError: the database is not ours.
            DatabaseError: the clone cannot be made.
        """
        copy._hang_up()
        self._replace_by(copy.name)

    def _replace_by(self, source: str) -> None:
        server = self._require_server("recreate")
        self._hang_up()
        server.replace(self, source)

    # The end

    def close(self) -> None:
        """End our connections and give the database back; it is dropped by the end of the run unless kept."""
        with self._lock:
            if self._closed:
                return
            self._hang_up()
            self._closed = True
            if self.server is not None:
                self.server.discard(self)

    def _hang_up(self) -> None:
        with self._lock:
            if self._control is not None:
                self._control.close()
                self._control = None
            if self._engine is not None:
                self._engine.dispose()
            # The async engine keeps no connection, so there is nothing to dispose of.

    def _require_open(self) -> None:
        if self._closed:
            raise DatabaseError(f"the database {self.name!r} was closed", hint="ask for another one")

    def _require_server(self, action: str) -> Server:
        self._require_open()
        if self.server is None or not self.owned:
            raise SafetyError(
                f"will not {action} the database {self.name!r}",
                where=self.safe_url,
                why="it was attached, not created by this project",
                hint="use a database from `scenarios.start_server().database(..)`",
            )
        return self.server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Database {self.safe_url}>"


def attach(url: str) -> Database:
    """Return the database at *url*, which stays whoever's it is.

    What is destructive works on it only if it carries our tag, as a database kept by an earlier run does.

    Raises:
        SettingsError: the URL cannot be read.
        ServerError: the server refuses.
    """
    parameters = urls.parameters_of(url)
    with connect(parameters) as conn:
        name, owned = conn.info.dbname, is_ours(conn)
    return Database({**parameters, "dbname": name}, name=name, server=None, owned=owned)


def _async_driver() -> str:
    from importlib.util import find_spec

    return "asyncpg" if find_spec("asyncpg") is not None else "psycopg"
