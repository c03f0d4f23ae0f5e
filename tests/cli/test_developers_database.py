"""The database that a project's ``DATABASE_URL`` names is the same before and after every command."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic import command as alembic
from alembic.config import Config

from forks import run_module
from scenarios.postgres import Database, Server

MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "1", None
def upgrade():
    op.create_table("author", sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
                    sa.Column("name", sa.Text, nullable=False))
"""
TEST = """
import logging
import pytest

@pytest.mark.scenario("shelf")
def test_it(scenario, scenario_db, caplog):
    with scenario_db.connect() as conn:
        assert conn.execute("SELECT name FROM author").fetchall() == [("Ada",)]
    logging.getLogger("shop").warning("paid")
    assert "paid" in caplog.text
"""
EVERYTHING = """
SELECT c.oid, c.xmin, c.relname, c.relkind, c.relnamespace FROM pg_class c
UNION ALL SELECT a.attrelid, a.xmin, a.attname, 'a', a.attnum::int::oid FROM pg_attribute a
UNION ALL SELECT n.oid, n.xmin, n.nspname, 'n', 0 FROM pg_namespace n
UNION ALL SELECT p.oid, p.xmin, p.proname, 'p', 0 FROM pg_proc p
UNION ALL SELECT t.oid, t.xmin, t.tgname, 't', t.tgrelid FROM pg_trigger t
UNION ALL SELECT d.oid, d.xmin, d.datname, 'd', 0 FROM pg_database d WHERE d.datname = current_database()
ORDER BY 1, 5, 3
"""


def catalogue(db: Database) -> list[tuple[object, ...]]:
    with db.connect() as conn:
        return conn.execute(EVERYTHING).fetchall()


def test_no_command_touches_what_database_url_names(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alembic.init(Config(str(tmp_path / "alembic.ini"), stdout=io.StringIO()), str(tmp_path / "moves"))
    env = (tmp_path / "moves" / "env.py").read_text()
    assert "fileConfig(" in env
    added = (
        'import os\nconfig.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"].replace("%", "%%"))'
    )
    (tmp_path / "moves" / "env.py").write_text(
        env.replace("config = context.config\n", f"config = context.config\n{added}\n")
    )
    (tmp_path / "moves" / "versions" / "first.py").write_text(MIGRATION)
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "shelf.yaml").write_text(
        "scenario: shelf\ntitle: A shelf\nrows:\n  author:\n    ada: {name: Ada}\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.scenarios]\nschema = "alembic.ini"\nlibrary = ["states"]\n'
    )
    (tmp_path / "test_it.py").write_text(TEST)
    commands = {
        "pytest": ("pytest", "-q", "-p", "no:cacheprovider"),
        **{
            words: ("scenarios.cli.main", *words.split())
            for words in ("check", "show shelf", "load shelf", "schema check project")
        },
    }
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SCENARIOS_")}
    with ExitStack() as databases:
        developers = databases.enter_context(server.database())
        with developers.connect() as conn:
            conn.execute("CREATE TABLE precious (id int)")
        before = catalogue(developers)
        monkeypatch.setenv("DATABASE_URL", developers.url)
        target = databases.enter_context(server.database(Config(str(tmp_path / "alembic.ini"))))
        assert catalogue(developers) == before
        for words, line in commands.items():
            run = run_module(
                *line,
                cwd=tmp_path,
                env={
                    **kept,
                    "DATABASE_URL": developers.url,
                    "SCENARIOS_PROVIDER": server.admin_url,
                    "SCENARIOS_DATABASE": target.dsn,
                },
            )
            assert catalogue(developers) == before, words
            if words != "schema check project":
                assert run.returncode == 0, (words, run.stdout, run.stderr)
            assert "Traceback" not in run.stderr
