"""What one pytest process has: a server, its databases, and the scenarios it can load.

Without one owner the fixtures would each start, clone and close on their own, and two of them would disagree
about which database a test is on. A worker has one *shared* database whose URL never changes, for tests that
share it with something longer-lived than themselves, and one further database for each state that other tests
name, so that going from one test to the next costs a restore and not a load.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from scenarios.errors import LibraryError, ScenariosError
from scenarios.pytest_plugin.keys import SETTINGS, WORKER
from scenarios.pytest_plugin.prepared import Fill, PreparedDatabase, StateKey

if TYPE_CHECKING:
    from scenarios.library import Library
    from scenarios.postgres import Database, Server
    from scenarios.postgres.templates import Template
    from scenarios.settings import Settings

HeaderLine = tuple[str, bool, str]
"""What it is about, whether this process was the one who made it, and the line."""

MOST_STAGES = 12
"""Databases a worker keeps for states; the one unused for longest makes room."""


class Worker:
    """The server and the databases of one pytest process."""

    def __init__(self, settings: Settings, newer_than: str = "") -> None:
        self.settings = settings
        self._newer_than = newer_than
        self._resources = ExitStack()
        self._started: Server | None = None
        self._server: Server | None = None
        self._schema: object = None
        self._library: Library | None = None
        self._shared: PreparedDatabase | None = None
        self._stages: OrderedDict[Hashable, tuple[PreparedDatabase, ExitStack]] = OrderedDict()
        self._templates: dict[int, Template] = {}
        self._sources: list[object] = []
        self.loaded: set[str] = set()
        """Names of the scenarios that tests loaded."""
        self.test_in_progress: str | None = None
        self._clear_after_test = False

    @classmethod
    def of(cls, config: pytest.Config) -> Worker:
        """Return this process's worker; nothing is started by making it."""
        worker: Worker | None = config.stash.get(WORKER, None)
        if worker is None:
            worker = config.stash[WORKER] = cls(
                config.stash[SETTINGS], config.getoption("scenarios_rebuild", "") or ""
            )
        return worker

    @property
    def server(self) -> Server:
        """The server the settings name, started at the first use and shared with the other workers."""
        if self._started is None:
            from scenarios.postgres import start_server

            self._started = self._resources.enter_context(start_server(settings=self.settings))
        return self._started

    def equip(self, server: Server, schema: object, library: Library) -> None:
        """Take what the project's fixtures decided."""
        self._server, self._schema, self._library = server, schema, library

    def require_schema(self, schema: object, test: str) -> None:
        """Refuse a test for which `scenario_schema` is another than for the tests before it.

        A run has one schema; without this the test would silently get that of its neighbours.
        """
        if schema is not self._schema:
            raise ScenariosError(
                "a run can have one scenario_schema",
                where=test,
                why="the fixture scenario_schema is overridden in several places, for tests of one run",
                hint="run these tests by themselves",
            )

    @property
    def library(self) -> Library:
        assert self._library is not None, "equip() comes first"
        return self._library

    # --- databases

    def shared(self, session: pytest.Session) -> PreparedDatabase:
        """Return the shared database, whose URL stays the same for the whole run."""
        if self._shared is None:
            schema = self._schema if self._schema is not None else self._only_system(session)
            self._shared = PreparedDatabase(self._resources.enter_context(self._database(schema)))
        return self._shared

    def prepared(
        self, session: pytest.Session, states: Sequence[StateKey], *, shared: bool
    ) -> PreparedDatabase:
        """Return the prepared database for a test that starts in *states*; ``shared`` when it must be
        the shared database.
        """
        if shared:
            return self.shared(session)
        schema = self._schema if self._schema is not None else self._system_of(states)
        key = (id(schema) if self._schema is not None else schema, tuple(states))
        if key in self._stages:
            self._stages.move_to_end(key)
        else:
            if len(self._stages) >= MOST_STAGES:
                _, (_, oldest) = self._stages.popitem(last=False)
                oldest.close()
            own = ExitStack()
            self._stages[key] = (PreparedDatabase(own.enter_context(self._database(schema))), own)
        return self._stages[key][0]

    def shared_if_any(self) -> PreparedDatabase | None:
        return self._shared

    def abandon(self, prepared: PreparedDatabase) -> None:
        """Forget a prepared database whose database is kept for a person to look at."""
        for key, (known, _) in list(self._stages.items()):
            if known is prepared:
                del self._stages[key]

    def _database(self, schema: object) -> Database:
        assert self._server is not None, "equip() comes first"
        if isinstance(schema, str):
            from scenarios.domain import get_domain

            schema = get_domain(schema)
        return self.clone(self._server, schema)

    def clone(self, server: Server, schema: object) -> Database:
        """Return a new database with *schema*; how its template came about is noted for the header."""
        database = self._cloned(server, schema)
        database.lock_timeout = self.settings["lock_timeout"]
        return database

    def _cloned(self, server: Server, schema: object) -> Database:
        if schema is None:
            return server.database()
        if id(schema) not in self._templates:
            from scenarios.projects import template_source

            self._sources.append(schema)  # an object of another schema must not get its id
            self._templates[id(schema)] = server.template(
                template_source(schema), newer_than=self._newer_than
            )
        return server.database(template=self._templates[id(schema)])

    def _system_of(self, states: Sequence[StateKey]) -> str | None:
        systems = {self.library[state.name].domain.name for state in states}
        if len(systems) > 1:
            raise LibraryError(
                f"one test cannot start in scenarios of {' and '.join(sorted(systems))}",
                why="a database has the schema of one system",
                hint="name scenarios of one system, or override the fixture scenario_schema",
            )
        return next(iter(systems), None)

    def _only_system(self, session: pytest.Session) -> str | None:
        systems = {self.library[name].domain.name for name in _named(session)}
        if len(systems) > 1:
            raise LibraryError(
                "the shared database can have the schema of one system only",
                why=f"the scenarios of this run belong to {', '.join(sorted(systems))}",
                hint="override the session fixture scenario_schema, or run the systems' tests separately",
            )
        return next(iter(systems), None)

    # --- scenarios

    def fill(self, state: StateKey, params: dict[str, Any], *, before: int = 0) -> Fill:
        """Return what loads *state*.

        Args:
            state: the scenario.
            params: its parameters.
            before: how often the same test has loaded it. A system that remembers its instances counts them
                itself; of another each has to be given a name of its own, from which its keys follow.
        """
        definition = self.library[state.name]
        self.loaded.add(state.name)
        name = f"{state.name}-{before + 1}" if before and not definition.sections.scoped else None
        return lambda database: definition.load(database, as_name=name, **params)

    # --- guards

    def before_wider_fixture(self) -> None:
        """Called before a fixture broader than a test is set up: it must write below the scenarios."""
        if self._shared is not None and self.test_in_progress is None:
            self._shared.clear()
            self._shared.forget_ground()

    def before_wider_fixtures_end(self) -> None:
        """Called before the last test of a class or module ends, and with it fixtures that may write."""
        self._clear_after_test = self.test_in_progress is not None
        if self._shared is not None and not self._clear_after_test:
            self._shared.clear()

    def wider_fixture_ended(self) -> None:
        """Called after a fixture broader than a test was taken down, which may have removed its rows."""
        if self._shared is not None:
            self._shared.forget_ground()

    def test_ended(self) -> None:
        """Called when a test's effects are undone."""
        self.test_in_progress = None
        if self._clear_after_test:
            self.before_wider_fixtures_end()

    def refuse_inside_test(self, request: pytest.FixtureRequest) -> None:
        if self.test_in_progress is not None:
            raise ScenariosError(
                f"{request.fixturename} was asked for in the middle of a test",
                where=self.test_in_progress,
                why="what a broader fixture writes would be undone with the test",
                hint="name the fixture in the test's arguments instead of calling getfixturevalue",
            )

    # --- the end

    def header(self, *, start: bool = False) -> list[HeaderLine]:
        """Say which server is used and why; empty when none was needed, unless it is to be started."""
        server = self._server or (self.server if start else self._started)
        if server is None:
            return []
        said = f"PostgreSQL {server.version_text}, {server.provider} ({server.why_chosen})"
        return [
            ("server", not server.joined, f"scenarios: {said}"),
            ("seed", True, f"scenarios: seed {self.settings.get('seed')}"),
            *((sentence, True, f"scenarios: {sentence}") for sentence in self.settings.misspelt),
            *(
                (template.name, template.built, f"scenarios: {_built(template)}")
                for template in self._templates.values()
            ),
        ]

    def used(self, session: pytest.Session) -> set[str]:
        """Return the names of the scenarios that the collected tests name, and those that tests loaded."""
        return self.loaded | _named(session)

    def coverage(self, session: pytest.Session) -> dict[str, Any]:
        """Return what no scenario reaches, if the settings ask for it."""
        if not self.settings["coverage"] or self._library is None:
            return {}
        from scenarios.pytest_plugin.coverage import gaps_of

        systems = {self.library[name].domain.name for name in self.used(session) if name in self.library}
        gaps, names = gaps_of(self.library, systems)
        return {"gaps": gaps, "names": names}

    def close(self) -> None:
        with self._resources:
            for _, own in self._stages.values():
                self._resources.push(own)
            self._stages.clear()


def server_is_overridden(item: pytest.Item) -> bool:
    """Whether the project brings its own `scenario_server`; then nothing may be started ahead of it."""
    manager = getattr(item.session, "_fixturemanager", None)
    definitions = manager.getfixturedefs("scenario_server", item) if manager is not None else None
    return definitions is None or len(definitions) > 1


def _built(template: Template) -> str:
    if not template.built:
        return f"template of {template.label} reused, {template.name}"
    return f"template of {template.label} built in {template.ms:.0f} ms ({template.why_rebuilt})"


def _named(session: pytest.Session) -> set[str]:
    return {mark.args[0] for item in session.items for mark in item.iter_markers("scenario") if mark.args}
