"""Objects from anywhere become rows, in the right order, with every kind of column."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from graph_models import Animal, Base, Bird, Cage, Colour, Keeper, Kind, Tag, Visit
from sqlalchemy import Column, Integer, MetaData, Table, func, inspect, null, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from scenarios.domain import Domain, Statement
from scenarios.errors import GraphError
from scenarios.graph import Graph, write
from scenarios.values import Seeded

UTC = dt.UTC


def full_bird(kind):
    return Bird(
        kind=kind,
        weight=Decimal("12.250"),
        colour=Colour.GREEN,
        names=["O'Hara", "a,b", 'quo"te', "back\\slash", "", "NULL", "tab\there"],
        grid=[[1, 2], [3, 4]],
        facts={"ü": [1, None, {"deep": "line\nbreak"}], "slash": "\\N"},
        ages=Range(1, 9, bounds="[)"),
        seen=Range(dt.datetime(2026, 1, 1, tzinfo=UTC), None),
        nap=dt.timedelta(hours=1, microseconds=5),
        photo=bytes(range(256)),
        born=dt.date(2020, 2, 29),
        fed_at=dt.time(7, 30),
        speed=0.1,
        cry="tweet\\n\n",
    )


def test_a_graph_comes_back_as_it_was_given(zoo, conn):
    root = Kind(name="all", note="given")
    bird = full_bird(Kind(name="birds", parent=root))
    bird.tags = [Tag(label="loud"), Tag(label="green")]
    graph = Graph()
    graph.add(bird, "tweety")
    written = write(conn, graph)
    assert written.tables == {"Kind of animal": 2, "animal": 1, "bird": 1, "tag": 2, "animal_tag": 2}
    assert written.keys["tweety"] == ("animal", (bird.id,))
    with Session(zoo.engine) as session:
        stored = session.scalars(select(Bird)).one()
        reference = full_bird(stored.kind)
        for name in ("weight", "colour", "names", "grid", "facts", "ages", "seen", "nap", "photo", "born"):
            assert getattr(stored, name) == getattr(reference, name), name
        assert (stored.fed_at, stored.speed, stored.wings) == (dt.time(7, 30), 0.1, 2)
        assert stored.cry == "TWEET\\N\n"
        assert stored.double_weight == Decimal("24.500")
        assert stored.kind.parent.name == "all"
        assert stored.kind.note == "none"
        assert {tag.label for tag in stored.tags} == {"loud", "green"}
        session.expunge_all()


def test_objects_are_usable_in_a_session_afterwards(zoo, conn):
    bird = Bird(kind=Kind(name="birds"), weight=Decimal(3))
    graph = Graph()
    graph.add(bird)
    write(conn, graph)
    assert inspect(bird).detached
    with Session(zoo.engine) as session:
        session.add(bird)
        assert bird.double_weight == Decimal(6)
        bird.weight = Decimal(4)
        session.commit()
        assert bird.double_weight == Decimal(8)
        assert session.scalar(select(func.count()).select_from(Animal)) == 1


def test_what_a_session_holds_but_has_not_written_is_taken_over(zoo, conn):
    with Session(zoo.engine) as session:
        kind = Kind(name="fish")
        session.add(kind)
        graph = Graph()
        graph.add(kind)
        write(conn, graph)
        session.commit()
        assert session.scalar(select(func.count()).select_from(Kind)) == 1


def test_texts_of_rows_that_need_each_other_are_as_they_were(conn):
    names = ["new\nline", "tab\tand\rreturn", "back\\slash \\N \\n", "\b\f\v", "quote \" and '"]
    graph = Graph()
    for name in names:
        keeper = Keeper(name=name)
        keeper.favourite = Cage(keeper=keeper)
        graph.add(keeper)
    write(conn, graph)
    assert {name for (name,) in conn.execute("SELECT name FROM keeper")} == set(names)


def test_rows_that_need_each_other_are_written_together(zoo, conn):
    keepers = []
    for name in ("ada", "bo"):
        keeper = Keeper(name=name)
        cage = Cage(keeper=keeper)
        keeper.favourite = cage
        keepers.append(keeper)
    keepers[1].favourite = keepers[0].favourite
    newcomer = Keeper(name="cy", favourite=keepers[0].favourite, hired=dt.datetime(2020, 1, 1, tzinfo=UTC))
    graph = Graph()
    graph.add_all([*keepers, newcomer])
    written = write(conn, graph)
    assert written.tables == {"keeper": 3, "cage": 2}
    rows = conn.execute(
        "SELECT k.name, f.keeper_id = a.id, k.rank, k.hired FROM keeper k"
        " JOIN cage f ON f.id = k.favourite_id"
        " CROSS JOIN (SELECT id FROM keeper WHERE name = 'ada') a ORDER BY k.name"
    ).fetchall()
    assert [row[:3] for row in rows] == [("ada", True, 7), ("bo", True, 7), ("cy", True, 7)]
    assert rows[2][3] == dt.datetime(2020, 1, 1, tzinfo=UTC)
    with Session(zoo.engine) as session:
        # The database's own sequence goes on behind what was reserved.
        cage = Cage(keeper_id=keepers[0].id)
        session.add(cage)
        session.commit()
        assert cage.id == max(k.favourite_id for k in keepers) + 2 or cage.id > keepers[0].favourite_id


def test_trees_whose_rows_differ_in_columns_are_written_parents_first(conn):
    graph = Graph()
    deepest = parent = Kind(name="0", note="given")
    for level in range(1, 60):
        deepest = Kind(name=str(level), parent=deepest)
        if level % 3 == 0:
            deepest.note = "given"
    graph.add(deepest)
    assert write(conn, graph).rows == 60
    depth = conn.execute(
        'WITH RECURSIVE t AS (SELECT id, 1 AS d FROM "Kind of animal" WHERE parent_id IS NULL UNION ALL'
        ' SELECT k.id, d + 1 FROM "Kind of animal" k JOIN t ON k.parent_id = t.id) SELECT max(d) FROM t'
    ).fetchone()
    assert depth == (60,)
    assert parent.id is not None


def test_a_child_in_a_parents_list_finds_its_parent(conn):
    parent = Kind(name="p")
    parent.children = [Kind(name="a"), Kind(name="b")]
    graph = Graph()
    graph.add(parent)
    write(conn, graph)
    assert [child.parent_id for child in parent.children] == [parent.id] * 2


def test_composite_keys_and_keys_the_database_makes(conn):
    animal = Animal(kind=Kind(name="cats"))
    graph = Graph()
    visits = [Visit(animal=animal, rating=rating) for rating in (1, 5, None)]
    graph.add_all(visits)
    write(conn, graph)
    assert len({visit.code for visit in visits}) == 3
    stored = conn.execute("SELECT code, animal_id, kind_id FROM visit ORDER BY code").fetchall()
    assert stored == sorted((visit.code, animal.id, animal.kind_id) for visit in visits)


def test_parents_in_the_database_are_recognised(zoo, conn):
    with Session(zoo.engine, expire_on_commit=False) as session:
        loaded = Kind(name="dogs")
        session.add(loaded)
        session.commit()
    graph = Graph()
    first = Animal(kind=loaded)
    graph.add(first)
    assert write(conn, graph).tables == {"animal": 1}
    again = Graph()
    second = Animal(kind=first.kind)
    third = Animal(kind=Kind(id=loaded.id, name="known elsewhere"))
    again.add(second)
    again.add(third)
    again.add(third.kind, existing=True)
    assert write(conn, again).tables == {"animal": 2}
    assert {first.kind_id, second.kind_id, third.kind_id} == {loaded.id}
    later = Graph()
    for existing in (False, True, False):
        later.add(third.kind, existing=existing)
    later.add(Animal(kind=third.kind))
    assert write(conn, later).tables == {"animal": 1}, "once it exists it exists"


@pytest.mark.parametrize("rows", [[(1, 2), (3,)], [(1,), (3,)], [(1, 2, 3), (4, 5, 6)], [(1, 2), (4, 5, 6)]])
def test_rows_with_another_number_of_values_are_refused(conn, rows):
    """Cut to the shortest, they would be written without a word, or with the value of another column."""
    conn.execute("CREATE TABLE pair (a int, b int)")
    graph = Graph()
    graph.add_rows(Table("pair", MetaData(), Column("a", Integer), Column("b", Integer)), ["a", "b"], rows)
    with pytest.raises((GraphError, ValueError)):
        write(conn, graph)
    assert conn.execute("SELECT count(*) FROM pair").fetchone() == (0,)
    conn.execute("DROP TABLE pair")


def test_none_leaves_a_column_to_the_database_and_null_does_not(conn):
    graph = Graph()
    graph.add(Kind(name="a", note=None))
    write(conn, graph)
    assert conn.execute('SELECT note FROM "Kind of animal"').fetchall() == [("none",)]
    refused = Graph()
    refused.add(Kind(name="b", note=null()), "b")
    with pytest.raises(GraphError, match="note"):
        write(conn, refused)


def test_sql_expressions_are_refused(conn):
    graph = Graph()
    graph.add(Kind(name=func.now()), "clever", ("zoo.yaml", 4))
    with pytest.raises(GraphError) as caught:
        write(conn, graph)
    assert "SQL expression" in str(caught.value)
    assert "zoo.yaml:4" in str(caught.value)


def test_bare_rows_of_any_iterable(conn):
    graph = Graph()
    graph.add_rows(Kind, ["id", "Name"], ((n, f"kind {n}\t{n}") for n in range(5000)))
    graph.add_rows(Animal, ["sort", "kind_id"], [("animal", 5), ("animal", 6)], handles=["x", None])
    written = write(conn, graph)
    assert written.tables == {"Kind of animal": 5000, "animal": 2}
    assert conn.execute('SELECT count(*), max("Name") FROM "Kind of animal"').fetchone() == (
        5000,
        "kind 999\t999",
    )
    assert conn.execute("SELECT count(DISTINCT id), min(weight) FROM animal").fetchone() == (
        2,
        Decimal("1.5"),
    )


def test_columns_are_checked_when_rows_are_added():
    with pytest.raises(GraphError, match="has no column 'nmae'"):
        Graph().add_rows(Kind, ["nmae"], [])
    with pytest.raises(GraphError, match="double_weight is generated"):
        Graph().add_rows(Animal, ["double_weight"], [])
    with pytest.raises(GraphError, match="neither a table nor a mapped class"):
        Graph().add_rows(dict, ["a"], [])
    with pytest.raises(GraphError, match="dict is not a mapped class"):
        Graph().add({})


def test_missing_keys_are_stable_for_a_handle(conn):
    ids = []
    for _ in range(2):
        graph = Graph(Seeded("seed", "zoo"))
        animal, other = Animal(kind=Kind(name="k")), Animal(kind=Kind(name="l"))
        graph.add(animal, "leo")
        graph.add(other)
        with conn.transaction(force_rollback=True):
            write(conn, graph)
        ids.append((animal.id, other.id))
    assert ids[0] == ids[1]
    assert ids[0][0] == Seeded("seed", "zoo").at("leo").uuid()


def test_an_empty_graph_writes_nothing(conn):
    assert write(conn, Graph()).rows == 0


def test_every_table_of_the_schema_is_covered_here():
    assert set(Base.metadata.tables) == {
        "keeper", "cage", "Kind of animal", "animal", "bird", "tag", "animal_tag", "visit"
    }  # fmt: skip


def a_domain(before=None, after=None):
    return Domain(
        name="zoo", title="Zoo", metadata=Base.metadata, ddl=str, before_load=before, after_load=after
    )


def test_a_domain_prepares_and_finishes_in_the_same_transaction(conn):
    seen = {}
    graph = Graph()
    keeper = Keeper(name="ada", hired=dt.datetime(2020, 1, 1, tzinfo=UTC))
    keeper.favourite = Cage(keeper=keeper)
    graph.add(keeper)
    graph.add(Keeper(name="bo", favourite=keeper.favourite, hired=dt.datetime(2021, 1, 1, tzinfo=UTC)))

    def before(spans):
        seen["spans"] = spans
        (seen["before"],) = yield Statement("SELECT count(*) FROM keeper")

    def after():
        (seen["after"],) = yield Statement("SELECT count(*) FROM keeper")

    write(conn, graph, domain=a_domain(before, after))
    assert seen == {
        "spans": {"keeper": (dt.datetime(2020, 1, 1, tzinfo=UTC), dt.datetime(2021, 1, 1, tzinfo=UTC))},
        "before": (0,),
        "after": (2,),
    }


def test_a_domain_that_cannot_finish_leaves_nothing(conn):
    def after():
        yield Statement("SELECT 1 / 0")

    graph = Graph()
    graph.add(Kind(name="k"))
    with pytest.raises(GraphError, match="division by zero"):
        write(conn, graph, domain=a_domain(after=after))
    assert conn.execute('SELECT count(*) FROM "Kind of animal"').fetchone() == (0,)
