"""Every case a restore in place has to survive; each test fails when its handling is taken out."""

from __future__ import annotations

import psycopg
import pytest

from scenarios import journal

pytestmark = pytest.mark.postgres_matrix

SHOP = """
    CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE NOT NULL);
    CREATE TABLE orders (
        id serial PRIMARY KEY, customer_id bigint REFERENCES customer ON DELETE CASCADE,
        amount numeric(10, 2) NOT NULL, twice numeric GENERATED ALWAYS AS (amount * 2) STORED);
    CREATE TABLE note (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), text text,
        order_id integer REFERENCES orders ON DELETE SET NULL);
    INSERT INTO customer (email) SELECT 'c' || g FROM generate_series(1, 20) g;
    INSERT INTO orders (customer_id, amount) SELECT g, g * 1.5 FROM generate_series(1, 20) g;
    INSERT INTO note (text, order_id) SELECT 'n' || g, g FROM generate_series(1, 20) g;
"""


def test_plain_writes(any_bench):
    any_bench.ddl(SHOP)
    restored = any_bench.cycle(
        "INSERT INTO customer (email) VALUES ('new')",
        "UPDATE orders SET amount = amount + 1 WHERE id IN (3, 4)",
        "DELETE FROM note WHERE text = 'n7'",
    )
    assert restored.tables == {"public.customer": 1, "public.orders": 4, "public.note": 1}
    assert restored.rows == 6
    assert restored.in_place


def test_the_same_key_written_again_and_again(any_bench):
    any_bench.ddl(SHOP)
    any_bench.cycle(
        "UPDATE customer SET email = 'x' WHERE id = 1",
        "DELETE FROM customer WHERE id = 1",
        "INSERT INTO customer (id, email) OVERRIDING SYSTEM VALUE VALUES (1, 'y')",
        "UPDATE customer SET email = 'z' WHERE id = 1",
        "INSERT INTO customer (id, email) OVERRIDING SYSTEM VALUE VALUES (77, 'gone')",
        "DELETE FROM customer WHERE id = 77",
    )


def test_composite_key(any_bench):
    any_bench.ddl(
        "CREATE TABLE seat (hall text, number integer, taken boolean, PRIMARY KEY (hall, number));"
        "INSERT INTO seat SELECT h, n, false FROM unnest(ARRAY['a', 'b']) h, generate_series(1, 9) n"
    )
    any_bench.cycle(
        "UPDATE seat SET taken = true WHERE hall = 'a' AND number < 4",
        "DELETE FROM seat WHERE hall = 'b' AND number = 2",
        "INSERT INTO seat VALUES ('c', 2, true)",
    )


def test_no_key_and_equal_rows(any_bench):
    any_bench.ddl(
        "CREATE TABLE log (line text, data json);"
        "INSERT INTO log SELECT 'same', '{\"a\": 1}' FROM generate_series(1, 5);"
        "INSERT INTO log VALUES (NULL, NULL), ('other', '[]')"
    )
    any_bench.cycle(
        "DELETE FROM log WHERE ctid IN (SELECT ctid FROM log WHERE line = 'same' LIMIT 2)",
        "INSERT INTO log SELECT 'same', '{\"a\": 1}' FROM generate_series(1, 4)",
        "INSERT INTO log VALUES ('new', '{\"b\":  2}'), ('new', '{\"b\":  2}')",
        "UPDATE log SET data = '{}' WHERE line IS NULL",
    )


def test_a_deferrable_key_is_no_key(any_bench):
    # Two rows may bear the same key for a while, so a key does not say which row is meant.
    any_bench.ddl(
        "CREATE TABLE rank (place integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, who text);"
        "INSERT INTO rank VALUES (1, 'a'), (2, 'b'), (3, 'c')"
    )
    any_bench.cycle("BEGIN; INSERT INTO rank VALUES (1, 'x'); DELETE FROM rank WHERE who = 'a'; COMMIT")
    any_bench.cycle("UPDATE rank SET place = 4 - place")


def test_key_updates(any_bench):
    any_bench.ddl(
        "CREATE TABLE item (id integer PRIMARY KEY, v text); INSERT INTO item SELECT g, g FROM"
        " generate_series(1, 9) g"
    )
    any_bench.cycle(
        "UPDATE item SET id = id + 100 WHERE id < 4", "UPDATE item SET id = 1, v = 'x' WHERE id = 102"
    )
    # A chain whose keys exist before and after.
    any_bench.cycle("UPDATE item SET id = -id", "UPDATE item SET id = 1 - id")


def test_generated_and_identity_columns(any_bench):
    any_bench.ddl(SHOP)
    any_bench.cycle("DELETE FROM orders WHERE id = 5", "DELETE FROM customer WHERE id = 6")


def test_cascade_and_set_null(any_bench):
    any_bench.ddl(SHOP)
    restored = any_bench.cycle("DELETE FROM customer WHERE id IN (2, 3)")
    assert restored.tables == {"public.customer": 2, "public.orders": 2, "public.note": 4}


def test_a_tree_in_one_table(any_bench):
    any_bench.ddl(
        "CREATE TABLE node (id integer PRIMARY KEY, parent integer REFERENCES node ON DELETE CASCADE, n"
        " text);"
        "INSERT INTO node SELECT g, nullif(g / 2, 0), g FROM generate_series(1, 31) g"
    )
    any_bench.cycle(
        "DELETE FROM node WHERE id = 2",
        "UPDATE node SET n = 'x' WHERE id = 3",
        "DELETE FROM node WHERE id = 3",
    )


def test_upsert_merge_and_copy(any_bench):
    any_bench.ddl(SHOP)
    with any_bench.app.cursor() as cursor:
        before = journal.contents(any_bench.control)
        taken = journal.snapshot(any_bench.control)
        cursor.execute(
            "INSERT INTO customer (id, email) OVERRIDING SYSTEM VALUE VALUES (1, 'up'), (99, 'in')"
            " ON CONFLICT (id) DO UPDATE SET email = excluded.email"
        )
        cursor.execute("INSERT INTO customer (email) VALUES ('up') ON CONFLICT DO NOTHING")
        cursor.execute(
            "MERGE INTO orders o USING (VALUES (1, 5), (2, 0), (500, 9)) x (id, amount) ON o.id = x.id"
            " WHEN MATCHED AND x.amount = 0 THEN DELETE"
            " WHEN MATCHED THEN UPDATE SET amount = x.amount"
            " WHEN NOT MATCHED THEN INSERT (customer_id, amount) VALUES (1, x.amount)"
        )
        with cursor.copy("COPY note (text, order_id) FROM STDIN") as copy:
            for number in range(50):
                copy.write_row((f"copied {number}", 3))
        found = journal.changes(any_bench.control, taken)
        assert found.counts == {
            "public.customer": {"inserted": 1, "updated": 1, "deleted": 0},
            "public.note": {"inserted": 50, "updated": 1, "deleted": 0},
            "public.orders": {"inserted": 1, "updated": 1, "deleted": 1},
        }
        journal.restore(any_bench.control, taken)
        assert journal.contents(any_bench.control) == before


def test_truncate(any_bench):
    any_bench.ddl(SHOP)
    any_bench.cycle(
        "INSERT INTO customer (email) VALUES ('before')",
        "TRUNCATE customer RESTART IDENTITY CASCADE",
        "INSERT INTO customer (email) VALUES ('after'), ('c3')",
        "TRUNCATE note",
    )


def test_several_writes_in_one_statement(any_bench):
    any_bench.ddl(SHOP)
    any_bench.cycle(
        "WITH a AS (UPDATE customer SET email = email || '!' WHERE id < 3 RETURNING id),"
        " b AS (INSERT INTO orders (customer_id, amount) SELECT id, 7 FROM a RETURNING id),"
        " c AS (UPDATE orders SET amount = 0 WHERE id = 1),"
        " d AS (DELETE FROM orders WHERE id = 9)"
        " INSERT INTO note (text, order_id) SELECT 'x', id FROM b"
    )


def test_triggers_that_write_elsewhere(any_bench):
    any_bench.ddl(
        "CREATE TABLE class (id integer PRIMARY KEY, size integer NOT NULL DEFAULT 0);"
        "CREATE TABLE enrolment (id serial PRIMARY KEY, class_id integer REFERENCES class);"
        "CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  UPDATE class SET size = size + CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END"
        "   WHERE id = coalesce(NEW.class_id, OLD.class_id); RETURN NULL; END $$;"
        "CREATE TRIGGER counted AFTER INSERT OR DELETE ON enrolment FOR EACH ROW EXECUTE FUNCTION"
        " counted();"
        "INSERT INTO class VALUES (1), (2); INSERT INTO enrolment (class_id) VALUES (1), (1), (2)"
    )
    any_bench.cycle(
        "INSERT INTO enrolment (class_id) VALUES (1), (2), (2)", "DELETE FROM enrolment WHERE id = 1"
    )
    assert any_bench.app.execute("SELECT size FROM class ORDER BY id").fetchall() == [(2,), (1,)]


@pytest.mark.parametrize("mode", ["ALWAYS", "REPLICA"])
def test_triggers_that_fire_even_for_replicas(any_bench, mode):
    any_bench.ddl(
        "CREATE TABLE thing (id integer PRIMARY KEY, v integer); CREATE TABLE seen (n serial PRIMARY"
        " KEY, v integer);"
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO seen (v) VALUES (1); RETURN NULL; END $$;"
        "CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON thing FOR EACH ROW EXECUTE FUNCTION see();"
        "INSERT INTO thing VALUES (1, 1), (2, 2)"
    )
    any_bench.ddl(f"ALTER TABLE thing ENABLE {mode} TRIGGER see")
    any_bench.cycle("UPDATE thing SET v = v + 1", "DELETE FROM thing WHERE id = 2")


def test_a_trigger_that_writes_to_its_own_table(any_bench):
    # Its writes are recorded before those of the statement that fired it: order says nothing.
    any_bench.ddl(
        "CREATE TABLE post (id integer PRIMARY KEY, title text, slug text, edits integer DEFAULT 0);"
        "CREATE FUNCTION slugged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.slug IS DISTINCT FROM lower(NEW.title) THEN"
        "   UPDATE post SET slug = lower(NEW.title), edits = edits + 1 WHERE id = NEW.id; END IF;"
        " RETURN NULL; END $$;"
        "CREATE TRIGGER slugged AFTER INSERT OR UPDATE ON post FOR EACH ROW EXECUTE FUNCTION slugged();"
        "INSERT INTO post VALUES (1, 'One'), (2, 'Two')"
    )
    any_bench.cycle("INSERT INTO post VALUES (3, 'Three')", "UPDATE post SET title = 'ONE MORE' WHERE id = 1")


def test_a_trigger_that_makes_room(any_bench):
    any_bench.ddl(
        "CREATE TABLE slot (id integer PRIMARY KEY, v text); INSERT INTO slot VALUES (1, 'old');"
        "CREATE FUNCTION room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " DELETE FROM slot WHERE id = NEW.id; RETURN NEW; END $$;"
        "CREATE TRIGGER room BEFORE INSERT ON slot FOR EACH ROW EXECUTE FUNCTION room()"
    )
    any_bench.cycle("INSERT INTO slot VALUES (1, 'new')")


def test_rules_do_not_take_part(any_bench):
    any_bench.ddl(
        "CREATE TABLE a (id integer PRIMARY KEY, v text); CREATE TABLE b (n serial PRIMARY KEY, v text);"
        "CREATE RULE copied AS ON INSERT TO a DO ALSO INSERT INTO b (v) VALUES (NEW.v);"
        "INSERT INTO a VALUES (1, 'x'), (2, 'y')"
    )
    any_bench.cycle("DELETE FROM a WHERE id = 1", "INSERT INTO a VALUES (5, 'z')")


def test_deferred_constraints(any_bench):
    any_bench.ddl(
        "CREATE TABLE hen (id integer PRIMARY KEY, egg integer);"
        "CREATE TABLE egg (id integer PRIMARY KEY, hen integer REFERENCES hen DEFERRABLE INITIALLY"
        " DEFERRED);"
        "ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;"
        "BEGIN; INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1); COMMIT"
    )
    any_bench.cycle(
        "BEGIN; INSERT INTO hen VALUES (2, 2); INSERT INTO egg VALUES (2, 2); COMMIT",
        "BEGIN; DELETE FROM hen WHERE id = 1; DELETE FROM egg WHERE id = 1; COMMIT",
    )


def test_swapped_unique_values_and_exclusion(any_bench):
    any_bench.ddl(
        "CREATE TABLE booking (id integer PRIMARY KEY, code text UNIQUE, during int4range,"
        " EXCLUDE USING gist (during WITH &&));"
        "INSERT INTO booking VALUES (1, 'a', '[1,3)'), (2, 'b', '[3,5)'), (3, 'c', '[5,9)')"
    )
    any_bench.cycle(
        "UPDATE booking SET code = 't', during = '[100,101)' WHERE id = 1",
        "UPDATE booking SET code = 'a', during = '[1,3)' WHERE id = 2",
        "UPDATE booking SET code = 'b', during = '[3,5)' WHERE id = 1",
    )


def test_roll_backs_and_savepoints(any_bench):
    any_bench.ddl(SHOP)
    any_bench.cycle(
        "BEGIN; INSERT INTO customer (email) VALUES ('lost'); ROLLBACK",
        "BEGIN; UPDATE orders SET amount = 1 WHERE id = 1; SAVEPOINT a; UPDATE orders SET amount = 2;"
        " ROLLBACK TO a; DELETE FROM note WHERE order_id = 4; COMMIT",
    )
    # Nothing but a sequence has moved.
    restored = any_bench.cycle("BEGIN; INSERT INTO customer (email) VALUES ('lost'); ROLLBACK")
    assert restored.rows == 0


def test_sequences(any_bench):
    any_bench.ddl(
        SHOP + "CREATE SEQUENCE lone START 10; CREATE SEQUENCE fresh START 5;"
        "CREATE SEQUENCE down INCREMENT -1; SELECT setval('fresh', 40, false), nextval('down'),"
        " nextval('lone')"
    )
    any_bench.cycle("SELECT nextval('lone'), nextval('fresh'), nextval('down')", "SELECT setval('lone', 999)")
    any_bench.cycle("SELECT setval('fresh', 41, false)")
    any_bench.app.execute("INSERT INTO customer (email) VALUES ('next')")
    assert any_bench.app.execute("SELECT max(id) FROM customer").fetchone() == (21,)


def test_sequences_drawn_in_advance(any_bench):
    any_bench.ddl("CREATE SEQUENCE many CACHE 10")
    taken = journal.snapshot(any_bench.control)
    with any_bench.database.connect() as other:
        first = other.execute("SELECT nextval('many')").fetchone()
        assert first == (1,)
        journal.restore(any_bench.control, taken)
        # What the session had drawn in advance is void, or two sessions would get the same number.
        drawn = [conn.execute("SELECT nextval('many')").fetchone() for conn in (other, any_bench.app)]
    assert drawn == [(1,), (11,)]


def test_awkward_names(any_bench):
    any_bench.ddl(
        'CREATE SCHEMA "My Schema"; CREATE TABLE "My Schema"."select" ("from" integer PRIMARY KEY,'
        ' "Größe %s" text,'
        ' "n" integer, "op" integer, "v" integer, "c1" integer, "content" text, "since" integer, "x""y"'
        " text);"
        'CREATE TABLE "user" (id serial PRIMARY KEY, "net" text, "old_rows" text, r text, u text, t text);'
        'CREATE TABLE "My Schema"."user" ("Id" serial PRIMARY KEY, "%I" text);'
        "INSERT INTO \"My Schema\".\"select\" VALUES (1, 'a', 1, 1, 1, 1, 'c', 1, 'y');"
        'INSERT INTO "user" (net) VALUES (\'a\'), (\'b\'); INSERT INTO "My Schema"."user" ("%I") VALUES'
        " ('q')"
    )
    any_bench.cycle(
        'UPDATE "My Schema"."select" SET "Größe %s" = \'b\', n = 2, op = 3',
        'INSERT INTO "My Schema"."select" ("from") VALUES (2)',
        'DELETE FROM "user" WHERE id = 1',
        'TRUNCATE "My Schema"."user"',
    )


def test_many_types_and_large_rows(any_bench):
    any_bench.ddl(
        "CREATE DOMAIN grade AS numeric(4, 1) CHECK (VALUE >= 0); CREATE DOMAIN final_grade AS grade;"
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a integer, b text);"
        "CREATE TABLE things (id integer PRIMARY KEY, f double precision, r real, d final_grade, m"
        " mood, p pair,"
        " j json, jb jsonb, b bytea, i interval, t timestamptz, ts tsvector, a text[], pt point, bx box,"
        " n numeric, c char(5), v varchar(7), bit bit(3), net inet, rg tstzrange, mr int4multirange,"
        " txt text,"
        ' cs text COLLATE "C", tm timetz, mny money, nm name, "char" "char");'
        "INSERT INTO things VALUES (1, 0.1 + 0.2, 'NaN', 9.5, 'sad', (1, 'x'), '{\"a\":  1}', '{\"a\":"
        " 1}', '\\x00ff',"
        " '1 mon 2 days 03:04:05.6', '2024-02-29 12:00+00', to_tsvector('a b'), '{a,NULL,\"b c\"}',"
        " '(1,2)', '(1,1,0,0)',"
        " 1.500, 'ab', 'xyz', '101', '10.0.0.1/8', '[2024-01-01,2024-02-01)', '{[1,2)}',"
        " repeat('large', 100000), 'C',"
        " '10:00+02', '1.50', 'name', 'c');"
        "INSERT INTO things (id, f) VALUES (2, '-0'), (3, 'Infinity')"
    )
    any_bench.app.execute("SET extra_float_digits = 0")
    any_bench.app.execute("SET DateStyle = 'German, DMY'")
    any_bench.cycle(
        "UPDATE things SET f = f * (1 + 1e-15), n = 1.5, txt = txt || '!', mr = '{}' WHERE id = 1",
        "UPDATE things SET f = 0 WHERE id = 2",
        "DELETE FROM things WHERE id = 3",
        "INSERT INTO things (id, txt) VALUES (4, repeat('more', 500000))",
    )
    any_bench.cycle("DELETE FROM things")


def test_keys_equal_but_not_the_same_and_collations(any_bench):
    # 1.0 and 1.00 are one key and two texts; a column's collation is not a function's.
    any_bench.ddl(
        "CREATE TABLE rate (n numeric PRIMARY KEY, v integer); INSERT INTO rate VALUES (1.0, 1), (2.50, 2);"
        'CREATE TABLE code (name text COLLATE "C" PRIMARY KEY, n integer);'
        "INSERT INTO code VALUES ('Ab', 1), ('c', 2)"
    )
    any_bench.cycle(
        "UPDATE rate SET n = 1.00 WHERE n = 1",
        "UPDATE rate SET v = 7 WHERE n = 2.5",
        "UPDATE code SET name = 'ab', n = 7 WHERE name = 'Ab'",
    )


def test_row_security_that_binds_the_owner(any_bench):
    any_bench.ddl(
        "CREATE TABLE secret (id integer PRIMARY KEY, tenant integer, v text);"
        "INSERT INTO secret SELECT g, g % 2, 'v' FROM generate_series(1, 10) g;"
        "ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON secret USING ("
        " tenant = nullif(current_setting('app.tenant', true), '')::integer)"
    )
    role = f"journal_plain_{any_bench.database.name}"[:60]
    any_bench.ddl(f'CREATE ROLE "{role}"; GRANT ALL ON secret TO "{role}"')
    try:
        any_bench.cycle(
            f'SET ROLE "{role}"; SET app.tenant = 1',
            "UPDATE secret SET v = 'w'; DELETE FROM secret WHERE id = 3",
            "INSERT INTO secret VALUES (11, 1, 'x'); RESET ROLE",
        )
        any_bench.cycle(f'SET ROLE "{role}"; TRUNCATE secret; RESET ROLE')
    finally:
        any_bench.ddl(f'RESET ROLE; DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_writes_in_replica_mode_are_seen(any_bench):
    any_bench.ddl(SHOP)
    any_bench.cycle(
        "SET session_replication_role = replica; DELETE FROM customer WHERE id = 1;"
        " RESET session_replication_role"
    )


def test_unlogged_and_temporary_tables(any_bench):
    any_bench.ddl(
        "CREATE UNLOGGED TABLE cache (k text PRIMARY KEY, v text); INSERT INTO cache VALUES ('a', 'b')"
    )
    restored = any_bench.cycle(
        "CREATE TEMPORARY TABLE scratch (id serial PRIMARY KEY); INSERT INTO scratch DEFAULT VALUES;"
        "ALTER TABLE scratch ADD COLUMN v text; DROP TABLE scratch; UPDATE cache SET v = 'c'"
    )
    assert restored.in_place


def test_serializable_and_repeatable_read(any_bench):
    any_bench.ddl(SHOP)
    before = journal.contents(any_bench.control)
    other = any_bench.database.connect(autocommit=False)
    other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    other.execute("SELECT count(*) FROM customer")
    # The transaction began before the snapshot and writes after it.
    taken = journal.snapshot(any_bench.control)
    other.execute("UPDATE customer SET email = 'late' WHERE id = 1")
    other.commit()
    other.close()
    any_bench.control.execute("SET default_transaction_isolation = 'serializable'")
    journal.restore(any_bench.control, taken)
    assert journal.contents(any_bench.control) == before
    journal.snapshot(any_bench.control)


def test_a_table_without_columns(any_bench):
    any_bench.ddl("CREATE TABLE empty (); INSERT INTO empty SELECT FROM generate_series(1, 3)")
    any_bench.cycle("INSERT INTO empty SELECT FROM generate_series(1, 2)")
    any_bench.cycle("DELETE FROM empty")
