-- What the journal keeps in a database, whatever tables that has. Run once; everything lives in one schema.
--
-- Three rules hold in this file:
--   * every name is qualified or the search_path is pinned, because the functions run with the owner's rights;
--     only while rows are put back it is the application's, whose indexes, checks and generated columns may call
--     functions that need it, and then it begins with pg_catalog;
--   * the settings a function needs are on the function, so that no caller can take them away;
--   * what counts the writes (clock, touched) is read or locked without regard to transaction snapshots, so that
--     a REPEATABLE READ transaction that began before a snapshot is still recorded after it.

CREATE SCHEMA scenarios_journal;
GRANT USAGE ON SCHEMA scenarios_journal TO PUBLIC;

-- The clock orders statements against snapshots: those move it, statements read it, and everything written
-- between two of them has one time. It stands below zero until the first snapshot: there is nothing to return to
-- yet, so loading a template is not recorded row by row.
CREATE SEQUENCE scenarios_journal.clock MINVALUE -4611686018427387904 START -4611686018427387904;
SELECT setval('scenarios_journal.clock', -4611686018427387904);

-- One row for each statement that wrote. It answers "which tables?", and its lock answers "is anybody still
-- writing?": a transaction that wrote holds ROW EXCLUSIVE on it until it ends.
CREATE UNLOGGED TABLE scenarios_journal.touched (n bigint NOT NULL, tracked integer NOT NULL)
    WITH (autovacuum_enabled = off);
CREATE INDEX touched_n ON scenarios_journal.touched (n);
-- A crash of the server empties unlogged tables. This row is missed then, and nothing is restored from ruins.
INSERT INTO scenarios_journal.touched VALUES (-9223372036854775808, 0);

CREATE TABLE scenarios_journal.tracked (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    relation oid NOT NULL UNIQUE,
    qualified text NOT NULL,      -- quoted, for SQL
    label text NOT NULL,          -- schema.table, for people
    signature text NOT NULL,      -- what the undo table and the functions were generated from
    columns text[] NOT NULL,      -- of the relation; column i is c<i> of the undo table
    types text[] NOT NULL,
    key integer[] NOT NULL        -- positions in columns; empty: rows are told apart by their content
);
CREATE TABLE scenarios_journal.members (
    relation oid PRIMARY KEY,
    qualified text NOT NULL,
    tracked integer NOT NULL REFERENCES scenarios_journal.tracked,
    triggers bigint               -- how many of ours are on it
);
CREATE TABLE scenarios_journal.state (
    layout integer PRIMARY KEY,   -- version of this file
    home oid NOT NULL,            -- the database it was installed in; another one is a clone of that
    watching boolean NOT NULL,    -- event triggers tell of DDL; otherwise the catalogue is compared
    catalogue text,               -- what it was compared with, when not watching
    fingerprint text,             -- of the whole catalogue when the journal was last fitted, when watching
    armed text,                   -- the state of our own triggers when they were last fitted
    path text NOT NULL,           -- by which functions of the application find what they call
    outside text[] NOT NULL       -- relations whose rows no trigger can see
);
-- What changes with each test is unlogged, which no publication FOR ALL TABLES publishes; the rest has keys, and
-- becomes unlogged where there is such a publication.
CREATE UNLOGGED TABLE scenarios_journal.ddl (
    n bigint NOT NULL, tag text NOT NULL, identity text, by_role text NOT NULL, at timestamptz NOT NULL,
    settled boolean NOT NULL DEFAULT false,
    classid oid, objid oid,       -- the object, where it is known
    made boolean NOT NULL DEFAULT false  -- it made the object, which can be dropped again
);
CREATE TABLE scenarios_journal.views (
    relation oid PRIMARY KEY, qualified text NOT NULL, label text NOT NULL, depth integer NOT NULL,
    version bigint NOT NULL
);
-- The content of a materialized view changes by REFRESH alone, so a checksum is good for a whole version.
CREATE UNLOGGED TABLE scenarios_journal.view_states (
    relation oid NOT NULL, version bigint NOT NULL, content text NOT NULL, PRIMARY KEY (relation, version)
);
CREATE UNLOGGED TABLE scenarios_journal.snapshots (
    number bigint PRIMARY KEY,
    name text,
    base bigint NOT NULL,         -- the clock when it was taken
    mark bigint NOT NULL,         -- the clock when it was taken or last restored: rows before it are settled
    taken_at timestamptz NOT NULL,
    pristine boolean NOT NULL,    -- nothing had been written since the database was cloned
    restores integer NOT NULL DEFAULT 0,
    last_values bigint[], called boolean[],
    view_versions jsonb,
    server_wide text[],
    large_objects text            -- null: there were none
) WITH (fillfactor = 40);

-- Replaced by one that knows the tracked tables.
CREATE FUNCTION scenarios_journal.undo(which integer, since bigint, dead int8multirange) RETURNS bigint
    LANGUAGE plpgsql
AS $$ BEGIN RETURN 0; END $$;

-- Replaced by one that names the members of the tracked tables; see armed_once().
CREATE FUNCTION scenarios_journal.armed_lately() RETURNS text LANGUAGE plpgsql
AS $$ BEGIN RETURN ''; END $$;

-- Replaced by one that lists the sequences of the database, always in the same order.
CREATE FUNCTION scenarios_journal.sequences()
    RETURNS TABLE (relation oid, last bigint, called boolean)
    LANGUAGE sql STABLE
AS $$ SELECT 0::oid, 0::bigint, false WHERE false $$;
