-- The people follow by ON UPDATE CASCADE. It is not something a person did: the audit trail stays quiet.
SELECT set_config('app.audit', 'off', true);
UPDATE roles SET code = 'educator', label = 'Educator' WHERE code = 'lecturer';

SET ROLE ec_owner;

ALTER TABLE institutions
    ADD COLUMN student_count integer DEFAULT 0 NOT NULL,
    ADD CONSTRAINT institutions_student_count_not_negative_check CHECK (student_count >= 0);

RESET ROLE;

-- Counted before the triggers exist, and in the same transaction: nobody can come in between.
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
UPDATE institutions AS i
SET student_count = (SELECT count(*) FROM users AS u WHERE u.institution_id = i.id AND u.role = 'student');

SET ROLE ec_owner;

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


RESET ROLE;

SELECT set_config('app.audit', '', true);
