"""Reset, unload and freeze take what is the instance's; rows of others that hang on it are named and stay."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from scenarios.domain import get_domain
from scenarios.errors import RowsInTheWay
from scenarios.library import Library
from scenarios.library.freezing.freeze import freeze
from scenarios.library.instances.finding import open_instance
from scenarios.library.instances.load import load
from scenarios.postgres import attach
from scenarios.projects import project_sections

SQL = """
CREATE TABLE shop (id bigserial PRIMARY KEY, name text NOT NULL, UNIQUE (id, name));
CREATE TABLE customer (id bigserial PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shop, name text NOT NULL);
CREATE TABLE rental (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                     customer_id bigint NOT NULL REFERENCES customer ON DELETE RESTRICT, note text);
CREATE TABLE payment (id bigserial, paid_at date NOT NULL, rental_id bigint NOT NULL REFERENCES rental,
                      PRIMARY KEY (id, paid_at)) PARTITION BY RANGE (paid_at);
CREATE TABLE payment_old PARTITION OF payment FOR VALUES FROM ('2020-01-01') TO ('2025-01-01');
CREATE TABLE payment_new PARTITION OF payment FOR VALUES FROM ('2025-01-01') TO ('2035-01-01');
CREATE TABLE parcel (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
                     shop_id bigint REFERENCES shop ON DELETE CASCADE, name text);
CREATE TABLE shelf (shop_id bigint REFERENCES shop ON DELETE CASCADE, number int, name text,
                    PRIMARY KEY (shop_id, number));
CREATE TABLE sign (id serial PRIMARY KEY, shop_id bigint NOT NULL, shop_name text NOT NULL, name text,
                   FOREIGN KEY (shop_id, shop_name) REFERENCES shop (id, name));
CREATE TABLE fan (id serial PRIMARY KEY, favourite bigint REFERENCES shop, name text);
CREATE TABLE reader (id serial PRIMARY KEY, nearest bigint REFERENCES shop ON DELETE SET NULL, name text);
CREATE TABLE branch (id serial PRIMARY KEY, above int REFERENCES branch ON DELETE CASCADE,
                     shop_id bigint REFERENCES shop ON DELETE CASCADE, name text);
CREATE TABLE note (id serial PRIMARY KEY, shop_id bigint REFERENCES shop ON DELETE CASCADE,
                   customer_id bigint NOT NULL REFERENCES customer, name text);
CREATE TABLE review (id serial PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shop,
                     customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE, name text);
CREATE TABLE visit (shop_id bigint NOT NULL REFERENCES shop, note text);
INSERT INTO shop (name) VALUES ('Main');
INSERT INTO customer (shop_id, name) VALUES (1, 'Real Person');
INSERT INTO rental (customer_id, note) VALUES (1, 'real'), (1, 'real');
INSERT INTO payment (paid_at, rental_id) VALUES ('2021-05-01', 1), ('2026-05-01', 2);
INSERT INTO parcel (shop_id, name) VALUES (1, 'real');
INSERT INTO shelf VALUES (1, 1, 'real');
INSERT INTO sign (shop_id, shop_name, name) VALUES (1, 'Main', 'real');
INSERT INTO fan (favourite, name) VALUES (1, 'real');
INSERT INTO reader (nearest, name) VALUES (1, 'real');
INSERT INTO branch (above, shop_id, name) VALUES (NULL, 1, 'real');
INSERT INTO visit VALUES (1, 'real');
"""
STATE = """\
scenario: new_shop
rows:
  shop: {corner: {name: Corner}}
  customer: {ada: {shop: corner, name: Ada}}
  branch: {top: {shop: corner, name: Top}}
  visit: [{shop: corner, note: planned}]
"""
# How a row of somebody else's comes to hang on the instance's shop, whose key is %s; and where it shows.
MOVES = {
    "not null": ("UPDATE customer SET shop_id = %s WHERE id = 1", "customer", 5),
    "cascade": ("UPDATE parcel SET shop_id = %s WHERE name = 'real'", "parcel", 1),
    "part of the key": ("UPDATE shelf SET shop_id = %s", "shelf", 1),
    "several columns": ("UPDATE sign SET shop_id = %s, shop_name = 'Corner'", "sign", 1),
    "may be empty": ("UPDATE fan SET favourite = %s", "fan", 1),
    "its own table": (
        "UPDATE branch SET above = (SELECT max(id) FROM branch) WHERE id = 1 AND %s > 0",
        "branch",
        1,
    ),
    "without a key": ("UPDATE visit SET shop_id = %s WHERE note = 'real'", "visit", 1),
}
MOVE = "UPDATE customer SET shop_id = %s WHERE id = %s"
TABLES = ["shop", "customer", "rental", "payment", "parcel", "shelf", "sign", "fan", "reader", "branch"]
TABLES += ["note", "review", "visit"]


@pytest.fixture(scope="module")
def schema(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shops") / "schema.sql"
    path.write_text(SQL, "utf-8")
    return path


@pytest.fixture(scope="module")
def library(schema, server) -> Library:
    (schema.parent / "new_shop.yaml").write_text(STATE, "utf-8")
    return Library(schema.parent, project=project_sections(schema, lambda: server.database(schema)))


@pytest.fixture
def ours(schema, server):
    with server.database(schema) as database:
        yield database


@pytest.fixture
def theirs(ours):
    """The same in a database without our tag, where there is no journal to ask."""
    with ours.connect() as conn:
        conn.execute(f'COMMENT ON DATABASE "{conn.info.dbname}" IS NULL'.encode())
        conn.execute("DROP SCHEMA scenarios_journal CASCADE")
    database = attach(ours.dsn)
    yield database
    database.close()


@pytest.fixture(params=["ours", "theirs"])
def shops(request):
    return request.getfixturevalue(request.param)


def loaded(library, db, name="qa"):
    return load(library["new_shop"], db, as_name=name, remember=True)


def run(db, *statements, parameters=()):
    with db.connect() as conn:
        for statement in statements:
            conn.execute(statement.encode(), parameters if "%s" in statement else None)


def content(db) -> dict[str, list[tuple]]:
    query = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1")
    with db.connect() as conn:
        return {name: conn.execute(query.format(sql.Identifier(name))).fetchall() for name in TABLES}


@pytest.mark.parametrize("move", MOVES)
def test_a_row_of_somebody_else_is_named_and_nothing_is_done(shops, library, move):
    statement, table, count = MOVES[move]
    empty = content(shops)
    instance = loaded(library, shops)
    run(shops, statement, parameters=instance.key("corner"))
    before = content(shops)
    for work in (instance.reset, instance.unload):
        with pytest.raises(RowsInTheWay, match="nothing was removed") as caught:
            work()
        assert table in str(caught.value)
        assert content(shops) == before
        plan = work(dry_run=True)
        assert plan.in_the_way == caught.value.rows
        assert plan.added == 0
        assert content(shops) == before
    found = caught.value.rows
    assert len(found) == count
    assert {each.table for each in found} >= {table}
    assert all(each.foreign_key in str(caught.value) for each in found)
    report = instance.unload(with_added=True)
    assert report.added == count
    left = {name: len(rows) for name, rows in content(shops).items()}
    gone = {each.table: sum(other.table == each.table for other in found) for each in found}
    assert left == {name: len(rows) - gone.get(name, 0) for name, rows in empty.items()}


def test_a_link_that_the_schema_empties_is_emptied_and_said(shops, library):
    instance = loaded(library, shops)
    run(shops, "UPDATE reader SET nearest = %s", parameters=instance.key("corner"))
    assert instance.unload().left == ("1 row of reader referred to it by nearest; the link was emptied",)
    assert content(shops)["reader"] == [("(1,,real)",)]


def test_what_was_added_since_goes_without_a_question(shops, library):
    instance = loaded(library, shops)
    before = content(shops)
    run(
        shops,
        "INSERT INTO customer (shop_id, name) SELECT max(id), 'Bob' FROM shop",
        "INSERT INTO rental (customer_id) SELECT max(id) FROM customer",
        "INSERT INTO payment (paid_at, rental_id) SELECT '2026-01-01', max(id) FROM rental",
        "INSERT INTO branch (above, name) SELECT max(id), 'Below' FROM branch",
        "UPDATE customer SET name = 'Changed' WHERE name = 'Ada'",
    )
    report = open_instance(shops, "qa", domains={"project": instance.definition.domain}).reset()
    assert (report.added, report.in_the_way) == (4, ())
    assert content(shops) == before
    assert instance.unload().rows == {"shop": 1, "customer": 1, "branch": 1, "visit": 1}


def test_every_way_to_a_row_is_followed(shops, library):
    """A way that may be empty, a longer one, and a second one that is not: each leads to rows of its own."""
    instance = loaded(library, shops)
    before = content(shops)
    run(
        shops,
        "INSERT INTO note (customer_id, name) SELECT max(id), 'longer' FROM customer",
        "INSERT INTO note (shop_id, customer_id, name) SELECT max(id), 1, 'shorter' FROM shop",
        "INSERT INTO review (shop_id, customer_id, name) SELECT max(id), 1, 'of the shop' FROM shop",
        "INSERT INTO review (shop_id, customer_id, name) SELECT 1, max(id), 'of the customer' FROM customer",
    )
    frozen = freeze(shops, name="seen", instance=instance)
    assert (frozen.rows["note"], frozen.rows["review"]) == (2, 2)
    assert instance.reset().added == 4
    assert content(shops) == before


def test_the_journal_tells_rows_without_a_counted_key(ours, library):
    instance = loaded(library, ours)
    before = content(ours)
    run(
        ours,
        "INSERT INTO parcel (shop_id, name) SELECT max(id), 'new' FROM shop",
        "INSERT INTO shelf SELECT max(id), 7, 'new' FROM shop",
    )
    assert instance.reset().added == 2
    assert content(ours) == before
    # A row whose key was changed looks like one that is new: then none of its table is taken for one.
    run(
        ours,
        "INSERT INTO shelf SELECT max(id), 7, 'new' FROM shop",
        "UPDATE shelf SET shop_id = (SELECT max(id) FROM shop) WHERE shop_id = 1",
    )
    with pytest.raises(RowsInTheWay) as caught:
        instance.reset()
    assert {each.key["number"] for each in caught.value.rows} == {"1", "7"}


def test_elsewhere_nothing_tells_them_and_they_are_asked_about(theirs, library):
    instance = loaded(library, theirs)
    run(theirs, "INSERT INTO parcel (shop_id, name) SELECT max(id), 'new' FROM shop")
    with pytest.raises(RowsInTheWay, match="--with-added"):
        instance.reset()
    assert instance.reset(with_added=True).added == 1


def test_a_row_of_another_instance_is_never_taken(shops, library):
    first, second = loaded(library, shops, "p1"), loaded(library, shops, "p2")
    run(shops, MOVE, parameters=[*first.key("corner"), *second.key("ada")])
    before = content(shops)
    for arguments in ({}, {"with_added": True}):
        with pytest.raises(RowsInTheWay, match="the instance 'p2' loaded it") as caught:
            first.reset(**arguments)
        assert caught.value.rows[0].instance == "p2"
        assert content(shops) == before
    second.reset()
    first.reset()
    assert [row for row in content(shops)["customer"] if "Ada" in row[0]] == [
        (f"({each.key('ada')[0]},{each.key('corner')[0]},Ada)",) for each in (first, second)
    ]


def test_an_instance_that_only_this_process_knows_is_one_as_well(ours, library):
    first = library["new_shop"].load(ours, as_name="p1")
    second = library["new_shop"].load(ours, as_name="p2")
    run(ours, MOVE, parameters=[*first.key("corner"), *second.key("ada")])
    with pytest.raises(RowsInTheWay, match="the instance 'p2' loaded it"):
        first.unload()


def test_a_freeze_leaves_somebody_elses_rows_out_and_says_so(shops, library):
    instance = loaded(library, shops)
    run(
        shops,
        "INSERT INTO customer (shop_id, name) SELECT max(id), 'Bob' FROM shop",
        "UPDATE customer SET shop_id = %s WHERE id = 1",
        parameters=instance.key("corner"),
    )
    frozen = freeze(shops, name="seen", instance=instance)
    assert "Real Person" not in frozen.text
    assert "Bob" in frozen.text
    notes = "\n".join(frozen.notes)
    assert "5 rows that may be somebody else's left out" in notes
    assert "left out: customer id=1" in notes
    everything = freeze(shops, name="seen", instance=instance, with_added=True)
    assert "Real Person" in everything.text
    assert "taken: customer id=1" in "\n".join(everything.notes)
    assert everything.rows["payment"] == 2


def test_what_somebody_hangs_there_meanwhile_waits(ours, library):
    """Between the look and the delete nobody can move a row to the instance, for it to go by a cascade."""
    instance = loaded(library, ours)
    with ours.connect() as conn, conn.transaction(force_rollback=True):
        instance.unload(connection=conn)
        with ours.connect() as other:
            other.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("UPDATE parcel SET shop_id = %s", instance.key("corner"))


# --- a system with a column that says to which instance a row belongs


@pytest.fixture
def coach(server):
    with server.database(get_domain("dev_coach")) as database:
        with database.connect() as conn:
            conn.execute(
                "CREATE TABLE invoice (id int PRIMARY KEY, user_id uuid NOT NULL REFERENCES users_user)"
            )
            conn.execute("INSERT INTO users_user (email, password) VALUES ('real@example.com', 'x')")
            conn.execute("INSERT INTO invoice SELECT 1, id FROM users_user")
            conn.execute(f'COMMENT ON DATABASE "{conn.info.dbname}" IS NULL'.encode())
        attached = attach(database.dsn)
        yield attached
        attached.close()


def test_with_a_scope_column_what_carries_it_goes_and_the_rest_is_named(coach):
    library = Library()
    instance = library["one_team"].load(coach)
    person = next(handle for handle in instance if instance.plan.by_handle[handle].table.name == "users_user")
    with coach.connect() as conn:
        conn.execute(
            "INSERT INTO user_notes_usernote (user_id, note) VALUES (%s, 'added')", instance.key(person)
        )
        conn.execute("UPDATE invoice SET user_id = %s", instance.key(person))
    with pytest.raises(RowsInTheWay, match="invoice id=1: refers to users_user by user_id"):
        instance.reset()
    report = instance.reset(with_added=True)
    assert report.added == 2
    assert "test_scenario_testscenario" not in report.rows
    assert sum(report.rows.values()) - report.added == sum(instance.counts.values())
    with coach.connect() as conn:
        assert conn.execute("SELECT email FROM users_user WHERE test_scenario_id IS NULL").fetchall() == [
            ("real@example.com",)
        ]
    instance.unload()


@pytest.mark.parametrize(("system", "scenario"), [("coach_bot", "busy_user"), ("essay_coach", "new_school")])
def test_the_other_systems_keep_somebody_elses_rows(server, system, scenario):
    domain = get_domain(system)
    owner = domain.table(domain.owner)
    with server.database(domain) as db:
        instance = Library()[scenario].load(db)
        other = Library()[scenario].load(db, as_name="other")
        with db.connect() as conn:
            conn.execute(
                f"CREATE TABLE bill (id int PRIMARY KEY, who {'uuid' if system == 'coach_bot' else 'bigint'}"
                f" NOT NULL REFERENCES {owner.name} ON DELETE CASCADE)".encode()
            )
            mine = next(row for row in instance.plan.rows if row.table is owner)
            conn.execute("INSERT INTO bill VALUES (1, %s)", instance.key(mine.handle))
        with pytest.raises(RowsInTheWay, match="bill id=1"):
            instance.unload()
        assert instance.unload(with_added=True).added == 1
        assert other.unload().added == 0
