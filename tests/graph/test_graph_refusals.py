"""A refused row is named: handle, file and line, constraint, values. Nothing stays."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from graph_models import Animal, Cage, Keeper, Kind, Visit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import CheckConstraint, Column, Integer, MetaData, Table, Text, inspect
from sqlalchemy.dialects.postgresql import JSONB

from budgets import examples
from scenarios.domains.dev_coach import ChatMessage, MessageRole, User
from scenarios.errors import GraphError
from scenarios.graph import Graph, write


def refused(conn, graph):
    with pytest.raises(GraphError) as caught:
        write(conn, graph)
    return str(caught.value)


def test_the_column_is_named_however_many_there_are(conn):
    names = [f"c{number}" for number in range(14)]
    table = Table(
        "wide", MetaData(), *[Column(name, Text) for name in names], Column("facts", JSONB), Column("n")
    )
    conn.execute(f"CREATE TABLE wide ({', '.join(f'{name} text' for name in names)}, facts jsonb, n int)")
    for facts, number, part in (({"at": dt.date(2024, 1, 1)}, 1, "facts={'at'"), ({}, "x", "n='x'")):
        graph = Graph()
        graph.add_rows(table, [*names, "facts", "n"], [[*names, {}, 1], [*names, facts, number]])
        with conn.transaction(force_rollback=True):
            message = refused(conn, graph)
        assert f"values {part}" in message
        assert "row 2 of" in message


def test_a_policy_that_forbids_a_row_is_told_from_a_wrong_row(conn):
    conn.execute("CREATE ROLE graph_app; CREATE TABLE acc (tenant text); GRANT ALL ON acc TO graph_app")
    conn.execute("ALTER TABLE acc ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON acc USING (tenant = 'a')")
    conn.execute("SET ROLE graph_app")
    graph = Graph()
    graph.add_rows(Table("acc", MetaData(), Column("tenant", Text)), ["tenant"], [["b"]])
    message = refused(conn, graph)
    conn.execute("RESET ROLE; DROP TABLE acc; DROP ROLE graph_app")
    assert "BYPASSRLS" in message
    assert "correct the row" not in message


def test_rows_that_a_trigger_drops_do_not_count_as_written(conn):
    conn.execute("CREATE TABLE dropping (n int)")
    conn.execute(
        "CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN IF new.n = 2 THEN RETURN NULL; END IF; RETURN new; END';"
        "CREATE TRIGGER t BEFORE INSERT ON dropping FOR EACH ROW EXECUTE FUNCTION drop_it()"
    )
    graph = Graph()
    graph.add_rows(Table("dropping", MetaData(), Column("n", Integer)), ["n"], [[1], [2], [3]])
    assert write(conn, graph).tables == {"dropping": 2}


def test_a_check(conn):
    graph = Graph()
    kind = Kind(name="cats")
    for number, weight in enumerate([1, 2, -3, 4]):
        graph.add(Animal(kind=kind, weight=Decimal(weight)), f"cat {number}", ("zoo.yaml", 10 + number))
    message = refused(conn, graph)
    for part in ("'cat 2'", "zoo.yaml:12", "constraint animal_weight", "weight=-3", "nothing was written"):
        assert part in message
    assert conn.execute('SELECT count(*) FROM "Kind of animal"').fetchone() == (0,)
    assert inspect(kind).transient
    assert kind.id is None


def test_no_secret_is_shown(conn):
    login = Table(
        "login",
        MetaData(),
        Column("number", Integer, CheckConstraint("number > 0"), primary_key=True),
        Column("token", Text, info={"personal": "secret"}),
    )
    conn.execute("CREATE TABLE login (number int PRIMARY KEY CHECK (number > 0), token text)")
    graph = Graph()
    graph.add_rows(login, ["number", "token"], [(-1, "hush-hush")])
    message = refused(conn, graph)
    assert "number=-1, token=***" in message
    assert "hush-hush" not in message
    conn.execute("CREATE UNIQUE INDEX ON login (token)")
    graph = Graph()
    graph.add_rows(login, ["number", "token"], [(1, "hush-hush"), (2, "hush-hush")])
    message = refused(conn, graph)
    assert "already exists" in message
    assert "hush-hush" not in message


def test_a_unique_name_taken_in_the_database_or_by_another_row(conn):
    for taken_by_row in (False, True):
        first = Keeper(name="ada")
        first.favourite = Cage(keeper=first)
        before = Graph()
        before.add(first)
        with conn.transaction(force_rollback=True):
            graph = Graph()
            if taken_by_row:
                other = Keeper(name="ada", hired=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
                other.favourite = Cage(keeper=other)
                graph.add(first, "one")
                graph.add(other, "two")
            else:
                write(conn, before)
                graph.add(Keeper(name="ada", favourite=first.favourite), "two")
            message = refused(conn, graph)
        assert "keeper_name_key" in message
        assert "name='ada'" in message


def test_a_parent_that_is_not_there(conn):
    graph = Graph()
    graph.add_rows(
        Animal, ["sort", "kind_id"], [("animal", 77), ("animal", 78)], handles=["a", "b"], source=("z.py", 5)
    )
    message = refused(conn, graph)
    assert "animal_kind_id_fkey" in message
    assert "handle a" in message
    assert "z.py:5" in message
    assert "kind_id=77" in message


def test_a_stretch_that_is_not_kept_still_names_its_row(conn):
    graph = Graph()
    rows = (("animal", 1, Decimal(5 - n)) for n in range(20))
    graph.add_rows(Kind, ["id", "Name"], [(1, "k")])
    graph.add_rows(Animal, ["sort", "kind_id", "weight"], rows)
    message = refused(conn, graph)
    assert "row 6" in message
    assert "animal_weight" in message


def test_stretches_written_together_keep_their_places_apart(conn):
    graph = Graph()
    graph.add_rows(Kind, ["id", "Name"], [(1, "k")])
    for line, weights in ((10, [1, 2]), (20, [3, -4]), (30, [5])):
        rows = [("animal", 1, Decimal(weight)) for weight in weights]
        handles = [f"h{line}.{n}" for n in range(len(rows))] if line == 20 else None
        graph.add_rows(Animal, ["sort", "kind_id", "weight"], rows, handles, ("zoo.py", line))
    message = refused(conn, graph)
    for part in ("zoo.py:20", "'h20.1'", "weight=-4", "row 4"):
        assert part in message
    assert write(conn, Graph()).rows == 0


def test_a_column_that_must_have_a_value(conn):
    graph = Graph()
    graph.add(Kind(), "nameless")
    message = refused(conn, graph)
    assert "'nameless'" in message
    assert "Name" in message


def test_the_work_of_the_caller_survives(conn):
    with conn.transaction():
        conn.execute("INSERT INTO tag (label) VALUES ('mine')")
        graph = Graph()
        animal = Animal(kind=Kind(name="k"))
        graph.add(Visit(animal=animal, rating=9), "v")
        assert "visit_rating" in refused(conn, graph)
    assert conn.execute("SELECT label FROM tag").fetchall() == [("mine",)]
    assert conn.execute("SELECT count(*) FROM animal").fetchone() == (0,)


def test_a_trigger_that_refuses_is_quoted_and_secrets_are_not(coach):
    user = User(email="maya@example.com", password="hunter2hunter2", first_name="M", last_name="O")
    other = User(email="MAYA@example.com", password="hunter2hunter2", first_name="N", last_name="O")
    graph = Graph()
    graph.add(user, "maya")
    graph.add(other, "second", ("s.yaml", 2))
    with coach.connect() as conn:
        message = refused(conn, graph)
    assert "users_user_email_lower_key" in message
    assert "'second'" in message
    assert "hunter2" not in message


def test_a_text_too_large_for_the_full_text_index_is_explained(coach):
    user = User(email="maya@example.com", password="x", first_name="M", last_name="O")
    words = " ".join(f"w{n}x" for n in range(160_000))
    graph = Graph()
    graph.add(ChatMessage(user=user, role=MessageRole.COACH, content=words), "long")
    with coach.connect() as conn:
        message = refused(conn, graph)
    assert "shorten the text" in message
    assert "'long'" in message


TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40)


@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=4), st.dictionaries(TEXT, TEXT, max_size=3)), max_size=5)
)
def test_any_text_comes_back_as_it_was(conn, rows):
    with conn.transaction(force_rollback=True):
        graph = Graph()
        animals = [Animal(kind=Kind(name=name), names=names, facts=facts) for name, names, facts in rows]
        graph.add_all(animals)
        write(conn, graph)
        stored = conn.execute(
            'SELECT a.id, k."Name", a.names, a.facts FROM animal a JOIN "Kind of animal" k ON k.id = kind_id'
        ).fetchall()
    assert {row[0]: row[1:] for row in stored} == {
        animal.id: (name, names, facts) for animal, (name, names, facts) in zip(animals, rows, strict=True)
    }
