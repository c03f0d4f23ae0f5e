-- From here on only the owner and superusers reach the data; the rows themselves stay as they are.
DO $$
DECLARE
    p record;
BEGIN
    FOR p IN SELECT policyname, tablename FROM pg_policies WHERE schemaname = 'public' LOOP
        EXECUTE format('DROP POLICY %I ON public.%I', p.policyname, p.tablename);
    END LOOP;
    FOR p IN
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relforcerowsecurity AND relkind IN ('r', 'p')
    LOOP
        EXECUTE format('ALTER TABLE public.%I NO FORCE ROW LEVEL SECURITY', p.relname);
        EXECUTE format('ALTER TABLE public.%I DISABLE ROW LEVEL SECURITY', p.relname);
    END LOOP;
END
$$;
DROP FUNCTION institution_of(bigint);

ALTER MATERIALIZED VIEW mv_student_progress OWNER TO ec_owner;
ALTER MATERIALIZED VIEW mv_daily_submissions OWNER TO ec_owner;
ALTER MATERIALIZED VIEW mv_feedback_type_stats OWNER TO ec_owner;
ALTER VIEW student_progress OWNER TO ec_owner;
ALTER VIEW daily_submissions OWNER TO ec_owner;
ALTER VIEW feedback_type_stats OWNER TO ec_owner;
ALTER VIEW data_quality_breaches OWNER TO ec_owner;
ALTER FUNCTION refresh_views(boolean) OWNER TO ec_owner;
ALTER FUNCTION run_data_quality_audit() OWNER TO ec_owner;
ALTER FUNCTION cleanup_orphans(boolean, interval, timestamptz) OWNER TO ec_owner;
ALTER FUNCTION default_partition_rows() OWNER TO ec_owner;
ALTER FUNCTION count_students() OWNER TO ec_owner;
ALTER FUNCTION find_login(text) OWNER TO ec_owner;
ALTER FUNCTION issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz) OWNER TO ec_owner;
ALTER FUNCTION rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz) OWNER TO ec_owner;
ALTER FUNCTION revoke_refresh_tokens(bigint, text, timestamptz) OWNER TO ec_owner;
ALTER FUNCTION prune_refresh_tokens(interval, timestamptz) OWNER TO ec_owner;
ALTER FUNCTION record_change() OWNER TO ec_owner;
ALTER VIEW health OWNER TO ec_owner;
ALTER VIEW health_connections OWNER TO ec_owner;
ALTER VIEW health_slow_queries OWNER TO ec_owner;
ALTER VIEW health_disk OWNER TO ec_owner;
ALTER VIEW health_index_usage OWNER TO ec_owner;
ALTER VIEW health_vacuum OWNER TO ec_owner;
ALTER VIEW health_partitions OWNER TO ec_owner;
ALTER VIEW health_views OWNER TO ec_owner;
ALTER VIEW health_replication OWNER TO ec_owner;

REVOKE ALL ON ALL TABLES IN SCHEMA public
    FROM ec_app, ec_student, ec_educator, ec_admin, ec_auth, ec_etl, ec_audit_writer, ec_monitor;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public
    FROM ec_app, ec_student, ec_educator, ec_admin, ec_auth, ec_etl, ec_audit_writer, ec_monitor;
GRANT EXECUTE ON FUNCTION refresh_views(boolean) TO PUBLIC;
GRANT EXECUTE ON FUNCTION run_data_quality_audit() TO PUBLIC;
GRANT EXECUTE ON FUNCTION cleanup_orphans(boolean, interval, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION default_partition_rows() TO PUBLIC;
GRANT EXECUTE ON FUNCTION find_login(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION revoke_refresh_tokens(bigint, text, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION prune_refresh_tokens(interval, timestamptz) TO PUBLIC;
