"""Whatever of the project a build read makes it stale when it changes, and is named."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.config import Config

from scenarios.postgres import Server
from scenarios.postgres.templates import Template

ENV = """
from alembic import context
context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""
FILES = {
    "pyproject.toml": "",
    "moves/env.py": ENV,
    "moves/versions/y2024/init.py": """
from pathlib import Path
from alembic import op
from kitchen.seed import ROWS
revision, down_revision = "1", None
HERE = Path(__file__).parents[3]
def upgrade():
    op.execute("CREATE TABLE t (id int)")
    for row in ROWS:
        op.execute(f"INSERT INTO t VALUES ({row})")
    for file in sorted((HERE / "sql").iterdir()):
        op.execute(file.read_text())
    (HERE / "log.txt").write_text("written, not read")
""",
    "moves/versions/y2025/init.py": "revision, down_revision = '2', '1'\ndef upgrade(): pass\n",
    "kitchen/__init__.py": "",
    "kitchen/seed.py": "from .numbers import FIRST\nROWS = [FIRST, 2]\n",
    "kitchen/numbers.py": "FIRST = 1\n",
    "kitchen/unused.py": "",
    "sql/a.sql": "SELECT 1",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project whose migrations import from it and read from it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    forget()


def forget() -> None:
    """As in the next run, in which nothing of the project has been imported yet."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("kitchen", "builder")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def change(file: Path) -> None:
    file.write_text((file.read_text() if file.exists() else "") + "\n")
    forget()


def migrated(server: Server, home: Path, **more: str) -> Template:
    config = Config()
    config.set_main_option("script_location", str(home / "moves"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("recursive_version_locations", "true")
    return server.template(config, **more)


def test_what_a_migration_imports_reads_and_lists_is_named_when_it_changes(
    server: Server, home: Path
) -> None:
    import kitchen.numbers  # type: ignore[import-not-found]  # noqa: F401  # loaded long before the build

    assert migrated(server, home).built
    assert not migrated(server, home).built
    for name, why in {
        "kitchen/seed.py": "file kitchen/seed.py changed",
        "kitchen/numbers.py": "file kitchen/numbers.py changed",
        "sql/a.sql": "file sql/a.sql changed",
        "sql/b.sql": "listing of sql changed",
        "moves/versions/y2024/init.py": "file versions/y2024/init.py changed",
        "moves/versions/y2025/init.py": "file versions/y2025/init.py changed",
    }.items():
        (home / name).write_text((home / name).read_text() + "\n" if (home / name).exists() else "SELECT 2")
        forget()
        again = migrated(server, home)
        assert (again.built, again.why_rebuilt) == (True, why)
        assert not migrated(server, home).built
    for name in ("kitchen/unused.py", "log.txt"):
        change(home / name)
        assert not migrated(server, home).built, name


def test_back_on_the_other_branch_its_template_is_still_there(server: Server, home: Path) -> None:
    first = migrated(server, home)
    before = (home / "kitchen/seed.py").read_text()
    change(home / "kitchen/seed.py")
    second = migrated(server, home)
    assert second.name != first.name
    (home / "kitchen/seed.py").write_text(before)
    again = migrated(server, home)
    assert (again.built, again.name) == (False, first.name)


def test_a_new_one_can_be_asked_for(server: Server, home: Path) -> None:
    first = migrated(server, home)
    again = migrated(server, home, newer_than="9999")
    assert (again.name, again.why_rebuilt) == (first.name, "a new one was asked for")
    assert not migrated(server, home).built


BUILDER = """
import kitchen.unused, other_tool
from kitchen.seed import ROWS as rows

def schema(connection):
    fill(connection)

def fill(connection):
    connection.execute("CREATE TABLE t (id int)")
    for row in rows:
        connection.execute("INSERT INTO t VALUES (%s)", [row])
"""


def test_a_function_is_followed_into_the_modules_it_uses_and_no_other(server: Server, home: Path) -> None:
    (home / "builder.py").write_text(BUILDER)
    (home / "other_tool.py").write_text("")

    def schema() -> Callable[[psycopg.Connection[Any]], object]:
        found: Callable[[psycopg.Connection[Any]], object] = importlib.import_module("builder").schema
        return found

    assert server.template(schema()).built
    assert not server.template(schema()).built
    for name in ("kitchen/numbers.py", "kitchen/seed.py"):
        change(home / name)
        again = server.template(schema())
        assert (again.built, again.why_rebuilt) == (True, f"file {name} changed")
    for name in ("kitchen/unused.py", "other_tool.py"):
        change(home / name)
        assert not server.template(schema()).built, name
