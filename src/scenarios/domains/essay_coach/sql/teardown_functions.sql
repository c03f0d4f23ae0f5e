-- What is left once the tables, with their triggers and policies, are gone. The roles stay: they belong to the
-- cluster, and another database may be using them. Only their rights here are taken back.
DROP FUNCTION IF EXISTS refresh_views(boolean), run_data_quality_audit(), default_partition_rows();
DROP FUNCTION IF EXISTS cleanup_orphans(boolean, interval, timestamptz);
DROP FUNCTION IF EXISTS find_login(text), prune_refresh_tokens(interval, timestamptz);
DROP FUNCTION IF EXISTS issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz);
DROP FUNCTION IF EXISTS rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz);
DROP FUNCTION IF EXISTS revoke_refresh_tokens(bigint, text, timestamptz), institution_of(bigint);
DROP FUNCTION IF EXISTS create_months_ahead(integer), ensure_months(text, timestamptz, timestamptz);
DROP FUNCTION IF EXISTS ensure_month(text, date), retire_months(text, date, boolean), partition_name(text, date);
DROP FUNCTION IF EXISTS record_change(), audit_row(jsonb), refuse_change(), count_students(), start_student_count();
DROP FUNCTION IF EXISTS check_essay_transition(), app_is_staff(), app_institution_id(), app_user_id();
REVOKE ALL ON SCHEMA public FROM ec_owner, ec_app, ec_student, ec_educator, ec_admin, ec_auth, ec_etl,
    ec_audit_writer, ec_monitor;
