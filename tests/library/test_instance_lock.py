"""Eight processes at one instance: it is whole or not there at every moment, and every refusal says why."""

from __future__ import annotations

import random
import re
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import pytest

from scenarios.domain import get_domain
from scenarios.errors import InstanceBusy, LibraryError
from scenarios.library import Library
from scenarios.library.freezing.freeze import freeze
from scenarios.library.instances import locking
from scenarios.library.instances.finding import hold, instances, open_instance
from scenarios.library.instances.load import load
from scenarios.postgres import Database, attach

NAME = "in-turns"
REFUSALS = re.compile(
    r"an instance called 'in-turns' is loaded already|there is no instance 'in-turns'"
    r"|the instance 'in-turns' is not the one that was opened|there is nothing to freeze in 'in-turns'"
)
SYSTEMS = {"dev_coach": "same_words", "coach_bot": "busy_user", "essay_coach": "new_school"}


@dataclass(frozen=True)
class Place:
    """One system's database, and what a watcher may see in it."""

    system: str
    db: Database
    tables: list[str]
    empty: tuple[int, ...]
    whole: tuple[int, ...]
    seen: set[tuple[int, ...]] = field(default_factory=set)

    def look(self) -> tuple[int, ...]:
        with self.db.connect() as conn, conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = _counts(conn, self.tables)
        self.seen.add(found)
        return found


def _counts(conn: Any, tables: list[str]) -> tuple[int, ...]:
    return tuple(conn.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables)  # noqa: S608 - our own


def _place(system: str, db: Database) -> Place:
    domain = get_domain(system)
    definition = Library()[SYSTEMS[system]]
    # What nobody can take back stays with every loading.
    tables = [
        name for name in definition.plan().counts if name not in {*domain.append_only, *domain.reference}
    ]
    with db.connect() as conn:
        empty = _counts(conn, tables)
        instance = load(definition, db, as_name=NAME, remember=True)
        whole = _counts(conn, tables)
        instance.unload()
        assert _counts(conn, tables) == empty
    return Place(system, db, tables, empty, whole)


def _work(urls: dict[str, str], seed: int) -> list[str]:
    """Do eight things to the instance of each system, remembered as that of a command; return refusals."""
    chance = random.Random(seed)
    library = Library()
    refused = []
    databases = {system: attach(url) for system, url in urls.items()}
    try:
        for system, db in list(databases.items()) * 8:
            try:
                match chance.randrange(5):
                    case 0:
                        load(library[SYSTEMS[system]], db, as_name=NAME, remember=True)
                    case 1:
                        open_instance(db, NAME).reset()
                    case 2:
                        with hold(db, NAME) as (conn, instance):
                            instance.reset(connection=conn)
                    case 3:
                        open_instance(db, NAME).unload()
                    case _:
                        freeze(db, name="seen", instance=NAME)
            except LibraryError as error:
                refused.append(error.what)
    finally:
        for db in databases.values():
            db.close()
    return refused


@pytest.mark.parametrize(
    "count", [3, pytest.param(8, marks=pytest.mark.thorough("eight imports of everything"))]
)
def test_processes_at_one_instance_take_turns(server, count):
    with ExitStack() as stack:
        places = [
            _place(system, stack.enter_context(server.database(get_domain(system)))) for system in SYSTEMS
        ]
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.005):
                for place in places:
                    place.look()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            urls = {place.system: place.db.dsn for place in places}
            with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
                work = [pool.submit(_work, urls, seed) for seed in range(count)]
                refused = [what for each in work for what in each.result(timeout=300)]
        finally:
            done.set()
            watcher.join()
        assert refused, "they never met"
        assert [what for what in refused if not REFUSALS.match(what)] == []
        for place in places:
            there = [record.name for record in instances(place.db)]
            assert there in ([], [NAME])
            assert place.look() == (place.whole if there else place.empty)
            assert place.seen == {place.empty, place.whole}, place.system


def test_an_instance_that_was_loaded_anew_is_not_reset_to_what_it_was(own_db, library):
    definition = library["refinement_in_progress"]
    opened = definition.load(own_db, as_name="x", identities=4)
    open_instance(own_db, "x").unload()
    definition.load(own_db, as_name="x", identities=6)
    for work in (opened.reset, opened.unload):
        with pytest.raises(LibraryError, match="not the one that was opened"):
            work()
    assert open_instance(own_db, "x").counts["identities_identity"] == 6
    open_instance(own_db, "x").reset()


def test_who_waits_in_vain_is_told_for_whom(own_db, library, monkeypatch):
    monkeypatch.setattr(locking, "WAIT_SECONDS", 0.3)
    instance = library["same_words"].load(own_db)
    before = own_db.checksum()
    with own_db.connect(autocommit=False) as other:
        other.execute("SET application_name = 'the app'")
        other.execute("UPDATE users_user SET first_name = 'x'")
        with pytest.raises(InstanceBusy, match=r"application 'the app'.*UPDATE users_user"):
            instance.reset()
        other.rollback()
    with hold(own_db, "same_words"):
        for work in (
            instance.reset,
            instance.unload,
            lambda: freeze(own_db, name="x", instance="same_words"),
        ):
            with pytest.raises(InstanceBusy, match="instance 'same_words'"):
                work()
        with pytest.raises(InstanceBusy):
            library["same_words"].load(own_db)
        assert library["same_words"].load(own_db, as_name="another").name == "another"
        open_instance(own_db, "another").unload()
    assert own_db.checksum() == before
    assert instance.reset().added == 0


def test_a_name_that_was_counted_is_held_as_one_that_was_given(own_db, library):
    library["same_words"].load(own_db)
    free = "SELECT pg_try_advisory_xact_lock(hashtextextended('scenarios:instance:' || %s, 0))"
    with own_db.connect() as conn, conn.transaction(force_rollback=True):
        assert library["same_words"].load(own_db, connection=conn).name == "same_words-2"
        with own_db.connect() as other:
            found = [other.execute(free, [f"same_words{end}"]).fetchone() for end in ("", "-2", "-3")]
    assert found == [(False,), (False,), (True,)]


def test_a_callers_connection_waits_as_long_afterwards_as_before(own_db, library):
    instance = library["same_words"].load(own_db)
    with own_db.connect(autocommit=False) as conn:
        instance.reset(connection=conn)
        assert conn.execute("SHOW lock_timeout").fetchone() == ("0",)
        conn.execute("SET lock_timeout = '7s'")
        instance.reset(connection=conn)
        assert conn.execute("SHOW lock_timeout").fetchone() == ("7s",)
        conn.rollback()
