"""What the pages and the HTTP API do, each time by the library function the commands use.

Two implementations of "reset" would differ within a month. This one holds what a long-running process needs
around them: a cache of what cannot have changed, and bounds on everything that is kept.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from scenarios.errors import LibraryError, ScenariosError
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.files.error_list import suggest
from scenarios.library.freezing.freeze import Frozen, freeze
from scenarios.library.instances.changed import InstanceChanges, changed
from scenarios.library.instances.finding import from_record, instances
from scenarios.library.instances.instance import Instance
from scenarios.library.instances.load import load
from scenarios.library.instances.locking import alone
from scenarios.library.instances.ownership import InTheWay
from scenarios.library.instances.registry import Record
from scenarios.library.instances.removal import Unloaded
from scenarios.library.instances.start import forget_start, remember_start
from scenarios.library.planning.plan import Plan
from scenarios.web.databases import Databases
from scenarios.web.jobs import Job, Jobs
from scenarios.web.problems import Answer

if TYPE_CHECKING:
    from scenarios.library.index import Entry
    from scenarios.library.library import Library
    from scenarios.postgres import Database

_FRESH_SECONDS = 0.7
"""For how long a comparison is shared by those who ask for it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An instance as the list shows it."""

    record: Record
    db: Database

    @property
    def name(self) -> str:
        return self.record.name

    def as_dict(self) -> dict[str, Any]:
        """Return it as the ``instances`` command does."""
        template = self.record.template
        return {
            "name": self.record.name,
            "scenario": self.record.scenario,
            "system": template.get("system"),
            "version": template.get("version"),
            "parameters": template.get("parameters"),
            "clock": template.get("anchor"),
            "loaded_at": self.record.created_at.isoformat(),
            "database": self.db.safe_url,
        }


class Service:
    """The library and the databases behind a page.

    Args:
        library: the scenarios.
        databases: where instances are loaded.
        save_to: the directory that frozen scenarios are saved in; None: they can only be downloaded.
    """

    def __init__(self, library: Library, databases: Databases, save_to: Path | None = None) -> None:
        self.library = library
        self.databases = databases
        self.save_to = save_to
        self.jobs = Jobs()
        self._reading = threading.RLock()
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._opened: OrderedDict[Any, Instance] = OrderedDict()
        self._frozen: OrderedDict[str, Frozen] = OrderedDict()
        self._changes: dict[str, tuple[float, InstanceChanges]] = {}
        self._comparing: dict[str, threading.Lock] = {}
        if save_to is not None and save_to.is_dir():
            self._add_root(save_to)

    def close(self) -> None:
        """Give the databases back."""
        self.databases.close()

    # -- the library -----------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """Return the catalogue."""
        with self._reading:
            return self.library.entries()

    def definition(self, name: str) -> ScenarioDefinition:
        """Return the scenario *name*.

        Raises:
            Answer: there is none.
            InvalidScenario: its file is wrong.
        """
        with self._reading:
            if name not in self.library:
                try:
                    self.library[name]
                except ScenariosError as error:
                    raise Answer(404, error) from error
            return self.library[name]

    def plan(self, definition: ScenarioDefinition, given: Mapping[str, Any] | None = None) -> Plan:
        """Return the rows of *definition* with the parameters *given*."""
        values = definition.parameters(given or {})
        key = (id(definition), tuple(sorted((name, str(value)) for name, value in values.items())))
        with self._reading:
            found = self._plans.get(key)
            if found is None or found.sections is not definition.sections:
                found = self._plans[key] = definition.plan(parameters=values)
                # The definition is kept with its plan, or another could get its id.
                self._plans["of", key] = definition  # type: ignore[assignment]  # kept alive, never read
                while len(self._plans) > 120:
                    self._plans.popitem(last=False)
            return found

    def _add_root(self, directory: Path) -> None:
        if directory not in self.library.roots:
            self.library.roots.insert(0, directory)

    # -- instances -------------------------------------------------------------------------------------

    def loaded(self) -> list[Loaded]:
        """Return the instances of every database, the newest first."""
        found = [Loaded(record, db) for db in self.databases.all() for record in instances(db)]
        return sorted(found, key=lambda each: each.record.created_at, reverse=True)

    def find(self, name: str) -> Loaded:
        """Return the instance *name*.

        Raises:
            Answer: there is none.
        """
        found = self.loaded()
        for each in found:
            if each.name == name:
                return each
        raise self._unknown(name, [each.name for each in found])

    def _unknown(self, name: str, known: list[str]) -> Answer:
        return Answer(
            404,
            LibraryError(
                f"there is no instance {name!r}",
                where=self.databases.describe(),
                hint=suggest(name, known) or "none is loaded; load a scenario first",
            ),
        )

    def instance(self, found: Loaded) -> Instance:
        """Return the instance *found*, planned again from what its database remembers."""
        record = found.record
        key = (found.db.name, record.name, record.id, record.created_at)
        with self._reading:
            cached = self._opened.get(key)
            if cached is None or cached.template != record.template or cached.keys != record.rows:
                cached = self._opened[key] = self._from_record(found.db, record)
                while len(self._opened) > 40:
                    self._opened.popitem(last=False)
            return cached

    def _from_record(self, db: Database, record: Record) -> Instance:
        system = str(record.template.get("system"))
        return from_record(db, record, domains={system: self.library.domain(system)})

    def start_load(
        self,
        scenario: str,
        *,
        name: str | None = None,
        now: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Job:
        """Begin to load a scenario; errors in what was given are raised at once.

        Raises:
            LibraryError: a parameter is wrong.
            Answer: there is no such scenario, or the name is taken.
        """
        definition = self.definition(scenario)
        values = definition.parameters(parameters or {})
        if name is not None and any(each.name == name for each in self.loaded()):
            raise Answer(
                409,
                LibraryError(
                    f"an instance called {name!r} is loaded already",
                    where=self.databases.describe(),
                    hint="choose another name, or unload it first",
                ),
            )

        def work(job: Job) -> str:
            job.stage = "preparing the database"
            db = self.databases.of(definition.domain)
            job.stage = "planning the rows"
            with self._reading:
                job.total = sum(self.plan(definition, values).counts.values())
            conn = db.connect()
            try:
                job.written = _copied(db, conn.info.backend_pid)
                job.stage = "writing rows"
                made = load(
                    definition,
                    db,
                    as_name=name,
                    now=now,
                    parameters=values,
                    remember=True,
                    connection=conn,
                )
            finally:
                job.written = None
                conn.close()
            job.stage = "remembering the start"
            forget_start(made)
            remember_start(made)
            return made.name

        return self.jobs.start(scenario, work)

    @contextmanager
    def _alone(self, name: str) -> Iterator[tuple[psycopg.Connection[Any], Instance]]:
        """Yield a transaction that has the instance *name* to itself, among all processes."""
        found = self.find(name)
        with alone(found.db, name) as conn:
            present = [each for each in instances(found.db, connection=conn) if each.name == name]
            if not present:
                raise self._unknown(name, [])
            with self._reading:
                instance = self._from_record(found.db, present[0])
            yield conn, instance
        self._changes.pop(name, None)

    def would_go(self, name: str, action: str) -> Unloaded:
        """Return what *action* (``reset`` or ``unload``) would remove of the instance *name*.

        Raises:
            Answer: there is no such instance.
        """
        with self._alone(name) as (conn, instance):
            work = instance.reset if action == "reset" else instance.unload
            return work(dry_run=True, connection=conn)

    def reset(
        self, name: str, *, with_added: bool = False, dry_run: bool = False, seen: str | None = None
    ) -> tuple[Unloaded, Instance]:
        """Put the instance *name* back into the state in which it was loaded.

        Args:
            name: the instance's name.
            with_added: remove rows of others that hang on it, too.
            dry_run: only tell.
            seen: the `list_of` what somebody agreed to; when it is no longer that, nothing is done.

        Raises:
            Answer: there is no such instance, or others' rows hang on it that nobody has seen.
            RowsInTheWay: others' rows hang on it.
        """
        with self._alone(name) as (conn, instance):
            if seen is not None:
                _as_seen(instance.reset(dry_run=True, connection=conn), seen)
            report = instance.reset(with_added=with_added, dry_run=dry_run, connection=conn)
        return report, instance

    def unload(
        self, name: str, *, with_added: bool = False, dry_run: bool = False, seen: str | None = None
    ) -> Unloaded:
        """Remove the instance *name*; see `reset`.

        Raises:
            Answer: there is no such instance, or others' rows hang on it that nobody has seen.
            RowsInTheWay: others' rows hang on it.
        """
        with self._alone(name) as (conn, instance):
            if seen is not None:
                _as_seen(instance.unload(dry_run=True, connection=conn), seen)
            report = instance.unload(with_added=with_added, dry_run=dry_run, connection=conn)
        if not dry_run:
            with suppress(ScenariosError):
                forget_start(instance)
        return report

    def changes(self, name: str, *, watching: bool = False) -> InstanceChanges:
        """Return what changed in the instance *name* since it was loaded.

        Args:
            name: the instance's name.
            watching: what another watcher was told a moment ago will do.

        Raises:
            Answer: there is no such instance.
        """
        instance = self.instance(self.find(name))
        with self._comparing.setdefault(name, threading.Lock()):
            known = self._changes.get(name)
            if watching and known is not None and time.monotonic() - known[0] < _FRESH_SECONDS:
                return known[1]
            found = changed(instance)
            self._changes[name] = (time.monotonic(), found)
            if len(self._changes) > 200:
                self._changes.clear()
            return found

    # -- out of the database ---------------------------------------------------------------------------

    def freeze(
        self,
        name: str,
        *,
        as_name: str,
        anonymise: bool = False,
        title: str = "",
        with_added: bool = False,
    ) -> tuple[str, Frozen]:
        """Return the instance *name* as a scenario called *as_name*, and the number it is kept under.

        Raises:
            Answer: there is no such instance.
            FreezeError: its rows cannot be written without loss.
        """
        instance = self.instance(self.find(name))
        frozen = freeze(
            instance.db,
            name=as_name,
            instance=instance,
            anonymise=anonymise,
            title=title,
            with_added=with_added,
        )
        number = secrets.token_urlsafe(9)
        self._frozen[number] = frozen
        while len(self._frozen) > 20:
            self._frozen.popitem(last=False)
        return number, frozen

    def frozen(self, number: str) -> Frozen:
        """Return the frozen scenario kept as *number*.

        Raises:
            Answer: it is no longer kept.
        """
        found = self._frozen.get(number)
        if found is None:
            raise Answer(
                404, LibraryError("this preview is no longer kept", hint="freeze the instance once more")
            )
        return found

    def save(self, frozen: Frozen) -> Path:
        """Save *frozen* into the library and return its file.

        Raises:
            Answer: there is no directory to save in, or the library has a scenario of that name.
        """
        name = frozen.definition.name
        if self.save_to is None:
            raise Answer(
                409,
                LibraryError(
                    "there is no directory to save scenarios in",
                    hint="download the file, or start with: scenarios serve --save DIRECTORY",
                ),
            )
        with self._reading:
            if name in self.library:
                raise Answer(
                    409,
                    LibraryError(
                        f"the library has a scenario {name!r} already", hint="freeze under another name"
                    ),
                )
            path = self.save_to / f"{name}.yaml"
            try:
                self.save_to.mkdir(parents=True, exist_ok=True)
                with path.open("x", encoding="utf-8") as file:
                    file.write(frozen.text)
            except OSError as error:
                raise LibraryError(f"cannot write {path}", why=error.strerror) from error
            self._add_root(self.save_to)
        return path

    def differences(self, one: str, other: str) -> tuple[str, str]:
        """Return two instances as scenario texts that differ exactly where the instances do.

        Keys are handles there, and what keeps instances apart is taken off, so nothing else is left.
        """
        texts = []
        for name in (one, other):
            instance = self.instance(self.find(name))
            frozen = freeze(
                instance.db, name="instance", instance=instance, anonymise=False, title="instance"
            )
            texts.append(frozen.text)
        return texts[0], texts[1]


def list_of(rows: Sequence[InTheWay]) -> str:
    """Return a word for the very rows that are in the way of a reset or an unload."""
    return blake2b("\n".join(sorted(map(str, rows))).encode(), digest_size=12).hexdigest()


def _as_seen(report: Unloaded, seen: str) -> None:
    if list_of(report.in_the_way) != seen:
        raise Answer(
            409,
            LibraryError(
                "other rows hang on the instance than those that were shown; nothing was removed",
                where=report.name,
                hint="look at the list again, and agree to that",
            ),
        )


def _copied(db: Database, pid: int) -> Any:
    """Return a function that tells how many rows the server process *pid* copies at the moment."""

    def count() -> int:
        try:
            with db.connect() as conn:
                row = conn.execute(
                    "SELECT sum(tuples_processed) FROM pg_stat_progress_copy WHERE pid = %s", [pid]
                ).fetchone()
        except ScenariosError:
            return 0
        return int(row[0] or 0) if row else 0

    return count
