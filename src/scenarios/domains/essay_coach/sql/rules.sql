-- Who is asking: two variables the application sets for one transaction with set_config(name, value, true).
-- Afterwards such a variable is an empty string, not null; and it can hold anything. Whatever is not a
-- number means nobody, and nobody sees nothing.
CREATE FUNCTION app_user_id() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT (CASE WHEN current_setting('app.user_id', true) ~ '^[0-9]{1,18}$'
                   THEN current_setting('app.user_id', true) END)::bigint $$;
COMMENT ON FUNCTION app_user_id() IS 'The user on whose behalf this transaction runs, or null.';

CREATE FUNCTION app_institution_id() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT (CASE WHEN current_setting('app.institution_id', true) ~ '^[0-9]{1,18}$'
                   THEN current_setting('app.institution_id', true) END)::bigint $$;
COMMENT ON FUNCTION app_institution_id() IS 'The institution this transaction is confined to, or null.';

CREATE FUNCTION app_is_staff() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT pg_has_role(current_user, 'ec_educator', 'USAGE') OR pg_has_role(current_user, 'ec_admin', 'USAGE') $$;
COMMENT ON FUNCTION app_is_staff() IS 'Whether the current role is an educator or admin.';

-- A draft is submitted once. Only a failed essay goes back, for another attempt.
CREATE FUNCTION check_essay_transition() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (OLD.status, NEW.status) IN (
        ('draft', 'submitted'), ('submitted', 'processing'), ('processing', 'completed'),
        ('processing', 'failed'), ('failed', 'submitted'), ('failed', 'processing')
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'essay % cannot go from "%" to "%"', OLD.id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation', TABLE = 'essays', COLUMN = 'status', CONSTRAINT = 'essays_transition';
END
$$;
CREATE TRIGGER essays_transition
    BEFORE UPDATE OF status ON essays
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION check_essay_transition();
