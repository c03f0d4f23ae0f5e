-- The audit trail: who, in which role, did what to which row, with the row before and after.
-- It is written by one function, whose owner may insert here and nothing else, and nobody changes it: the
-- triggers below refuse even the table's owner and superusers.
CREATE FUNCTION audit_row(full_row jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$ SELECT full_row - 'password' - 'token_hash' $$;
COMMENT ON FUNCTION audit_row(jsonb) IS 'What of a row may be kept in the audit trail: no secrets.';

CREATE FUNCTION record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    -- On a partition this names the table people know.
    audited regclass := coalesce(pg_partition_root(TG_RELID)::oid, TG_RELID);
    before  jsonb;
    after   jsonb;
    image   jsonb;
    fields  text[];
    tenant  bigint;
BEGIN
    -- Loading a scenario is not something a person did. Only who could switch the triggers off anyway may
    -- say so; anybody else's variable is ignored.
    IF current_setting('app.audit', true) = 'off' AND pg_has_role(session_user, 'ec_owner', 'MEMBER') THEN
        RETURN NULL;
    END IF;
    IF TG_LEVEL = 'ROW' THEN
        IF TG_OP <> 'INSERT' THEN before := to_jsonb(OLD); END IF;
        IF TG_OP <> 'DELETE' THEN after := to_jsonb(NEW); END IF;
        IF TG_OP = 'UPDATE' THEN
            SELECT array_agg(key ORDER BY key) INTO fields
            FROM jsonb_each(after) WHERE value IS DISTINCT FROM before -> key;
            IF fields IS NULL THEN
                RETURN NULL;
            END IF;
        END IF;
        image := coalesce(after, before);
        tenant := (image ->> 'institution_id')::bigint;
        IF tenant IS NULL AND image ? 'essay_id' THEN
            SELECT institution_id INTO tenant FROM essays WHERE id = (image ->> 'essay_id')::bigint;
        ELSIF tenant IS NULL AND image ? 'user_id' THEN
            SELECT institution_id INTO tenant FROM users WHERE id = (image ->> 'user_id')::bigint;
        END IF;
    END IF;
    INSERT INTO audit_log (
        table_name, row_pk, op, actor_id, institution_id, db_role, acting_role,
        old_row, new_row, changed, payload_hash
    )
    VALUES (
        (SELECT relname FROM pg_class WHERE oid = audited),
        coalesce(image ->> TG_ARGV[0], '*'),
        TG_OP,
        app_user_id(),
        coalesce(tenant, app_institution_id()),
        session_user,
        -- Inside this function current_user is its owner; the setting still names the role that was set.
        nullif(current_setting('role'), 'none'),
        audit_row(before),
        audit_row(after),
        fields,
        CASE WHEN after IS NOT NULL THEN sha256(convert_to(audit_row(after)::text, 'UTF8')) END
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER users_audit AFTER INSERT OR UPDATE OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION record_change('id');
CREATE TRIGGER essays_audit AFTER INSERT OR UPDATE OR DELETE ON essays
    FOR EACH ROW EXECUTE FUNCTION record_change('id');
CREATE TRIGGER feedback_audit AFTER INSERT OR UPDATE OR DELETE ON feedback
    FOR EACH ROW EXECUTE FUNCTION record_change('id');
CREATE TRIGGER reports_audit AFTER INSERT OR UPDATE OR DELETE ON reports
    FOR EACH ROW EXECUTE FUNCTION record_change('id');
CREATE TRIGGER roles_audit AFTER INSERT OR UPDATE OR DELETE ON roles
    FOR EACH ROW EXECUTE FUNCTION record_change('code');
CREATE TRIGGER users_audit_truncate AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION record_change('id');
CREATE TRIGGER essays_audit_truncate AFTER TRUNCATE ON essays
    FOR EACH STATEMENT EXECUTE FUNCTION record_change('id');
CREATE TRIGGER feedback_audit_truncate AFTER TRUNCATE ON feedback
    FOR EACH STATEMENT EXECUTE FUNCTION record_change('id');
CREATE TRIGGER reports_audit_truncate AFTER TRUNCATE ON reports
    FOR EACH STATEMENT EXECUTE FUNCTION record_change('id');
CREATE TRIGGER roles_audit_truncate AFTER TRUNCATE ON roles
    FOR EACH STATEMENT EXECUTE FUNCTION record_change('code');

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege', TABLE = 'audit_log',
              HINT = 'Old months leave as a whole, by retire_months().';
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_keep BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
