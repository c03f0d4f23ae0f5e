DROP VIEW health, health_connections, health_slow_queries, health_disk, health_index_usage, health_vacuum,
    health_partitions, health_views, health_replication;
DROP FUNCTION default_partition_rows();
DROP FUNCTION cleanup_orphans(boolean, interval, timestamptz);
DROP FUNCTION run_data_quality_audit();
DROP VIEW data_quality_breaches;
DROP FUNCTION refresh_views(boolean);
DROP VIEW student_progress, daily_submissions, feedback_type_stats;
DROP MATERIALIZED VIEW mv_student_progress, mv_daily_submissions, mv_feedback_type_stats;
DROP VIEW essay_scores;
DROP FUNCTION prune_refresh_tokens(interval, timestamptz);
DROP FUNCTION revoke_refresh_tokens(bigint, text, timestamptz);
DROP FUNCTION rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz);
DROP FUNCTION issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz);
DROP FUNCTION find_login(text);
