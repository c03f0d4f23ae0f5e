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
