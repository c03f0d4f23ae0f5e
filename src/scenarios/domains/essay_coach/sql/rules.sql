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

-- institutions.student_count, kept by statement: joining, leaving, changing role and changing institution.
-- An institution starts at zero whatever its INSERT says, or loading it together with its students would
-- count them twice.
CREATE FUNCTION start_student_count() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.student_count := 0;
    RETURN NEW;
END
$$;
CREATE TRIGGER institutions_start_student_count
    BEFORE INSERT ON institutions
    FOR EACH ROW EXECUTE FUNCTION start_student_count();

CREATE FUNCTION count_students() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        UPDATE institutions SET student_count = 0 WHERE student_count <> 0;
        RETURN NULL;
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        UPDATE institutions AS i
        SET student_count = i.student_count - gone.students
        FROM (
            SELECT institution_id, count(*) AS students FROM old_rows WHERE role = 'student' GROUP BY institution_id
        ) AS gone
        WHERE i.id = gone.institution_id;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        UPDATE institutions AS i
        SET student_count = i.student_count + come.students
        FROM (
            SELECT institution_id, count(*) AS students FROM new_rows WHERE role = 'student' GROUP BY institution_id
        ) AS come
        WHERE i.id = come.institution_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_count_inserted AFTER INSERT ON users
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_students();
CREATE TRIGGER users_count_updated AFTER UPDATE ON users
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_students();
CREATE TRIGGER users_count_deleted AFTER DELETE ON users
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_students();
CREATE TRIGGER users_count_truncated AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION count_students();
