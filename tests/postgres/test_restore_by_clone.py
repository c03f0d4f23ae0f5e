"""What cannot be undone in place is undone by a fresh clone under the same name, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, text

from scenarios import journal
from scenarios.postgres import Server

METADATA = MetaData()
THINGS = Table("things", METADATA, Column("id", Integer, primary_key=True))


def test_rows_are_restored_in_place(server: Server) -> None:
    with server.database(METADATA) as db:
        before = db.snapshot("before")
        with db.engine.begin() as connection:
            connection.execute(THINGS.insert().values(id=1))
        assert db.changes(before)
        restored = db.restore("before")
        assert (restored.in_place, restored.rows) == (True, 1)
        with db.restored(), db.connect() as conn:
            conn.execute("INSERT INTO things VALUES (2)")
        assert not db.changes(before)
        with db.engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM things")).scalar() == 0


def test_ddl_leads_to_a_fresh_clone_again_and_again(server: Server) -> None:
    with server.database(METADATA) as db:
        before = db.snapshot("before")
        checksum = db.checksum()
        url = db.url
        for _ in range(3):
            with db.connect() as conn:
                conn.execute("INSERT INTO things VALUES (1)")
                conn.execute("ALTER TABLE things ADD COLUMN more text")
            restored = db.restore(before)
            assert not restored.in_place
            assert restored.why
            assert (db.url, db.checksum()) == (url, checksum)
        with db.connect() as conn:
            conn.execute("INSERT INTO things VALUES (1)")
        assert db.restore(before).in_place
        assert db.restore("before").in_place
        assert not db.changes(before)


def test_a_state_the_template_does_not_have_is_not_made_up(server: Server) -> None:
    with server.database(METADATA) as db:
        with db.connect() as conn:
            conn.execute("INSERT INTO things VALUES (1)")
        loaded = db.snapshot()
        with db.connect() as conn:
            conn.execute("ALTER TABLE things ADD COLUMN more text")
        with pytest.raises(journal.CannotRestoreInPlace):
            db.restore(loaded)
        with db.connect() as conn:
            assert conn.execute("SELECT id FROM things").fetchone() == (1,)


def test_a_saved_state_is_opened_in_another_database(server: Server, tmp_path: Path) -> None:
    with server.database(METADATA) as one, server.database(METADATA) as other:
        with one.connect() as conn:
            conn.execute("INSERT INTO things VALUES (1), (2)")
        one.save(tmp_path / "state")
        other.open(tmp_path / "state")
        assert other.checksum() == one.checksum()
