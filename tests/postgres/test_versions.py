"""The whole path on every supported PostgreSQL that has binaries here."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from scenarios.domain import get_domain
from scenarios.ownership import OwnershipTag
from scenarios.postgres import Server, binaries, start_server
from scenarios.postgres import server as server_module
from scenarios.postgres.binaries import Search, installed_majors, readable_for, usable_binaries
from scenarios.settings import Settings

pytestmark = pytest.mark.postgres_matrix


def test_schema_clone_write_restore_recreate_fork(any_server: Server) -> None:
    with any_server.database(get_domain("coach_bot")) as db:
        table = next(iter(get_domain("coach_bot").metadata.sorted_tables))
        before, checksum = db.snapshot(), db.checksum()
        with db.engine.begin() as connection:
            connection.execute(text(f'ALTER TABLE "{table.name}" ADD COLUMN added int DEFAULT 1'))
        assert not db.restore(before).in_place
        assert db.checksum() == checksum
        with db.fork() as fork:
            assert fork.checksum() == checksum
            fork.recreate()
            assert fork.checksum() == checksum


def test_every_strategy_was_measured(any_server: Server) -> None:
    with any_server.database(get_domain("coach_bot")):
        costs = any_server.manager.clone_costs()
    assert {"wal_log", "file_copy"} <= set(costs)
    assert ("file_clone" in costs) <= (any_server.version >= 180000)
    assert any_server.manager.strategy == min(costs, key=lambda way: costs[way])


def test_a_dead_runs_database_is_reaped(any_server: Server) -> None:
    name = any_server.manager.next_name()
    made = any_server.manager.create(name, "template0", OwnershipTag("database"))
    any_server.manager.write_tag(
        name, OwnershipTag("database", lease=1, pid=1 << 30, birth="1", host=made.host)
    )
    assert name in any_server.manager.reap(dry_run=True)
    assert name in any_server.manager.reap()
    assert any_server.manager.read_tag(name) is None


def test_any_binaries_found_here_make_a_server(own_runtime: Path) -> None:
    majors = installed_majors(Settings())
    assert majors, "there is at least one PostgreSQL here, or no test could run"
    for major, found in majors.items():
        settings = Settings({"runtime_dir": str(own_runtime), "postgres_bin": str(found.bin)})
        assert readable_for(found, None, own_runtime) == found
        with start_server("embedded", settings=settings) as server:
            assert server.version // 10000 == major


def test_what_is_newer_than_the_tests_is_tried_last_and_said(
    own_runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    majors = [found.major for found in usable_binaries(Settings(), Search())]
    newest = max(majors)
    for module in (binaries, server_module):
        monkeypatch.setattr(module, "NEWEST", newest - 1)
    again = [found.major for found in usable_binaries(Settings(), Search())]
    assert sorted(again) == sorted(majors)
    assert again == [each for each in again if each < newest] + [each for each in again if each == newest]
    where = next(found.bin for found in usable_binaries(Settings(), Search()) if found.major == newest)
    settings = Settings({"runtime_dir": str(own_runtime), "postgres_bin": str(where)})
    with start_server("embedded", settings=settings) as server, server.database() as db:
        assert any(f"tested with (15 to {newest - 1})" in limit for limit in server.limits)
        assert db.restore(db.snapshot()).in_place
