-- What the journal keeps in a database, whatever tables that has. Run once; everything lives in one schema.
--
-- Three rules hold in this file:
--   * every name is qualified or the search_path is pinned, because the functions run with the owner's rights;
--   * the settings a function needs are on the function, so that no caller can take them away;
--   * what counts the writes (clock, touched) is read or locked without regard to transaction snapshots, so that
--     a REPEATABLE READ transaction that began before a snapshot is still recorded after it.

CREATE SCHEMA scenarios_journal;
GRANT USAGE ON SCHEMA scenarios_journal TO PUBLIC;

-- The clock orders statements against snapshots. It stands below zero until the first snapshot: there is
-- nothing to return to yet, so loading a template is not recorded row by row.
CREATE SEQUENCE scenarios_journal.clock MINVALUE -4611686018427387904 START -4611686018427387904;

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
    tracked integer NOT NULL REFERENCES scenarios_journal.tracked ON DELETE CASCADE
);
CREATE TABLE scenarios_journal.state (
    layout integer NOT NULL,      -- version of this file
    home oid NOT NULL,            -- the database it was installed in; another one is a clone of that
    watching boolean NOT NULL,    -- event triggers tell of DDL; otherwise the catalogue is compared
    catalogue text,               -- what it was compared with, when not watching
    outside text[] NOT NULL       -- relations whose rows no trigger can see
);
CREATE TABLE scenarios_journal.ddl (
    n bigint NOT NULL, tag text NOT NULL, identity text, by_role text NOT NULL, at timestamptz NOT NULL,
    settled boolean NOT NULL DEFAULT false
);
CREATE TABLE scenarios_journal.views (
    relation oid PRIMARY KEY, qualified text NOT NULL, label text NOT NULL, depth integer NOT NULL,
    version bigint NOT NULL
);
-- The content of a materialized view changes by REFRESH alone, so a checksum is good for a whole version.
CREATE TABLE scenarios_journal.view_states (
    relation oid NOT NULL, version bigint NOT NULL, content text NOT NULL, PRIMARY KEY (relation, version)
);
CREATE TABLE scenarios_journal.snapshots (
    number bigint PRIMARY KEY,
    name text,
    base bigint NOT NULL,         -- the clock when it was taken
    mark bigint NOT NULL,         -- the clock when it was taken or last restored: rows before it are settled
    taken_at timestamptz NOT NULL,
    pristine boolean NOT NULL,    -- nothing had been written since the database was cloned
    restores integer NOT NULL DEFAULT 0,
    last_values bigint[], called boolean[],
    view_versions jsonb,
    roles text[],
    large_objects text
) WITH (fillfactor = 40);

-- Replaced by one that lists the sequences of the database.
CREATE FUNCTION scenarios_journal.sequences()
    RETURNS TABLE (place integer, relation oid, last bigint, called boolean)
    LANGUAGE sql STABLE
AS $$ SELECT 0, 0::oid, 0::bigint, false WHERE false $$;

CREATE FUNCTION scenarios_journal.role_list() RETURNS text[] LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(r.rolname || ' ' || r.oid ORDER BY r.oid) FROM pg_roles r WHERE r.oid >= 16384
$$;

CREATE FUNCTION scenarios_journal.large_objects() RETURNS text LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') THEN
        RETURN (SELECT count(*) || ' ' || coalesce(sum(hashtext(m.oid || ' ' || m.xmin)), 0)
                  FROM pg_largeobject_metadata m)
            || (SELECT ' ' || count(*) || ' ' || coalesce(sum(hashtext(l.ctid || ' ' || l.xmin)), 0)
                  FROM pg_largeobject l);
    END IF;
    -- Who may not read them sees them come and go, not change.
    RETURN (SELECT count(*) || ' ' || coalesce(sum(hashtext(m.oid || ' ' || m.xmin)), 0)
              FROM pg_largeobject_metadata m);
END
$$;

-- The catalogue in one value, for a role that may not create event triggers.
CREATE FUNCTION scenarios_journal.catalogue() RETURNS text LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH ours AS (
        SELECT n.oid FROM pg_namespace n
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'scenarios_journal')
           AND n.nspname !~ '^pg_(toast_)?temp_'
    ), lines AS (
        SELECT format('c %s %s %s %s %s %s %s', c.oid, c.relnamespace, c.relname, c.relkind, c.relrowsecurity,
                      c.relforcerowsecurity, c.relispartition) AS line
          FROM pg_class c JOIN ours ON ours.oid = c.relnamespace
        UNION ALL
        SELECT format('a %s %s %s %s %s %s %s %s', a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod,
                      a.attnotnull, a.attisdropped, a.attgenerated)
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN ours ON ours.oid = c.relnamespace
         WHERE a.attnum > 0
        UNION ALL
        SELECT format('k %s %s', k.oid, pg_get_constraintdef(k.oid))
          FROM pg_constraint k JOIN ours ON ours.oid = k.connamespace
        UNION ALL
        SELECT format('p %s %s', p.oid, p.xmin) FROM pg_proc p JOIN ours ON ours.oid = p.pronamespace
        UNION ALL
        SELECT format('t %s %s %s', t.oid, t.tgname, t.tgenabled) FROM pg_trigger t
         WHERE NOT t.tgisinternal AND t.tgname !~ '^scenarios_journal_'
        UNION ALL
        SELECT format('y %s %s', y.oid, y.xmin) FROM pg_type y JOIN ours ON ours.oid = y.typnamespace
        UNION ALL
        SELECT format('e %s %s', e.oid, e.enumlabel) FROM pg_enum e
        UNION ALL
        SELECT format('r %s %s', r.oid, r.xmin) FROM pg_policy r
        UNION ALL
        SELECT format('d %s %s', d.oid, d.xmin) FROM pg_attrdef d
        UNION ALL
        SELECT format('x %s %s', x.oid, x.extversion) FROM pg_extension x
        UNION ALL
        SELECT format('n %s %s', n.oid, n.nspname) FROM pg_namespace n JOIN ours ON ours.oid = n.oid
    )
    SELECT md5(string_agg(line, E'\n' ORDER BY line COLLATE "C")) FROM lines
$$;

CREATE FUNCTION scenarios_journal.view_content(view oid) RETURNS text LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET extra_float_digits = 1 SET "DateStyle" = 'ISO' SET "IntervalStyle" = 'postgres' SET "TimeZone" = 'UTC'
    SET enable_seqscan = on SET row_security = off
AS $$
DECLARE
    found_content text;
BEGIN
    IF NOT (SELECT c.relispopulated FROM pg_class c WHERE c.oid = view) THEN
        RETURN 'not populated';
    END IF;
    EXECUTE format(
        'SELECT count(*) || '' '' || coalesce(sum(hashtextextended(scenarios_row::text, 0)::numeric), 0)'
        ' || '' '' || coalesce(sum(hashtextextended(scenarios_row::text, 1)::numeric), 0) FROM %s scenarios_row',
        (SELECT w.qualified FROM scenarios_journal.views w WHERE w.relation = view)
    ) INTO found_content;
    RETURN found_content;
END
$$;

-- Taking the triggers off a table whose shape changes: what they would insert no longer fits.
CREATE FUNCTION scenarios_journal.untrack(which integer) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held record;
    meanwhile text := coalesce(current_setting('scenarios_journal.restoring', true), '');
BEGIN
    -- Not a setting of the function: only a superuser may declare one of a name the server does not know.
    PERFORM set_config('scenarios_journal.restoring', 'on', true);
    FOR held IN
        SELECT t.tgname, c.oid::regclass::text AS relation
          FROM scenarios_journal.members m
          JOIN pg_class c ON c.oid = m.relation
          JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname ~ '^scenarios_journal_' AND NOT t.tgisinternal
         WHERE m.tracked = which AND t.tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', held.tgname, held.relation);
    END LOOP;
    EXECUTE format('DROP TABLE IF EXISTS scenarios_journal.%I', 'u_' || which);
    EXECUTE format('DROP FUNCTION IF EXISTS scenarios_journal.%I()', 't_' || which);
    EXECUTE format('DROP FUNCTION IF EXISTS scenarios_journal.%I(bigint, int8multirange)', 'r_' || which);
    EXECUTE format('DROP FUNCTION IF EXISTS scenarios_journal.%I(bigint, bigint, int8multirange)', 'n_' || which);
    DELETE FROM scenarios_journal.tracked t WHERE t.id = which;
    PERFORM set_config('scenarios_journal.restoring', meanwhile, true);
END
$$;

CREATE FUNCTION scenarios_journal.notice_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    command record;
    of_table integer;
BEGIN
    IF current_setting('scenarios_journal.restoring', true) = 'on' THEN
        RETURN;
    END IF;
    IF TG_EVENT = 'sql_drop' THEN
        FOR command IN SELECT * FROM pg_event_trigger_dropped_objects() LOOP
            CONTINUE WHEN command.is_temporary OR command.schema_name = 'pg_temp'
                       OR NOT (command.original OR command.object_type = 'table');
            INSERT INTO scenarios_journal.ddl
            VALUES (nextval('scenarios_journal.clock'), TG_TAG, command.object_identity, session_user,
                    clock_timestamp());
            SELECT m.tracked INTO of_table FROM scenarios_journal.members m WHERE m.relation = command.objid;
            IF command.classid = 'pg_class'::regclass AND of_table IS NOT NULL THEN
                PERFORM scenarios_journal.untrack(of_table);
            END IF;
        END LOOP;
        RETURN;
    END IF;
    FOR command IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
        CONTINUE WHEN command.schema_name = 'pg_temp';
        IF command.command_tag = 'REFRESH MATERIALIZED VIEW' THEN
            UPDATE scenarios_journal.views v SET version = nextval('scenarios_journal.clock')
             WHERE v.relation = command.objid;
            CONTINUE;
        END IF;
        INSERT INTO scenarios_journal.ddl
        VALUES (nextval('scenarios_journal.clock'), command.command_tag, command.object_identity, session_user,
                clock_timestamp());
        IF command.command_tag = 'ALTER TABLE' THEN
            SELECT m.tracked INTO of_table FROM scenarios_journal.members m WHERE m.relation = command.objid;
            IF of_table IS NOT NULL THEN
                PERFORM scenarios_journal.untrack(of_table);
            END IF;
        END IF;
    END LOOP;
END
$$;

-- Wait, but not for ever, until nobody has uncommitted writes, and keep new ones out until we are done.
CREATE FUNCTION scenarios_journal.settle(wait_ms integer) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- The snapshot of such a transaction is older than the end of the wait below.
        RAISE EXCEPTION 'the journal needs READ COMMITTED' USING ERRCODE = 'SJ003';
    END IF;
    PERFORM set_config('lock_timeout', wait_ms::text, true);
    LOCK TABLE scenarios_journal.touched IN EXCLUSIVE MODE;
END
$$;

-- What no trigger tells of and no statement of ours can bring back.
CREATE FUNCTION scenarios_journal.beyond(s scenarios_journal.snapshots) RETURNS text LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    st scenarios_journal.state;
    seen text;
BEGIN
    SELECT string_agg(DISTINCT d.tag || coalesce(' ' || d.identity, '') || ' (by ' || d.by_role || ')', ', ')
      INTO seen FROM scenarios_journal.ddl d WHERE d.n >= s.base;
    IF seen IS NOT NULL THEN
        RETURN 'the schema was changed: ' || seen;
    END IF;
    SELECT * INTO st FROM scenarios_journal.state;
    IF NOT st.watching AND st.catalogue IS DISTINCT FROM scenarios_journal.catalogue() THEN
        RETURN 'the schema was changed (its catalogue no longer is what it was)';
    END IF;
    IF s.large_objects IS DISTINCT FROM scenarios_journal.large_objects() THEN
        RETURN 'large objects were written';
    END IF;
    RETURN NULL;
END
$$;

-- Returns NULL when tables were created or altered since the triggers were last fitted: fit them, ask again.
CREATE FUNCTION scenarios_journal.take_snapshot(new_name text, wait_ms integer)
    RETURNS TABLE (number bigint, taken_at timestamptz, pristine boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = 0
    SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    st scenarios_journal.state;
    here bigint;
    kept jsonb;
    lasts bigint[];
    calls boolean[];
    moment timestamptz := clock_timestamp();
BEGIN
    PERFORM scenarios_journal.settle(wait_ms);
    SELECT * INTO st FROM scenarios_journal.state;
    IF EXISTS (SELECT FROM scenarios_journal.ddl d WHERE NOT d.settled)
       OR NOT st.watching AND st.catalogue IS DISTINCT FROM scenarios_journal.catalogue()
       OR NOT EXISTS (SELECT FROM scenarios_journal.touched t WHERE t.n = -9223372036854775808) THEN
        RETURN;
    END IF;
    here := nextval('scenarios_journal.clock');
    pristine := false;
    IF here < 0 THEN
        pristine := NOT EXISTS (SELECT FROM scenarios_journal.touched t WHERE t.tracked <> 0)
                AND NOT EXISTS (SELECT FROM scenarios_journal.ddl)
                AND st.home <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
        PERFORM setval('scenarios_journal.clock', 1);
        here := 1;
        DELETE FROM scenarios_journal.touched t WHERE t.tracked <> 0;
    END IF;
    IF EXISTS (SELECT FROM scenarios_journal.views) THEN
        IF NOT st.watching THEN
            UPDATE scenarios_journal.views v SET version = here;  -- nobody tells of a REFRESH
        END IF;
        INSERT INTO scenarios_journal.view_states
        SELECT v.relation, v.version, scenarios_journal.view_content(v.relation)
          FROM scenarios_journal.views v
         WHERE NOT EXISTS (SELECT FROM scenarios_journal.view_states k
                            WHERE k.relation = v.relation AND k.version = v.version);
        kept := (SELECT jsonb_object_agg(v.relation, v.version) FROM scenarios_journal.views v);
    END IF;
    SELECT array_agg(q.last ORDER BY q.place), array_agg(q.called ORDER BY q.place)
      INTO lasts, calls FROM scenarios_journal.sequences() q;
    IF new_name IS NOT NULL THEN
        UPDATE scenarios_journal.snapshots o SET name = NULL WHERE o.name = new_name;
    END IF;
    INSERT INTO scenarios_journal.snapshots
    VALUES (here, new_name, here, here, moment, pristine, 0, lasts, calls, kept,
            scenarios_journal.role_list(), scenarios_journal.large_objects());
    number := here;
    taken_at := moment;
    RETURN NEXT;
END
$$;

-- The stretches of the clock between a later snapshot and its last restore: written, and undone again.
CREATE FUNCTION scenarios_journal.dead_since(first bigint) RETURNS int8multirange LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(range_agg(int8range(s.base, s.mark)), '{}'::int8multirange)
      FROM scenarios_journal.snapshots s WHERE s.number > first AND s.mark > s.base
$$;

-- Everything a restore does, in one call.
CREATE FUNCTION scenarios_journal.restore(which bigint, wait_ms integer, tidy_every integer)
    RETURNS TABLE (relations text[], counts bigint[], notes text[], tidy text[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET session_replication_role = replica
    SET row_security = off
    SET lock_timeout = 0
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
    SET jit = off SET plan_cache_mode = force_generic_plan
    SET extra_float_digits = 1 SET "DateStyle" = 'ISO' SET "IntervalStyle" = 'postgres' SET "TimeZone" = 'UTC'
    SET check_function_bodies = off
AS $$
#variable_conflict use_column
DECLARE
    s scenarios_journal.snapshots;
    reason text;
    dead int8multirange := '{}';
    t record;
    v record;
    done bigint;
    undone bigint := 0;
    here bigint;
BEGIN
    relations := '{}'; counts := '{}'; notes := '{}'; tidy := '{}';
    PERFORM set_config('scenarios_journal.restoring', 'on', true);
    PERFORM scenarios_journal.settle(wait_ms);
    SELECT * INTO s FROM scenarios_journal.snapshots o WHERE o.number = which;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no snapshot %', which USING ERRCODE = 'SJ004';
    END IF;
    IF NOT EXISTS (SELECT FROM scenarios_journal.touched k WHERE k.n = -9223372036854775808) THEN
        RAISE EXCEPTION 'the server crashed since the snapshot, and the undo rows with it' USING ERRCODE = 'SJ001';
    END IF;
    reason := scenarios_journal.beyond(s);
    IF reason IS NOT NULL THEN
        RAISE EXCEPTION '%', reason USING ERRCODE = 'SJ001';
    END IF;
    IF EXISTS (SELECT FROM scenarios_journal.snapshots o WHERE o.number > which) THEN
        dead := scenarios_journal.dead_since(which);
    END IF;
    FOR t IN
        SELECT r.id, r.label
          FROM (SELECT DISTINCT k.tracked FROM scenarios_journal.touched k WHERE k.n >= s.mark) w
          JOIN scenarios_journal.tracked r ON r.id = w.tracked
    LOOP
        EXECUTE 'SELECT scenarios_journal.r_' || t.id || '($1, $2)' INTO done USING s.mark, dead;
        IF done > 0 THEN
            relations := relations || t.label;
            counts := counts || done;
            undone := undone + done;
        END IF;
    END LOOP;
    IF s.view_versions IS NOT NULL THEN
        PERFORM scenarios_journal.restore_views(s);
    END IF;
    FOR v IN
        SELECT q.relation, s.last_values[q.place] AS last, s.called[q.place] AS called, n.seqcache
          FROM scenarios_journal.sequences() q JOIN pg_sequence n ON n.seqrelid = q.relation
         WHERE q.last <> s.last_values[q.place] OR q.called <> s.called[q.place]
    LOOP
        IF v.seqcache > 1 THEN
            -- Other sessions hold numbers drawn in advance; a new file makes them forget those.
            EXECUTE format('ALTER SEQUENCE %s RESTART', v.relation::regclass);
        END IF;
        PERFORM setval(v.relation, v.last, v.called);
    END LOOP;
    IF s.roles IS DISTINCT FROM scenarios_journal.role_list() THEN
        notes := (
            SELECT array_agg(
                   CASE WHEN b.r IS NULL THEN 'role ' || split_part(a.r, ' ', 1) || ' was created'
                        ELSE 'role ' || split_part(b.r, ' ', 1) || ' was dropped' END
                   || ' since the snapshot; roles belong to the whole server and stay as they are')
              FROM unnest(s.roles) b(r) FULL JOIN unnest(scenarios_journal.role_list()) a(r) ON a.r = b.r
             WHERE a.r IS NULL OR b.r IS NULL);
    END IF;
    here := nextval('scenarios_journal.clock');
    IF (s.restores + 1) % tidy_every = 0 OR undone > 10000 THEN
        tidy := scenarios_journal.compact(s, which);
    END IF;
    UPDATE scenarios_journal.snapshots o SET mark = here, restores = o.restores + 1 WHERE o.number = which;
    DELETE FROM scenarios_journal.snapshots o WHERE o.number > which;
    PERFORM set_config('scenarios_journal.restoring', '', true);
    RETURN NEXT;
END
$$;

CREATE FUNCTION scenarios_journal.restore_views(s scenarios_journal.snapshots) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v record;
    watching boolean := (SELECT st.watching FROM scenarios_journal.state st);
BEGIN
    FOR v IN
        SELECT w.relation, w.qualified, w.label, w.version, k.version AS kept, k.content
          FROM scenarios_journal.views w
          JOIN scenarios_journal.view_states k
            ON k.relation = w.relation AND k.version = (s.view_versions ->> w.relation::text)::bigint
         WHERE w.version <> k.version OR NOT watching
         ORDER BY w.depth
    LOOP
        IF v.content <> scenarios_journal.view_content(v.relation) THEN
            IF v.content = 'not populated' THEN
                EXECUTE format('REFRESH MATERIALIZED VIEW %s WITH NO DATA', v.qualified);
            ELSE
                EXECUTE format('REFRESH MATERIALIZED VIEW %s', v.qualified);
            END IF;
            IF v.content <> scenarios_journal.view_content(v.relation) THEN
                RAISE EXCEPTION 'materialized view % was refreshed, and at the snapshot it did not show its sources as they were then', v.label
                    USING ERRCODE = 'SJ001';
            END IF;
        END IF;
        UPDATE scenarios_journal.views w SET version = v.kept WHERE w.relation = v.relation;
    END LOOP;
END
$$;

-- Throw away undo rows that are settled, and name the tables a vacuum would do good.
CREATE FUNCTION scenarios_journal.compact(s scenarios_journal.snapshots, which bigint) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
    others boolean := EXISTS (SELECT FROM scenarios_journal.snapshots o WHERE o.number < which);
    vacuum text[] := '{}';
BEGIN
    IF NOT others THEN
        s.base := 0;  -- Rows left by snapshots that were given up go as well.
    END IF;
    FOR t IN
        SELECT r.id, r.qualified
          FROM (SELECT DISTINCT k.tracked FROM scenarios_journal.touched k WHERE k.n >= s.base) w
          JOIN scenarios_journal.tracked r ON r.id = w.tracked
    LOOP
        IF others THEN
            EXECUTE format('DELETE FROM scenarios_journal.%I u WHERE u.n >= $1', 'u_' || t.id) USING s.base;
            vacuum := vacuum || format('scenarios_journal.%I', 'u_' || t.id);
        ELSE
            EXECUTE format('TRUNCATE scenarios_journal.%I', 'u_' || t.id);
        END IF;
        vacuum := vacuum || t.qualified;
    END LOOP;
    IF others THEN
        DELETE FROM scenarios_journal.touched k WHERE k.n >= s.base;
        vacuum := vacuum || 'scenarios_journal.touched'::text;
    ELSE
        TRUNCATE scenarios_journal.touched;
        INSERT INTO scenarios_journal.touched VALUES (-9223372036854775808, 0);
    END IF;
    RETURN vacuum || 'scenarios_journal.snapshots'::text;
END
$$;

-- Forget a snapshot and, when it is the only one, what was recorded for it.
CREATE FUNCTION scenarios_journal.forget(which bigint, wait_ms integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = 0
AS $$
DECLARE
    s scenarios_journal.snapshots;
    t record;
BEGIN
    PERFORM scenarios_journal.settle(wait_ms);
    SELECT * INTO s FROM scenarios_journal.snapshots o WHERE o.number = which;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM scenarios_journal.snapshots o WHERE o.number = which;
    IF NOT EXISTS (SELECT FROM scenarios_journal.snapshots o) THEN
        -- What was recorded lies before any snapshot to come and does no harm; truncating it each time would
        -- cost more than the restore of a small test.
        IF pg_relation_size('scenarios_journal.touched') > 65536 THEN
            PERFORM scenarios_journal.compact(s, which);
        END IF;
    ELSIF s.mark > s.base THEN
        -- Its dead stretch would count again for an outer snapshot.
        FOR t IN SELECT DISTINCT k.tracked FROM scenarios_journal.touched k WHERE k.n >= s.base AND k.n < s.mark
        LOOP
            IF EXISTS (SELECT FROM scenarios_journal.tracked r WHERE r.id = t.tracked) THEN
                EXECUTE format('DELETE FROM scenarios_journal.%I u WHERE u.n >= $1 AND u.n < $2', 'u_' || t.tracked)
                  USING s.base, s.mark;
            END IF;
        END LOOP;
        DELETE FROM scenarios_journal.touched k WHERE k.n >= s.base AND k.n < s.mark;
    END IF;
    RETURN true;
END
$$;
