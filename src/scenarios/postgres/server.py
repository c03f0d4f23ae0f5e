"""A PostgreSQL server we may use, and the databases made on it.

Everything that creates or drops a database goes through here, so that each one is marked as ours, none is
dropped that is not, and a run that ends takes its own with it.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from scenarios.errors import DatabaseError, SafetyError, ServerError
from scenarios.postgres import clones, leases, registry, urls
from scenarios.postgres.connections import connect
from scenarios.postgres.database import Database
from scenarios.postgres.ownership import Mark, mark, parse, read_mark
from scenarios.postgres.processes import birth_of
from scenarios.postgres.templates import Template, get_template

READ_BACK = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "max_connections",
    "shared_buffers",
    "autovacuum",
    "jit",
    "data_directory",
    "server_encoding",
    "lc_collate",
    "TimeZone",
)
"""Settings read from the running server, for people: asked for is not the same as in effect."""

DATABASE_PREFIX = "scn_d_"


class _Intent:
    """A note on disk that we are about to create a database, for as long as it is not marked.

    A run that is killed between creating and marking leaves a database without a mark; the note lets clean-up
    know that it is ours nevertheless.
    """

    def __init__(self, path: Path, lease: int) -> None:
        self.path = path
        self._lease = lease

    def __enter__(self) -> None:
        try:
            self._write()
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write()

    def _write(self) -> None:
        self.path.write_text(
            json.dumps({"lease": self._lease, "pid": os.getpid(), "birth": birth_of(os.getpid())})
        )

    def __exit__(self, *error: object) -> None:
        self.path.unlink(missing_ok=True)


class Server:
    """A PostgreSQL server; a context manager that gives it back.

    Attributes:
        provider: ``"embedded"``, ``"container"`` or ``"external"``.
        why_chosen: how it came to be this one, as a sentence for the report header.
        version: ``server_version_num``, ``180006``.
        version_text: ``"18.6"``.
        settings_read_back: what the running server says of the settings that matter.
        limits: what cannot be done here and why, filled as it is found out.
    """

    def __init__(
        self,
        provider: str,
        why_chosen: str,
        parameters: Mapping[str, str],
        *,
        notes: Path,
        leave: Callable[[], bool],
        directory: Path | None = None,
    ) -> None:
        self.provider = provider
        self.why_chosen = why_chosen
        self.limits: list[str] = []
        self.directory = directory
        self._parameters = dict(parameters)
        self._notes = notes
        self._leave = leave
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._open: dict[str, Database] = {}
        self._discarded: list[str] = []
        self._numbers = itertools.count(1)
        self._strategy: str | None = None
        self._closed = False
        try:
            self._control = self._connect_admin()
            self._lease = leases.take(self._control)
        except BaseException:
            leave()
            raise
        atexit.register(self.close)
        self.version = self._control.info.server_version
        rows = self._control.execute(
            "SELECT name, setting || coalesce(unit, '') FROM pg_settings WHERE name = ANY (%s)",
            [["server_version", *READ_BACK]],
        ).fetchall()
        self.settings_read_back: Mapping[str, str] = dict(rows)
        self.version_text = self.settings_read_back.get("server_version", str(self.version)).split(" ")[0]

    # Connections

    def _connect_admin(self) -> psycopg.Connection[Any]:
        """Connect to the database all runs meet in: `postgres`, or the one that was named."""
        named = self._parameters.get("dbname")
        try:
            self._admin = "postgres"
            return self.connect()
        except ServerError:
            if not named or named == "postgres":
                raise
            self._admin = named
            return self.connect()

    def connect(self, dbname: str = "", *, autocommit: bool = True) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection of the server's own role to *dbname*, by default the administrative database.

        Raises:
            ServerError: it is refused; the message says what to do.
        """
        return connect(self.parameters(dbname or self._admin), autocommit=autocommit)

    def parameters(self, dbname: str) -> dict[str, str]:
        """Return the libpq parameters for the database *dbname*, password included."""
        return {**self._parameters, "dbname": dbname}

    def sqlalchemy_url(self, dbname: str) -> str:
        """Return the SQLAlchemy URL of the database *dbname*, password included."""
        return urls.sqlalchemy_url(self.parameters(dbname)).render_as_string(hide_password=False)

    @property
    def admin_url(self) -> str:
        """The libpq URI of the administrative database, with the password."""
        return urls.libpq_url(self.parameters(self._admin))

    @property
    def safe_url(self) -> str:
        """`admin_url` without the password, for people and logs."""
        return urls.safe_url(self.parameters(self._admin))

    # Templates and databases

    def template(
        self,
        schema: object,
        *,
        base: Template | None = None,
        populate: Callable[[psycopg.Connection[Any]], object] | None = None,
        key: str = "",
    ) -> Template:
        """Return a template with *schema*, built once by whoever comes first and shared by all.

        Args:
            schema: a Domain, a ``MetaData``, the path of a ``.sql`` file or a directory of them, an Alembic
                ``Config``, a callable given an autocommit connection, or None for nothing.
            base: a template to build on; *schema* is then applied to a copy of it.
            populate: writes rows after the schema is there; its code becomes part of the template's name.
            key: anything else the result depends on, the content of a data file, say.

        Raises:
            TemplateError: the schema cannot be built; nothing half-built is left.
        """
        return get_template(self, schema, base=base, populate=populate, key=key)

    def database(
        self,
        schema: object = None,
        *,
        template: Template | None = None,
        name: str | None = None,
        keep: bool = False,
    ) -> Database:
        """Return a new database of our own with *schema*, or cloned from *template*.

        Args:
            schema: see `template`.
            template: a template that was built before; *schema* is then not looked at.
            name: the database's name, by default one nobody else has.
            keep: leave it in place when the run ends (its server must be kept as well, see ``scenarios up``).

        Raises:
            DatabaseError: it cannot be created, or a database of that name exists.
            TemplateError: the schema cannot be built.
        """
        if template is None and schema is not None:
            template = self.template(schema)
        name = name or self.next_name()
        source = template.name if template is not None else "template0"
        self.create(
            name,
            source,
            Mark("database", template=source, keep=keep, label=template.label if template else "empty"),
        )
        database = Database(
            self.parameters(name),
            name=name,
            server=self,
            owned=True,
            schema=template.schema if template is not None else schema,
            source=source,
            keep=keep,
        )
        with self._lock:
            self._open[name] = database
        return database

    def next_name(self) -> str:
        """Return a database name nobody else uses."""
        return f"{DATABASE_PREFIX}{self._lease:x}_{next(self._numbers)}"

    def create(self, name: str, template: str, content: Mark) -> Mark:
        """Create the database *name* as a copy of *template* and mark it as ours.

        Raises:
            DatabaseError: it cannot be created.
        """
        content = replace(content, lease=self._lease)
        with self._lock, self._intending(name):
            control = self._living_control()
            clones.copy_database(control, name, template, self._strategy_for(template))
            try:
                return mark(control, name, content)
            except BaseException:
                control.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
                raise

    def _living_control(self) -> psycopg.Connection[Any]:
        if self._closed:
            raise ServerError("the server was closed", where=self.safe_url, remedy="start another one")
        if self._control.closed:
            self._control = self.connect()
            self._control.execute("SELECT pg_advisory_lock(%s)", [self._lease])
        return self._control

    def _strategy_for(self, template: str) -> str:
        if self._strategy is not None:
            return self._strategy
        if template == "template0":
            return "file_copy" if self.provider == "embedded" else "wal_log"
        file = self._notes / "clone.json"
        try:
            self._strategy = str(json.loads(file.read_text())["strategy"])
        except (OSError, ValueError, KeyError):
            scratch = self.next_name()
            with self._intending(scratch):
                self._strategy, took = clones.quickest(self._control, template, scratch)
            with suppress(OSError):
                half = file.with_name(f"clone.{os.getpid()}.half")
                half.write_text(json.dumps({"strategy": self._strategy, "ms": took}))
                half.rename(file)
        return self._strategy

    def _intending(self, name: str) -> _Intent:
        return _Intent(self._notes / "intents" / name, self._lease)

    def read_mark(self, name: str) -> Mark | None:
        """Return our mark on the database *name*; None when it has none or does not exist."""
        with self._lock:
            return read_mark(self._living_control(), name)

    def marked(self) -> list[tuple[str, Mark]]:
        """Return every database of ours on this server with its mark."""
        with self._lock:
            rows = (
                self._living_control()
                .execute(
                    "SELECT datname, oid::bigint, shobj_description(oid, 'pg_database') FROM pg_database"
                )
                .fetchall()
            )
        return [(name, found) for name, oid, comment in rows if (found := parse(comment, oid)) is not None]

    def discard(self, database: Database) -> None:
        """Take *database* out of use; it is dropped when the run ends, since a drop forces a checkpoint."""
        with self._lock:
            if self._open.pop(database.name, None) is not None and not database.keep:
                self._discarded.append(database.name)

    def discard_now(self, name: str) -> None:
        """Drop the database *name* if it exists, ending its connections.

        Raises:
            SafetyError: it does not carry our mark.
        """
        with self._lock:
            control = self._living_control()
            found = control.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if found is None:
                return
            if read_mark(control, name) is None and not self._intending(name).path.exists():
                raise SafetyError(
                    f"will not drop the database {name!r}",
                    where=self.safe_url,
                    why="it does not carry the mark of a database this project created",
                    remedy="drop it yourself if it may go",
                )
            control.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def fork(self, database: Database, name: str | None = None) -> Database:
        """Return a new database with the present content of *database*. See `Database.fork`.

        Raises:
            DatabaseError: somebody is connected to it.
        """
        name = name or self.next_name()
        self.create(
            name, database.name, Mark("database", template=database.source, label=f"fork of {database.name}")
        )
        copy = Database(
            self.parameters(name),
            name=name,
            server=self,
            owned=True,
            schema=database.schema,
            source=database.source,
        )
        with self._lock:
            self._open[name] = copy
        return copy

    def recreate(self, name: str, source: str, keep: bool, label: str = "") -> None:
        """Replace the database *name* by a fresh copy of *source* under the same name.

        The old one is renamed and dropped when the run ends.

        Raises:
            SafetyError: it does not carry our mark.
            DatabaseError: the copy cannot be made.
        """
        with self._lock:
            control = self._living_control()
            if read_mark(control, name) is None:
                raise SafetyError(
                    f"will not recreate the database {name!r}",
                    where=self.safe_url,
                    why="it does not carry the mark of a database this project created",
                )
            aside = self.next_name()
            deadline = time.monotonic() + clones.BUSY_SECONDS
            while True:
                control.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
                )
                try:
                    control.execute(
                        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                            sql.Identifier(name), sql.Identifier(aside)
                        )
                    )
                    break
                except psycopg.errors.ObjectInUse as error:
                    if time.monotonic() > deadline:
                        raise DatabaseError(
                            f"cannot recreate the database {name!r}",
                            why=str(error).strip(),
                            remedy="end the program that keeps connecting to it",
                        ) from error
            self._discarded.append(aside)
            self.create(name, source, Mark("database", template=source, keep=keep, label=label))

    # The end

    def close(self) -> None:
        """Drop this run's databases and give the server back; the last user ends it."""
        with self._lock:
            if self._closed or os.getpid() != self._process:
                return
            atexit.unregister(self.close)
            for database in list(self._open.values()):
                database.close()
            if not self._ends_with_us():
                self._drop_all(self._discarded)
            self._closed = True
            self._control.close()
        self._leave()

    def _ends_with_us(self) -> bool:
        """Whether leaving ends the server, so that dropping its databases one by one would be for nothing."""
        if self.directory is None or registry.kept_until(self.directory) > time.time():
            return False
        return len(registry.users_of(self.directory)) <= 1

    def _drop_all(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(psycopg.Error, SafetyError, ServerError):
                self.discard_now(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Server {self.provider} {self.version_text} {self.safe_url}>"
