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
