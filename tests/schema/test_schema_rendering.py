"""Rendering: one script that runs, the same in every process, and makes what create_all makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from schema_shop import OBJECTS, make_shop
from sqlalchemy import create_engine, create_mock_engine, pool

from scenarios.errors import DomainError
from scenarios.postgres import Database, Server
from scenarios.schema.catalogue import read_catalogue
from scenarios.schema.rendering import SqlObject, attach, render, sql_objects

HERE = Path(__file__).parent


def test_the_script_makes_what_create_all_makes(server: Server, fresh_db: Database) -> None:
    with fresh_db.connect() as conn:
        conn.execute(render(make_shop(), OBJECTS).encode())
        rendered = read_catalogue(conn)
        assert conn.execute("SELECT shop.percent(0.5)").fetchone() == ("50.0%",)
        conn.execute("""INSERT INTO "Customer" (name) VALUES ('Maya')""")
        with pytest.raises(psycopg.errors.RaiseException, match="no:"):
            conn.execute("""INSERT INTO shop."order" (customer, total) VALUES (1, -1)""")
    shop = make_shop()
    attach(shop, OBJECTS)
    with server.database() as other, other.connect() as conn:
        conn.execute("CREATE SCHEMA shop")
        engine = create_engine(other.url, poolclass=pool.NullPool)
        shop.create_all(engine)
        assert rendered.differences(read_catalogue(conn)) == []
        shop.create_all(engine)  # where everything is there already
        shop.drop_all(engine)
        assert set(read_catalogue(conn).objects) == {("schema", "shop")}


def test_rendering_does_not_change_the_metadata() -> None:
    shop = make_shop()
    assert render(shop, OBJECTS) == render(shop, OBJECTS) == render(make_shop(), OBJECTS)
    seen: list[str] = []
    engine: Any = create_mock_engine(
        "postgresql+psycopg://", lambda element, *_, **__: seen.append(str(element.compile(engine)))
    )
    shop.create_all(engine, checkfirst=False)
    assert sum(text.count("FOREIGN KEY") for text in seen) == 3


def test_the_script_is_the_same_in_every_process() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(HERE)!r}); from schema_shop import OBJECTS, make_shop;"
        " from scenarios.schema.rendering import render; print(render(make_shop(), OBJECTS), end='')"
    )
    for seed in ("1", "7"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        )
        assert done.stdout == render(make_shop(), OBJECTS)


def test_extensions_and_early_objects_come_first() -> None:
    early = SqlObject("type", "mood", "CREATE TYPE mood AS ENUM ('good')", before_tables=True)
    script = render(make_shop(), [*OBJECTS, early], extensions=("citext",), heading="A shop.\nFor tests.")
    assert script.startswith('-- A shop.\n-- For tests.\n\nCREATE EXTENSION IF NOT EXISTS "citext";')
    order = ["citext", "CREATE TYPE mood", "CREATE SCHEMA", "CREATE TABLE", "CREATE OR REPLACE FUNCTION"]
    assert [script.index(word) for word in order] == sorted(script.index(word) for word in order)


def test_what_reads_create_all_is_given_attached_objects_too() -> None:
    shop, seen = make_shop(), []
    attach(shop, OBJECTS)
    engine: Any = create_mock_engine("postgresql+psycopg://", lambda element, *_, **__: seen.append(element))
    shop.create_all(engine, checkfirst=False)
    assert [item for item in seen if isinstance(item, str)] == [item.create for item in OBJECTS]


def test_objects_are_read_from_a_file_in_its_order() -> None:
    found = sql_objects("scenarios.domains.dev_coach.sql", "functions.sql")
    assert [item.kind for item in found] == ["function"] * len(found)
    assert found[0].name == "dev_coach_touch_updated_at()"
    assert found[0].drop == "DROP FUNCTION IF EXISTS dev_coach_touch_updated_at()"
    assert all(item.create.startswith("CREATE OR REPLACE FUNCTION " + item.name) for item in found)
    assert not any(item.create.endswith(";") for item in found)


def test_a_file_without_marks_is_refused() -> None:
    with pytest.raises(DomainError, match=r"catalogue\.sql cannot be told apart"):
        sql_objects("scenarios.schema.sql", "catalogue.sql")
