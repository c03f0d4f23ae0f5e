-- The months stay, with their rows; only what makes and retires them goes.
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT tgname, tgrelid::regclass AS on_table
        FROM pg_trigger
        WHERE tgfoid IN ('record_change'::regproc, 'refuse_change'::regproc, 'check_essay_transition'::regproc)
          AND tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.on_table);
    END LOOP;
END
$$;
DROP FUNCTION create_months_ahead(integer);
DROP FUNCTION ensure_months(text, timestamptz, timestamptz);
DROP FUNCTION ensure_month(text, date);
DROP FUNCTION retire_months(text, date, boolean);
DROP FUNCTION partition_name(text, date);
DROP FUNCTION record_change();
DROP FUNCTION refuse_change();
DROP FUNCTION audit_row(jsonb);
DROP FUNCTION check_essay_transition();
DROP FUNCTION app_is_staff();
DROP FUNCTION app_institution_id();
DROP FUNCTION app_user_id();
