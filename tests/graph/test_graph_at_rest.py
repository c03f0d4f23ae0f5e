"""Indexes rest and values go in binary while many rows are written; what is there afterwards is the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict

from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import DOMAIN, ChatMessage, CoachingPhase, MessageRole, User
from scenarios.errors import GraphError
from scenarios.graph import Graph, LazyRows, write
from scenarios.graph.bulk_load import MANY
from scenarios.graph.lazy import JoinedRows
from scenarios.validation import validate
from scenarios.values import DEFAULT_ANCHOR, Seeded

KEYED = Seeded("at rest")
MAYA = KEYED.id("maya")
INDEXES = """
SELECT i.indexrelid::regclass::text, i.indexrelid::bigint, pg_get_indexdef(i.indexrelid)
  FROM pg_index AS i
 WHERE i.indrelid = 'chat_messages_chatmessage'::regclass AND i.indisvalid AND i.indisready
 ORDER BY 1
"""
COLUMNS = ("id", "user_id", "role", "content", "timestamp", "metadata")


def indexes(conn: psycopg.Connection) -> tuple[dict[str, str], set[int]]:
    """Return the definition of each index of the messages, and what they are to the server."""
    found = conn.execute(INDEXES).fetchall()
    return {name: text for name, _, text in found}, {oid for _, oid, _ in found}


def messages(count: int = MANY, **other: object) -> Graph:
    """Return Maya and *count* messages; *other* replaces columns of the last but one."""
    graph = Graph(KEYED)
    graph.add(User(id=MAYA, email="maya@example.com", password="x"), "maya")
    rows = []
    for number in range(count):
        given = {
            "id": KEYED.id(f"m{number}"),
            "user_id": MAYA,
            "role": (MessageRole.COACH, "USER")[number % 2],
            "content": f"message {number}\ttab \\N back\\slash\nline é 🦊",
            "timestamp": datetime(2026, 1, 5, 9, tzinfo=timezone(timedelta(hours=number % 5)))
            + timedelta(microseconds=number * 1_234_567),
            "metadata": (None, {"a": 'quote " and \\ and é', "n": [1, None, 2.5]}, {})[number % 3],
        }
        if number == count - 2:
            given |= other
        rows.append(tuple(given[name] for name in COLUMNS))
    graph.add_rows(ChatMessage, COLUMNS, rows, [f"message-{n}" for n in range(count)], ("rows.py", 3))
    return graph


def content(conn: psycopg.Connection) -> list[tuple]:
    return conn.execute("SELECT * FROM chat_messages_chatmessage ORDER BY id").fetchall()


@pytest.fixture
def fresh(coach):
    with coach.connect() as connection:
        yield connection


def test_indexes_are_built_afterwards_as_they_were(fresh):
    before, oids = indexes(fresh)
    write(fresh, messages(), domain=DOMAIN)
    after, others = indexes(fresh)
    assert after == before
    plain = {name for name, text in before.items() if "UNIQUE" not in text}
    assert len(others - oids) == len(plain) >= 6
    found = fresh.execute(
        "SELECT count(*) FROM chat_messages_chatmessage"
        " WHERE to_tsvector('english', content) @@ to_tsquery('slash')"
    ).fetchone()
    assert found == (MANY,)


def test_nothing_rests_in_a_database_of_somebody_else(coach):
    with coach.connect() as conn:
        conn.execute(f'COMMENT ON DATABASE "{conn.info.dbname}" IS NULL'.encode())
        before = indexes(conn)
        write(conn, messages(), domain=DOMAIN)
        assert indexes(conn) == before


@pytest.mark.postgres_matrix
def test_every_version_rests_and_writes_the_same(any_server):
    with any_server.database(DOMAIN) as db, db.connect() as conn:
        before, oids = indexes(conn)
        write(conn, messages(), domain=DOMAIN)
        quick = content(conn)
        after, others = indexes(conn)
        assert after == before
        assert others != oids
    with any_server.database(DOMAIN) as db, db.connect() as conn:
        write(conn, messages(), domain=DOMAIN, alone=False)
        assert content(conn) == quick


def test_few_rows_leave_the_indexes_where_they_are(fresh):
    before = indexes(fresh)
    write(fresh, messages(50), domain=DOMAIN)
    assert indexes(fresh) == before


def test_both_ways_write_the_same(coach, server):
    with coach.connect() as conn:
        write(conn, messages(), domain=DOMAIN)
        quick = content(conn)
        moved = indexes(conn)[1]
    with server.database(DOMAIN) as other, other.connect() as conn:
        write(conn, messages(), domain=DOMAIN, alone=False)
        assert content(conn) == quick
        assert len(quick) == MANY
        assert len(indexes(conn)[1] & moved) < len(moved)


@pytest.mark.parametrize(
    "other",
    [
        {"timestamp": "2026-01-05 09:00:00+02"},
        {"id": str(KEYED.id("text"))},
        {"metadata": MutableDict({"said": "é"})},
    ],
    ids=str,
)
def test_a_value_without_a_binary_form_is_written_all_the_same(coach, server, other):
    with coach.connect() as conn:
        before = indexes(conn)
        write(conn, messages(**other), domain=DOMAIN)
        found = content(conn)
        assert indexes(conn)[0] == before[0]
        assert indexes(conn)[1] != before[1]  # they rested all the same
    with server.database(DOMAIN) as second, second.connect() as conn:
        write(conn, messages(**other), domain=DOMAIN, alone=False)
        assert content(conn) == found


def test_a_value_nobody_takes_is_named(fresh):
    before = indexes(fresh)
    with pytest.raises(GraphError, match=f"message-{MANY - 2}"):
        write(fresh, messages(role="NOBODY"), domain=DOMAIN)
    assert content(fresh) == []
    assert indexes(fresh) == before


def test_a_row_that_comes_twice_is_named_and_the_indexes_stay(fresh):
    before = indexes(fresh)
    with pytest.raises(GraphError, match=r"chat_messages_chatmessage_pkey") as caught:
        write(fresh, messages(id=KEYED.id("m1")), domain=DOMAIN)
    assert f"message-{MANY - 2}" in str(caught.value)
    assert indexes(fresh) == before
    assert content(fresh) == []


def test_a_row_that_an_index_refuses_is_named(fresh):
    before = indexes(fresh)
    words = " ".join(f"{number:x}word" for number in range(120_000))
    with pytest.raises(GraphError, match="shorten the text") as caught:
        write(fresh, messages(content=words), domain=DOMAIN)
    assert f"message-{MANY - 2}" in str(caught.value)
    assert content(fresh) == []
    assert indexes(fresh) == before


def test_a_snapshot_that_was_taken_can_be_restored(coach):
    before = coach.snapshot("before")
    with coach.connect() as conn:
        there = indexes(conn)
        write(conn, messages(), domain=DOMAIN)
        assert indexes(conn) == there  # a journal takes every change of the schema for one
    assert coach.restore(before).in_place
    with coach.connect() as conn:
        assert content(conn) == []


def test_a_snapshot_taken_afterwards_knows_nothing_of_it(coach):
    with coach.connect() as conn:
        write(conn, messages(), domain=DOMAIN)
        before = coach.snapshot()
        conn.execute("DELETE FROM chat_messages_chatmessage")
    assert coach.restore(before).in_place


def test_indexes_do_not_rest_while_somebody_watches_the_schema(fresh):
    fresh.execute("CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'")
    fresh.execute("CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION seen()")
    before = indexes(fresh)
    write(fresh, messages(), domain=DOMAIN)
    assert indexes(fresh) == before


def test_indexes_do_not_rest_beside_a_reader(coach, fresh):
    before = indexes(fresh)
    with coach.connect(autocommit=False) as reader:
        reader.execute("SELECT count(*) FROM chat_messages_chatmessage")
        write(fresh, messages(), domain=DOMAIN)
    assert indexes(fresh) == before
    assert len(content(fresh)) == MANY


@pytest.mark.parametrize(
    "more",
    [
        "COMMENT ON INDEX chat_messages_chatmessage_user_id_idx IS 'dear to somebody'",
        "ALTER TABLE chat_messages_chatmessage CLUSTER ON chat_messages_chatmessage_user_id_idx",
        "ALTER INDEX chat_messages_chatmessage_content_gin_idx ALTER COLUMN 1 SET STATISTICS 500",
    ],
)
def test_an_index_with_more_to_it_than_its_definition_stays(fresh, more):
    fresh.execute(more)
    name = more.split(" INDEX ")[-1].split(" ON ")[-1].split()[0]
    oid = "SELECT %s::regclass::oid"
    before = fresh.execute(oid, [name]).fetchone()
    write(fresh, messages(), domain=DOMAIN)
    assert fresh.execute(oid, [name]).fetchone() == before


def test_indexes_of_a_schema_nobody_described_rest_too(server):
    metadata = MetaData()
    table = Table(
        "thing", metadata, Column("id", Integer, primary_key=True), Column("name", Text, index=True)
    )
    with server.database(metadata) as db, db.connect() as conn:
        oid = "SELECT 'ix_thing_name'::regclass::oid"
        before = conn.execute(oid).fetchone()
        graph = Graph()
        graph.add_rows(table, ["id", "name"], [(number, f"n{number}") for number in range(MANY)])
        write(conn, graph)
        assert conn.execute(oid).fetchone() != before
        assert conn.execute("SELECT count(*) FROM thing WHERE name = 'n7'").fetchone() == (1,)


def test_what_the_database_has_decides_and_not_what_a_model_says(server):
    """The model says that times have a zone; the columns of this database have none."""
    metadata = MetaData()
    key, at = Column("key", Uuid, primary_key=True), Column("at", DateTime(timezone=True))
    table = Table("loose", metadata, key, at)
    east = timezone(timedelta(hours=2))
    rows = [(KEYED.id(f"{n}"), datetime(2026, 1, 1, n % 24, tzinfo=east)) for n in range(MANY)]
    found = []
    for alone in (True, False):
        with server.database() as db, db.connect() as conn:
            conn.execute("CREATE TABLE loose (key uuid PRIMARY KEY, at timestamp)")
            graph = Graph()
            graph.add_rows(table, ["key", "at"], rows)
            write(conn, graph, alone=alone)
            found.append(dict(conn.execute("SELECT * FROM loose").fetchall()))
    assert found[0] == found[1]
    assert found[0][rows[5][0]] == datetime(2026, 1, 1, 5)


def test_types_with_one_meaning_come_out_as_they_went_in(server):
    metadata = MetaData()
    table = Table(
        "exact", metadata, Column("key", Uuid, primary_key=True), Column("at", DateTime(timezone=True)),
        Column("said", Text), Column("flag", Boolean), Column("facts", JSONB),
    )  # fmt: skip
    far = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
    rows = [
        (
            KEYED.id(f"{n}"),
            None if n % 7 == 0 else far[n % 2] if n % 11 == 0 else DEFAULT_ANCHOR - timedelta(microseconds=n),
            None if n % 5 == 0 else f"é\t\\ {n} 🦊" if n % 3 else "",
            (True, False, None)[n % 3],
            (None, {"a": ["é", None]}, [1, "2"])[n % 3],
        )
        for n in range(MANY)
    ]
    with server.database(metadata) as db, db.connect() as conn:
        graph = Graph()
        graph.add_rows(table, list(table.columns.keys()), LazyRows(len(rows), lambda: rows))
        write(conn, graph)
        conn.execute("SET TIME ZONE 'UTC'")
        # The year 1 is before what psycopg's default loader accepts in no zone, so all are compared in UTC.
        found = {row[0]: row for row in conn.execute("SELECT * FROM exact").fetchall()}
    assert found == {row[0]: row for row in rows}
    assert isinstance(rows[1][0], UUID)


def test_generated_stretches_are_written_once_and_again(coach, server):
    scenario = a_scenario("lazy").user("maya").in_phase(CoachingPhase.INTEGRATION).conversation(turns=2100)
    built = scenario.build()
    with coach.connect() as conn:
        built.load(conn)
        first = content(conn)
        assert validate(conn, DOMAIN) == []
    with server.database(DOMAIN) as other, other.connect() as conn:
        with conn.transaction():
            built.load(conn)
        assert content(conn) == first
    assert len(first) == 2100


def test_lazy_rows_are_a_sequence():
    begun = []

    def make():
        begun.append(1)
        return ((number, number * 2) for number in range(5))

    rows = LazyRows(5, make)
    assert not begun
    assert len(rows) == 5
    assert list(rows) == list(rows) == [(0, 0), (1, 2), (2, 4), (3, 6), (4, 8)]
    assert rows[3] == rows[-2] == (3, 6)
    assert rows[1:3] == [(1, 2), (2, 4)]
    with pytest.raises(IndexError):
        rows[5]
    joined = JoinedRows([[("a",)], rows, [], [("b",), ("c",)]])
    assert len(joined) == 8
    assert [joined[place] for place in range(8)] == list(joined)
    assert joined[-1] == ("c",)
    assert joined[5:7] == [(4, 8), ("b",)]
    with pytest.raises(IndexError):
        joined[8]


def test_a_refusal_names_the_row_of_a_lazy_stretch(conn):
    from graph_models import Kind

    graph = Graph()
    graph.add_rows(Kind, ["id", "Name"], [(1, "one")], ["first"], ("kinds.py", 1))
    graph.add_rows(
        Kind,
        ["id", "Name"],
        LazyRows(3, lambda: ((n, f"kind {n}") for n in (2, 3, 1))),
        None,
        ("kinds.py", 2),
    )
    with pytest.raises(GraphError, match=r"kinds\.py:2") as caught:
        write(conn, graph)
    assert "Name='kind 1'" in str(caught.value)
