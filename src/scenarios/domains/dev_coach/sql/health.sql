-- One row a check: what was looked at, ok / warning / problem / not applicable, the number, a sentence.
-- Only catalogues and statistics are read; no table of the application is, and nothing is left behind.
SELECT 'connections' AS item,
       CASE WHEN used.n >= allowed.n * 0.95 THEN 'problem' WHEN used.n >= allowed.n * 0.8 THEN 'warning' ELSE 'ok' END AS status,
       used.n::float8 AS value,
       format('%%s of %%s connections are in use, %%s of them to this database, %%s active, %%s idle in a transaction',
              used.n, allowed.n, used.here, used.active, used.idle_in_transaction) AS detail
FROM (
    SELECT count(*) AS n,
           count(*) FILTER (WHERE datname = current_database()) AS here,
           count(*) FILTER (WHERE state = 'active') AS active,
           count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction
    FROM pg_stat_activity WHERE backend_type = 'client backend'
) AS used
CROSS JOIN (SELECT current_setting('max_connections')::integer AS n) AS allowed

UNION ALL
SELECT 'slow queries',
       CASE WHEN count(running.pid) = 0 THEN 'ok' ELSE 'warning' END,
       count(running.pid)::float8,
       format('%%s statements have been running for longer than %%s%%s', count(running.pid), max(slow.after),
              coalesce(', the longest for ' || date_trunc('second', max(clock_timestamp() - running.query_start)), ''))
FROM (SELECT %(slow_after)s::interval AS after) AS slow
LEFT JOIN pg_stat_activity AS running
  ON running.datname = current_database() AND running.state = 'active' AND running.pid <> pg_backend_pid()
 AND running.backend_type = 'client backend' AND clock_timestamp() - running.query_start > slow.after

UNION ALL
SELECT 'disk', 'ok', pg_database_size(current_database())::float8,
       format('the database takes %%s; free space on the disk is not visible from SQL',
              pg_size_pretty(pg_database_size(current_database())))

UNION ALL
SELECT 'indexes',
       CASE WHEN count(*) FILTER (WHERE invalid) > 0 THEN 'problem'
            WHEN count(*) FILTER (WHERE never AND reads > 1000) > 0 THEN 'warning' ELSE 'ok' END,
       count(*) FILTER (WHERE never)::float8,
       format('%%s of %%s indexes were never used, %%s are invalid: REINDEX builds them anew',
              count(*) FILTER (WHERE never), count(*), count(*) FILTER (WHERE invalid))
FROM (
    SELECT i.idx_scan = 0 AND NOT x.indisunique AS never, NOT x.indisvalid AS invalid,
           t.seq_scan + coalesce(t.idx_scan, 0) AS reads
    FROM pg_stat_user_indexes AS i
    JOIN pg_index AS x ON x.indexrelid = i.indexrelid
    JOIN pg_stat_user_tables AS t ON t.relid = i.relid
    WHERE i.schemaname = 'public'
) AS used

UNION ALL
SELECT 'vacuum and analyze',
       CASE WHEN count(*) FILTER (WHERE bloated) = 0 THEN 'ok' ELSE 'warning' END,
       coalesce(sum(n_dead_tup), 0)::float8,
       format('%%s dead rows; %%s tables have more dead rows than a fifth of the living',
              coalesce(sum(n_dead_tup), 0), count(*) FILTER (WHERE bloated))
FROM (
    SELECT n_dead_tup, n_dead_tup > 1000 AND n_dead_tup > n_live_tup / 5 AS bloated
    FROM pg_stat_user_tables WHERE schemaname = 'public'
) AS tables

UNION ALL
SELECT 'replication',
       CASE WHEN count(*) = 0 THEN 'not applicable'
            WHEN max(replay_lag) > interval '1 minute' THEN 'warning' ELSE 'ok' END,
       round(extract(epoch FROM max(replay_lag)), 3)::float8,
       CASE WHEN count(*) = 0 THEN 'no standby is attached'
            ELSE format('%%s standbys, the slowest is %%s behind', count(*), coalesce(max(replay_lag), interval '0')) END
FROM pg_stat_replication
