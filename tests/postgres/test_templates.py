"""A template is named by everything that goes into it, built once, complete or not there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from psycopg import sql
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, event, text

from scenarios.domain import get_domain
from scenarios.errors import TemplateError
from scenarios.ownership import OwnershipTag
from scenarios.postgres import Database, Server
from scenarios.postgres.schemas import code_digest, read_source


def rows(db: Database, query: str) -> list[tuple[Any, ...]]:
    with db.connect() as conn:
        return conn.execute(query.encode()).fetchall()


def made_here(server: Server) -> set[str]:
    """The databases this process made; other workers use the same server."""
    return {name for name, tag in server.manager.tagged().items() if tag.pid == os.getpid()}


def metadata(*columns: str, schema: str | None = None) -> MetaData:
    found = MetaData(schema=schema)
    Table("things", found, Column("id", Integer, primary_key=True), *(Column(name, Text) for name in columns))
    return found


ENV_PY = """
from alembic import context
connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
"""

REVISION = """
from alembic import op
revision = "{revision}"
down_revision = {down}
def upgrade():
    op.execute("{statement}")
"""


def migrations(home: Path, *statements: str) -> Config:
    (home / "versions").mkdir(parents=True, exist_ok=True)
    (home / "env.py").write_text(ENV_PY)
    before = None
    for number, statement in enumerate(statements):
        revision = f"r{number}"
        text = REVISION.format(revision=revision, down=repr(before), statement=statement)
        (home / "versions" / f"{revision}.py").write_text(text)
        before = revision
    config = Config()
    config.set_main_option("script_location", str(home))
    config.set_main_option("path_separator", "os")
    return config


def test_from_metadata_with_a_schema_of_its_own(server: Server) -> None:
    with server.database(metadata("body", schema="Own Place")) as db:
        assert rows(db, 'SELECT count(*) FROM "Own Place".things') == [(0,)]


@pytest.mark.parametrize("way", ["by driver", "with an answer"])
def test_from_metadata_whose_listeners_want_a_connection(server: Server, way: str) -> None:
    found = metadata("body")

    @event.listens_for(found, "after_create")
    def finish(target: MetaData, connection: Connection, **options: object) -> None:
        if way == "by driver":
            connection.exec_driver_sql("INSERT INTO things VALUES (1)")
        elif connection.execute(text("SELECT count(*) FROM things")).scalar_one() == 0:
            connection.execute(text("INSERT INTO things VALUES (1)"))

    plain = read_source(metadata("body")).inputs
    assert read_source(found).inputs != plain
    with server.database(found) as db:
        assert rows(db, "SELECT id FROM things") == [(1,)]


def test_from_a_domain(server: Server) -> None:
    domain = get_domain("coach_bot")
    with server.database(domain) as db:
        assert db.schema is domain
        found = {row[0] for row in rows(db, "SELECT relname FROM pg_class WHERE relkind = 'r'")}
        assert set(domain.metadata.tables) <= found


def test_from_a_plain_dump(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "dump.sql"
    script.write_text(
        "\\restrict abc\n"
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\n SELECT E'\\t; COPY x FROM stdin;' $$;\n"
        "CREATE TABLE things (id int, body text); -- isn't this a comment\n"
        "COPY public.things (id, body) FROM stdin;\n1\tone\n2\t\\N\n\\.\n"
        "CREATE INDEX ON things (id);\n"
        "\\unrestrict abc\n"
    )
    with server.database(script) as db:
        assert rows(db, "SELECT * FROM things ORDER BY id") == [(1, "one"), (2, None)]
        assert rows(db, "SELECT f()") == [("\t; COPY x FROM stdin;",)]


def test_from_a_directory_of_scripts_in_order(server: Server, tmp_path: Path) -> None:
    (tmp_path / "20_rows.sql").write_text("INSERT INTO things VALUES (1);")
    (tmp_path / "10_tables.sql").write_text("CREATE TABLE things (id int);")
    with server.database(tmp_path) as db:
        assert rows(db, "SELECT * FROM things") == [(1,)]


def test_from_alembic_replayed_once(server: Server, tmp_path: Path) -> None:
    config = migrations(tmp_path, "CREATE TABLE things (id int)", "ALTER TABLE things ADD body text")
    first, second = server.template(config), server.template(config)
    assert (first.built, second.built) == (True, False)
    with server.database(template=first) as db:
        assert rows(db, "SELECT version_num FROM alembic_version") == [("r1",)]
        assert rows(db, "SELECT id, body FROM things") == []


def test_a_new_migration_makes_a_new_template_and_is_named(server: Server, tmp_path: Path) -> None:
    first = server.template(migrations(tmp_path, "CREATE TABLE things (id int)"))
    second = server.template(
        migrations(tmp_path, "CREATE TABLE things (id int)", "CREATE TABLE more (id int)")
    )
    assert first.why_rebuilt == "first build"
    assert second.name != first.name
    assert second.why_rebuilt == "file versions/r1.py is new"


def test_migrations_that_make_nothing_are_noticed(server: Server, tmp_path: Path) -> None:
    config = migrations(tmp_path, "CREATE TABLE things (id int)")
    (tmp_path / "env.py").write_text("from alembic import context\n")
    with pytest.raises(TemplateError, match="made nothing in the template"):
        server.template(config)


def test_from_a_callable_and_populated(server: Server) -> None:
    def schema(conn: psycopg.Connection[Any]) -> None:
        conn.execute("CREATE TABLE things (id int)")

    def one(conn: psycopg.Connection[Any]) -> None:
        conn.execute("INSERT INTO things VALUES (1)")

    with server.database(template=server.template(schema, populate=one)) as db:
        assert rows(db, "SELECT * FROM things") == [(1,)]
    with server.database(schema) as db:
        assert rows(db, "SELECT * FROM things") == []


def test_layers_stand_on_one_another(server: Server) -> None:
    base = server.template(metadata("body"))
    layer = server.template(
        None, base=base, populate=lambda conn: conn.execute("INSERT INTO things VALUES (7)")
    )
    with server.database(template=layer) as db:
        assert rows(db, "SELECT id FROM things") == [(7,)]
    with server.database(template=base) as db:
        assert rows(db, "SELECT id FROM things") == []


def test_a_clone_has_the_journal_from_the_start(server: Server) -> None:
    from scenarios import journal

    with server.database(metadata("body")) as db, db.connect() as conn:
        assert journal.is_installed(conn)


def test_every_input_is_in_the_name_and_a_rebuild_says_which_changed(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "schema.sql"

    def build(text: str, **more: Any) -> tuple[str, str]:
        script.write_text(text)
        template = server.template(script, **more)
        assert template.built
        return template.name, template.why_rebuilt

    base = server.template(None)
    seen = [
        build("CREATE TABLE a (id int)"),
        build("CREATE TABLE b (id int)"),
        build("CREATE TABLE b (id int)", key="rows of 2024"),
        build("CREATE TABLE b (id int)", key="rows of 2025"),
        build("CREATE TABLE b (id int)", key="rows of 2025", populate=lambda conn: None),
        build("CREATE TABLE b (id int)", key="rows of 2025", base=base),
    ]
    assert len({name for name, _ in seen}) == len(seen)
    assert [why for _, why in seen] == [
        "first build",
        "file schema.sql changed",
        "key is new",
        "key changed",
        "populate is new",
        "base is new, populate is gone",
    ]


def test_the_code_a_callable_runs_is_in_its_digest(tmp_path: Path) -> None:
    def made(body: str, helper: str) -> Callable[..., object]:
        file = tmp_path / "made.py"
        file.write_text(f"def schema(conn):\n    {body}\ndef helper():\n    {helper}\n")
        space: dict[str, Any] = {}
        exec(compile(file.read_text(), str(file), "exec"), space)
        found: Callable[..., object] = space["schema"]
        return found

    first = code_digest(made("return 1", "return 1"))
    assert code_digest(made("return 1", "return 1")) == first
    assert code_digest(made("return 2", "return 1")) != first
    assert code_digest(made("return 1", "return 2")) != first

    def closing_over(value: int) -> Callable[..., object]:
        return lambda conn: value

    assert code_digest(closing_over(1)) != code_digest(closing_over(2))


def test_an_error_names_file_and_line_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "wrong.sql"
    script.write_text("CREATE TABLE a (id int);\n\nCREATE TABLE b (id nonsense);\n")
    before = made_here(server)
    with pytest.raises(TemplateError, match=r"wrong\.sql, line 3") as caught:
        server.template(script)
    assert 'type "nonsense" does not exist' in str(caught.value)
    assert made_here(server) <= before, "an earlier test's database may still be going, none may have come"


def test_psql_commands_are_refused_by_name(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "psql.sql"
    script.write_text("SELECT 1;\n\\! ls\n")
    with pytest.raises(TemplateError, match=r"psql command '\\!'"):
        server.template(script)


def test_a_missing_extension_is_named(server: Server) -> None:
    class Described:
        name = "needs more"
        extensions = ("no_such_extension",)

        def ddl(self) -> str:
            return "SELECT 1"

    with pytest.raises(TemplateError, match="no_such_extension"):
        server.template(Described())


def test_a_schema_nobody_knows_is_refused() -> None:
    with pytest.raises(TemplateError, match="cannot make a database from a int"):
        read_source(3)


def test_a_failing_populate_is_explained_and_leaves_nothing(server: Server) -> None:
    before = made_here(server)
    with pytest.raises(TemplateError, match="ZeroDivisionError"):
        server.template(metadata("body"), populate=lambda conn: 1 / 0)
    assert made_here(server) <= before, "an earlier test's database may still be going, none may have come"


def test_one_build_for_many_who_come_at_once(server: Server, tmp_path: Path) -> None:
    calls: list[int] = []

    def schema(conn: psycopg.Connection[Any]) -> None:
        calls.append(1)
        conn.execute("CREATE TABLE things (id int)")

    built: list[bool] = []

    def build() -> None:
        built.append(server.template(schema, key=str(tmp_path)).built)

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(built) == [False] * 7 + [True]
    assert calls == [1]


def test_a_half_built_one_is_dropped_and_built_anew(server: Server) -> None:
    template = server.template(metadata("half"))
    found = server.manager.read_tag(template.name)
    assert found is not None
    unready = OwnershipTag("template", lease=1, pid=0, birth="0", label=found.label, inputs=found.inputs)
    server.manager.write_tag(template.name, unready)
    again = server.template(metadata("half"))
    assert again.name == template.name
    assert again.built


def test_nobody_can_connect_to_a_template(server: Server) -> None:
    template = server.template(metadata("closed"))
    with server.connect() as conn:
        statement = sql.SQL("SELECT datallowconn FROM pg_database WHERE datname = {}")
        assert conn.execute(statement.format(sql.Literal(template.name))).fetchone() == (False,)


def test_prefetched_clones_are_handed_out_once(server: Server) -> None:
    template = server.template(metadata("fetched"))
    server.prefetch(template, 2)
    ours = server.manager.next_name().rpartition("_")[0]  # other workers clone this template as well
    deadline = time.monotonic() + 60
    ready: list[str] = []
    while len(ready) < 2 and time.monotonic() < deadline:
        tagged = server.manager.tagged().items()
        ready = [name for name, tag in tagged if name.startswith(ours) and tag.template == template.name]
    databases = [server.database(template=template) for _ in range(5)]
    names = {db.name for db in databases}
    assert len(ready) >= 2
    assert names >= set(ready), "what was ready is taken first"
    assert len(names) == 5
    for number, db in enumerate(databases):
        with db.connect() as conn:
            conn.execute("INSERT INTO things VALUES (%s)", [number])
            assert conn.execute("SELECT count(*) FROM things").fetchone() == (1,)
        db.close()
