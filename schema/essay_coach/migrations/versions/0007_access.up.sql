-- Who owns the functions and views that must see more than their caller.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO ec_etl;
GRANT INSERT, UPDATE ON view_refreshes TO ec_etl;
GRANT INSERT ON data_quality_findings TO ec_etl;
GRANT UPDATE (student_count) ON institutions TO ec_etl;
GRANT DELETE ON user_profiles, refresh_tokens, essays, submissions, ai_responses, feedback, analytics, reports TO ec_etl;
GRANT UPDATE (category_id) ON essays TO ec_etl;
GRANT UPDATE (essay_id) ON analytics TO ec_etl;
GRANT UPDATE (user_id) ON logs TO ec_etl;
GRANT UPDATE (replaced_by) ON refresh_tokens TO ec_etl;
GRANT SELECT (id, institution_id, email, role, password, is_active) ON users TO ec_auth;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens TO ec_auth;
GRANT INSERT ON logs TO ec_auth;
GRANT INSERT ON audit_log TO ec_audit_writer;
GRANT SELECT (id, institution_id) ON essays, users TO ec_audit_writer;

-- An owner must be able to create in the schema at the moment it is given something.
GRANT CREATE ON SCHEMA public TO ec_etl, ec_auth, ec_audit_writer, ec_monitor;
ALTER MATERIALIZED VIEW mv_student_progress OWNER TO ec_etl;
ALTER MATERIALIZED VIEW mv_daily_submissions OWNER TO ec_etl;
ALTER MATERIALIZED VIEW mv_feedback_type_stats OWNER TO ec_etl;
ALTER VIEW student_progress OWNER TO ec_etl;
ALTER VIEW daily_submissions OWNER TO ec_etl;
ALTER VIEW feedback_type_stats OWNER TO ec_etl;
ALTER VIEW data_quality_breaches OWNER TO ec_etl;
ALTER FUNCTION refresh_views(boolean) OWNER TO ec_etl;
ALTER FUNCTION run_data_quality_audit() OWNER TO ec_etl;
ALTER FUNCTION cleanup_orphans(boolean, interval, timestamptz) OWNER TO ec_etl;
ALTER FUNCTION default_partition_rows() OWNER TO ec_etl;
ALTER FUNCTION count_students() OWNER TO ec_etl;
ALTER FUNCTION find_login(text) OWNER TO ec_auth;
ALTER FUNCTION issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz) OWNER TO ec_auth;
ALTER FUNCTION rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz) OWNER TO ec_auth;
ALTER FUNCTION revoke_refresh_tokens(bigint, text, timestamptz) OWNER TO ec_auth;
ALTER FUNCTION prune_refresh_tokens(interval, timestamptz) OWNER TO ec_auth;
ALTER FUNCTION record_change() OWNER TO ec_audit_writer;
ALTER VIEW health OWNER TO ec_monitor;
ALTER VIEW health_connections OWNER TO ec_monitor;
ALTER VIEW health_slow_queries OWNER TO ec_monitor;
ALTER VIEW health_disk OWNER TO ec_monitor;
ALTER VIEW health_index_usage OWNER TO ec_monitor;
ALTER VIEW health_vacuum OWNER TO ec_monitor;
ALTER VIEW health_partitions OWNER TO ec_monitor;
ALTER VIEW health_views OWNER TO ec_monitor;
ALTER VIEW health_replication OWNER TO ec_monitor;
REVOKE CREATE ON SCHEMA public FROM ec_etl, ec_auth, ec_audit_writer, ec_monitor;

REVOKE ALL ON FUNCTION refresh_views(boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION run_data_quality_audit() FROM PUBLIC;
REVOKE ALL ON FUNCTION cleanup_orphans(boolean, interval, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION default_partition_rows() FROM PUBLIC;
REVOKE ALL ON FUNCTION find_login(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION revoke_refresh_tokens(bigint, text, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION prune_refresh_tokens(interval, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_views(boolean) TO ec_admin, ec_owner;
GRANT EXECUTE ON FUNCTION find_login(text) TO ec_app;
GRANT EXECUTE ON FUNCTION issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz) TO ec_app;
GRANT EXECUTE ON FUNCTION rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz) TO ec_app;
GRANT EXECUTE ON FUNCTION revoke_refresh_tokens(bigint, text, timestamptz) TO ec_app;
GRANT EXECUTE ON FUNCTION prune_refresh_tokens(interval, timestamptz), cleanup_orphans(boolean, interval, timestamptz) TO ec_owner;
GRANT EXECUTE ON FUNCTION run_data_quality_audit(), default_partition_rows() TO ec_monitor;
GRANT SELECT ON data_quality_breaches, data_quality_findings, view_refreshes TO ec_monitor;

-- What people may do, table by table; which rows is decided by the policies below.
GRANT SELECT ON roles, categories, feedback_types, metric_types TO ec_student, ec_educator, ec_admin;
GRANT SELECT ON institutions TO ec_student, ec_educator, ec_admin;
GRANT UPDATE (name) ON institutions TO ec_admin;
GRANT INSERT, UPDATE, DELETE ON categories TO ec_admin;

-- No password for students and educators, and nothing they could make themselves an admin with.
GRANT SELECT (id, institution_id, username, email, first_name, last_name, role, grade_level, is_active, is_staff,
              last_login, date_joined, created_at, updated_at)
    ON users TO ec_student, ec_educator;
GRANT UPDATE (first_name, last_name, email, password, grade_level, updated_at) ON users TO ec_student, ec_educator;
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO ec_admin;
GRANT SELECT, INSERT, UPDATE ON user_profiles TO ec_student, ec_educator;
GRANT SELECT, INSERT, UPDATE, DELETE ON user_profiles TO ec_admin;
GRANT SELECT (id, user_id, family_id, issued_at, expires_at, revoked_at, revoke_reason, user_agent, ip)
    ON refresh_tokens TO ec_student, ec_educator, ec_admin;

GRANT SELECT, DELETE ON essays TO ec_student;
GRANT INSERT (institution_id, user_id, category_id, title, content, status, word_count, character_count,
              reading_time_minutes, created_at, updated_at, submitted_at),
      UPDATE (category_id, title, content, status, word_count, character_count, reading_time_minutes,
              updated_at, submitted_at)
    ON essays TO ec_student;
GRANT SELECT, INSERT, UPDATE (change_summary) ON submissions TO ec_student;
GRANT SELECT ON feedback, analytics, reports TO ec_student;
GRANT SELECT ON essays, submissions, feedback, analytics TO ec_educator;
GRANT SELECT, INSERT, UPDATE, DELETE ON reports TO ec_educator;
GRANT SELECT, INSERT, UPDATE, DELETE ON essays, submissions, feedback, ai_responses, analytics, reports TO ec_admin;
GRANT SELECT ON logs, audit_log TO ec_admin;
GRANT SELECT ON essay_scores TO ec_student, ec_educator, ec_admin;
GRANT SELECT ON student_progress, daily_submissions, feedback_type_stats TO ec_educator, ec_admin;
GRANT SELECT ON student_progress TO ec_student;

-- Row-level security: enabled, so that policies hold for everybody who is granted a table; and forced, so that
-- they hold for the table's owner too. Superusers and the three BYPASSRLS roles are not confined.
-- A restrictive policy keeps every role inside its institution; the permissive ones say what is seen there.
ALTER TABLE institutions ENABLE ROW LEVEL SECURITY;
ALTER TABLE institutions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON institutions AS RESTRICTIVE USING (id = (SELECT app_institution_id()));
CREATE POLICY seen ON institutions FOR SELECT TO ec_student, ec_educator, ec_admin USING (true);
CREATE POLICY administered ON institutions FOR UPDATE TO ec_admin USING (true);

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON users AS RESTRICTIVE USING (institution_id = (SELECT app_institution_id()));
CREATE POLICY own_seen ON users FOR SELECT TO ec_student USING (id = (SELECT app_user_id()));
CREATE POLICY own_changed ON users FOR UPDATE TO ec_student, ec_educator USING (id = (SELECT app_user_id()));
CREATE POLICY staff_seen ON users FOR SELECT TO ec_educator USING (true);
CREATE POLICY administered ON users TO ec_admin USING (true);

-- What hangs from a user or an essay is confined through it: EXISTS sees only what the caller may see.
ALTER TABLE user_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_profiles FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON user_profiles AS RESTRICTIVE USING (EXISTS (SELECT FROM users AS u WHERE u.id = user_id));
CREATE POLICY own ON user_profiles TO ec_student, ec_educator USING (user_id = (SELECT app_user_id()));
CREATE POLICY staff_seen ON user_profiles FOR SELECT TO ec_educator USING (true);
CREATE POLICY administered ON user_profiles TO ec_admin USING (true);

ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON refresh_tokens AS RESTRICTIVE USING (EXISTS (SELECT FROM users AS u WHERE u.id = user_id));
CREATE POLICY own_seen ON refresh_tokens FOR SELECT TO ec_student, ec_educator USING (user_id = (SELECT app_user_id()));
CREATE POLICY administered ON refresh_tokens TO ec_admin USING (true);

ALTER TABLE essays ENABLE ROW LEVEL SECURITY;
ALTER TABLE essays FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON essays AS RESTRICTIVE USING (institution_id = (SELECT app_institution_id()));
CREATE POLICY own_seen ON essays FOR SELECT TO ec_student USING (user_id = (SELECT app_user_id()));
CREATE POLICY own_begun ON essays FOR INSERT TO ec_student
    WITH CHECK (user_id = (SELECT app_user_id()) AND status IN ('draft', 'submitted'));
CREATE POLICY own_changed ON essays FOR UPDATE TO ec_student
    USING (user_id = (SELECT app_user_id()))
    WITH CHECK (user_id = (SELECT app_user_id()) AND status IN ('draft', 'submitted'));
CREATE POLICY own_draft_dropped ON essays FOR DELETE TO ec_student
    USING (user_id = (SELECT app_user_id()) AND status = 'draft');
CREATE POLICY staff_seen ON essays FOR SELECT TO ec_educator USING (true);
CREATE POLICY administered ON essays TO ec_admin USING (true);

ALTER TABLE submissions ENABLE ROW LEVEL SECURITY;
ALTER TABLE submissions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON submissions AS RESTRICTIVE USING (EXISTS (SELECT FROM essays AS e WHERE e.id = essay_id));
CREATE POLICY seen ON submissions FOR SELECT TO ec_student, ec_educator USING (true);
CREATE POLICY own_added ON submissions FOR INSERT TO ec_student WITH CHECK (
    EXISTS (SELECT FROM essays AS e WHERE e.id = essay_id AND e.status IN ('draft', 'submitted')));
CREATE POLICY own_explained ON submissions FOR UPDATE TO ec_student USING (true);
CREATE POLICY administered ON submissions TO ec_admin USING (true);

ALTER TABLE feedback ENABLE ROW LEVEL SECURITY;
ALTER TABLE feedback FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON feedback AS RESTRICTIVE USING (EXISTS (SELECT FROM essays AS e WHERE e.id = essay_id));
CREATE POLICY seen ON feedback FOR SELECT TO ec_student, ec_educator USING (true);
CREATE POLICY administered ON feedback TO ec_admin USING (true);

ALTER TABLE ai_responses ENABLE ROW LEVEL SECURITY;
ALTER TABLE ai_responses FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ai_responses AS RESTRICTIVE USING (EXISTS (SELECT FROM essays AS e WHERE e.id = essay_id));
CREATE POLICY administered ON ai_responses TO ec_admin USING (true);

ALTER TABLE analytics ENABLE ROW LEVEL SECURITY;
ALTER TABLE analytics FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON analytics AS RESTRICTIVE USING (EXISTS (SELECT FROM users AS u WHERE u.id = user_id));
CREATE POLICY own_seen ON analytics FOR SELECT TO ec_student USING (user_id = (SELECT app_user_id()));
CREATE POLICY staff_seen ON analytics FOR SELECT TO ec_educator USING (true);
CREATE POLICY administered ON analytics TO ec_admin USING (true);

-- A public report is for the whole institution, whose users a student cannot see; so its author's institution
-- is asked of a function that can.
CREATE FUNCTION institution_of(a_user bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$ SELECT institution_id FROM users WHERE id = a_user $$;
COMMENT ON FUNCTION institution_of(bigint) IS 'The institution of a user, also of one the caller cannot see.';
GRANT CREATE ON SCHEMA public TO ec_auth;
ALTER FUNCTION institution_of(bigint) OWNER TO ec_auth;
REVOKE CREATE ON SCHEMA public FROM ec_auth;
REVOKE ALL ON FUNCTION institution_of(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION institution_of(bigint) TO ec_student, ec_educator, ec_admin;

ALTER TABLE reports ENABLE ROW LEVEL SECURITY;
ALTER TABLE reports FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON reports AS RESTRICTIVE USING (institution_of(user_id) = (SELECT app_institution_id()));
CREATE POLICY seen ON reports FOR SELECT TO ec_student, ec_educator
    USING (user_id = (SELECT app_user_id()) OR is_public);
CREATE POLICY own ON reports TO ec_educator USING (user_id = (SELECT app_user_id()));
CREATE POLICY administered ON reports TO ec_admin USING (true);

ALTER TABLE logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE logs FORCE ROW LEVEL SECURITY;
CREATE POLICY administered ON logs FOR SELECT TO ec_admin USING (EXISTS (SELECT FROM users AS u WHERE u.id = user_id));

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY administered ON audit_log FOR SELECT TO ec_admin USING (institution_id = (SELECT app_institution_id()));

-- This month and the next three, so that a fresh database takes new rows where they belong.
SELECT create_months_ahead(3);
