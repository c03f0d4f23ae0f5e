"""Django on a database of ours: the fixtures that take pytest-django's extension points, and the schema.

Django keeps one connection a thread for each alias, made from one dictionary of its settings. Whoever wants
it elsewhere changes that dictionary and closes what is open; a second place that did so would undo the first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pytest
from psycopg.pq import Conninfo

from scenarios.errors import SettingsError
from scenarios.postgres import redirection, urls
from scenarios.postgres.connections import like
from scenarios.postgres.schemas import Source, digest

if TYPE_CHECKING:
    import psycopg
    from django.db.backends.base.base import BaseDatabaseWrapper
    from pytest_django import DjangoDbBlocker

    from scenarios.postgres import Database

ALIAS = "default"
"""The connection that is pointed at our database; others are pointed there only if they mirror it."""
_NAMES = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
_SETTINGS = (
    "INSTALLED_APPS",
    "MIGRATION_MODULES",
    "AUTH_USER_MODEL",
    "DEFAULT_AUTO_FIELD",
    "DATABASE_ROUTERS",
)
"""Settings that decide which tables ``migrate`` makes."""


@pytest.fixture(scope="session")
def scenario_schema(django_db_blocker: DjangoDbBlocker, django_db_use_migrations: bool) -> Source:
    """The tables that ``manage.py migrate`` makes, or with ``--no-migrations`` those of the models."""
    return django_schema(django_db_blocker, migrations=django_db_use_migrations)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_modify_db_settings: None,
    _scenario_worker: Any,
) -> Iterator[None]:
    """Django on the worker's database, in place of one that Django makes.

    Not by `scenario_db_url`, since whoever asks for that is isolated by us: a `TestCase` is by Django alone.
    """
    with pointed_at(_scenario_worker.shared(request.session).database):
        yield


@pytest.fixture
def _scenario_django_aside(django_db_setup: None, _scenario_copied: bool) -> None:
    """Django's connection out of the way: PostgreSQL copies no database somebody is connected to."""
    from django.db import connections

    if _scenario_copied:
        connections.close_all()


@pytest.fixture
def _scenario_django(
    request: pytest.FixtureRequest,
    scenario_db_url: str,
    django_db_setup: None,
    _scenario_django_aside: None,
    _scenario_test: object,
) -> Iterator[None]:
    """Around Django's own isolation: the state of the test before it, and undone after it."""
    from django.db import connections

    _close_the_dead()
    connections[ALIAS].queries_log.clear()
    with unemptied() if _needs_no_flush(request) else nullcontext():
        yield


def _needs_no_flush(request: pytest.FixtureRequest) -> bool:
    """Whether all that Django would do for a test that commits is to empty the tables after it."""
    marker = request.node.get_closest_marker("django_db")
    cls = request.cls
    return not (
        "django_db_reset_sequences" in request.fixturenames
        or (marker is not None and marker.kwargs.get("reset_sequences"))
        or getattr(cls, "reset_sequences", False)
        or getattr(cls, "fixtures", None)
    )


@contextmanager
def unemptied() -> Iterator[None]:
    """Let Django leave the tables alone for a while, which costs it longer than most tests take.

    It empties no database that is said to mirror another, since that is somebody else's to empty.
    """
    test: dict[str, Any] = _settings_of(ALIAS).setdefault("TEST", {})
    before = test.get("MIRROR")
    test["MIRROR"] = ALIAS
    try:
        yield
    finally:
        test["MIRROR"] = before


_opened: WeakSet[BaseDatabaseWrapper] = WeakSet()
"""Connections that lead to a database of ours, of every thread: each thread can only find its own."""


def _note_opened(connection: BaseDatabaseWrapper, **_: object) -> None:
    _opened.add(connection)


def _close_the_dead() -> None:
    """Close what the end of its connection left open, so that the thread it belongs to connects again.

    Where a database was made anew after a test, the connections to it were ended. Django asks one whether it
    is usable when a request begins; neither a test nor a thread of an async view or of a pool begins one.
    """
    for connection in list(_opened):
        if connection.connection is not None and _has_word(connection) and not connection.is_usable():
            connection.inc_thread_sharing()
            try:
                connection.close()
            finally:
                connection.dec_thread_sharing()


def _has_word(connection: BaseDatabaseWrapper) -> bool:
    """Whether the server has sent something unasked, as it does when it ends a connection.

    A thread that waits for the server has its connection to itself: it hears of the end, and we would wait.
    """
    wrapper: Any = connection  # Django gives neither attribute a type
    try:
        readable, _, _ = select([wrapper.connection], [], [], 0)
    except (OSError, ValueError, wrapper.Database.Error):
        return True
    return bool(readable)


@contextmanager
def pointed_at(place: Database | Mapping[str, str] | str) -> Iterator[None]:
    """Let Django's connection, and those that mirror it, lead to the database *place* for a while.

    Args:
        place: a database, `scenario_db` for one, or the libpq parameters of one, which are then all that
            says where to; or a URL, which leaves what it does not say to ``OPTIONS`` and libpq's variables.

    Raises:
        SettingsError: the project's database is of another kind.
    """
    from django.db import connections
    from django.db.backends.signals import connection_created

    if connections[ALIAS].vendor != "postgresql":
        raise SettingsError(
            f"DATABASES[{ALIAS!r}] is of the kind {connections[ALIAS].vendor}",
            where="Django's settings",
            hint='set its ENGINE to "django.db.backends.postgresql" for the tests',
        )
    there = _parameters(place)
    where = {name: there.pop(key, "") for name, key in _NAMES.items()}
    aliases = [alias for alias in connections if alias == ALIAS or mirrored(alias) == ALIAS]
    before = {alias: dict(_settings_of(alias)) for alias in aliases}
    connections.close_all()
    for alias in aliases:
        options = before[alias].get("OPTIONS") or {}
        _settings_of(alias).update(where, OPTIONS={**there, **_without_target(options)} if there else options)
    connection_created.connect(_note_opened)
    try:
        yield
    finally:
        connection_created.disconnect(_note_opened)
        connections.close_all()
        for alias in aliases:
            _settings_of(alias).update(before[alias])


def _parameters(place: Database | Mapping[str, str] | str) -> dict[str, str]:
    """Return the libpq parameters of *place*; all of them, unless it is a URL."""
    if isinstance(place, str):
        return urls.parameters_of(place)
    if not isinstance(place, Mapping):
        with place.connect() as conn:
            place = like(conn)
    return {name: value for name, value in place.items() if name == "options" or name not in redirection.KEPT}


def _without_target(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a project's ``OPTIONS`` without what says where to and how safely; its ``-c`` are kept."""
    target = {option.keyword.decode() for option in Conninfo.get_defaults()} - redirection.KEPT
    return {name: value for name, value in options.items() if name not in target}


def mirrored(alias: str) -> str | None:
    """Return the alias whose database *alias* shares in tests, by Django's settings."""
    mirror: str | None = _settings_of(alias).get("TEST", {}).get("MIRROR")
    return mirror


def _settings_of(alias: str) -> dict[str, Any]:
    """Return the settings from which Django makes the connections of *alias*; they may be changed."""
    from django.db import connections

    databases: Any = connections.databases
    found: dict[str, Any] = databases[alias]
    return found


def django_schema(blocker: DjangoDbBlocker | None = None, *, migrations: bool = True) -> Source:
    """Return the tables of a Django project that is set up, as a schema that knows what it depends on.

    Args:
        blocker: pytest-django's, where it guards the database.
        migrations: whether they come from migrations; else from the models.
    """
    from django.apps import apps

    def build(connection: psycopg.Connection[Any], url: str) -> None:
        with blocker.unblock() if blocker is not None else nullcontext(), pointed_at(like(connection)):
            _migrate(migrations)

    inputs = {"django": digest(_django_version(), repr(migrations), *_deciding_settings())}
    files: list[Path] = []
    steps: list[Path] = []
    for app in apps.get_app_configs():
        shared = Path(app.path)
        moved = _migrations_of(app.label)
        elsewhere = moved is not None and not moved.is_relative_to(shared)
        of_models = _files_of(shared, "apps.py", "models.py", "models/**/*.py")
        of_steps = _files_of(shared, "migrations/**/*.py", "migrations/**/*.sql")
        of_steps += _files_of(moved, "**/*.py", "**/*.sql") if moved is not None and elsewhere else []
        inputs[f"app {app.label}"] = digest(*_contents(shared, [*of_models, *of_steps]))
        files += [*of_models, *of_steps]
        steps += of_steps
    what = "migrations" if migrations else "models"
    return Source(
        f"Django's {what} of {Path.cwd()}",
        inputs,
        build,
        files=tuple(files),
        follow=tuple(steps if migrations else files),
    )


def _migrations_of(label: str) -> Path | None:
    """Return where Django looks for the migrations of an app: MIGRATION_MODULES may name another package."""
    from importlib.util import find_spec

    from django.db.migrations.loader import MigrationLoader

    name, _ = MigrationLoader.migrations_module(label)
    try:
        spec = find_spec(name) if name else None
    except ImportError:
        return None
    return (
        Path(next(iter(spec.submodule_search_locations)))
        if spec and spec.submodule_search_locations
        else None
    )


def _migrate(migrations: bool) -> None:
    from django.apps import apps
    from django.core.management import call_command
    from django.test.utils import override_settings

    none = {app.label: None for app in apps.get_app_configs()}
    with override_settings(**({} if migrations else {"MIGRATION_MODULES": none})):
        call_command("migrate", database=ALIAS, verbosity=0, interactive=False, run_syncdb=True)


def _django_version() -> str:
    import django

    return str(django.get_version())


def _deciding_settings() -> list[str]:
    from django.conf import settings

    return [f"{name}={getattr(settings, name)!r}" for name in _SETTINGS]


def _files_of(shared: Path, *patterns: str) -> list[Path]:
    """Return the files of an app that decide about its tables."""
    return [file for pattern in patterns for file in sorted(shared.glob(pattern)) if file.is_file()]


def _contents(shared: Path, files: Iterable[Path]) -> Iterator[str | bytes]:
    for file in files:
        yield os.path.relpath(file, shared)
        yield file.read_bytes()
