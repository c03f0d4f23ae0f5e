"""Names are quoted wherever they meet SQL: ``docs/security.md``, *Names*."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from psycopg import sql

from scenarios.errors import LibraryError
from scenarios.library import Library
from scenarios.resources import resource

HOSTILE = ['a"b', "select", "x'; DROP TABLE y; --", "Ünï cödé", "%s", "{0}", "a.b"]
SOURCES = sorted((Path(__file__).resolve().parents[2] / "src" / "scenarios").rglob("*.py"))


@pytest.mark.parametrize("name", HOSTILE)
def test_tables_and_columns_with_hostile_names_are_restored(server, name):
    table, column = sql.Identifier(name), sql.Identifier(name + "!")
    with server.database() as db, db.connect() as conn:
        conn.execute(sql.SQL("CREATE TABLE {} ({} int PRIMARY KEY)").format(table, column))
        conn.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(table))
        before = db.snapshot(name)
        conn.execute(sql.SQL("UPDATE {} SET {} = 2").format(table, column))
        conn.execute(sql.SQL("INSERT INTO {} VALUES (3)").format(table))
        assert db.changes(before)
        db.restore(name)
        assert conn.execute(sql.SQL("SELECT * FROM {}").format(table)).fetchall() == [(1,)]


@pytest.mark.parametrize("name", ["friday'; DROP TABLE users_user; --", 'a "quoted" one', "%s", "${x}"])
def test_an_instance_has_a_plain_name(guarded, name):
    with pytest.raises(LibraryError, match="letters, digits"):
        Library(resource("scenario_library"))["just_registered"].load(guarded, as_name=name)
    with guarded.connect() as conn:
        assert conn.execute("SELECT count(*) FROM users_user").fetchone() == (0,)


def test_no_sql_is_formatted():
    """No f-string, ``%`` or ``.format`` of a plain string is handed to ``execute``."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr not in {"execute", "executemany", "copy"}:
                continue
            given = node.args[0]
            formatted = isinstance(given, ast.JoinedStr) or (
                isinstance(given, ast.BinOp) and isinstance(given.op, ast.Mod | ast.Add)
            )
            if formatted:
                found.append(f"{path}:{node.lineno}")
    assert found == []
