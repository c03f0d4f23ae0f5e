"""The command line on a schema of the project's own, which it knows by the setting ``schema`` alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SHOP = """
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    title: Mapped[str]
"""
SQL = """
CREATE TABLE author (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
CREATE TABLE book (
    id bigserial PRIMARY KEY, author_id bigint NOT NULL REFERENCES author, title text NOT NULL
);
"""
MIGRATION = """
from alembic import op

revision = "1"
down_revision = None


def upgrade():
    op.execute('''{sql}''')
"""
ENV = """
from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""
SHELF = """\
scenario: shelf
title: Ada has a book
rows:
  author:
    ada: {name: Ada}
  book:
    notes: {author: ada, title: Notes}
"""


@pytest.fixture
def home(tmp_path):
    """A project that names its schema in ``pyproject.toml``: ``home(setting)`` gives its directory."""

    def make(schema):
        (tmp_path / "bookshop.py").write_text(SHOP, "utf-8")
        (tmp_path / "schema.sql").write_text(SQL, "utf-8")
        versions = tmp_path / "migrations" / "versions"
        versions.mkdir(parents=True)
        (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n", "utf-8")
        (tmp_path / "migrations" / "env.py").write_text(ENV, "utf-8")
        (versions / "first.py").write_text(MIGRATION.format(sql=SQL), "utf-8")
        (tmp_path / "states").mkdir()
        (tmp_path / "states" / "shelf.yaml").write_text(SHELF, "utf-8")
        (tmp_path / "pyproject.toml").write_text(
            f'[tool.scenarios]\nschema = "{schema}"\nlibrary = ["states"]\n', "utf-8"
        )
        return tmp_path

    return make


def command(home, *arguments, **environment):
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("SCENARIOS_") or key.endswith(("_CACHE_DIR", "_RUNTIME_DIR"))
    }
    return subprocess.run(
        [sys.executable, "-m", "scenarios.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=home,
        env={**kept, "COLUMNS": "120", **environment},
        check=False,
    )


@pytest.mark.parametrize("schema", ["bookshop:Base", "schema.sql", "alembic.ini"])
def test_a_state_of_ones_own_is_loaded_changed_frozen_reset_and_unloaded(home, schema, server, monkeypatch):
    from scenarios.projects import named_schema, template_source
    from scenarios.settings import Settings

    here = home(schema)
    monkeypatch.setitem(sys.modules, "bookshop", None)  # put back at the end, whatever is imported here
    del sys.modules["bookshop"]
    source = template_source(named_schema(Settings(project=here)))
    with server.database(source) as db:

        def done(*arguments):
            said = command(here, *arguments, SCENARIOS_DATABASE=db.dsn, SCENARIOS_PROVIDER=server.admin_url)
            assert said.returncode == 0, said.stderr
            return said.stdout

        assert done("check", "shelf") == "1 checked, 0 faults\n"
        properties = json.loads(done("file-schema", "project"))["properties"]["rows"]["properties"]
        assert {"author", "book"} <= set(properties)
        assert "Ada" in done("show", "shelf")
        told = done("load", "shelf", "--as", "one")
        assert "ada" in told, "the handle and the key it became, since nobody signs in"
        assert "who" not in told
        with db.connect() as conn:
            conn.execute("UPDATE book SET title = 'Changed'")
            conn.execute("INSERT INTO book (author_id, title) SELECT id, 'More' FROM author")
        assert done("freeze", "one", "--name", "seen").startswith("seen.yaml: 3 rows")
        frozen = (here / "seen.yaml").read_text("utf-8")
        assert "ada: {name: Ada}" in frozen
        assert "title: More" in frozen
        assert done("check", "seen.yaml") == "1 checked, 0 faults\n"
        assert "as it was loaded: 2 rows; 1 added row goes" in done("reset", "one")
        with db.connect() as conn:
            assert conn.execute("SELECT title FROM book").fetchall() == [("Notes",)]
        done("load", "seen.yaml", "--as", "two")
        assert {each["name"] for each in json.loads(done("instances", "--json"))} == {"one", "two"}
        assert "one is gone: 2 rows removed" in done("unload", "one")
        assert "two is gone: 3 rows removed" in done("unload", "two")
        with db.connect() as conn:
            assert conn.execute("SELECT count(*) FROM author").fetchone() == (0,)


def test_without_a_database_one_with_the_schema_is_made(home):
    here = home("bookshop:Base")
    try:
        said = command(here, "load", "shelf", "--json")
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)["rows"] == {"author": 1, "book": 1}
    finally:
        command(here, "down")


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ("bookshop:Bass", "has no attribute 'Bass'"),
        ("bokshop:Base", "No module named 'bokshop'"),
        ("schemas/", "which is not there"),
        ("", "schema in [tool.scenarios]"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(home, schema, what):
    said = command(home(schema), "show", "shelf")
    assert said.returncode == 1
    assert what in said.stderr
    assert "Traceback" not in said.stderr
    assert "pyproject.toml" in said.stderr or not schema


def test_rows_of_somebody_else_are_listed_and_stay(home, server):
    from scenarios.projects import template_source

    here = home("schema.sql")
    with server.database(template_source(here / "schema.sql")) as db:
        with db.connect() as conn:
            conn.execute("INSERT INTO author (name) VALUES ('Real')")
            conn.execute("INSERT INTO book (author_id, title) VALUES (1, 'Real')")

        def run(*arguments):
            return command(here, *arguments, SCENARIOS_DATABASE=db.dsn, SCENARIOS_PROVIDER=server.admin_url)

        assert run("load", "shelf", "--as", "one").returncode == 0
        with db.connect() as conn:
            conn.execute("UPDATE book SET author_id = (SELECT max(id) FROM author)")
        row = "book id=1: refers to author by author_id (book_author_id_fkey)"
        for action in ("reset", "unload"):
            refused = run(action, "one")
            assert (refused.returncode, row in refused.stderr) == (1, True), refused.stderr
            assert "--with-added" in refused.stderr
            shown = run(action, "one", "--dry-run")
            assert (shown.returncode, row in shown.stdout) == (1, True), shown.stdout
            assert "Nothing was changed" in shown.stdout
        assert "1 row that may be somebody else" in run("freeze", "one", "--name", "seen").stderr
        assert "Real" not in (here / "seen.yaml").read_text("utf-8")
        assert run("unload", "one", "--dry-run", "--with-added").returncode == 0
        assert "3 rows removed; 1 of them added since" in run("unload", "one", "--with-added").stdout
        with db.connect() as conn:
            assert conn.execute("SELECT count(*) FROM book").fetchone() == (0,)
            assert conn.execute("SELECT name FROM author").fetchall() == [("Real",)]
