"""Migrations reach the template and nothing else, whatever the project's unchanged ``env.py`` connects to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool, StaticPool

from scenarios.errors import TemplateError
from scenarios.postgres import Database, Server, urls
from scenarios.postgres.redirection import redirected

RUN = """
def run(connection):
    context.configure(connection=connection, version_table="applied")
    with context.begin_transaction():
        context.run_migrations()
"""
SYNC = """
with connectable.connect() as connection:
    run(connection)
"""
ASYNC = """
async def main():
    async with connectable.connect() as connection:
        await connection.run_sync(run)
    await connectable.dispose()

asyncio.run(main())
"""
MIGRATION = """
from alembic import op
revision, down_revision = "r1", None
def upgrade():
    op.execute("CREATE TABLE things (id int)")
    {more}
"""
HEAD = """
import asyncio, os, logging.config
import sqlalchemy, sqlalchemy.ext.asyncio
from alembic import context
from sqlalchemy import create_engine, engine_from_config, pool
from sqlalchemy.ext.asyncio import async_engine_from_config, create_async_engine
URL = {url!r}
def with_driver(driver):
    return URL.replace("+psycopg", "+" + driver)
"""
ENGINES = {
    "an engine of its own": "connectable = create_engine(URL)" + SYNC,
    "a pool that stays": "connectable = create_engine(URL, pool_size=2, connect_args="
    "{'options': '-c work_mem=5MB'})" + SYNC,
    "no pool": "connectable = create_engine(URL, poolclass=pool.NullPool)" + SYNC,
    "engine_from_config": "context.config.set_main_option('sqlalchemy.url', URL.replace('%', '%%'))\n"
    "connectable = engine_from_config(context.config.get_section('alembic'), prefix='sqlalchemy.')" + SYNC,
    "another option": "context.config.set_main_option('url', URL.replace('%', '%%'))\n"
    "connectable = engine_from_config({'url': URL}, prefix='')" + SYNC,
    "psycopg, asynchronous": "connectable = create_async_engine(with_driver('psycopg_async'))" + ASYNC,
    "asyncpg": "connectable = create_async_engine(with_driver('asyncpg'))" + ASYNC,
    "asyncpg from a configuration": "connectable = async_engine_from_config("
    "{'sqlalchemy.url': with_driver('asyncpg')}, poolclass=pool.NullPool)" + ASYNC,
    "a URL that leads nowhere": "connectable = create_engine('postgresql+psycopg://u:secret@nowhere.invalid/x')"
    + SYNC,
    "in a thread": """
import concurrent.futures
connectable = create_engine(URL)
def there():
    with connectable.connect() as connection:
        return connection.exec_driver_sql("SELECT current_database()").scalar()
assert concurrent.futures.ThreadPoolExecutor(1).submit(there).result() not in URL
"""
    + SYNC,
    "the connection it is given": "run(context.config.attributes['connection'])",
}


@pytest.fixture
def developers(server: Server) -> Iterator[Database]:
    """The database a developer works in, to which the project's URL leads."""
    with server.database() as database:
        with database.connect() as conn:
            conn.execute("CREATE TABLE precious (id int)")
        yield database


@pytest.fixture
def project(tmp_path: Path, developers: Database) -> Callable[..., Config]:
    """``project(env)`` is the configuration of migrations that *env* runs, with ``URL`` the developer's."""

    def make(env: str, more: str = "pass") -> Config:
        home = tmp_path / "migrations"
        (home / "versions").mkdir(parents=True)
        (home / "env.py").write_text(HEAD.format(url=developers.url) + RUN + env)
        (home / "versions" / "first.py").write_text(MIGRATION.format(more=more))
        (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
        return Config(str(tmp_path / "alembic.ini"))

    return make


def tables(db: Database) -> list[str]:
    with db.connect() as conn:
        found = conn.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [row[0] for row in found]


@pytest.mark.parametrize("way", list(ENGINES))
def test_an_unchanged_env_py_migrates_the_template_alone(
    server: Server, project: Callable[..., Config], developers: Database, way: str
) -> None:
    with server.database(project(ENGINES[way])) as db:
        assert tables(db) == ["applied", "things"]
    assert tables(developers) == ["precious"]


def test_an_engine_that_was_there_before_comes_back_to_its_own_database(
    server: Server, project: Callable[..., Config], developers: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(developers.url, poolclass=QueuePool)
    with engine.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM precious").scalar() == 0
    monkeypatch.setattr("builtins.the_projects_engine", engine, raising=False)
    try:
        with server.database(project("connectable = the_projects_engine" + SYNC)) as db:
            assert tables(db) == ["applied", "things"]
        with engine.connect() as conn:
            assert conn.exec_driver_sql("SELECT count(*) FROM precious").scalar() == 0
    finally:
        engine.dispose()
    assert tables(developers) == ["precious"]


REFUSED = {
    "another kind of database": "connectable = create_engine('sqlite:///dev.db')" + SYNC,
    "a creator of its own": "import psycopg\n"
    "connectable = create_engine('postgresql+psycopg://', creator=lambda: psycopg.connect("
    "URL.replace('+psycopg', '')))" + SYNC,
    "asyncpg without an engine": "import asyncpg\nasyncio.run(asyncpg.connect(URL.replace('+psycopg', '')))",
    "psycopg without an engine": "import psycopg\nwith psycopg.connect(URL.replace('+psycopg', '')) as c:\n"
    "    c.execute('CREATE TABLE things (id int)')",
    "a program": "import subprocess\nsubprocess.run(['python3', '-c', '''if 1:\n"
    '    import psycopg, sys\n    psycopg.connect(sys.argv[1]).execute("CREATE TABLE x (id int)").connection'
    ".commit()''', URL.replace('+psycopg', '')], capture_output=True)",
}


@pytest.mark.parametrize("way", list(REFUSED))
def test_what_cannot_be_led_to_the_template_changes_nothing_elsewhere(
    server: Server,
    project: Callable[..., Config],
    developers: Database,
    way: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TemplateError) as caught:
        server.template(project(REFUSED[way]))
    assert "config.attributes" in str(caught.value), "the lines for env.py"
    assert tables(developers) == ["precious"]
    assert not (tmp_path / "dev.db").exists() or not (tmp_path / "dev.db").read_bytes()


def test_a_connection_open_since_before_is_refused(
    server: Server, project: Callable[..., Config], developers: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(developers.url, poolclass=StaticPool)
    with engine.connect() as conn:
        monkeypatch.setattr("builtins.held", conn, raising=False)
        with pytest.raises(TemplateError) as caught:
            server.template(project("run(held)"))
    engine.dispose()
    assert developers.name in str(caught.value)
    assert tables(developers) == ["precious"]


def test_every_driver_gets_the_template_in_its_own_words() -> None:
    there = {"host": "/run/pg", "port": "5433", "user": "u", "password": "p@", "dbname": "template"}
    given = {
        "host": "prod",
        "dsn": "x",
        "service": "s",
        "options": "-c search_path=app",
        "sslmode": "require",
    }
    for driver in ("psycopg", "psycopg_async", "psycopg2"):
        found = redirected("postgresql", driver, there, given) or {}
        assert {**found, "options": ""} == {**there, "options": ""}
        assert "search_path=app" in found["options"]
    assert redirected("postgresql", "asyncpg", there, {**given, "server_settings": {"jit": "off"}}) == {
        "dsn": urls.libpq_url(there),
        "options": "-c search_path=app",
        "server_settings": {"jit": "off"},
    }
    assert redirected("postgresql", "pg8000", there, {"host": "prod", "timeout": 3}) == {
        "unix_sock": "/run/pg/.s.PGSQL.5433",
        "user": "u",
        "password": "p@",
        "database": "template",
        "timeout": 3,
    }
    assert redirected("postgresql", "pygresql", there, {}) is None
    assert redirected("mysql", "asyncpg", there, {}) is None


INI = """
[alembic]
script_location = %(here)s/migrations
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = ERROR
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(message)s
"""


def test_the_loggers_of_the_run_are_as_they_were(
    server: Server, project: Callable[..., Config], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project(
        "logging.config.fileConfig(context.config.config_file_name)\nconnectable = create_engine(URL)" + SYNC
    )
    (tmp_path / "alembic.ini").write_text(INI)
    log = logging.getLogger("shop.orders")
    handler = logging.FileHandler(tmp_path / "log", "w")
    log.addHandler(handler)
    level, handlers = logging.root.level, list(logging.root.handlers)
    try:
        log.warning("before")
        assert server.template(Config(str(tmp_path / "alembic.ini"))).built
        log.warning("paid")
    finally:
        log.removeHandler(handler)
        handler.close()
    assert (logging.root.level, logging.root.handlers, log.disabled) == (level, handlers, False)
    assert caplog.messages[-1] == "paid"
    assert (tmp_path / "log").read_text() == "before\npaid\n"


@pytest.mark.parametrize(
    ("env", "more", "said"),
    [
        (
            "connectable = create_engine(URL)" + SYNC,
            "op.execute('SELECT 1/0')",
            ["first.py, line 6", "revision r1"],
        ),
        (
            "connectable = create_engine(URL)" + SYNC,
            "raise SystemExit(1)",
            ["first.py, line 6", "SystemExit"],
        ),
        ("connectable = create_engine(URL)" + SYNC, "{}['x']", ["first.py, line 6", "KeyError: 'x'"]),
        (
            "os.environ['NOT_SET_HERE']",
            "pass",
            ["env.py, line", "KeyError: 'NOT_SET_HERE'", "only the template"],
        ),
        ("pass", "pass", ["env.py", "opened no connection", "config.attributes"]),
    ],
)
def test_what_fails_is_told_by_file_line_and_revision(
    server: Server, project: Callable[..., Config], env: str, more: str, said: list[str]
) -> None:
    with pytest.raises(TemplateError) as caught:
        server.template(project(env, more))
    for each in said:
        assert each in str(caught.value)


@pytest.mark.filterwarnings("default:Revision 0999")
def test_a_revision_that_is_not_there_and_a_directory_that_is_not_there(
    server: Server, project: Callable[..., Any], tmp_path: Path
) -> None:
    config = project("connectable = create_engine(URL)" + SYNC)
    second = tmp_path / "migrations" / "versions" / "second.py"
    second.write_text("revision, down_revision = 'r2', '0999'\ndef upgrade(): pass\n")
    with pytest.raises(TemplateError, match=r"0999.*second\.py"):
        server.template(config)
    config.set_main_option("script_location", str(tmp_path / "migration"))
    with pytest.raises(TemplateError, match=r"(?s)alembic\.ini.*migration"):
        server.template(config)
