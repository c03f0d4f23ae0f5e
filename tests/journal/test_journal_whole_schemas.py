"""Schemas as applications have them, mauled by many hands, and compared as a whole."""

from __future__ import annotations

import pytest

from scenarios import journal

pytestmark = pytest.mark.postgres_matrix

SCHOOL = """
    CREATE TABLE institution (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text UNIQUE NOT NULL);
    CREATE TABLE class (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        size integer NOT NULL DEFAULT 0);
    CREATE TABLE person (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(254) NOT NULL,
        institution_id bigint NOT NULL REFERENCES institution ON DELETE RESTRICT,
            class_id bigint REFERENCES class);
    CREATE UNIQUE INDEX ON person (lower(email));
    CREATE TABLE essay (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        person_id bigint NOT NULL REFERENCES person ON DELETE CASCADE,
        content text NOT NULL, status varchar(20) NOT NULL DEFAULT 'draft' CHECK (status IN ('draft',
            'completed')),
        words integer GENERATED ALWAYS AS (array_length(regexp_split_to_array(content, E'\\\\s+'),
            1)) STORED);
    CREATE TABLE token (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            person_id bigint NOT NULL REFERENCES person ON DELETE CASCADE,
        replaced_by uuid REFERENCES token ON DELETE SET NULL, live boolean NOT NULL DEFAULT true);
    CREATE UNIQUE INDEX ON token (person_id) WHERE live;
    CREATE TABLE audit (
        id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
            what text,
        row_before jsonb, row_after jsonb, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE audit_2024_01 PARTITION OF audit
        FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00');
    CREATE TABLE audit_default PARTITION OF audit DEFAULT;
    CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public
        AS $$ BEGIN
        INSERT INTO audit (what, row_before, row_after)
        VALUES (TG_TABLE_NAME || ' ' || TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
                CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
        RETURN NULL; END $$;
    CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON essay FOR EACH ROW EXECUTE FUNCTION
        audited();
    CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE class SET size = size + 1 WHERE id = NEW.class_id AND TG_OP = 'INSERT';
        UPDATE class SET size = size - 1 WHERE id = OLD.class_id AND TG_OP = 'DELETE';
        RETURN NULL; END $$;
    CREATE TRIGGER counted AFTER INSERT OR DELETE ON person FOR EACH ROW EXECUTE FUNCTION counted();
    CREATE MATERIALIZED VIEW progress AS
        SELECT p.id, p.institution_id,
            count(e.id) AS essays FROM person p LEFT JOIN essay e ON e.person_id = p.id
         GROUP BY p.id;
    CREATE UNIQUE INDEX ON progress (id);
    INSERT INTO institution (name) VALUES ('north'), ('south'); INSERT INTO class (size) VALUES (0), (0);
    INSERT INTO person (email, institution_id, class_id)
        SELECT 'p' || g || '@example.org', g % 2 + 1, g % 2 + 1 FROM generate_series(1, 30) g;
    INSERT INTO essay (person_id, content) SELECT g, 'words and words ' || g FROM generate_series(1, 30) g;
    INSERT INTO token (person_id) SELECT g FROM generate_series(1, 30) g;
    INSERT INTO audit (at, what) SELECT timestamptz '2024-01-01 00:00+00' + g * interval '1 day', 'old'
        FROM generate_series(0, 40) g;
    ALTER TABLE essay ENABLE ROW LEVEL SECURITY; ALTER TABLE essay FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON essay USING (person_id = nullif(current_setting('app.person', true), '')::bigint);
    REFRESH MATERIALIZED VIEW progress;
"""

RENTAL = """
    CREATE SCHEMA shop;
    CREATE DOMAIN shop.year AS integer CHECK (VALUE BETWEEN 1901 AND 2155);
    CREATE TYPE shop.rating AS ENUM ('G', 'PG', 'R');
    CREATE TABLE shop.film (
        film_id serial PRIMARY KEY, title text NOT NULL, released shop.year, rating shop.rating DEFAULT 'G',
        changed timestamptz NOT NULL DEFAULT now(), features text[], words tsvector NOT NULL,
            rate numeric(4, 2));
    CREATE INDEX ON shop.film USING gist (words);
    CREATE FUNCTION shop.changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.changed := clock_timestamp(); RETURN NEW; END $$;
    CREATE TRIGGER changed BEFORE UPDATE ON shop.film FOR EACH ROW EXECUTE FUNCTION shop.changed();
    CREATE TRIGGER worded BEFORE INSERT OR UPDATE ON shop.film
        FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.english', title);
    CREATE TABLE shop.customer (customer_id serial PRIMARY KEY, name text, active boolean DEFAULT true,
        photo bytea);
    CREATE TABLE shop.rental (
        rental_id serial PRIMARY KEY,
            film_id integer NOT NULL REFERENCES shop.film ON UPDATE CASCADE ON DELETE RESTRICT,
        customer_id integer NOT NULL REFERENCES shop.customer ON UPDATE CASCADE, during tstzrange NOT NULL,
        EXCLUDE USING gist (during WITH &&) WHERE (film_id = 1));
    CREATE TABLE shop.payment (
        payment_id serial NOT NULL, rental_id integer NOT NULL, amount numeric(5, 2) NOT NULL,
            paid timestamptz NOT NULL,
        PRIMARY KEY (payment_id, paid), FOREIGN KEY (rental_id) REFERENCES shop.rental ON DELETE CASCADE)
        PARTITION BY RANGE (paid);
    CREATE TABLE shop.payment_1 PARTITION OF shop.payment
        FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00');
    CREATE TABLE shop.payment_2 PARTITION OF shop.payment
        FOR VALUES FROM ('2024-02-01 00:00+00') TO ('2024-03-01 00:00+00');
    CREATE VIEW shop.active AS SELECT * FROM shop.customer WHERE active;
    CREATE MATERIALIZED VIEW shop.sales AS SELECT date_trunc('day', paid AT TIME ZONE 'UTC') AS day,
        sum(amount) AS total
        FROM shop.payment GROUP BY 1;
    INSERT INTO shop.film (title, released, rating, features, rate)
        SELECT 'The Academy Dinosaur ' || g, 1990 + g, 'PG', ARRAY['Trailers', 'x' || g], 4.99
          FROM generate_series(1, 40) g;
    INSERT INTO shop.customer (name) SELECT 'c' || g FROM generate_series(1, 20) g;
    INSERT INTO shop.rental (film_id, customer_id, during)
        SELECT g % 40 + 1, g % 20 + 1, tstzrange('2024-01-01 00:00+00'::timestamptz + g * interval '1 hour',
               '2024-01-01 00:30+00'::timestamptz + g * interval '1 hour') FROM generate_series(1, 60) g;
    INSERT INTO shop.payment (rental_id, amount, paid)
        SELECT g, g * 0.1,
            '2024-01-01 00:00+00'::timestamptz + g * interval '23 hours' FROM generate_series(1, 60) g;
    REFRESH MATERIALIZED VIEW shop.sales;
"""


def test_a_school(any_bench):
    any_bench.ddl(SCHOOL)
    before = any_bench.app.execute("SELECT size FROM class ORDER BY id").fetchall()
    restored = any_bench.cycle(
        "INSERT INTO person (email, institution_id, class_id) VALUES ('new@example.org', 1, 1), ('n2', 2, 1)",
        "INSERT INTO essay (person_id, content) SELECT id, 'more' FROM person WHERE id > 28",
        "UPDATE essay SET status = 'completed', content = content || ' at last' WHERE id < 4",
        "DELETE FROM person WHERE id IN (5, 6, 7)",
        "WITH old AS (UPDATE token SET live = false WHERE person_id = 8 RETURNING id, person_id), new AS ("
        " INSERT INTO token (person_id) SELECT person_id FROM old RETURNING id, person_id)"
        " UPDATE token t SET live = true FROM old WHERE t.id = old.id AND false",
        "UPDATE token SET replaced_by = (SELECT id FROM token WHERE person_id = 8 AND live)"
        " WHERE person_id = 9; DELETE FROM token WHERE person_id = 8 AND live",
        "DELETE FROM audit WHERE at < '2024-01-10'",
        "UPDATE audit SET at = at + interval '40 days' WHERE id = 20",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY progress",
    )
    assert restored.in_place
    assert any_bench.app.execute("SELECT size FROM class ORDER BY id").fetchall() == before
    any_bench.cycle("TRUNCATE audit_default", "TRUNCATE person CASCADE", "REFRESH MATERIALIZED VIEW progress")


def test_a_rental_shop(any_bench):
    any_bench.ddl(RENTAL)
    any_bench.cycle(
        "UPDATE shop.film SET title = 'Zebra ' || film_id, rate = rate + 1 WHERE film_id % 3 = 0",
        "UPDATE shop.film SET film_id = film_id + 1000 WHERE film_id IN (1, 2)",
        "INSERT INTO shop.film (title, released) VALUES ('Alien', 1979)",
        "DELETE FROM shop.rental WHERE rental_id < 10",
        "UPDATE shop.payment SET paid = paid + interval '20 days' WHERE payment_id IN (20, 21)",
        "UPDATE shop.active SET active = false, photo = '\\x00' WHERE customer_id = 3",
        "REFRESH MATERIALIZED VIEW shop.sales",
    )
    any_bench.cycle("TRUNCATE shop.payment_1", "TRUNCATE shop.film RESTART IDENTITY CASCADE")
    mangled = journal.snapshot(any_bench.control)
    any_bench.ddl("DELETE FROM shop.payment; DELETE FROM shop.rental")
    assert journal.restore(any_bench.control, mangled).rows == 120
