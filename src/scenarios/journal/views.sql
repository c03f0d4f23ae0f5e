-- Materialized views: which there are, what they held at a snapshot, and how they get it back.
--
-- Their content changes by REFRESH alone, which the DDL watcher sees, so it is compared by a checksum for each
-- version, and only those refreshed since are refreshed again. The rules of core.sql hold here, too.

-- The views of the database, in the order of their needs; all of them are new versions.
CREATE FUNCTION scenarios_journal.fit_views() RETURNS void LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE needs AS (
        SELECT DISTINCT r.ev_class AS view, d.refobjid AS source
          FROM pg_rewrite r JOIN pg_depend d
            ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
           AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    ), depths AS (
        SELECT c.oid AS view, 0 AS depth FROM pg_class c WHERE c.relkind = 'm'
        UNION
        SELECT n.view, d.depth + 1 FROM depths d JOIN needs n ON n.source = d.view
    ), views AS (
        SELECT c.oid, format('%I.%I', s.nspname, c.relname) AS qualified,
               s.nspname || '.' || c.relname AS label, max(d.depth) AS depth
          FROM depths d JOIN pg_class c ON c.oid = d.view AND c.relkind = 'm'
          JOIN pg_namespace s ON s.oid = c.relnamespace
         GROUP BY 1, 2, 3
    ), gone AS (
        DELETE FROM scenarios_journal.views v WHERE NOT EXISTS (SELECT FROM views w WHERE w.oid = v.relation)
    )
    INSERT INTO scenarios_journal.views (relation, qualified, label, depth, version)
    SELECT w.oid, w.qualified, w.label, w.depth, pg_sequence_last_value('scenarios_journal.clock') FROM views w
        ON CONFLICT (relation) DO UPDATE
           SET qualified = excluded.qualified, label = excluded.label, depth = excluded.depth,
               version = excluded.version
$$;

-- The rest is called with the application's search_path: views, and indexes on them, call its functions.
CREATE FUNCTION scenarios_journal.view_content(view oid) RETURNS text LANGUAGE plpgsql STABLE
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
        'SELECT pg_catalog.concat_ws('' '', count(*),'
        ' coalesce(sum(hashtextextended(scenarios_row::text, 0)::numeric), 0),'
        ' coalesce(sum(hashtextextended(scenarios_row::text, 1)::numeric), 0)) FROM %s scenarios_row',
        (SELECT w.qualified FROM scenarios_journal.views w WHERE w.relation = view)
    ) INTO found_content;
    RETURN found_content;
END
$$;

-- Write down what the views hold now; returns their versions.
CREATE FUNCTION scenarios_journal.keep_views(here bigint) RETURNS jsonb LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT (SELECT st.watching FROM scenarios_journal.state st) THEN
        UPDATE scenarios_journal.views v SET version = here;  -- nobody tells of a REFRESH
    END IF;
    INSERT INTO scenarios_journal.view_states
    SELECT v.relation, v.version, scenarios_journal.view_content(v.relation)
      FROM scenarios_journal.views v
     WHERE NOT EXISTS (SELECT FROM scenarios_journal.view_states k
                        WHERE k.relation = v.relation AND k.version = v.version);
    RETURN (SELECT jsonb_object_agg(v.relation, v.version) FROM scenarios_journal.views v);
END
$$;

CREATE FUNCTION scenarios_journal.restore_views(versions jsonb) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    v record;
    watching boolean := (SELECT st.watching FROM scenarios_journal.state st);
BEGIN
    FOR v IN
        SELECT w.relation, w.qualified, w.label, w.version, k.version AS kept, k.content
          FROM scenarios_journal.views w
          JOIN scenarios_journal.view_states k
            ON k.relation = w.relation AND k.version = (versions ->> w.relation::text)::bigint
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
