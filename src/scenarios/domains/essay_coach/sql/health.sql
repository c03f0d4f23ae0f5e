-- The state of the database itself. Every view has the same shape, so that one reader serves them all:
-- what was looked at, ok / warning / problem / not applicable, the number, and a sentence.
CREATE VIEW health_connections AS
SELECT 'connections' AS item,
       CASE WHEN used.n >= allowed.n * 0.95 THEN 'problem' WHEN used.n >= allowed.n * 0.8 THEN 'warning' ELSE 'ok' END AS status,
       used.n::numeric AS value,
       format('%s of %s connections are in use, %s of them to this database, %s idle in a transaction',
              used.n, allowed.n, used.here, used.idle_in_transaction) AS detail
FROM (
    SELECT count(*) AS n,
           count(*) FILTER (WHERE datname = current_database()) AS here,
           count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction
    FROM pg_stat_activity WHERE backend_type = 'client backend'
) AS used
CROSS JOIN (SELECT current_setting('max_connections')::integer AS n) AS allowed;

CREATE VIEW health_slow_queries AS
SELECT 'slow queries' AS item,
       CASE WHEN count(running.pid) = 0 THEN 'ok' ELSE 'warning' END AS status,
       count(running.pid)::numeric AS value,
       format('%s statements have been running for longer than %s%s', count(running.pid), max(slow.after),
              coalesce(', the longest for ' || date_trunc('second', max(clock_timestamp() - query_start)), '')) AS detail
-- Five seconds, unless the one who asks sets app.slow_after.
FROM (SELECT coalesce(nullif(current_setting('app.slow_after', true), ''), '5 seconds')::interval AS after) AS slow
LEFT JOIN pg_stat_activity AS running
  ON running.datname = current_database() AND running.state = 'active' AND running.pid <> pg_backend_pid()
 AND running.backend_type = 'client backend' AND clock_timestamp() - running.query_start > slow.after;

CREATE VIEW health_disk AS
SELECT 'disk' AS item, 'ok' AS status, pg_database_size(current_database())::numeric AS value,
       format('the database takes %s; free space on the disk is not visible from SQL',
              pg_size_pretty(pg_database_size(current_database()))) AS detail
UNION ALL
(SELECT 'disk: ' || sized.name, 'ok', sized.bytes::numeric, format('%s with indexes', pg_size_pretty(sized.bytes))
 FROM (
     SELECT c.relname::text AS name,
            CASE c.relkind
                WHEN 'p' THEN (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) AS t)::bigint
                ELSE pg_total_relation_size(c.oid)
            END AS bytes
     FROM pg_class AS c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
 ) AS sized
 ORDER BY sized.bytes DESC, sized.name
 LIMIT 5);

CREATE VIEW health_index_usage AS
SELECT 'indexes' AS item,
       CASE WHEN count(*) FILTER (WHERE never AND reads > 1000) = 0 THEN 'ok' ELSE 'warning' END AS status,
       count(*) FILTER (WHERE never)::numeric AS value,
       format('%s of %s indexes were never used since %s', count(*) FILTER (WHERE never), count(*),
              coalesce(to_char(min(since), 'YYYY-MM-DD'), 'the statistics began')) AS detail
FROM (
    SELECT i.idx_scan = 0 AND NOT x.indisunique AS never,
           t.seq_scan + coalesce(t.idx_scan, 0) AS reads,
           (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS since
    FROM pg_stat_user_indexes AS i
    JOIN pg_index AS x ON x.indexrelid = i.indexrelid
    JOIN pg_stat_user_tables AS t ON t.relid = i.relid
    WHERE i.schemaname = 'public'
) AS used;

CREATE VIEW health_vacuum AS
SELECT 'vacuum and analyze' AS item,
       CASE WHEN count(*) FILTER (WHERE bloated) = 0 THEN 'ok' ELSE 'warning' END AS status,
       coalesce(sum(n_dead_tup), 0)::numeric AS value,
       format('%s dead rows; %s tables have more dead rows than a fifth of the living', coalesce(sum(n_dead_tup), 0),
              count(*) FILTER (WHERE bloated)) AS detail
FROM (
    SELECT n_dead_tup, n_dead_tup > 1000 AND n_dead_tup > n_live_tup / 5 AS bloated
    FROM pg_stat_user_tables WHERE schemaname = 'public'
) AS tables;

CREATE FUNCTION default_partition_rows() RETURNS TABLE (parent text, row_count bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT 'analytics', count(*) FROM analytics_default
    UNION ALL SELECT 'logs', count(*) FROM logs_default
    UNION ALL SELECT 'audit_log', count(*) FROM audit_log_default
$$;
COMMENT ON FUNCTION default_partition_rows() IS 'How many rows found no month of their own, for each partitioned table.';

CREATE VIEW health_partitions AS
SELECT 'partitions: ' || parent AS item,
       CASE WHEN missing_now THEN 'problem' WHEN missing_next OR row_count > 0 THEN 'warning' ELSE 'ok' END AS status,
       row_count::numeric AS value,
       format('%s months%s%s%s', months,
              CASE WHEN missing_now THEN '; this month has no partition' ELSE '' END,
              CASE WHEN missing_next THEN '; next month has no partition, run create_months_ahead()' ELSE '' END,
              CASE WHEN row_count > 0 THEN format('; %s rows lie in the default partition', row_count) ELSE '' END) AS detail
FROM (
    SELECT d.parent, d.row_count,
           NOT partition_name(d.parent, (now() AT TIME ZONE 'UTC')::date) = ANY (held.names) AS missing_now,
           NOT partition_name(
               d.parent, (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month')::date
           ) = ANY (held.names) AS missing_next,
           cardinality(held.names) - 1 AS months
    FROM default_partition_rows() AS d
    -- Attached, not merely there: a retired month still has its table.
    CROSS JOIN LATERAL (
        SELECT array_agg(c.relname::text) AS names
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass('public.' || d.parent)
    ) AS held
) AS looked;

CREATE VIEW health_views AS
SELECT 'view: ' || m.matviewname AS item,
       CASE WHEN NOT m.ispopulated THEN 'problem'
            WHEN r.refreshed_at IS NULL OR r.refreshed_at < now() - interval '24 hours' THEN 'warning'
            ELSE 'ok' END AS status,
       round(extract(epoch FROM now() - r.refreshed_at))::numeric AS value,
       CASE WHEN r.refreshed_at IS NULL THEN 'never refreshed since it was made'
            ELSE format('refreshed %s ago, %s rows', date_trunc('second', now() - r.refreshed_at), r.row_count) END AS detail
FROM pg_matviews AS m
LEFT JOIN view_refreshes AS r ON r.view_name = m.matviewname
WHERE m.schemaname = 'public';

CREATE VIEW health_replication AS
SELECT 'replication' AS item,
       CASE WHEN count(*) = 0 THEN 'not applicable'
            WHEN max(replay_lag) > interval '1 minute' THEN 'warning' ELSE 'ok' END AS status,
       round(extract(epoch FROM max(replay_lag)), 3)::numeric AS value,
       CASE WHEN count(*) = 0 THEN 'no standby is attached'
            ELSE format('%s standbys, the slowest is %s behind', count(*), coalesce(max(replay_lag), interval '0')) END AS detail
FROM pg_stat_replication;

CREATE VIEW health AS
SELECT * FROM health_connections
UNION ALL SELECT * FROM health_slow_queries
UNION ALL SELECT * FROM health_disk
UNION ALL SELECT * FROM health_index_usage
UNION ALL SELECT * FROM health_vacuum
UNION ALL SELECT * FROM health_partitions
UNION ALL SELECT * FROM health_views
UNION ALL SELECT * FROM health_replication;
COMMENT ON VIEW health IS 'All health checks, one row an item.';
