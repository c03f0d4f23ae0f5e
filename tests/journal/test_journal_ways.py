"""A restore has a short way for tests that only insert, only delete, or only update: each is as exact.

What decides between them are the undo rows. Here are programs that stand near the edge of one: they look like
it and are not.
"""

from __future__ import annotations

import psycopg
import pytest

from scenarios import journal

pytestmark = pytest.mark.postgres_matrix

PEOPLE = """
    CREATE TABLE person (
        id integer PRIMARY KEY, email text NOT NULL, name text, visits integer DEFAULT 0, tag text,
        note text);
    CREATE UNIQUE INDEX ON person (lower(email));
    CREATE UNIQUE INDEX ON person (name) WHERE tag = 'chief';
    CREATE INDEX ON person (visits);
    INSERT INTO person SELECT g, 'p' || g || '@example.org', 'n' || g, g FROM generate_series(1, 40) g;
"""


@pytest.mark.parametrize(
    ("program", "rows"),
    [
        ("INSERT INTO person SELECT g, 'e' || g FROM generate_series(100, 107) g", 8),
        ("DELETE FROM person WHERE id < 6", 5),
        ("UPDATE person SET name = 'x', visits = NULL WHERE id < 4", 6),
        ("UPDATE person SET tag = 'a' WHERE id = 1; UPDATE person SET tag = 'b' WHERE id = 2", 4),
        ("UPDATE person SET tag = 'a' WHERE id = 1; UPDATE person SET tag = 'b' WHERE id = 1", 2),
        ("UPDATE person SET tag = 'a' WHERE id < 3; UPDATE person SET tag = NULL WHERE id < 3", 0),
        ("UPDATE person SET name = name", 0),
        ("UPDATE person SET name = CASE WHEN id = 7 THEN 'other' ELSE name END WHERE id < 10", 2),
        ("INSERT INTO person VALUES (50, 'new'); DELETE FROM person WHERE id = 50", 0),
        ("DELETE FROM person WHERE id = 7; INSERT INTO person VALUES (7, 'p7@example.org', 'n7', 7)", 0),
        ("DELETE FROM person WHERE id = 7; INSERT INTO person VALUES (7, 'other')", 2),
        # As many taken away as put there, and two for each key on average.
        ("DELETE FROM person WHERE id = 1; INSERT INTO person VALUES (60, 'a');"
         " DELETE FROM person WHERE id = 60; INSERT INTO person VALUES (60, 'b')", 2),
        # The same, and one that went away and came back.
        (
            "UPDATE person SET note = 'away' WHERE id = 1; UPDATE person SET note = NULL WHERE id = 1;"
            " INSERT INTO person VALUES (70, 'a'); DELETE FROM person WHERE id = 2",
            2,
        ),
        # Gone from one address, and back to it by way of another.
        ("UPDATE person SET email = 'away' WHERE id = 3;"
         " UPDATE person SET email = 'p3@example.org', tag = 'back' WHERE id = 3", 2),
        ("UPDATE person SET id = id + 100 WHERE id < 3", 4),
    ],
)  # fmt: skip
def test_what_looks_like_one_kind(any_bench, program, rows):
    any_bench.ddl(PEOPLE)
    assert any_bench.cycle(program, changed=rows > 0).rows == rows


def test_values_that_have_to_be_unique_change_hands(any_bench):
    any_bench.ddl(PEOPLE)
    any_bench.cycle(
        "UPDATE person SET email = 'free' WHERE id = 1",
        "UPDATE person SET email = 'P1@example.org' WHERE id = 2",
        "UPDATE person SET email = 'p2@example.org' WHERE id = 1",
    )
    # Through an expression, and through the predicate of a partial index.
    any_bench.cycle(
        "BEGIN; UPDATE person SET email = 't' WHERE id = 1; UPDATE person SET email = 'p1@example.org' WHERE"
        " id = 2; UPDATE person SET email = 'p2@example.org' WHERE id = 1; COMMIT"
    )
    any_bench.ddl("UPDATE person SET name = 'same', tag = CASE id WHEN 1 THEN 'chief' END WHERE id < 3")
    any_bench.cycle(
        "UPDATE person SET tag = NULL WHERE id = 1", "UPDATE person SET tag = 'chief' WHERE id = 2"
    )


def test_rows_that_may_not_overlap_move(any_bench):
    any_bench.ddl(
        "CREATE TABLE stay (id integer PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&));"
        "INSERT INTO stay VALUES (1, '[1,3)'), (2, '[3,5)')"
    )
    any_bench.cycle(
        "UPDATE stay SET during = '[10,12)' WHERE id = 1", "UPDATE stay SET during = '[1,3)' WHERE id = 2"
    )


def test_a_partition_may_want_more_to_be_unique(any_bench):
    any_bench.ddl(
        "CREATE TABLE m (id integer, at integer, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
        "CREATE TABLE m_late (v text, at integer NOT NULL, id integer NOT NULL);"
        "ALTER TABLE m ATTACH PARTITION m_late FOR VALUES FROM (10) TO (20);"
        "CREATE UNIQUE INDEX ON m_late (v); INSERT INTO m VALUES (1, 11, 'a'), (2, 12, 'b')"
    )
    any_bench.cycle(
        "BEGIN; UPDATE m SET v = 'c' WHERE id = 1; UPDATE m SET v = 'a' WHERE id = 2; COMMIT",
    )


def test_identity_that_takes_no_value_from_an_update(any_bench):
    any_bench.ddl(
        "CREATE TABLE doc (code text PRIMARY KEY, n integer GENERATED ALWAYS AS IDENTITY, v text,"
        " w text GENERATED ALWAYS AS (v || '!') STORED);"
        "INSERT INTO doc (code, v) VALUES ('a', 'x'), ('b', 'y')"
    )
    any_bench.cycle("UPDATE doc SET v = 'changed'")
    any_bench.cycle("UPDATE doc SET n = DEFAULT, v = 'changed' WHERE code = 'a'")


ANY_CASE = """
    CREATE FUNCTION any_case(text, text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT
        AS 'SELECT bttextcmp(lower($1), lower($2))';
    CREATE FUNCTION any_lt(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
        AS 'SELECT public.any_case($1, $2) < 0';
    CREATE FUNCTION any_le(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
        AS 'SELECT public.any_case($1, $2) <= 0';
    CREATE FUNCTION any_eq(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
        AS 'SELECT public.any_case($1, $2) = 0';
    CREATE OPERATOR <~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = any_lt);
    CREATE OPERATOR <=~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = any_le);
    CREATE OPERATOR =~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = any_eq);
    CREATE OPERATOR CLASS any_case FOR TYPE text USING btree AS
        OPERATOR 1 <~~, OPERATOR 2 <=~~, OPERATOR 3 =~~, FUNCTION 1 any_case(text, text);
    CREATE TABLE word (w text NOT NULL, n integer, v text);
    CREATE UNIQUE INDEX ON word (w any_case);
    INSERT INTO word VALUES ('a', 1), ('b', 2);
"""


def test_a_key_that_its_index_sees_in_its_own_way(any_bench):
    """For this index 'a' and 'A' are one key, and for everything else they are two."""
    any_bench.ddl(ANY_CASE)
    any_bench.cycle("UPDATE word SET w = 'A', v = 'x' WHERE w = 'a'", "UPDATE word SET w = 'a' WHERE w = 'A'")
    any_bench.cycle("UPDATE word SET w = 'A' WHERE w = 'a'", "UPDATE word SET n = n + 1")
    any_bench.cycle("UPDATE word SET w = 'c' WHERE w = 'a'", "INSERT INTO word VALUES ('A', 9)")


def test_a_key_that_cannot_be_grouped(any_bench):
    """A point has no order of its own; this index brings one."""
    any_bench.ddl(
        "CREATE FUNCTION by_text(point, point) RETURNS integer LANGUAGE sql IMMUTABLE STRICT"
        " AS 'SELECT bttextcmp($1::text, $2::text)';"
        "CREATE FUNCTION same_text(point, point) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT"
        " AS 'SELECT $1::text = $2::text';"
        "CREATE OPERATOR =~~ (LEFTARG = point, RIGHTARG = point, FUNCTION = same_text);"
        "CREATE OPERATOR CLASS by_text FOR TYPE point USING btree AS"
        " OPERATOR 3 =~~, FUNCTION 1 by_text(point, point);"
        "CREATE TABLE spot (p point NOT NULL, v integer); CREATE UNIQUE INDEX ON spot (p by_text);"
        "INSERT INTO spot VALUES ('(1,2)', 1), ('(3,4)', 2)"
    )
    any_bench.cycle("UPDATE spot SET v = v + 1")
    any_bench.cycle("UPDATE spot SET p = '(5,6)' WHERE v = 1")


def test_columns_called_as_our_own_parameters(any_bench):
    any_bench.ddl(
        'CREATE TABLE odd (id integer PRIMARY KEY, since integer, dead integer, "until" integer,'
        " removed integer, returned integer, expected integer, put_there integer, taken_away integer,"
        " met integer, which integer, n integer, op integer, c1 integer, net integer, t integer, u integer);"
        "INSERT INTO odd (id, since) SELECT g, g FROM generate_series(1, 4) g"
    )
    any_bench.cycle("UPDATE odd SET since = since + 1, dead = 1, op = 2, met = 3, t = 4, u = 5")
    any_bench.cycle("DELETE FROM odd WHERE since < 3")
    any_bench.cycle("INSERT INTO odd (id, n) VALUES (9, 9)")
    any_bench.cycle("UPDATE odd SET c1 = 7 WHERE id = 2", "DELETE FROM odd WHERE id = 1")


def test_types_outside_the_search_path(any_bench):
    any_bench.ddl(
        "CREATE SCHEMA apart; CREATE TYPE apart.mood AS ENUM ('sad', 'happy');"
        "CREATE DOMAIN apart.moods AS apart.mood[]; CREATE TYPE apart.pair AS (a integer, m apart.mood);"
        "CREATE TABLE apart.person (id integer PRIMARY KEY, m apart.mood, ms apart.moods, p apart.pair);"
        "INSERT INTO apart.person VALUES (1, 'sad', '{sad,happy}', '(1,sad)'), (2, 'happy', '{}', NULL);"
        "SET search_path = apart"
    )
    any_bench.control.execute("SET search_path = apart, public")
    any_bench.cycle("UPDATE person SET m = 'happy', ms = '{happy}', p = '(2,happy)'")
    any_bench.cycle("UPDATE person SET m = NULL WHERE id = 1", "DELETE FROM person WHERE id = 2")


def test_installing_by_somebody_with_another_search_path_keeps_what_was_recorded(any_bench):
    any_bench.ddl(
        "CREATE SCHEMA apart; CREATE TYPE apart.mood AS ENUM ('sad', 'happy');"
        "CREATE TABLE person (id integer PRIMARY KEY, m apart.mood); INSERT INTO person VALUES (1, 'sad')"
    )
    before = journal.contents(any_bench.control)
    taken = journal.snapshot(any_bench.control)
    any_bench.ddl("UPDATE person SET m = 'happy'")
    any_bench.control.execute("SET search_path = apart")
    journal.install(any_bench.control)
    assert journal.restore(any_bench.control, taken).rows == 2
    assert journal.contents(any_bench.control) == before


def test_an_update_undone_leaves_indexes_alone(any_bench):
    """Their size is what thousands of restores add up to."""
    any_bench.ddl(PEOPLE)
    taken = journal.snapshot(any_bench.control)
    written = "SELECT n_tup_hot_upd, n_tup_ins, n_tup_del FROM pg_stat_user_tables WHERE relname = 'person'"

    def counts() -> tuple[int, ...]:
        for conn in (any_bench.app, any_bench.control):
            conn.execute("SELECT pg_stat_force_next_flush()")
        row = any_bench.control.execute(written).fetchone()
        assert row is not None
        return row

    before = counts()
    for _ in range(10):
        any_bench.ddl("UPDATE person SET note = 'x' WHERE id = 5")
        journal.restore(any_bench.control, taken)
    assert [late - early for early, late in zip(before, counts(), strict=True)] == [20, 0, 0]


def test_rows_gone_past_the_triggers_are_missed_on_every_way(any_bench):
    any_bench.ddl(PEOPLE)
    for program in ("UPDATE person SET tag = 'x' WHERE id = 9", "INSERT INTO person VALUES (90, 'e')"):
        taken = journal.snapshot(any_bench.control)
        any_bench.ddl(program)
        any_bench.ddl("SET scenarios_journal.restoring = 'on'; DELETE FROM person WHERE id IN (9, 90);"
                      " RESET scenarios_journal.restoring")  # fmt: skip
        with pytest.raises(journal.CannotRestoreInPlace, match="past its triggers"):
            journal.restore(any_bench.control, taken)
        assert any_bench.control.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


ONE_KIND = {
    "inserts": "INSERT INTO person VALUES ({0}1, 'e{0}1'), ({0}2, 'e{0}2')",
    "deletes": "DELETE FROM person WHERE id IN ({0}, {0} + 1)",
    "updates": "UPDATE person SET tag = coalesce(tag, '') || '{0}', visits = {0} WHERE id > 30",
}


@pytest.mark.parametrize("outer", ONE_KIND)
@pytest.mark.parametrize("inner", ONE_KIND)
def test_what_an_inner_snapshot_undid_does_not_count_again(any_bench, outer, inner):
    any_bench.ddl(PEOPLE)
    before = journal.contents(any_bench.control)
    start = journal.snapshot(any_bench.control)
    any_bench.ddl(ONE_KIND[outer].format(6))
    between = journal.contents(any_bench.control)
    middle = journal.snapshot(any_bench.control)
    any_bench.ddl(ONE_KIND[inner].format(9))
    journal.restore(any_bench.control, middle)
    assert journal.contents(any_bench.control) == between
    journal.restore(any_bench.control, start)
    assert journal.contents(any_bench.control) == before
