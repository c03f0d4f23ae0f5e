"""The command line on a schema of the project's own, which it knows by the setting ``schema`` alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from forks import run_module
from scenarios.cli.main import run
from scenarios.domain import get_domain

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


@pytest.fixture
def explicit_at(monkeypatch, capsys):
    """What a command says in a directory, run in this process: ``explicit_at(home, "list",
    SCENARIOS_X="y")``.
    """

    def said(home, *arguments, **environment):
        with monkeypatch.context() as patch:
            patch.chdir(home)
            for name in [each for each in os.environ if each.startswith("SCENARIOS_")]:
                if not name.endswith(("_CACHE_DIR", "_RUNTIME_DIR")):
                    patch.delenv(name)
            for name, value in {"COLUMNS": "120", **environment}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                run(list(arguments))
        for name in ("bookshop", "clinic"):
            sys.modules.pop(name, None)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, ended.value.code or 0, out, err)

    return said


@pytest.fixture(scope="module")
def shop_db(server):
    with server.database() as db:
        with db.connect() as conn:
            conn.execute(SQL)
        yield db


def command(home, *arguments, **environment):
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("SCENARIOS_") or key.endswith(("_CACHE_DIR", "_RUNTIME_DIR"))
    }
    return run_module(
        "scenarios.cli.main", *arguments, cwd=home, env={**kept, "COLUMNS": "120", **environment}
    )


OTHER_SCHEMAS = pytest.mark.thorough("every command once more, on a schema that is given in another way")


@pytest.mark.parametrize(
    "schema",
    [
        "bookshop:Base",
        pytest.param("schema.sql", marks=OTHER_SCHEMAS),
        pytest.param("alembic.ini", marks=OTHER_SCHEMAS),
    ],
)
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

        assert done("check", "shelf") == "1 checked, 0 errors\n"
        described = json.loads(done("file-schema"))["properties"]
        assert {"author", "book"} <= set(described["rows"]["properties"])
        assert described["system"]["const"] == "project"
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
        assert "\nsystem: project\n" in frozen
        assert done("check", "seen.yaml") == "1 checked, 0 errors\n"
        assert "as it was loaded: 2 rows; 1 added row goes" in done("reset", "one")
        with db.connect() as conn:
            assert conn.execute("SELECT title FROM book").fetchall() == [("Notes",)]
        done("load", "seen.yaml", "--as", "two")
        assert {each["name"] for each in json.loads(done("instances", "--json"))} == {"one", "two"}
        assert "erDiagram" in done("schema", "diagram")
        assert "as the models say" in done("schema", "check", "--url", db.dsn, "--allow-extra")
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
        ("bookshop.py", 'schema = "bookshop:Base"'),
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


@pytest.mark.parametrize("arguments", [("list",), ("list", "--system", "project")])
def test_the_projects_scenarios_alone_stand_in_its_lists(home, explicit_at, arguments):
    here = home("bookshop:Base")
    assert explicit_at(here, *arguments).stdout == "project\n  shelf  Ada has a book\n"
    assert [each["system"] for each in json.loads(explicit_at(here, *arguments, "--json").stdout)] == [
        "project"
    ]


def test_check_and_catalogue_take_the_projects_scenarios(home, explicit_at):
    here = home("bookshop:Base")
    assert explicit_at(here, "check").stdout == "1 checked, 0 errors\n"
    assert explicit_at(here, "catalogue").stdout == "catalogue/index.html: 1 scenarios\n"
    assert "<h2>the project</h2>" in (here / "catalogue" / "index.html").read_text("utf-8")


def test_what_comes_with_us_is_shown_to_who_asks(home, explicit_at):
    here = home("bookshop:Base")
    theirs = explicit_at(here, "list", "--system", "coach_bot")
    assert theirs.stdout.startswith("coach_bot\n")
    assert "shelf" not in theirs.stdout
    both = explicit_at(here, "list", SCENARIOS_BUNDLED="yes").stdout
    assert {"project", "coach_bot", "dev_coach", "essay_coach"} <= set(both.splitlines())
    absent = explicit_at(here, "show", "refinement_in_progress")
    assert absent.returncode == 1
    assert "bundled = true in [tool.scenarios]" in absent.stderr
    unknown = explicit_at(here, "list", "--system", "dev_couch")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "known are project, coach_bot, dev_coach, essay_coach" in unknown.stderr


def test_a_list_is_shown_also_where_the_models_cannot_be_imported(home, explicit_at):
    assert explicit_at(home("bokshop:Base"), "list").stdout == "project\n  shelf  Ada has a book\n"


def test_a_domain_of_ones_own_gives_its_name(home, explicit_at):
    here = home("clinic:DOMAIN")
    (here / "clinic.py").write_text(
        "import bookshop\nfrom scenarios.domain import Domain\n"
        "DOMAIN = Domain('clinic', 'The clinic', bookshop.Base.metadata, lambda: '')\n"
    )
    assert explicit_at(here, "list").stdout == "clinic\n  shelf  Ada has a book\n"
    assert json.loads(explicit_at(here, "file-schema").stdout)["properties"]["system"]["const"] == "clinic"
    assert explicit_at(here, "check", "--system", "clinic").stdout == "1 checked, 0 errors\n"


def test_the_script_of_a_schema_is_what_the_project_gave(home, explicit_at):
    here = home("bookshop:Base")
    assert explicit_at(here, "schema", "ddl").stdout.count("CREATE TABLE") == 2
    assert explicit_at(here, "schema", "ddl", SCENARIOS_SCHEMA="schema.sql").stdout == SQL
    refused = explicit_at(here, "schema", "write")
    assert "no files are kept for the project" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("freeze", "--user", "1", "--name", "x"), "the project has no people to freeze"),
        (("anonymise", "1"), "the project has no people"),
        (("forget", "1", "--yes"), "the project has no people"),
        (("forget", "--inactive-since", "2y", "--yes"), "the project has no people"),
        (("doctor", "--in", "URL"), "the project has no health"),
        (("check", "--data", "URL"), "the project has no validators"),
        (("generate", "-n", "3"), "there is no volume recipe for the project"),
    ],
)
def test_what_needs_more_than_tables_says_so_of_the_project(home, explicit_at, shop_db, arguments, what):
    arguments = [shop_db.dsn if each == "URL" else each for each in arguments]
    said = explicit_at(home("schema.sql"), *arguments, SCENARIOS_DATABASE=shop_db.dsn)
    assert (said.returncode, said.stdout) == (1, "")
    assert what in said.stderr
    assert "Traceback" not in said.stderr


def test_outside_a_project_the_tables_tell_the_system(tmp_path, explicit_at, shop_db, server):
    with server.database(get_domain("coach_bot")) as db:
        said = explicit_at(tmp_path, "check", "--data", db.dsn, "--json")
    assert (said.returncode, json.loads(said.stdout)["system"]) == (0, "coach_bot")
    unknown = explicit_at(tmp_path, "freeze", "--user", "1", "--name", "x", "--from", shop_db.dsn)
    assert unknown.returncode == 1
    assert "it has the tables of no registered system" in unknown.stderr
    assert "--system coach_bot, dev_coach, essay_coach" in unknown.stderr
    several = explicit_at(tmp_path, "schema", "ddl")
    assert "name one: coach_bot, dev_coach, essay_coach" in several.stderr


def test_what_changed_is_printed_for_people_programs_and_reports(home, server, explicit_at):
    from scenarios.projects import template_source

    here = home("schema.sql")
    with server.database(template_source(here / "schema.sql")) as db:

        def done(*arguments):
            said = explicit_at(
                here, *arguments, SCENARIOS_DATABASE=db.dsn, SCENARIOS_PROVIDER=server.admin_url
            )
            assert said.returncode == 0, said.stderr
            return said.stdout

        done("load", "shelf", "--as", "one")
        assert done("changes", "one") == "nothing has changed\n"
        with db.connect() as conn:
            conn.execute("UPDATE book SET title = 'Changed'")
            conn.execute("INSERT INTO book (author_id, title) SELECT id, 'More' FROM author")
        lines = done("changes", "one").splitlines()
        assert lines == [
            "inserted public.book(id=2) author_id=1, title='More'",
            "updated public.book(id=1) title: 'Notes' -> 'Changed'  [notes]",
        ]
        said = json.loads(done("changes", "one", "--json"))
        assert (said["name"], said["total"]) == ("one", 2)
        assert said["rows"][1]["columns"] == {"title": {"old": "Notes", "new": "Changed"}}
        report = done("changes", "one", "--report")
        assert "\n".join(lines) in report
        again = report.split("`")[1].split()
        assert again[:3] == ["scenarios", "load", "shelf"]
        done(*again[1:], "--as", "two")
        with db.connect() as conn:
            conn.execute("DELETE FROM book")
        assert "deleted public.book(id=1)" in done("changes", "one")


def test_a_forgotten_or_misspelt_setting_is_named(tmp_path, explicit_at):
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "shelf.yaml").write_text(SHELF, "utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.scenarios]\n", "utf-8")
    told = explicit_at(tmp_path, "show", "shelf")
    assert told.returncode == 1
    assert "`library` in [tool.scenarios]" in told.stderr
    (tmp_path / "pyproject.toml").write_text('[tool.scenarios]\nshema = "schema.sql"\n', "utf-8")
    assert "did you mean 'schema'?" in explicit_at(tmp_path, "show", "shelf").stderr
