-- What public schemas contain; every table here is to be filled by a derived factory.
CREATE TYPE state AS ENUM ('open', 'closed');
CREATE DOMAIN code AS varchar(15) CHECK (VALUE ~ '^[[:upper:]]+$');

-- functions of the schema
CREATE FUNCTION tidy(t text) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS $$ SELECT t = btrim(t) AND length(t) BETWEEN 3 AND 40 $$;
CREATE FUNCTION even(n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
    AS $$ BEGIN IF n % 2 = 1 THEN RAISE EXCEPTION 'odd'; END IF; RETURN true; END $$;
CREATE TABLE by_function (id serial PRIMARY KEY, t text NOT NULL CHECK (tidy(t)), n int NOT NULL CHECK (even(n)),
    "a:b" text NOT NULL CHECK (length("a:b" || '::1') > 3 AND tidy("a:b") AND '5%' <> "a:b"));
CREATE TABLE by_function_of_several (id serial PRIMARY KEY, a int, b int,
    CHECK (sign(a - b) = 1 AND b IS NOT NULL));

-- literals as PostgreSQL writes them back
CREATE TABLE casts (id serial PRIMARY KEY,
    s state NOT NULL CHECK (s IN ('open')), at timestamptz, CHECK ((s = 'closed') = (at IS NOT NULL)),
    c char(3) NOT NULL CHECK (c IN ('A', 'BC')), v varchar(5) NOT NULL CHECK (v IN ('a', 'b')),
    u uuid NOT NULL CHECK (u <> '00000000-0000-0000-0000-000000000000'),
    n smallint NOT NULL CHECK (n > -1 AND n < 3), m numeric(6,2) NOT NULL CHECK (m >= 0.5 AND m <= 100),
    d date NOT NULL CHECK (d > '2031-01-01'), t timestamptz NOT NULL CHECK (t > now()),
    f date NOT NULL CHECK (f <= CURRENT_DATE), e text[] CHECK (e <@ ARRAY['a', 'b']),
    i interval NOT NULL CHECK (i > '00:00:00'), b boolean NOT NULL CHECK (b = 't'), k code NOT NULL);

-- classes of characters
CREATE TABLE posix (id serial PRIMARY KEY, a text NOT NULL CHECK (a ~ '^[[:alnum:]_]+$'),
    b text NOT NULL CHECK (b ~ '^[^[:space:]]+$'), c text NOT NULL CHECK (c ~* '\m[[:alpha:]]+\M'));

-- columns with the names of commands and types
CREATE TABLE commands (id serial PRIMARY KEY, lock text NOT NULL CHECK (lock = 'X'),
    comment text NOT NULL CHECK (comment = 'X'), show text NOT NULL CHECK (show = 'X'),
    call text NOT NULL CHECK (call = 'X'), load text NOT NULL CHECK (load = 'X'),
    set text NOT NULL CHECK (set = 'X'), begin date NOT NULL CHECK (begin > '2030-01-01'),
    use text NOT NULL CHECK (use = 'X'), kill text NOT NULL CHECK (kill = 'X'),
    "user" text NOT NULL CHECK ("user" = 'X'), "order" int NOT NULL CHECK ("order" BETWEEN 70001 AND 70009),
    date date NOT NULL CHECK (date > '2031-01-01'), format text NOT NULL CHECK (format = 'X'),
    interval int NOT NULL CHECK (interval = 5), row text NOT NULL CHECK (row = 'X'),
    "values" text NOT NULL CHECK ("values" = 'X'), text text NOT NULL CHECK (text = 'X'));

-- keys of 32 bits that 16 refer to
CREATE TABLE wide_key (id serial PRIMARY KEY);
CREATE TABLE narrow_reference (id serial PRIMARY KEY, w smallint NOT NULL REFERENCES wide_key);
CREATE TABLE narrow_key (id smallserial PRIMARY KEY, name text);

-- partitions
CREATE TABLE listed (id int NOT NULL, kind text NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE listed_a PARTITION OF listed FOR VALUES IN ('a');
CREATE TABLE listed_bc PARTITION OF listed FOR VALUES IN ('b', 'c');
CREATE TABLE child_of_listed (id serial PRIMARY KEY, listed_id int NOT NULL, kind text NOT NULL,
    FOREIGN KEY (listed_id, kind) REFERENCES listed);
CREATE TABLE ranged (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE ranged_day PARTITION OF ranged FOR VALUES FROM ('1999-01-01') TO ('1999-01-02');
CREATE TABLE ranged_listed PARTITION OF ranged FOR VALUES FROM ('1999-02-01') TO ('1999-03-01')
    PARTITION BY LIST (id);
CREATE TABLE ranged_listed_7 PARTITION OF ranged_listed FOR VALUES IN (7, 9);
CREATE TABLE hashed (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE several (a int NOT NULL, b int NOT NULL) PARTITION BY RANGE (a, b);
CREATE TABLE several_1 PARTITION OF several FOR VALUES FROM (1, 10) TO (2, 20);
CREATE TABLE others (a int, b text) PARTITION BY LIST (a);
CREATE TABLE others_1 PARTITION OF others FOR VALUES IN (1, 2, NULL);
CREATE TABLE others_d PARTITION OF others DEFAULT;
CREATE TABLE expressed (b text NOT NULL) PARTITION BY LIST (lower(b));
CREATE TABLE expressed_x PARTITION OF expressed FOR VALUES IN ('x', 'yy');

-- optional foreign keys that a CHECK wants
CREATE TABLE plan (id serial PRIMARY KEY);
CREATE TABLE sub (id serial PRIMARY KEY);
CREATE TABLE either (id serial PRIMARY KEY, plan_id int REFERENCES plan, sub_id int REFERENCES sub,
    CHECK ((plan_id IS NOT NULL) <> (sub_id IS NOT NULL)));
CREATE TABLE exactly_one (id serial PRIMARY KEY, plan_id int REFERENCES plan, sub_id int REFERENCES sub,
    CHECK (num_nonnulls(plan_id, sub_id) = 1));
CREATE TABLE implied (id serial PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('plan', 'none')),
    plan_id int REFERENCES plan, CHECK ((kind = 'plan') = (plan_id IS NOT NULL)));
CREATE TABLE wanted (id serial PRIMARY KEY, plan_id int REFERENCES plan CHECK (plan_id IS NOT NULL));
CREATE TABLE different (id serial PRIMARY KEY, a int NOT NULL REFERENCES plan, b int NOT NULL REFERENCES plan,
    CHECK (a <> b));

-- keys of all kinds
CREATE TABLE named (id serial PRIMARY KEY, name text UNIQUE);
CREATE TABLE by_name (name text PRIMARY KEY REFERENCES named (name));
CREATE TABLE two_keys (id int PRIMARY KEY REFERENCES plan REFERENCES sub);
CREATE TABLE pair (t int, id int, PRIMARY KEY (t, id));
CREATE TABLE of_pairs (t int, a int, b int, PRIMARY KEY (t, a, b), FOREIGN KEY (t, a) REFERENCES pair,
    FOREIGN KEY (t, b) REFERENCES pair);
CREATE TABLE itself (id serial PRIMARY KEY, parent int NOT NULL REFERENCES itself);
CREATE TABLE store (id serial PRIMARY KEY, manager int NOT NULL);
CREATE TABLE staff (id serial PRIMARY KEY, store int NOT NULL REFERENCES store);
ALTER TABLE store ADD FOREIGN KEY (manager) REFERENCES staff;

-- columns with the names of what a factory has
CREATE TABLE factory_words (id serial PRIMARY KEY, model text NOT NULL, cls text NOT NULL, a__b text NOT NULL,
    "__proto__" text NOT NULL, build text NOT NULL, "create" text NOT NULL, complete text NOT NULL,
    handle text NOT NULL, drawn text NOT NULL, session text NOT NULL, strategy text NOT NULL, self text NOT NULL,
    size int NOT NULL, "Meta" text NOT NULL, "Params" text NOT NULL, _meta text NOT NULL, sequence int NOT NULL);

-- nothing but defaults
CREATE TABLE defaults_only (a int DEFAULT 1, at timestamptz DEFAULT now());
