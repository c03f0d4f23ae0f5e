"""What we own on a server: every database of ours is created, replaced and dropped here.

In one place, so that each one is tagged as ours before anyone is given it, none is dropped that is not, a
crash at any point leaves something clean-up can tell from other people's databases, and a drop, which forces
a checkpoint, does not happen while a test waits.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from scenarios.errors import DatabaseError, SafetyError, ScenariosError, ServerError
from scenarios.ownership import OwnershipTag, all_tags, mark_again, read_tag, tag
from scenarios.postgres import clones, leases
from scenarios.postgres.connections import APPLICATION, answers, stay_open
from scenarios.postgres.creation_markers import DATABASE_PREFIX, abandoned, creation_marker, is_generated
from scenarios.postgres.database_settings import copy_settings

DISCARDED_AT_MOST = 32
"""Databases out of use that may pile up during a run before the oldest are dropped in the background."""

LONGEST_NAME = 63
"""Bytes of a database's name."""


@dataclass(slots=True)
class _Stock:
    """Clones made in advance."""

    size: int
    content: OwnershipTag
    ready: deque[str] = field(default_factory=deque)


class DatabaseManager:
    """Our databases on one server.

    Args:
        connect: returns an autocommit connection to the administrative database.
        notes: a directory for creation_markers and measurements.
        preferred: the clone strategy to use before one was measured.
    """

    def __init__(
        self, connect: Callable[[], psycopg.Connection[Any]], notes: Path, *, preferred: str
    ) -> None:
        self._open = connect
        self._notes = notes
        self._preferred = preferred
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._discarded: deque[str] = deque()
        self._stocks: dict[str, _Stock] = {}
        self._chores: queue.SimpleQueue[Callable[[psycopg.Connection[Any]], None] | None] = (
            queue.SimpleQueue()
        )
        self._helper: threading.Thread | None = None
        self._closed = False
        self._made: dict[int, OwnershipTag] = {}
        self._control = self._connect()
        self._lease = leases.take(self._control)
        self._leased = True
        self.strategy: str | None = None

    @property
    def control(self) -> psycopg.Connection[Any]:
        """The connection that holds the lease; made anew when it was cut, by an administrator or a test.

        Raises:
            ServerError: the server was closed, or does not answer.
        """
        with self._lock:
            if self._closed:
                raise ServerError("the server was closed", hint="start another one")
            if not answers(self._control):
                self._control.close()
                self._control = self._connect()
                self._leased = False
            if not self._leased:
                # The session that had it may be cut off and not yet ended; it is not waited for.
                self._leased = leases.take_again(self._control, self._lease)
            return self._control

    def _connect(self) -> psycopg.Connection[Any]:
        conn = self._open()
        stay_open(conn)
        return conn

    def next_name(self) -> str:
        """Return a database name nobody else uses."""
        return f"{DATABASE_PREFIX}{self._lease:x}_{next(self._numbers)}"

    # Making

    def create(self, name: str, source: str, content: OwnershipTag) -> OwnershipTag:
        """Create the database *name* as a copy of *source*, tagged with *content*.

        Raises:
            DatabaseError: it cannot be created; nothing is left of it.
        """
        if not 0 < len(name.encode()) <= LONGEST_NAME:
            raise DatabaseError(
                f"cannot create the database {name!r}",
                why=f"PostgreSQL would cut the name to {LONGEST_NAME} bytes, and it might be another's",
                hint="choose a shorter name",
            )
        with self._lock:
            return self._create(self.control, name, source, content)

    def _create(
        self, conn: psycopg.Connection[Any], name: str, source: str, content: OwnershipTag
    ) -> OwnershipTag:
        content = replace(content, lease=self._lease)
        if is_generated(name):
            return self._create_tagged(conn, name, source, content)
        # A name somebody chose may be somebody's database. It is given last, when ours is tagged.
        working = self.next_name()
        made = self._create_tagged(conn, working, source, content)
        try:
            self.rename(conn, working, name)
        except BaseException:
            self._drop(conn, working)
            raise
        return made

    def _create_tagged(
        self, conn: psycopg.Connection[Any], name: str, source: str, content: OwnershipTag
    ) -> OwnershipTag:
        strategy = self._strategy_for(source)
        with creation_marker(self._notes, name):
            clones.copy_database(conn, name, source, strategy)
            try:
                if source != "template0":
                    content = replace(content, comment=self._comment_of(conn, source))
                made = tag(conn, name, content)
                if source != "template0":
                    copy_settings(conn, source, name)
            except BaseException:
                conn.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
                raise
            self._made[made.oid] = made
            return made

    def _comment_of(self, conn: psycopg.Connection[Any], source: str) -> str:
        found = self._mark_of(conn, source)
        return found.comment if found is not None else ""

    def _mark_of(self, conn: psycopg.Connection[Any], name: str) -> OwnershipTag | None:
        """Return our tag on the database *name*, put back where a comment has taken its place."""
        found = read_tag(conn, name)
        if found is not None:
            return found
        row = conn.execute("SELECT oid::bigint FROM pg_database WHERE datname = %s", [name]).fetchone()
        made = self._made.get(row[0]) if row is not None else None
        return mark_again(conn, name, made) if made is not None else None

    def rename(self, conn: psycopg.Connection[Any], old: str, new: str) -> None:
        """Rename the database *old*; its tag stays valid.

        Raises:
            DatabaseError: there is a database *new*, or somebody is connected to *old*.
        """
        statement = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
        try:
            conn.execute(statement)
        except psycopg.Error as error:
            raise clones.refusal(conn, new, old, error) from error

    def _strategy_for(self, source: str) -> str:
        if self.strategy is not None:
            return self.strategy
        if source == "template0":
            return self._preferred
        file = self._notes / "clone.json"
        try:
            self.strategy = str(json.loads(file.read_text())["strategy"])
        except (OSError, ValueError, KeyError):
            scratch = self.next_name()
            with creation_marker(self._notes, scratch):
                self.strategy, took = clones.quickest(self.control, source, scratch)
            with suppress(OSError):
                half = file.with_name(f"clone.{os.getpid()}.half")
                half.write_text(json.dumps({"strategy": self.strategy, "ms": took}))
                half.rename(file)
        return self.strategy

    def clone_costs(self) -> Mapping[str, float]:
        """Return what each way to clone was measured to take here, in milliseconds; empty before that."""
        try:
            took: dict[str, float] = json.loads((self._notes / "clone.json").read_text())["ms"]
        except (OSError, ValueError, KeyError):
            return {}
        return took

    # Clones in advance

    def stock(self, source: str, size: int, content: OwnershipTag) -> None:
        """Keep *size* clones of *source* ready, made in the background."""
        with self._lock:
            self._strategy_for(source)
            self._stocks[source] = _Stock(size, content)
            self._refill(source)

    def take(self, source: str) -> str | None:
        """Return the name of a clone of *source* that is ready; None when there is none."""
        with self._lock:
            stock = self._stocks.get(source)
            if stock is None:
                return None
            name = stock.ready.popleft() if stock.ready else None
            self._refill(source)  # Also where none was ready: making it may have failed.
            return name

    def _refill(self, source: str) -> None:
        stock = self._stocks[source]

        def chore(conn: psycopg.Connection[Any]) -> None:
            while len(stock.ready) < stock.size and not self._closed:
                name = self.next_name()
                self._create(conn, name, source, stock.content)
                stock.ready.append(name)

        self._later(chore)

    def _later(self, chore: Callable[[psycopg.Connection[Any]], None]) -> None:
        if self._helper is None:
            self._helper = threading.Thread(target=self._work, name="pg-scenarios clones", daemon=True)
            self._helper.start()
        self._chores.put(chore)

    def _work(self) -> None:
        # What fails here in advance fails again, with its message, when it is really needed.
        with suppress(ScenariosError), ExitStack() as own:
            conn = own.enter_context(self._connect())
            while (chore := self._chores.get()) is not None:
                with suppress(ScenariosError, psycopg.Error):
                    if not answers(conn):
                        conn = own.enter_context(self._connect())
                    chore(conn)

    # Asking

    def read_tag(self, name: str) -> OwnershipTag | None:
        """Return our tag on the database *name*; None when it has none or does not exist."""
        with self._lock:
            return self._mark_of(self.control, name)

    def write_tag(self, name: str, content: OwnershipTag) -> None:
        """Replace our tag on the database *name*."""
        with self._lock:
            tag(self.control, name, content)

    def tagged(self) -> dict[str, OwnershipTag]:
        """Return every database of ours on this server, also of other runs, with its tag."""
        with self._lock:
            return all_tags(self.control)

    # Unmaking

    def discard(self, name: str) -> None:
        """Take the database *name* out of use; it is dropped by the end of the run."""
        with self._lock:
            self._discarded.append(name)
            if len(self._discarded) > DISCARDED_AT_MOST:
                oldest = [self._discarded.popleft() for _ in range(DISCARDED_AT_MOST // 2)]
                self._later(lambda conn: self._drop_all(conn, oldest))

    def drop(self, name: str) -> None:
        """Drop the database *name* if it exists, ending its connections.

        Raises:
            SafetyError: it does not carry our tag.
        """
        with self._lock:
            self._drop(self.control, name)

    def _drop(self, conn: psycopg.Connection[Any], name: str) -> None:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            return
        found = self._mark_of(conn, name)
        if found is None:
            raise SafetyError(
                f"will not drop the database {name!r}",
                where=f"{conn.info.host or 'local socket'} port {conn.info.port}",
                why="it does not carry the tag of a database this project created",
                hint="drop it yourself if it may go; no flag turns this off",
            )
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.pop(found.oid, None)

    def _drop_all(self, conn: psycopg.Connection[Any], names: list[str]) -> None:
        for name in names:
            with suppress(psycopg.Error, SafetyError):
                self._drop(conn, name)

    def replace(self, name: str, source: str, content: OwnershipTag) -> None:
        """Replace our database *name* by a fresh copy of *source* under the same name.

        The old one is renamed, which takes a millisecond, and dropped later.

        Raises:
            SafetyError: it does not carry our tag.
            DatabaseError: somebody keeps connecting to it, or the copy cannot be made.
        """
        with self._lock:
            conn = self.control
            if self._mark_of(conn, name) is None:
                raise SafetyError(
                    f"will not replace the database {name!r}",
                    where=f"{conn.info.host or 'local socket'} port {conn.info.port}",
                    why="it does not carry the tag of a database this project created",
                )
            fresh, aside = self.next_name(), self.next_name()
            self._create(conn, fresh, source, content)
            try:
                self._rename_busy(conn, name, aside)
            except BaseException:
                self._drop(conn, fresh)
                raise
            self.discard(aside)
            self.rename(conn, fresh, name)

    def end_connections(self, name: str) -> list[str]:
        """End all connections to our database *name*; return the names of the applications that had them.

        Raises:
            SafetyError: it does not carry our tag.
            DatabaseError: our role may not end the connections of another.
        """
        with self._lock:
            conn = self.control
            if self._mark_of(conn, name) is None:
                raise SafetyError(
                    f"will not end the connections to the database {name!r}",
                    where=f"{conn.info.host or 'local socket'} port {conn.info.port}",
                    why="it does not carry the tag of a database this project created",
                )
            try:
                rows = conn.execute(
                    "SELECT application_name, pg_terminate_backend(pid, %s) FROM pg_stat_activity"
                    " WHERE datname = %s AND backend_type = 'client backend'",
                    [int(clones.BUSY_SECONDS * 1000), name],
                ).fetchall()
            except psycopg.errors.InsufficientPrivilege as error:
                raise DatabaseError(
                    f"the connections to the database {name!r} cannot be ended",
                    where=f"role {conn.info.user!r}",
                    why=str(error).strip(),
                    hint="let the application connect as the same role, or close its connections",
                ) from error
            return [row[0] for row in rows if not row[0].startswith(APPLICATION)]

    def _rename_busy(self, conn: psycopg.Connection[Any], name: str, aside: str) -> None:
        deadline = time.monotonic() + clones.BUSY_SECONDS
        while True:
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            try:
                self.rename(conn, name, aside)
                return
            except DatabaseError as error:
                busy = isinstance(error.__cause__, psycopg.errors.ObjectInUse)
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.002)

    def reap(self, *, dry_run: bool = False, kept: bool = False, patience: float = 0) -> list[str]:
        """Drop what dead runs left on this server; return the names.

        That is: databases and half-built templates whose owner is gone, and those that were created and never
        tagged. Databases that are kept on purpose go only with *kept*.

        Args:
            patience: seconds to wait at most for what a run killed a moment ago had the server begin.
        """
        with self._lock:
            conn = self.control
            deadline = time.monotonic() + patience
            while self._unsettled(conn) and time.monotonic() < deadline:
                time.sleep(0.02)
            alive = leases.held(conn)
            dead = [
                name
                for name, found in sorted(self.tagged().items())
                if (kept or not found.keep) and not found.ready and leases.is_dead(found, alive)
            ]
            unmarked = dict(abandoned(self._notes))
            if dry_run:
                rows = conn.execute(
                    "SELECT datname FROM pg_database WHERE datname = ANY (%s)", [list(unmarked)]
                ).fetchall()
                return [*dead, *(row[0] for row in rows if row[0] not in dead)]
            reaped = []
            for name in dead:
                self._drop(conn, name)
                reaped.append(name)
            for name, note in unmarked.items():
                found = conn.execute(
                    "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
                ).fetchone()
                if found is not None and found[0] is None:
                    conn.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
                    reaped.append(name)
                note.unlink(missing_ok=True)
            return reaped

    def _unsettled(self, conn: psycopg.Connection[Any]) -> bool:
        """Whether the server still works for a run that is gone: its databases are about to appear."""
        alive = leases.held(conn)
        if any(leases.is_ending(found, alive) for found in self.tagged().values()):
            return True
        begun = [f"%{name}%" for name, _ in abandoned(self._notes)]
        found = conn.execute(
            "SELECT 1 FROM pg_stat_activity"
            " WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE ANY (%s)",
            [begun],
        ).fetchone()
        return found is not None

    # The end

    def close(self, leave: Callable[[Callable[[], None]], object]) -> None:
        """Let go of the server.

        Args:
            leave: gives the server back; calls what it is given if the server goes on without us, so that
                our databases are dropped from it.
        """
        with self._lock:
            if self._closed:
                return
            with suppress(ScenariosError, psycopg.Error):
                assert self.control  # Made anew where it was cut, since databases are dropped by it.
            helper, self._helper = self._helper, None
            self._closed = True
        if helper is not None:
            self._chores.put(None)
            helper.join()
        for stock in self._stocks.values():
            self._discarded.extend(stock.ready)
        try:
            leave(lambda: self._drop_all(self._control, list(self._discarded)))
        finally:
            self._control.close()
