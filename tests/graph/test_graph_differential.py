"""The writer is what a session is: objects of generated models, written by both, are the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from generated_models import Made, Spec, models, specs
from hypothesis import HealthCheck, given, reject, settings
from psycopg.rows import dict_row
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session

from budgets import examples, search
from scenarios.graph import Graph, write
from scenarios.postgres import Database, Server


@pytest.fixture(scope="module")
def db(server: Server) -> Iterator[Database]:
    """A database with a schema for each of the two writers, which its search_path chooses."""
    base = server.template(lambda conn: conn.execute("CREATE EXTENSION hstore SCHEMA pg_catalog"))
    with server.database(template=base) as database:
        yield database


def rows_of(conn: psycopg.Connection[Any], made: Made) -> dict[str, Any]:
    """Return all rows as text, keys that were counted or drawn replaced by the label of their row."""
    found: dict[str, list[dict[str, Any]]] = {}
    labels: dict[tuple[str, str], str] = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for table in made.base.metadata.sorted_tables:
            names = ", ".join(f'"{column.name}"::text' for column in table.columns)
            found[table.name] = cursor.execute(f'SELECT {names} FROM "{table.name}"').fetchall()  # noqa: S608
    for name in ("parent", "tag", "row"):
        labels |= {(name, row["id"]): row["label"] for row in found[name]}
    whole: dict[str, list[Any]] = {}
    for name, rows in found.items():
        for row in rows:
            if "id" in row:
                row["id"] = labels.get((name, row["id"]))
            if "own_id" in row:
                row["own_id"] = labels["row", row["own_id"]]
            if "tag_id" in row:
                row["tag_id"] = labels["tag", row["tag_id"]]
            if row.get("parent_ref") is not None:
                row["parent_ref"] = labels.get(("parent", row["parent_ref"]), row["parent_ref"])
            for column in list(row):
                if (name, column) in made.unordered:
                    whole.setdefault(f"{name}.{column}", []).append(row.pop(column))
    key = lambda row: sorted((name, str(value)) for name, value in row.items())  # noqa: E731
    return {
        **{name: sorted(rows, key=key) for name, rows in found.items()},
        **{name: sorted(map(str, values)) for name, values in whole.items()},
    }


def compare(db: Database, spec: Spec) -> None:
    with db.connect(autocommit=True) as conn:
        conn.execute("DROP SCHEMA IF EXISTS one CASCADE; DROP SCHEMA IF EXISTS other CASCADE")
        conn.execute("CREATE SCHEMA one; CREATE SCHEMA other")
        with models(spec) as made:
            engine = sa.create_engine(
                db.url, connect_args={"options": "-c search_path=one -c TimeZone=UTC"}, poolclass=sa.NullPool
            )
            made.base.metadata.create_all(engine)
            try:
                with Session(engine) as session:
                    session.add_all(made.objects())
                    session.commit()
            except (sa.exc.StatementError, SAWarning):
                reject()
            conn.execute("SET search_path = one")
            wanted = rows_of(conn, made)
        with models(spec) as made:
            engine = sa.create_engine(
                db.url, connect_args={"options": "-c search_path=other"}, poolclass=sa.NullPool
            )
            made.base.metadata.create_all(engine)
            conn.execute("SET search_path = other")
            graph = Graph()
            graph.add_all(made.objects())
            write(conn, graph)
            assert rows_of(conn, made) == wanted


@settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(spec=specs())
def test_generated_models_are_written_as_a_session_writes_them(db: Database, spec: Spec) -> None:
    compare(db, spec)


@pytest.mark.thorough("models for as long as the search's budget says")
def test_thousands_of_models_are_written_as_a_session_writes_them(db: Database) -> None:
    def test_generated_models_are_written_as_a_session_writes_them(spec: Spec) -> None:
        compare(db, spec)

    assert search(test_generated_models_are_written_as_a_session_writes_them, (1, 2, 3), spec=specs()) >= 300
