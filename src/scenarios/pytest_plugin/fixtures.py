"""The fixtures a test asks for, and the small session fixtures a project overrides.

Extension is by overriding a fixture, not by options: a project that defines `scenario_schema` in its
``conftest.py`` (its ``MetaData``, an Alembic config, a path to SQL, a `Domain`) has everything else. Each
fixture here does one thing and hands over to `worker` or `isolation`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from scenarios.pytest_plugin.keys import BROADER_FIXTURES, SETTINGS, WIDTHS

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

    from scenarios.journal import Changes
    from scenarios.library import Instance, Library
    from scenarios.postgres import Database, Server
    from scenarios.pytest_plugin.isolated_test import Test
    from scenarios.pytest_plugin.worker import Worker
    from scenarios.settings import Settings


@contextmanager
def spoken() -> Iterator[None]:
    """Let a message of ours stand alone: the way it took through the plugin helps nobody."""
    from scenarios.errors import ScenariosError

    try:
        yield
    except ScenariosError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@contextmanager
def shortened(config: pytest.Config) -> Iterator[None]:
    """Let the traceback of an error of ours end where the test called us, unless all of it is wanted."""
    from scenarios.errors import ScenariosError

    try:
        yield
    except ScenariosError as error:
        if config.option.fulltrace:
            raise
        _end_outside(error.__traceback__)
        raise error from None  # what the database said is in the message


def _end_outside(trace: TracebackType | None) -> None:
    package = os.path.dirname(os.path.dirname(__file__)) + os.sep
    last = None
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith((package, contextlib.__file__)):
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None


# --- What a project may override


@pytest.fixture(scope="session")
def scenario_settings(pytestconfig: pytest.Config) -> Settings:
    """The settings of this run, with the source of each."""
    settings: Settings = pytestconfig.stash[SETTINGS]
    return settings


@pytest.fixture(scope="session")
def scenario_server(pytestconfig: pytest.Config) -> Server:
    """The PostgreSQL server. Override it to bring one of your own: any `scenarios.Server`."""
    from scenarios.pytest_plugin.worker import Worker

    with spoken():
        return Worker.of(pytestconfig).server


@pytest.fixture(scope="session")
def scenario_schema(scenario_settings: Settings) -> object:
    """The schema of the tests' databases.

    By default what the setting ``schema`` names. Override it with a declarative base or a ``MetaData``, an
    Alembic ``Config``, a path to a ``.sql`` file, a `Domain` or a callable that gets a connection. None
    stands for the system of the scenario a test names.
    """
    from scenarios.projects import named_schema

    with spoken():
        return named_schema(scenario_settings)


@pytest.fixture(scope="session")
def scenario_library(
    pytestconfig: pytest.Config,
    scenario_settings: Settings,
    scenario_schema: object,
    scenario_server: Server,
) -> Library:
    """The scenarios that markers and `load_scenario` find by name."""
    from scenarios.projects import project_library
    from scenarios.pytest_plugin.worker import Worker

    worker = Worker.of(pytestconfig)
    with spoken():
        return project_library(
            scenario_settings, scenario_schema, lambda: worker.clone(scenario_server, scenario_schema)
        )


@pytest.fixture(scope="session")
def _scenario_worker(
    pytestconfig: pytest.Config,
    scenario_server: Server,
    scenario_schema: object,
    scenario_library: Library,
) -> Worker:
    from scenarios.pytest_plugin.worker import Worker

    worker = Worker.of(pytestconfig)
    worker.equip(scenario_server, scenario_schema, scenario_library)
    return worker


# --- Data that lives longer than one test, which each test nevertheless finds untouched


@pytest.fixture(scope="session")
def scenario_db_url(request: pytest.FixtureRequest, _scenario_worker: Worker) -> str:
    """The URL of this worker's shared database; it stays the same for the whole run.

    For an application that makes its engine once, or runs in another process.
    """
    with spoken():
        return _scenario_worker.shared(request.session).database.url


def _broader(request: pytest.FixtureRequest, worker: Worker) -> Iterator[Database]:
    with spoken():
        worker.refuse_inside_test(request)
        layer = worker.shared(request.session).broader(
            f"{request.scope} {request.node.nodeid or 'of the run'}", WIDTHS.index(request.scope)
        )
        database = layer.__enter__()
    yield database
    with spoken():
        layer.__exit__(None, None, None)


@pytest.fixture(scope="session")
def scenario_session_db(request: pytest.FixtureRequest, _scenario_worker: Worker) -> Iterator[Database]:
    """The shared database, for a session-scoped fixture that fills it once."""
    yield from _broader(request, _scenario_worker)


@pytest.fixture(scope="package")
def scenario_package_db(request: pytest.FixtureRequest, _scenario_worker: Worker) -> Iterator[Database]:
    """The shared database, for a package-scoped fixture; undone when the package ends."""
    yield from _broader(request, _scenario_worker)


@pytest.fixture(scope="module")
def scenario_module_db(request: pytest.FixtureRequest, _scenario_worker: Worker) -> Iterator[Database]:
    """The shared database, for a module-scoped fixture; undone when the module ends."""
    yield from _broader(request, _scenario_worker)


@pytest.fixture(scope="class")
def scenario_class_db(request: pytest.FixtureRequest, _scenario_worker: Worker) -> Iterator[Database]:
    """The shared database, for a class-scoped fixture; undone when the class ends."""
    yield from _broader(request, _scenario_worker)


# --- One test


@pytest.fixture(autouse=True)
def _scenario_unasked(request: pytest.FixtureRequest) -> None:
    """A test is isolated as well when only its marker or its application's engine leads to the database."""
    if uses_shared(request.fixturenames) or request.node.get_closest_marker("scenario") is not None:
        request.getfixturevalue("_scenario_test")


def uses_shared(names: Collection[str]) -> bool:
    """Whether one of the fixtures *names* outlives the test: it then stays on the worker's shared
    database.
    """
    return not BROADER_FIXTURES.isdisjoint(names)


@pytest.fixture
def _scenario_copied(request: pytest.FixtureRequest) -> bool:
    """Whether the test demands a strategy for which its database is copied, with nobody connected to it."""
    from scenarios.pytest_plugin.strategies import demanded

    strategy = demanded(request.node)
    return strategy is not None and strategy.copies


@pytest.fixture
def _scenario_test(
    request: pytest.FixtureRequest, _scenario_worker: Worker, scenario_schema: object
) -> Iterator[Test]:
    from scenarios.pytest_plugin.isolation import isolated

    with spoken():
        _scenario_worker.require_schema(scenario_schema, request.node.nodeid)
        around = isolated(request.node, _scenario_worker, frozenset(request.fixturenames))
        test = around.__enter__()
    yield test
    with spoken():
        around.__exit__(None, None, None)


@pytest.fixture
def scenario_db(_scenario_test: Test) -> Database:
    """The test's database, in the state its markers name; anything may be committed to it."""
    return _scenario_test.database


@pytest.fixture
def scenario(_scenario_test: Test) -> Instance:
    """The loaded scenario of the closest marker; ``scenario["maya"]`` is a row."""
    with spoken():
        return _scenario_test.instance()


@pytest.fixture
def load_scenario(_scenario_test: Test) -> Callable[..., Instance]:
    """Loads a further scenario inside the test: ``load_scenario("name", **params)``."""

    def load(name: str, /, **params: Any) -> Instance:
        __tracebackhide__ = True
        with spoken():
            return _scenario_test.load(name, **params)
        raise AssertionError("spoken() ends the test")

    return load


@pytest.fixture
def scenario_changes(_scenario_test: Test) -> Callable[[], Changes]:
    """Returns what the test has changed so far, when called."""
    return _scenario_test.changes


@pytest.fixture
def scenario_session(_scenario_test: Test) -> Iterator[Session]:
    """A SQLAlchemy session on the test's database.

    Its commits are real unless the test uses nothing else that reaches the database: then they are
    savepoints of one transaction that is rolled back (the cheapest strategy).
    """
    with _scenario_test.strategy.session(_scenario_test) as session:
        yield session


@pytest.fixture
def scenario_async_session(request: pytest.FixtureRequest) -> AsyncSession:
    """The same for ``asyncio``; works under pytest-asyncio and under anyio, on the loop of the test."""
    from scenarios.pytest_plugin.sessions import async_fixture_name

    with spoken():
        name = async_fixture_name(request)
    session: AsyncSession = request.getfixturevalue(name)
    return session
