"""A PostgreSQL server we may use: connections to it, templates and databases on it, and its end."""

from __future__ import annotations

import atexit
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

from scenarios.errors import ScenariosError, ServerError
from scenarios.ownership import OwnershipTag
from scenarios.postgres import registry, urls
from scenarios.postgres.binaries import NEWEST, OLDEST
from scenarios.postgres.connections import connect
from scenarios.postgres.database import Database
from scenarios.postgres.database_manager import DatabaseManager
from scenarios.postgres.processes import interrupts_wait
from scenarios.postgres.templates import NO_JOURNAL, Template, get_template
from scenarios.postgres.watcher import kept_until

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
    "lc_ctype",
    "TimeZone",
)
"""Settings read from the running server, for people: asked for is not the same as in effect."""

_OF_THE_PLACE = (
    *("provider", "joined", "why_chosen", "limits", "directory", "_parameters", "_leave", "_elsewhere"),
    *("_leads_right", "_admin", "cluster", "manager", "version", "version_text", "settings_read_back"),
)
"""Attributes that say which server it is."""


class Server:
    """A PostgreSQL server; a context manager that gives it back.

    Attributes:
        provider: ``"embedded"``, ``"container"`` or ``"external"``.
        why_chosen: how it came to be this one, as a sentence for the report header.
        version: ``server_version_num``, ``180006``.
        version_text: ``"18.6"``.
        settings_read_back: what the running server says of the settings that matter.
        joined: whether somebody else had started it.
        limits: what cannot be done here and why, filled as it is found out.
        directory: where a server of ours lives; None for an external one.
        cluster: the ``cluster_name`` by which a server of ours is known; empty for an external one.
        manager: our databases on it.
    """

    def __init__(
        self,
        provider: str,
        why_chosen: str,
        parameters: Mapping[str, str],
        *,
        notes: Path,
        leave: Callable[[Callable[[], None]], object],
        directory: Path | None = None,
        joined: bool = True,
        reap: bool = True,
        cluster: str = "",
        elsewhere: Callable[[frozenset[str]], Server | None] = lambda needed: None,
    ) -> None:
        self.provider = provider
        self.joined = joined
        self.why_chosen = why_chosen
        self.limits: list[str] = []
        self.directory = directory
        self._parameters = dict(parameters)
        self._leave = leave
        self._elsewhere = elsewhere
        self._unused = True
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._open: dict[str, Database] = {}
        self._leads_right = provider != "external"
        self._closed = False
        self._admin = "postgres"
        self.cluster = cluster
        try:
            self._find_admin()
            # Until it is measured: on a server of ours with its data in memory this is the quicker one.
            preferred = "wal_log" if provider == "external" else "file_copy"
            self.manager = DatabaseManager(self.connect, notes, preferred=preferred)
            atexit.register(self.close)
            self._look_around(reap)
        except BaseException:
            leave(lambda: None)
            raise

    def _look_around(self, reap: bool) -> None:
        control = self.manager.control
        self.version = control.info.server_version
        rows = control.execute(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s)",
            [["server_version", *READ_BACK]],
        ).fetchall()
        self.settings_read_back: Mapping[str, str] = dict(rows)
        self.version_text = self.settings_read_back["server_version"].split(" ")[0]
        if self.version >= (NEWEST + 1) * 10000:
            self.limits.append(
                f"PostgreSQL {self.version_text} is newer than this release was tested with "
                f"({OLDEST} to {NEWEST}); hint: look for a newer release of pg-scenarios"
            )
        if self.provider == "external":
            self.limits += _limits(control)
        elif reap:
            self.manager.reap()

    # Connections

    def _find_admin(self) -> None:
        """Choose the database all runs meet in: `postgres`, or the one that was named."""
        named = self._parameters.get("dbname")
        if not named or named == "postgres":
            return
        try:
            self.connect().close()
        except ServerError:
            self._admin = named

    def connect(self, dbname: str = "", *, autocommit: bool = True) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection of the server's own role to *dbname*, by default the administrative database.

        Raises:
            ServerError: it is refused; the message says what to do.
            SafetyError: it led to another server, or to another database.
        """
        return connect(self.parameters(dbname or self._admin), autocommit=autocommit, cluster=self.cluster)

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

    @property
    def password_file(self) -> Path | None:
        """A file for PGPASSFILE with which programs log in to a server of ours; None for an external one."""
        return self.directory / registry.PASSWORDS if self.directory is not None else None

    # Templates and databases

    def require_extensions(self, names: Iterable[str]) -> bool:
        """Become a server of other binaries on this machine where this one lacks one of *names*.

        That is possible as long as nothing was made here; afterwards, and where no binaries have them, it is
        the server that says so. What a project was found to need is noted: its next server has it at once.

        Returns:
            whether this is another server now.
        """
        rows = self.manager.control.execute("SELECT name::text FROM pg_available_extensions").fetchall()
        missing = frozenset(names) - {name for (name,) in rows}
        return bool(missing) and self.replace_lacking(missing)

    def replace_lacking(self, missing: frozenset[str]) -> bool:
        """Become a server that has the extensions *missing*, which this one does not; see above."""
        with self._lock:
            if not self._unused or self._open:
                return False
            other = self._elsewhere(missing)
            if other is None:
                return False
            self.manager.close(self._leave)
            for name in _OF_THE_PLACE:
                setattr(self, name, getattr(other, name))
            # What it had is ours now, its end as well.
            atexit.unregister(other.close)
            other._closed = True
            return True

    def template(
        self,
        schema: object,
        *,
        base: Template | None = None,
        populate: Callable[[psycopg.Connection[Any]], object] | None = None,
        key: str = "",
        newer_than: str = "",
    ) -> Template:
        """Return a template with *schema*, built once by whoever comes first and shared by all.

        Args:
            schema: a Domain, a ``MetaData``, the path of a ``.sql`` file or a directory of them, an Alembic
                ``Config``, a callable given an autocommit connection, or None for nothing.
            base: a template to build on; *schema* is then applied to a copy of it.
            populate: writes rows after the schema is there; its code becomes part of the template's name.
            key: anything else the result depends on that is no file of the project, the day, say.
            newer_than: a moment, ISO 8601, UTC; one that was built before it is built again.

        Raises:
            TemplateError: the schema cannot be built; nothing half-built is left.
        """
        found = get_template(self, schema, base=base, populate=populate, key=key, newer_than=newer_than)
        self._unused = False
        return found

    def prefetch(self, template: Template, size: int = 2) -> None:
        """Keep *size* clones of *template* ready, made in the background; worth it where clones are slow."""
        self.manager.stock(template.name, size, self._content(template, keep=False))

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
        self._unused = False
        source = template.name if template is not None else "template0"
        ready = self.manager.take(source) if name is None and not keep else None
        if ready is None:
            ready = name or self.manager.next_name()
            self.manager.create(ready, source, self._content(template, keep))
            self._try_the_way(ready)
        return self._opened(ready, template.schema if template is not None else schema, source, keep)

    def _try_the_way(self, name: str) -> None:
        """See once that a database just made here is reached by its name, before anybody is given its URL."""
        if not self._leads_right:
            try:
                self.connect(name).close()
            except ScenariosError:
                self.manager.drop(name)
                raise
            self._leads_right = True

    def _content(self, template: Template | None, keep: bool) -> OwnershipTag:
        if template is None:
            return OwnershipTag("database", template="template0", label="empty", keep=keep)
        return OwnershipTag("database", template=template.name, label=template.label, keep=keep)

    def _opened(self, name: str, schema: object, source: str, keep: bool) -> Database:
        database = Database(
            self.parameters(name),
            name=name,
            server=self,
            owned=True,
            schema=schema,
            source=source,
            keep=keep,
        )
        with self._lock:
            self._open[name] = database
        return database

    def fork(self, database: Database, name: str | None = None) -> Database:
        """Return a new database with the present content of *database*. See `Database.fork`.

        Raises:
            DatabaseError: somebody is connected to it.
        """
        name = name or self.manager.next_name()
        content = OwnershipTag("database", template=database.source, label=f"fork of {database.name}")
        self.manager.create(name, database.name, content)
        made = self._opened(name, database.schema, database.source, keep=False)
        made.lock_timeout = database.lock_timeout
        return made

    def replace(self, database: Database, source: str) -> None:
        """Replace *database* by a clone of the database *source*. See `Database.recreate`."""
        content = OwnershipTag("database", template=source, label="made anew", keep=database.keep)
        self.manager.replace(database.name, source, content)

    def discard(self, database: Database) -> None:
        """Take *database* out of use; it is dropped by the end of the run unless it is kept."""
        with self._lock:
            if self._open.pop(database.name, None) is not None and not database.keep:
                self.manager.discard(database.name)

    def keep(self, database: Database, *, hours: float = 8) -> None:
        """Let *database* outlive this run; a server of ours stays up for *hours* for its sake.

        ``scenarios down`` ends it earlier.
        """
        tag = self.manager.read_tag(database.name)
        if tag is not None:
            self.manager.write_tag(database.name, replace(tag, keep=True))
        database.keep = True
        if self.directory is not None:
            until = time.time() + hours * 3600
            registry.keep(self.directory, max(until, kept_until(self.directory)))

    # The end

    def close(self) -> None:
        """Drop this run's databases and give the server back; the last user ends it."""
        if os.getpid() != self._process:
            return
        with interrupts_wait():
            with self._lock:
                if self._closed:
                    return
                self._closed = True
                atexit.unregister(self.close)
                for database in list(self._open.values()):
                    with suppress(psycopg.Error, ServerError):
                        database.close()
            self.manager.close(self._leave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Server {self.provider} {self.version_text} {self.safe_url}>"


def _limits(conn: psycopg.Connection[Any]) -> list[str]:
    """Say what the role of *conn* may not do, and what that means."""
    row = conn.execute(
        "SELECT rolsuper OR rolcreatedb, has_parameter_privilege('session_replication_role', 'SET')"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    may_create, may_undo = row or (False, False)
    limits = []
    if not may_create:
        limits.append("no databases can be created here; hint: ALTER ROLE .. CREATEDB")
    if not may_undo:
        limits.append(
            f"{NO_JOURNAL} here, snapshots are copies; hint: "
            "GRANT SET ON PARAMETER session_replication_role TO .."
        )
    return limits
