-- Taking a snapshot, restoring it, giving it up.
--
-- These functions are called once for each test and most tests change little, so what they ask before they
-- begin is most of what they cost: one query that sees whether anything unusual happened, and the dear questions
-- only if it did. The rules of core.sql hold here, too.

-- Wait, but not for ever, until nobody has uncommitted writes, and keep new ones out until we are done.
-- Called with the search_path of its callers.
CREATE FUNCTION scenarios_journal.settle(wait_ms integer) RETURNS boolean LANGUAGE plpgsql
AS $$
DECLARE
    ignored text;
BEGIN
    IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'read committed' THEN
        -- The snapshot of such a transaction is older than the end of the wait below.
        RAISE EXCEPTION 'the journal needs READ COMMITTED' USING ERRCODE = 'SJ003';
    END IF;
    ignored := pg_catalog.set_config('lock_timeout', wait_ms::pg_catalog.text, true);
    LOCK TABLE scenarios_journal.touched IN EXCLUSIVE MODE;
    RETURN true;
END
$$;

-- Move the clock, under the lock of settle(). Not nextval(), since the session may be the application's, and its
-- lastval() would tell.
CREATE FUNCTION scenarios_journal.tick() RETURNS bigint LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT setval('scenarios_journal.clock', pg_sequence_last_value('scenarios_journal.clock') + 1)
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
    st record;
    here bigint;
    kept jsonb;
    lasts bigint[];
    calls boolean[];
    moment timestamptz := clock_timestamp();
    ignored text;
    settled boolean := scenarios_journal.settle(wait_ms);
BEGIN
    SELECT c.watching, c.catalogue, c.home, c.path,
           EXISTS (SELECT FROM scenarios_journal.ddl d WHERE NOT d.settled) AS altered,
           EXISTS (SELECT FROM scenarios_journal.touched t WHERE t.n = -9223372036854775808) AS intact,
           EXISTS (SELECT FROM scenarios_journal.views) AS has_views
      INTO st FROM scenarios_journal.state c;
    IF st.altered OR st.intact IS NOT TRUE
       OR NOT st.watching AND st.catalogue IS DISTINCT FROM scenarios_journal.catalogue() THEN
        RETURN;
    END IF;
    here := scenarios_journal.tick();
    pristine := false;
    IF here < 0 THEN
        pristine := NOT EXISTS (SELECT FROM scenarios_journal.touched t WHERE t.tracked <> 0)
                AND NOT EXISTS (SELECT FROM scenarios_journal.ddl)
                AND st.home <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
        PERFORM setval('scenarios_journal.clock', 1);
        here := 1;
        DELETE FROM scenarios_journal.touched t WHERE t.tracked <> 0;
    END IF;
    IF st.has_views THEN
        ignored := set_config('search_path', st.path, true);
        kept := scenarios_journal.keep_views(here);
        ignored := set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    SELECT array_agg(q.last), array_agg(q.called)
      INTO lasts, calls FROM scenarios_journal.sequences() q;
    IF new_name IS NOT NULL THEN
        UPDATE scenarios_journal.snapshots o SET name = NULL WHERE o.name = new_name;
    END IF;
    INSERT INTO scenarios_journal.snapshots
    VALUES (here, new_name, here, here, moment, pristine, 0, lasts, calls, kept,
            (SELECT array_agg(w.line) FROM scenarios_journal.server_wide w), scenarios_journal.large_objects());
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
    RETURNS TABLE (relations text[], counts bigint[], notes text[], tidy text[], dropped text[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET session_replication_role = replica
    SET row_security = off
    SET lock_timeout = 0
    SET jit = off SET plan_cache_mode = force_generic_plan
    SET extra_float_digits = 1  -- TimeZone and others are the database's own, given when the journal is fitted
    SET check_function_bodies = off
AS $$
#variable_conflict use_column
DECLARE
    s record;
    reason text;
    dead int8multirange := '{}';
    t record;
    v record;
    place integer;
    done bigint;
    undone bigint := 0;
    written boolean := false;
    here bigint;
    ignored text := set_config('scenarios_journal.restoring', 'on', true);
    settled boolean := scenarios_journal.settle(wait_ms);
BEGIN
    relations := '{}'; counts := '{}'; notes := '{}'; tidy := '{}'; dropped := '{}';
    SELECT o.*,
           EXISTS (SELECT FROM scenarios_journal.touched k WHERE k.n = -9223372036854775808) AS intact,
           EXISTS (SELECT FROM scenarios_journal.snapshots i WHERE i.number > which) AS has_inner,
           o.large_objects IS NOT NULL OR EXISTS (SELECT FROM pg_largeobject_metadata)
           OR EXISTS (SELECT FROM scenarios_journal.ddl d WHERE d.n >= o.base) OR NOT st.watching
           OR st.armed IS DISTINCT FROM (
                  SELECT e.state || scenarios_journal.armed_lately() FROM scenarios_journal.armed_events e) AS doubtful,
           st.path,
           o.server_wide IS DISTINCT FROM (SELECT array_agg(w.line) FROM scenarios_journal.server_wide w)
           AS elsewhere
      INTO s FROM scenarios_journal.snapshots o, scenarios_journal.state st WHERE o.number = which;
    IF NOT FOUND AND EXISTS (SELECT FROM scenarios_journal.touched k WHERE k.n = -9223372036854775808) THEN
        RAISE EXCEPTION 'no snapshot %', which USING ERRCODE = 'SJ004';
    END IF;
    IF s.intact IS NOT TRUE THEN
        RAISE EXCEPTION 'the server crashed since the snapshot, and the undo rows with it' USING ERRCODE = 'SJ001';
    END IF;
    IF s.doubtful THEN
        dropped := scenarios_journal.take_back(which, wait_ms);
        reason := scenarios_journal.beyond(which);
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION '%', reason USING ERRCODE = 'SJ001';
        END IF;
    END IF;
    IF s.has_inner THEN
        dead := scenarios_journal.dead_since(which);
    END IF;
    ignored := set_config('search_path', s.path, true);
    FOR t IN
        SELECT r.id, r.label
          FROM (SELECT DISTINCT k.tracked FROM scenarios_journal.touched k WHERE k.n >= s.mark) w
          JOIN scenarios_journal.tracked r ON r.id = w.tracked
    LOOP
        written := true;
        done := scenarios_journal.undo(t.id, s.mark, dead);
        IF done > 0 THEN
            relations := relations OPERATOR(pg_catalog.||) t.label;
            counts := counts OPERATOR(pg_catalog.||) done;
            undone := undone + done;
        END IF;
    END LOOP;
    IF s.view_versions IS NOT NULL THEN
        PERFORM scenarios_journal.restore_views(s.view_versions);
    END IF;
    ignored := set_config('search_path', 'pg_catalog, pg_temp', true);
    IF s.elsewhere THEN
        notes := scenarios_journal.server_notes(s.server_wide);
    END IF;
    IF written THEN
        here := scenarios_journal.tick();
        IF (s.restores + 1) % tidy_every = 0 OR undone > 10000 THEN
            tidy := scenarios_journal.compact(s.base, which);
        END IF;
        UPDATE scenarios_journal.snapshots o SET mark = here, restores = o.restores + 1 WHERE o.number = which;
    END IF;
    IF s.has_inner THEN
        DELETE FROM scenarios_journal.snapshots o WHERE o.number > which;
    END IF;
    -- Sequences come last, because a roll-back does not take them back: first every lock that is needed, for
    -- which somebody may let us wait in vain, then nothing that can fail.
    SELECT array_agg(q.relation) AS relation, array_agg(q.last) AS last, array_agg(q.called) AS called,
           array_agg((SELECT n.seqcache FROM pg_sequence n WHERE n.seqrelid = q.relation)) AS cached,
           array_agg(pg_sequence_last_value(q.relation)) AS locked
      INTO v FROM ROWS FROM (scenarios_journal.sequences(), unnest(s.last_values, s.called))
                  AS q(relation, last_now, called_now, last, called)
     WHERE q.last_now <> q.last OR q.called_now <> q.called;
    FOR place IN 1 .. coalesce(cardinality(v.relation), 0) LOOP
        IF v.cached[place] > 1 THEN
            -- Other sessions hold numbers drawn in advance; a new file makes them forget those.
            EXECUTE format('ALTER SEQUENCE %s RESTART', v.relation[place]::regclass);
        END IF;
    END LOOP;
    FOR place IN 1 .. coalesce(cardinality(v.relation), 0) LOOP
        PERFORM setval(v.relation[place], v.last[place], v.called[place]);
    END LOOP;
    ignored := set_config('scenarios_journal.restoring', '', true);
    RETURN NEXT;
END
$$;

-- Empty a table of ours, all of it if nobody else needs some and nobody reads it (a dump, say): tidying is a
-- courtesy that must not make a restore wait or fail. Returns its name when it should be vacuumed.
CREATE FUNCTION scenarios_journal.thrown_away(name text, since bigint, only_since boolean) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT only_since THEN
        BEGIN
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', name);
            EXECUTE format('TRUNCATE %s', name);
            RETURN '{}';
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END IF;
    EXECUTE format('DELETE FROM %s u WHERE u.n >= $1', name) USING since;
    RETURN ARRAY[name];
END
$$;

-- Throw away undo rows that are settled, and name the tables a vacuum would do good.
CREATE FUNCTION scenarios_journal.compact(base bigint, which bigint) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
    others boolean := EXISTS (SELECT FROM scenarios_journal.snapshots o WHERE o.number < which);
    since bigint := CASE WHEN others THEN base ELSE 0 END;  -- 0: rows left by snapshots given up go as well
    vacuum text[] := '{}';
BEGIN
    FOR t IN
        SELECT r.id, r.qualified
          FROM (SELECT DISTINCT k.tracked FROM scenarios_journal.touched k WHERE k.n >= since) w
          JOIN scenarios_journal.tracked r ON r.id = w.tracked
    LOOP
        vacuum := vacuum || scenarios_journal.thrown_away(format('scenarios_journal.%I', 'u_' || t.id), since, others)
               || t.qualified;
    END LOOP;
    vacuum := vacuum || scenarios_journal.thrown_away('scenarios_journal.touched', since, others);
    INSERT INTO scenarios_journal.touched SELECT -9223372036854775808, 0
     WHERE NOT EXISTS (SELECT FROM scenarios_journal.touched k WHERE k.n = -9223372036854775808);
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
    settled boolean := scenarios_journal.settle(wait_ms);
BEGIN
    SELECT * INTO s FROM scenarios_journal.snapshots o WHERE o.number = which;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM scenarios_journal.snapshots o WHERE o.number = which;
    IF NOT EXISTS (SELECT FROM scenarios_journal.snapshots o) THEN
        -- What was recorded lies before any snapshot to come and does no harm; truncating it each time would
        -- cost more than the restore of a small test.
        IF pg_relation_size('scenarios_journal.touched') > 65536 THEN
            PERFORM scenarios_journal.compact(s.base, which);
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
