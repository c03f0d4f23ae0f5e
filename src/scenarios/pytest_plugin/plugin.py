"""What pytest loads: options, markers and hooks, inert until a test asks for a database.

This module is imported in every pytest run of every project that has the package installed. It therefore
imports nothing but pytest and the standard library; the work is done in the modules beside it, which are
imported by the first test that wants something: `worker` (server and databases of this process), `prepared`
(the layers of data on a database), `isolation` (what happens around one test) and `report`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scenarios.pytest_plugin import fixtures
from scenarios.pytest_plugin.keys import OPTIONS, REPORTER, SETTINGS, TEST, WORKER
from scenarios.pytest_plugin.reporter import Reporter

if TYPE_CHECKING:
    from scenarios.pytest_plugin.isolated_test import Test
    from scenarios.pytest_plugin.worker import Worker
    from scenarios.settings import Settings


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("scenarios", "PostgreSQL test scenarios")
    group.addoption(
        "--scenarios-provider",
        metavar="WHERE",
        help="where the server comes from: auto, embedded, container, or a postgresql:// URL",
    )
    group.addoption("--scenarios-seed", metavar="SEED", help="seed of all generated values")
    group.addoption(
        "--scenarios-keep-failed",
        action="store_true",
        default=None,
        help="keep the database of a failed test and print how to open it",
    )
    group.addoption(
        "--scenarios-report",
        metavar="html|json",
        help="write what each test did to its database to scenarios-report.html or .json",
    )
    group.addoption(
        "--scenarios-max-rows",
        metavar="N",
        type=int,
        help="fail a test that builds or writes more rows than this",
    )
    group.addoption(
        "--scenarios-rebuild",
        action="store_const",
        # The moment, which every worker of the run is given: only the first of them builds.
        const=_now(),
        default="",
        help="build the template anew, whether or not anything it was made from has changed",
    )
    group.addoption(
        "--scenarios-coverage",
        action="store_true",
        default=None,
        help="say which tables, values and nullable columns no scenario reaches, and which no test uses",
    )


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "scenario(name, /, **params): the test starts in this named state; several markers load several",
    )
    config.addinivalue_line(
        "markers",
        "scenario_isolation(strategy): how the test's effects are undone: 'rollback', 'restore' or 'clone'",
    )
    config.addinivalue_line(
        "markers", "scenario_readonly: the test promises to change no row, and fails itself if it does"
    )
    config.pluginmanager.register(fixtures, "scenarios-fixtures")
    reporter = config.stash[REPORTER] = Reporter(config)
    config.pluginmanager.register(reporter, "scenarios-reporter")
    if config.pluginmanager.hasplugin("asyncio"):
        from scenarios.pytest_plugin import asyncio_fixtures

        config.pluginmanager.register(asyncio_fixtures, "scenarios-asyncio")
    if config.pluginmanager.hasplugin("anyio"):
        from scenarios.pytest_plugin import anyio_fixtures

        config.pluginmanager.register(anyio_fixtures, "scenarios-anyio")
    config.stash[SETTINGS] = _settings(config)


def _settings(config: pytest.Config) -> Settings:
    from scenarios.errors import SettingsError
    from scenarios.settings import SPECS, Settings

    flags = {name: config.getoption(f"scenarios_{name}", None) for name in OPTIONS}
    settings = Settings(flags, project=Path(config.rootpath))
    try:
        for name in SPECS:
            settings.get(name)
        if settings["report"] not in ("", "html", "json"):
            raise SettingsError(
                f"setting 'report' cannot be {settings['report']!r}",
                where=settings.get("report").source,
                hint="say html or json",
            )
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None
    return settings


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Refuse wrong markers before the first test runs, all of them at once."""
    errors = _wrong_markers(items)
    if not errors:
        return
    if hasattr(session.config, "workerinput"):
        # A worker of pytest-xdist cannot refuse: it says that it has nothing to run, and why.
        items.clear()
        session.shouldfail = "\n".join(["wrong markers", *errors])
        return
    raise pytest.UsageError("\n".join(errors))


def _wrong_markers(items: Sequence[pytest.Item]) -> list[str]:
    errors = []
    for item in items:
        for mark in item.iter_markers("scenario"):
            if len(mark.args) != 1 or not isinstance(mark.args[0], str):
                errors.append(f"{item.nodeid}: @pytest.mark.scenario takes the name of one scenario first")
        for mark in item.iter_markers("scenario_isolation"):
            from scenarios.pytest_plugin.strategies import STRATEGIES

            if len(mark.args) != 1 or mark.kwargs or mark.args[0] not in STRATEGIES:
                errors.append(
                    f"{item.nodeid}: @pytest.mark.scenario_isolation takes one of {', '.join(STRATEGIES)}"
                )
    return errors


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Name the server as soon as it is known that one is needed."""
    if (
        config.option.collectonly
        or config.option.verbose < 0
        or not any(_uses_database(item) for item in items)
    ):
        return []
    from scenarios.pytest_plugin.worker import Worker, server_is_overridden

    if server_is_overridden(items[0]) or _wrong_markers(items):
        return []
    from scenarios.errors import ScenariosError

    worker = Worker.of(config)
    try:
        lines = [line for _, _, line in worker.header(start=True)]
    except ScenariosError:
        return []  # the tests that need it will say why there is none
    config.stash[REPORTER].told.update(lines)
    return lines


def _uses_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("scenario") is not None:
        return True
    names = getattr(item, "fixturenames", ())
    return "_scenario_test" in names or fixtures.uses_shared(names)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    # A class fixture of a function that stands in no class is the function's own.
    if fixturedef.scope != "function" and not isinstance(request.node, pytest.Item):
        worker: Worker | None = request.config.stash.get(WORKER, None)
        if worker is not None:
            worker.before_wider_fixture()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    test: Test | None = item.stash.get(TEST, None)
    if test is None:
        return (yield)
    try:
        with fixtures.shortened(item.config):
            result = yield
    except Exception as error:
        from scenarios.pytest_plugin.lock_waits import explain

        explain(error, test)
        raise
    with fixtures.spoken():
        test.keep_promises()
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    worker: Worker | None = item.config.stash.get(WORKER, None)
    if worker is not None and (nextitem is None or nextitem.parent is not item.parent):
        worker.before_wider_fixtures_end()


def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    if fixturedef.scope != "function":
        worker: Worker | None = request.config.stash.get(WORKER, None)
        if worker is not None:
            worker.wider_fixture_ended()


def pytest_unconfigure(config: pytest.Config) -> None:
    worker: Worker | None = config.stash.get(WORKER, None)
    if worker is not None:
        del config.stash[WORKER]
        worker.close()
