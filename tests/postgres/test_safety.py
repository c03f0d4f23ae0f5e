"""Nothing destructive happens to a database that does not carry our tag, through any public door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scenarios import journal
from scenarios.errors import DatabaseError, SafetyError
from scenarios.ownership import OwnershipTag, parse, read_tag, tag
from scenarios.postgres import Database, Server, attach, is_ours, require_ours
from scenarios.postgres.creation_markers import creation_marker
from scenarios.postgres.leftovers import collect
from scenarios.settings import Settings


@pytest.fixture
def somebodys(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database somebody else made on the same server, with a row in it."""
    name = f"somebodys_{server.manager.next_name()}"
    with server.connect() as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with server.connect(name) as inside:
            inside.execute("CREATE TABLE precious (id int PRIMARY KEY)")
            inside.execute("INSERT INTO precious VALUES (1)")
        yield name
        with server.connect(name) as inside:
            assert inside.execute("SELECT count(*) FROM precious").fetchone() == (1,)
            assert inside.execute("SELECT to_regnamespace('scenarios_journal')").fetchone() == (None,)
        conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


DOORS: dict[str, Callable[[Database, Path], object]] = {
    "snapshot": lambda db, path: db.snapshot(),
    "restore": lambda db, path: db.restore("before"),
    "restored": lambda db, path: db.restored().__enter__(),
    "open": lambda db, path: db.open(path / "file"),
    "recreate": lambda db, path: db.recreate(),
    "fork": lambda db, path: db.fork(),
}


@pytest.mark.parametrize("door", DOORS)
def test_an_attached_database_cannot_be_changed(
    server: Server, somebodys: str, door: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with attach(server.sqlalchemy_url(somebodys)) as db:
        assert not db.owned
        with pytest.raises(SafetyError):
            DOORS[door](db, tmp_path)


JOURNAL_DOORS: dict[str, Callable[[psycopg.Connection[Any]], object]] = {
    "install": journal.install,
    "uninstall": journal.uninstall,
    "snapshot": journal.snapshot,
    "restore": lambda conn: journal.restore(conn, "before"),
}


@pytest.mark.parametrize("door", JOURNAL_DOORS)
def test_the_journal_asks_for_the_mark(server: Server, somebodys: str, door: str) -> None:
    with server.connect(somebodys) as conn, pytest.raises(SafetyError, match="does not carry the tag"):
        JOURNAL_DOORS[door](conn)


def test_an_unmarked_database_is_not_dropped(server: Server, somebodys: str) -> None:
    with pytest.raises(SafetyError, match="will not drop"):
        server.manager.drop(somebodys)


def test_an_unmarked_database_is_not_replaced(server: Server, somebodys: str) -> None:
    with pytest.raises(SafetyError, match="will not replace"):
        server.manager.replace(somebodys, "template0", OwnershipTag("database"))


def test_a_name_that_is_taken_is_not_taken_over(server: Server, somebodys: str) -> None:
    with pytest.raises(DatabaseError, match="choose another name"):
        server.database(name=somebodys)
    assert not any(name for name in server.manager.tagged() if name == somebodys)


def test_clean_up_leaves_it_alone(server: Server, somebodys: str) -> None:
    server.manager.reap()
    collect(Settings())


def test_closing_does_not_drop_what_took_the_place_of_ours(server: Server) -> None:
    db = server.database()
    with server.connect() as conn:
        conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(db.name)))
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(db.name)))
        with pytest.raises(SafetyError):
            server.manager.drop(db.name)
        conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(db.name)))
    db.close()


def test_a_copy_somebody_makes_of_ours_is_theirs(server: Server) -> None:
    with server.database() as db:
        copy = f"theirs_{db.name}"
        with server.connect() as conn:
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(copy), sql.Identifier(db.name)
                )
            )
            # As a dump restored by somebody would: the comment comes along.
            mine = read_tag(conn, db.name)
            assert mine is not None
            conn.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                    sql.Identifier(copy), sql.Literal(mine.render())
                )
            )
            with server.connect(copy) as inside:
                assert not is_ours(inside)
                with pytest.raises(SafetyError, match="no flag turns this off"):
                    require_ours(inside, "restore a snapshot")
            with pytest.raises(SafetyError):
                server.manager.drop(copy)
            conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(copy)))


def test_somebody_elses_comment_is_not_overwritten(server: Server, somebodys: str) -> None:
    with server.connect() as conn:
        conn.execute(sql.SQL("COMMENT ON DATABASE {} IS 'ours since 1999'").format(sql.Identifier(somebodys)))
        with pytest.raises(SafetyError, match="somebody else's comment"):
            tag(conn, somebodys, OwnershipTag("database"))


@pytest.mark.parametrize(
    "comment", [None, "", "hello", "pg-scenarios 1 {", 'pg-scenarios 1 {"kind": 3, "x": 1}']
)
def test_what_is_not_a_mark_is_none(comment: str | None) -> None:
    assert parse(comment, 1) is None


def test_a_note_alone_condemns_no_name_a_person_could_choose(server: Server) -> None:
    with pytest.raises(AssertionError):
        creation_marker(Path("/nowhere"), "customers")


def test_a_commented_database_is_spared_even_with_a_note(server: Server) -> None:
    """A note of a dead run names a database that has since been commented by its owner."""
    assert server.directory is not None
    name = server.manager.next_name()
    note = server.directory / "creation_markers" / name
    note.parent.mkdir(exist_ok=True)
    note.write_text('{"pid": 0, "birth": ""}')
    with server.connect() as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        conn.execute(sql.SQL("COMMENT ON DATABASE {} IS 'mine'").format(sql.Identifier(name)))
        assert name not in server.manager.reap()
        assert conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
