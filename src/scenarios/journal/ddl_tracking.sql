-- What a restore cannot undo is noticed: DDL, large objects, roles.
--
-- Rows that come back into a table which meanwhile has another shape are worse than an error. The rules of
-- core.sql hold here, too.

-- NULL where there are none, which is nearly always and costs nothing to see.
CREATE FUNCTION scenarios_journal.large_objects() RETURNS text LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_largeobject_metadata) THEN
        RETURN NULL;
    END IF;
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

-- The catalogue in one value, for a role that may not create event triggers. Columns are named where the system
-- or a restore rewrites rows itself (a TRUNCATE gives a table a new file, a rule is disabled for a moment);
-- elsewhere the transaction that wrote a row tells.
CREATE FUNCTION scenarios_journal.catalogue() RETURNS text LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH ours AS (
        SELECT n.oid FROM pg_namespace n
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'scenarios_journal')
           AND n.nspname !~ '^pg_(toast_)?temp_'
    ), relations AS (
        SELECT c.* FROM pg_class c JOIN ours ON ours.oid = c.relnamespace
    ), lines AS (
        SELECT format('c %s %s %s %s %s %s %s %s %s %s %s %s', c.oid, c.relnamespace, c.relname, c.relkind,
                      c.relpersistence, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.relreplident,
                      c.relacl, c.reloptions) AS line
          FROM relations c
        UNION ALL
        SELECT format('a %s %s %s %s %s %s %s %s %s %s %s %s', a.attrelid, a.attnum, a.attname, a.atttypid,
                      a.atttypmod, a.attnotnull, a.attisdropped, a.attgenerated, a.attidentity, a.attstorage,
                      a.attacl, a.attoptions)
          FROM pg_attribute a JOIN relations c ON c.oid = a.attrelid WHERE a.attnum > 0
        UNION ALL
        SELECT format('i %s %s', i.inhrelid, i.inhparent) FROM pg_inherits i
        UNION ALL
        SELECT format('k %s %s', k.oid, pg_get_constraintdef(k.oid))
          FROM pg_constraint k JOIN ours ON ours.oid = k.connamespace
        UNION ALL
        SELECT format('p %s %s', p.oid, p.xmin) FROM pg_proc p JOIN ours ON ours.oid = p.pronamespace
        UNION ALL
        SELECT format('t %s %s %s %s', t.oid, t.tgname, t.tgenabled,
                      CASE WHEN t.tgname ~ '^scenarios_journal_' THEN t.xmin END)  -- a restore switches others
          FROM pg_trigger t WHERE NOT t.tgisinternal
        UNION ALL
        SELECT format('u %s %s %s %s', u.oid, u.rulename, u.ev_enabled, md5(u.ev_action::text))
          FROM pg_rewrite u JOIN relations c ON c.oid = u.ev_class
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
        SELECT format('n %s %s %s %s', n.oid, n.nspname, n.nspowner, n.nspacl)
          FROM pg_namespace n JOIN ours ON ours.oid = n.oid
        UNION ALL
        SELECT format('q %s %s %s %s %s %s %s', q.seqrelid, q.seqstart, q.seqincrement, q.seqmin, q.seqmax,
                      q.seqcache, q.seqcycle)
          FROM pg_sequence q JOIN relations c ON c.oid = q.seqrelid
        UNION ALL
        SELECT format('s %s %s', s.oid, s.xmin) FROM pg_statistic_ext s JOIN ours ON ours.oid = s.stxnamespace
        UNION ALL
        SELECT format('o %s %s', o.oid, o.xmin) FROM pg_operator o JOIN ours ON ours.oid = o.oprnamespace
        UNION ALL
        SELECT format('l %s %s', l.oid, l.xmin) FROM pg_opclass l JOIN ours ON ours.oid = l.opcnamespace
        UNION ALL
        SELECT format('z %s %s', z.oid, z.xmin) FROM pg_collation z JOIN ours ON ours.oid = z.collnamespace
        UNION ALL
        SELECT format('f %s %s', f.oid, f.xmin) FROM pg_ts_config f JOIN ours ON ours.oid = f.cfgnamespace
        UNION ALL
        SELECT format('g %s %s', g.oid, g.xmin) FROM pg_ts_dict g JOIN ours ON ours.oid = g.dictnamespace
        UNION ALL
        SELECT format('h %s %s', h.oid, h.xmin) FROM pg_cast h WHERE h.oid >= 16384
        UNION ALL
        SELECT format('j %s %s', j.oid, j.xmin) FROM pg_publication j
        UNION ALL
        SELECT format('jr %s %s', j.oid, j.xmin) FROM pg_publication_rel j
        UNION ALL
        SELECT format('js %s %s', j.srsubid, j.srrelid) FROM pg_subscription_rel j
        UNION ALL
        SELECT format('m %s %s', m.oid, m.xmin) FROM pg_default_acl m
        UNION ALL
        SELECT format('v %s %s', v.oid, v.xmin) FROM pg_foreign_server v
        UNION ALL
        SELECT format('w %s %s %s %s', w.objoid, w.classoid, w.objsubid, md5(w.description))
          FROM pg_description w WHERE w.objoid >= 16384
    )
    SELECT md5(string_agg(line, E'\n' ORDER BY line COLLATE "C")) FROM lines
$$;

-- The state of our own triggers in one value, where DDL is watched: nobody tells of a change to an event trigger,
-- nor of anything a session does that has switched event triggers off, as PostgreSQL lets it from version 17 on.
CREATE VIEW scenarios_journal.armed_events AS
    SELECT string_agg(concat_ws(' ', e.oid, e.evtenabled, e.xmin), ' ' ORDER BY e.oid) AS state
      FROM pg_catalog.pg_event_trigger e WHERE e.evtname ~ '^scenarios_journal_';

CREATE FUNCTION scenarios_journal.armed_triggers() RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('server_version_num')::integer < 170000 THEN
        RETURN '';
    END IF;
    RETURN (SELECT ' ' || sum(hashint8((g.oid::bigint << 32) | g.xmin::text::bigint)) FROM pg_trigger g
             WHERE g.tgenabled = 'A' AND g.tgname BETWEEN 'scenarios_journal_' AND 'scenarios_journal_z');
END
$$;

CREATE FUNCTION scenarios_journal.armed() RETURNS text LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.state || scenarios_journal.armed_triggers() FROM scenarios_journal.armed_events e
$$;

-- The same, remembered by a session until a table of ours was altered: `armed_lately` is made for the tables there
-- are, and the plan of its one expression has the value of a function that claims to be immutable and is asked
-- when the plan is made. The server throws the plan away when one of the relations that its constants of the type
-- regclass name is altered (setrefs.c, fix_expr_common; tests/journal/test_journal_disarmed.py sees it do so). The
-- function asks a volatile one, which sees what was committed after the statement began.
CREATE FUNCTION scenarios_journal.armed_once() RETURNS text LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN scenarios_journal.armed_triggers();
END
$$;

-- Taking the triggers off a table whose shape changes: what they would insert no longer fits. Event triggers of
-- the application, which may forbid to drop anything, do not hear of it.
CREATE FUNCTION scenarios_journal.untrack(which integer) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET session_replication_role = replica
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
    FOR held IN
        SELECT p.oid::regprocedure::text AS signature FROM pg_proc p
         WHERE p.pronamespace = 'scenarios_journal'::regnamespace AND p.proname ~ ('^[a-z]_' || which || '(_|$)')
    LOOP
        EXECUTE format('DROP FUNCTION %s', held.signature);
    END LOOP;
    -- No cascade does it: foreign keys do not work on a dedicated connection.
    DELETE FROM scenarios_journal.members m WHERE m.tracked = which;
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
    heir boolean;
BEGIN
    IF current_setting('scenarios_journal.restoring', true) = 'on' THEN
        RETURN;
    END IF;
    IF TG_EVENT = 'sql_drop' THEN
        FOR command IN SELECT * FROM pg_event_trigger_dropped_objects() LOOP
            -- A column goes without its table being named when its type is dropped.
            CONTINUE WHEN command.is_temporary OR command.schema_name = 'pg_temp'
                       OR NOT (command.original OR command.object_type IN ('table', 'table column'));
            INSERT INTO scenarios_journal.ddl
            VALUES (pg_sequence_last_value('scenarios_journal.clock'), TG_TAG, command.object_identity, session_user,
                    clock_timestamp(), false, command.classid, command.objid);
            SELECT m.tracked INTO of_table FROM scenarios_journal.members m WHERE m.relation = command.objid;
            IF command.classid = 'pg_class'::regclass AND of_table IS NOT NULL THEN
                PERFORM scenarios_journal.untrack(of_table);
            END IF;
        END LOOP;
        RETURN;
    END IF;
    FOR command IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
        CONTINUE WHEN command.schema_name = 'pg_temp' OR command.command_tag = 'REINDEX'
                   OR command.object_identity ~ ' on pg_temp(_\d+)?\.';  -- a trigger, rule or policy
        IF command.command_tag = 'REFRESH MATERIALIZED VIEW' THEN
            UPDATE scenarios_journal.views v SET version = pg_sequence_last_value('scenarios_journal.clock')
             WHERE v.relation = command.objid;
            CONTINUE;
        END IF;
        -- What statements on a parent tell of the rows of an heir would be put back into the parent.
        heir := command.classid = 'pg_class'::regclass AND EXISTS (
            SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhrelid = command.objid AND NOT c.relispartition AND c.relkind IN ('r', 'p', 'f'));
        INSERT INTO scenarios_journal.ddl
        VALUES (pg_sequence_last_value('scenarios_journal.clock'), command.command_tag, command.object_identity, session_user,
                clock_timestamp(), false, CASE WHEN NOT heir THEN command.classid END,
                CASE WHEN NOT heir THEN command.objid END,
                NOT heir AND (command.in_extension OR command.command_tag IN (
                    'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA', 'CREATE TYPE', 'CREATE DOMAIN',
                    'CREATE SEQUENCE', 'CREATE FUNCTION', 'CREATE PROCEDURE', 'CREATE AGGREGATE', 'CREATE VIEW',
                    'CREATE MATERIALIZED VIEW', 'CREATE INDEX', 'CREATE TRIGGER', 'CREATE POLICY', 'CREATE RULE',
                    'CREATE STATISTICS', 'CREATE EXTENSION', 'CREATE OPERATOR', 'CREATE CAST', 'CREATE COLLATION',
                    'CREATE PUBLICATION')));
        IF command.command_tag = 'ALTER TABLE' THEN
            SELECT m.tracked INTO of_table FROM scenarios_journal.members m WHERE m.relation = command.objid;
            IF of_table IS NOT NULL THEN
                PERFORM scenarios_journal.untrack(of_table);
            END IF;
        END IF;
    END LOOP;
END
$$;

-- The catalogue, and who may do what with the server's own objects.
CREATE FUNCTION scenarios_journal.fingerprint() RETURNS text LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT scenarios_journal.catalogue() || md5(string_agg(g.line, E'\n' ORDER BY g.line COLLATE "C"))
      FROM (
        SELECT format('c %s %s', c.oid, c.relacl) FROM pg_class c WHERE c.oid < 16384 AND c.relacl IS NOT NULL
        UNION ALL
        SELECT format('a %s %s %s', a.attrelid, a.attnum, a.attacl)
          FROM pg_attribute a WHERE a.attrelid < 16384 AND a.attacl IS NOT NULL
        UNION ALL
        SELECT format('p %s %s', p.oid, p.proacl) FROM pg_proc p WHERE p.oid < 16384 AND p.proacl IS NOT NULL
        UNION ALL
        SELECT format('y %s %s', y.oid, y.typacl) FROM pg_type y WHERE y.oid < 16384 AND y.typacl IS NOT NULL
        UNION ALL
        SELECT format('n %s %s', n.oid, n.nspacl) FROM pg_namespace n WHERE n.nspname ~ '^(pg_catalog|information_)'
        UNION ALL
        SELECT format('l %s %s', l.oid, l.lanacl) FROM pg_language l
        UNION ALL
        SELECT format('w %s %s', w.oid, w.xmin) FROM pg_foreign_data_wrapper w
        UNION ALL
        SELECT format('x %s %s %s %s %s %s', i.indexrelid, i.indisclustered, i.indisreplident, i.indisvalid,
                      i.indisprimary, i.indimmediate)
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid AND c.relpersistence <> 't'
         WHERE i.indexrelid >= 16384 AND c.relnamespace NOT IN (
               SELECT n.oid FROM pg_namespace n WHERE n.nspname IN ('scenarios_journal', 'pg_toast'))
      ) g(line)
$$;

-- Drop what was added since a snapshot, with all that was written into it; returns what went. Nothing is taken on
-- trust: the catalogue has to be afterwards what it was, or the restore fails and all this is rolled back.
CREATE FUNCTION scenarios_journal.take_back(which bigint, wait_ms integer) RETURNS text[] LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET client_min_messages = warning
AS $$
DECLARE
    since bigint := (SELECT o.base FROM scenarios_journal.snapshots o WHERE o.number = which);
    before text := (SELECT st.fingerprint FROM scenarios_journal.state st WHERE st.watching);
    made record;
    object record;
    seen text;
    gone text[] := '{}';
    ignored text;
BEGIN
    IF before IS NULL OR NOT EXISTS (SELECT FROM scenarios_journal.ddl d WHERE d.n >= since)
       OR EXISTS (SELECT FROM scenarios_journal.ddl d WHERE d.n >= since AND d.settled) THEN
        RETURN gone;  -- Where the journal was fitted to it since, the fingerprint is another one.
    END IF;
    -- A GRANT does not say on what: on something temporary or new it leaves nothing behind.
    SELECT string_agg(DISTINCT d.tag || coalesce(' ' || d.identity, '') || ' (by ' || d.by_role || ')', ', ')
      INTO seen FROM scenarios_journal.ddl d
     WHERE d.n >= since AND NOT d.made AND NOT (d.tag IN ('GRANT', 'REVOKE') AND d.objid IS NULL)
       AND NOT EXISTS (SELECT FROM scenarios_journal.ddl m
                        WHERE m.n >= since AND m.made AND m.classid = d.classid AND m.objid = d.objid);
    IF seen IS NOT NULL THEN
        RAISE EXCEPTION 'the schema was changed: %', seen USING ERRCODE = 'SJ001';
    END IF;
    ignored := set_config('lock_timeout', least(wait_ms, 1000)::text, true);
    FOR made IN
        SELECT d.classid, d.objid
          FROM scenarios_journal.ddl d LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
         WHERE d.n >= since AND d.made AND d.objid IS NOT NULL
         GROUP BY 1, 2
         ORDER BY d.classid <> 'pg_namespace'::regclass, d.classid <> 'pg_extension'::regclass,
               coalesce(bool_or(c.relkind NOT IN ('r', 'p', 'v', 'm', 'f')), true), min(d.at)
    LOOP
        object := pg_identify_object(made.classid, made.objid, 0);
        -- Gone, or part of something: of a constraint, of an extension, of an index of a partition tree.
        CONTINUE WHEN object.identity IS NULL OR EXISTS (
            SELECT FROM pg_depend p WHERE p.classid = made.classid AND p.objid = made.objid AND p.objsubid = 0
                                      AND p.deptype IN ('i', 'e', 'P', 'S'));
        EXECUTE format('DROP %s %s CASCADE', replace(object.type, 'statistics object', 'statistics'), object.identity);
        gone := gone || (object.type || ' ' || object.identity);
    END LOOP;
    IF scenarios_journal.fingerprint() IS DISTINCT FROM before THEN
        RAISE EXCEPTION 'the schema was changed: %, and dropping what was added does not bring it back',
            (SELECT string_agg(DISTINCT d.tag || coalesce(' ' || d.identity, '') || ' (by ' || d.by_role || ')', ', ')
               FROM scenarios_journal.ddl d WHERE d.n >= since) USING ERRCODE = 'SJ001';
    END IF;
    DELETE FROM scenarios_journal.ddl d WHERE d.n >= since;
    ignored := set_config('lock_timeout', wait_ms::text, true);
    RETURN gone;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
    RAISE EXCEPTION 'the schema was changed, and another connection has a transaction open on what was added'
        USING ERRCODE = 'SJ001';
END
$$;

-- What no trigger tells of and no statement of ours can bring back, in words; NULL when there is nothing.
CREATE FUNCTION scenarios_journal.beyond(which bigint) RETURNS text LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s scenarios_journal.snapshots;
    st scenarios_journal.state;
    seen text;
BEGIN
    SELECT * INTO s FROM scenarios_journal.snapshots o WHERE o.number = which;
    SELECT string_agg(DISTINCT d.tag || coalesce(' ' || d.identity, '') || ' (by ' || d.by_role || ')', ', ')
      INTO seen FROM scenarios_journal.ddl d WHERE d.n >= s.base;
    IF seen IS NOT NULL THEN
        RETURN 'the schema was changed: ' || seen;
    END IF;
    SELECT * INTO st FROM scenarios_journal.state;
    IF st.armed IS DISTINCT FROM scenarios_journal.armed() THEN
        RETURN 'the triggers of the journal are not as they were: something switched them off, replaced or dropped'
            ' them';
    END IF;
    IF NOT st.watching AND st.catalogue IS DISTINCT FROM scenarios_journal.catalogue() THEN
        RETURN 'the schema was changed (its catalogue no longer is what it was)';
    END IF;
    IF s.large_objects IS DISTINCT FROM scenarios_journal.large_objects() THEN
        RETURN 'large objects were written';
    END IF;
    RETURN NULL;
END
$$;

-- What belongs to the whole server is told and stays as it is, since other databases see it as well.
CREATE VIEW scenarios_journal.server_wide AS
    SELECT 'role ' || r.rolname || ' ' || r.oid AS line
      FROM pg_catalog.pg_roles r WHERE r.oid >= 16384
    UNION ALL
    SELECT 'settings ' || g.setdatabase || ' ' || g.setrole || ' ' || g.setconfig::text
      FROM pg_catalog.pg_db_role_setting g;

CREATE FUNCTION scenarios_journal.server_notes(lines_before text[]) RETURNS text[] LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH here AS (
        SELECT d.oid FROM pg_database d WHERE d.datname = current_database()
    ), told AS (
        SELECT DISTINCT CASE
               WHEN coalesce(a.line, b.line) LIKE 'settings %' THEN 'settings of a role or of the database were changed'
               WHEN b.line IS NULL THEN substring(a.line FROM '^role .*(?= \d+$)') || ' was created'
               ELSE substring(b.line FROM '^role .*(?= \d+$)') || ' was dropped' END AS what
          FROM unnest(lines_before) b(line)
          FULL JOIN scenarios_journal.server_wide a ON a.line = b.line
         WHERE (a.line IS NULL OR b.line IS NULL)
           -- Settings of other databases are the business of whoever works there.
           AND coalesce(nullif(substring(coalesce(a.line, b.line) FROM '^settings (\d+)')::oid, 0)
                        IN (SELECT here.oid FROM here), true)
    )
    SELECT coalesce(array_agg(
           told.what || ' since the snapshot; this belongs to the whole server and stays as it is'
           ORDER BY told.what), '{}')
      FROM told
$$;
