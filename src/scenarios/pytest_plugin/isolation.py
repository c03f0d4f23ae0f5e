"""What happens around one test: its database is brought into its state, and back into it afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from scenarios.errors import JournalError, ScenariosError
from scenarios.pytest_plugin.isolated_test import Test
from scenarios.pytest_plugin.keys import BROADER_FIXTURES, TEST
from scenarios.pytest_plugin.prepared import PreparedDatabase, StateKey
from scenarios.pytest_plugin.report import describe
from scenarios.pytest_plugin.strategies import choose
from scenarios.pytest_plugin.worker import Worker


@contextmanager
def isolated(item: pytest.Item, worker: Worker, names: frozenset[str]) -> Iterator[Test]:
    """Bring the test's database into its state, and back into it afterwards."""
    began = time.perf_counter()
    settings = worker.settings
    readonly = item.get_closest_marker("scenario_readonly") is not None
    strategy = choose(item, names, counted=readonly or bool(settings["max_rows"]))
    marks = _marks(item)
    states = [StateKey.of(name, params) for name, params in marks.items()]
    shared = bool(names & BROADER_FIXTURES)
    prepared = worker.prepared(item.session, states, shared=shared)
    fills = [
        (state, worker.fill(state, params)) for state, params in zip(states, marks.values(), strict=True)
    ]
    values = prepared.prepare(fills)
    with ExitStack() as own:
        database, start = strategy.begin(prepared, prepared.begin(), own, shared=shared)
        test = Test(
            nodeid=item.nodeid,
            database=database,
            start=start,
            strategy=strategy,
            states=states,
            instances={
                str(state): replace(value, db=database, _objects={})
                for state, value in zip(states, values, strict=True)
            },
            worker=worker,
            seed=str(settings["seed"]),
            readonly=readonly,
            max_rows=settings["max_rows"],
            keep_failed=settings["keep_failed"],
            counts=bool(settings["report"]),
        )
        test.rows_loaded = sum(sum(instance.counts.values()) for instance in test.instances.values())
        item.stash[TEST] = test
        worker.test_in_progress = item.nodeid
        test.ms_before = (time.perf_counter() - began) * 1000
        try:
            yield test
        finally:
            began = time.perf_counter()
            try:
                if test.failed and test.keep_failed:
                    _keep(test, prepared, worker)
                else:
                    if test.failed_unseen:
                        test.extra.append(describe(test))
                    strategy.undo(test, prepared)
            finally:
                worker.test_ended()
                test.ended, prepared.ended = prepared.ended, []
                test.ms_after = (time.perf_counter() - began) * 1000


def _marks(item: pytest.Item) -> dict[str, dict[str, Any]]:
    """Return the scenarios a test names, with parameters; the closest is last and overrules its namesakes."""
    marks: dict[str, dict[str, Any]] = {}
    for mark in reversed(list(item.iter_markers("scenario"))):
        marks.pop(mark.args[0], None)
        marks[mark.args[0]] = dict(mark.kwargs)
    return marks


def _keep(test: Test, prepared: PreparedDatabase, worker: Worker) -> None:
    """Leave the failed test's database for a person, and let the next test have another."""
    try:
        if test.database is not prepared.database:
            kept = test.database
        elif prepared is worker.shared_if_any():
            kept = prepared.copy()
            prepared.undo(test.start, test.nodeid)
        else:
            kept = prepared.database
            worker.abandon(prepared)
        worker.server.keep(kept)
    except ScenariosError as error:
        test.extra.append(f"the database could not be kept: {error}")
        with suppress(JournalError):
            prepared.undo(test.start, test.nodeid)
        return
    test.kept = kept.psql
    lines = [f"the database is kept as {kept.name}", f"  {kept.psql}"]
    environment = kept.psql.partition("psql ")[0]
    lines += [
        f"  {environment}scenarios open {instance.name} --in '{kept.safe_url}'"
        for instance in test.instances.values()
        if instance.definition.sections.scoped
    ]
    test.extra.append("\n".join(lines))
