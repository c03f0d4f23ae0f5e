-- Everything that stands on the tables, so that they can be dropped. Policies hold functions, functions views.
DROP VIEW IF EXISTS health, health_connections, health_slow_queries, health_disk, health_index_usage,
    health_vacuum, health_partitions, health_views, health_replication;
DROP VIEW IF EXISTS data_quality_breaches, student_progress, daily_submissions, feedback_type_stats;
DROP MATERIALIZED VIEW IF EXISTS mv_student_progress, mv_daily_submissions, mv_feedback_type_stats;
DROP VIEW IF EXISTS essay_scores;
