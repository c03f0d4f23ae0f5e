DROP TABLE refresh_tokens, user_profiles, users, roles, institutions;

-- The roles stay: they belong to the cluster, and another database may be using them.
REVOKE ALL ON SCHEMA public FROM ec_owner, ec_app, ec_student, ec_educator, ec_admin, ec_auth, ec_etl,
    ec_audit_writer, ec_monitor;
