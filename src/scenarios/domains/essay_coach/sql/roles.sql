-- Roles belong to the cluster, not to a database: another database, or another worker building the same
-- template at this moment, may have made them already. Each is made if it is missing, and losing the race
-- to somebody else counts as success. Nothing here ever changes a role that exists.
--
--   ec_owner         owns schema and tables; migrations run as it
--   ec_app           what the application logs in as; switches to one of the three groups for each request
--   ec_student, ec_educator, ec_admin   what people may do
--   ec_auth          logins and refresh tokens, before a tenant is known
--   ec_etl           derived data: materialized views, counters, audits of data quality
--   ec_audit_writer  writes the audit trail, and can do nothing else to it
--   ec_monitor       reads the health views
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'ec_owner NOLOGIN',
        'ec_app LOGIN NOINHERIT',
        'ec_student NOLOGIN',
        'ec_educator NOLOGIN',
        'ec_admin NOLOGIN',
        'ec_auth NOLOGIN BYPASSRLS',
        'ec_etl NOLOGIN BYPASSRLS',
        'ec_audit_writer NOLOGIN BYPASSRLS',
        'ec_monitor LOGIN'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = split_part(wanted, ' ', 1)) THEN
            BEGIN
                EXECUTE 'CREATE ROLE ' || wanted;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;

    FOREACH wanted IN ARRAY ARRAY[
        'ec_student ec_app', 'ec_educator ec_app', 'ec_admin ec_app', 'pg_monitor ec_monitor'
    ] LOOP
        IF NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_auth_members AS m
            WHERE m.roleid = to_regrole(split_part(wanted, ' ', 1))
              AND m.member = to_regrole(split_part(wanted, ' ', 2))
        ) THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', split_part(wanted, ' ', 1), split_part(wanted, ' ', 2));
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO ec_owner, ec_app, ec_student, ec_educator, ec_admin;
GRANT USAGE ON SCHEMA public TO ec_auth, ec_etl, ec_audit_writer, ec_monitor;
GRANT CREATE ON SCHEMA public TO ec_owner;
