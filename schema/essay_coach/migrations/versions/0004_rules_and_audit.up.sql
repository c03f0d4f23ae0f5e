SET ROLE ec_owner;

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

-- Row triggers of the parent come to its partitions by themselves, those for TRUNCATE do not.
CREATE TRIGGER audit_log_keep BEFORE TRUNCATE ON audit_log_default
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();


CREATE FUNCTION partition_name(parent text, month date) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$ SELECT parent || to_char(month, '_YYYY_MM') $$;
COMMENT ON FUNCTION partition_name(text, date) IS 'The name of the partition of a month.';

CREATE FUNCTION ensure_month(parent text, month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    first_day date := date_trunc('month', month)::date;
    child     text := partition_name(parent, month);
    key       text;
    lower     text;
    upper     text;
    waiting   boolean;
BEGIN
    SELECT a.attname INTO key
    FROM pg_partitioned_table AS p
    JOIN pg_class AS c ON c.oid = p.partrelid
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    WHERE c.relname = parent AND c.relnamespace = 'public'::regnamespace;
    IF key IS NULL THEN
        RAISE EXCEPTION 'there is no partitioned table "%"', parent USING ERRCODE = 'undefined_table';
    END IF;
    IF first_day IS NULL THEN
        RAISE EXCEPTION 'a month is needed for "%"', parent USING ERRCODE = 'null_value_not_allowed';
    END IF;

    -- Two transactions that need the same month: the second waits here and then finds it made.
    PERFORM pg_advisory_xact_lock(hashtext('essay_coach.partitions'), hashtext(child));
    IF EXISTS (
        SELECT FROM pg_inherits
        WHERE inhrelid = to_regclass(format('public.%I', child))
          AND inhparent = format('public.%I', parent)::regclass
    ) THEN
        RETURN false;
    END IF;

    -- Bounds with their offset: without it they would mean the session's time zone.
    lower := to_char(first_day, 'YYYY-MM-DD') || ' 00:00:00+00';
    upper := to_char(first_day + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00';

    -- Made apart and attached, not made in place: attaching asks for a weaker lock on the parent, and a month
    -- that was retired earlier comes back with its rows. Rows of the month that lie in the default partition
    -- would forbid it, so they step aside meanwhile. They come back after the month is attached, not before:
    -- the foreign keys of a table attached with rows are checked as its owner, whom the forced row-level
    -- security of the referenced tables shows nothing.
    IF to_regclass(format('public.%I', child)) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent
        );
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', child);
        IF parent = 'audit_log' THEN
            EXECUTE format(
                'CREATE TRIGGER audit_log_keep BEFORE TRUNCATE ON public.%I'
                ' FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change()', child
            );
        END IF;
    END IF;
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM public.%I WHERE %I >= %L::timestamptz AND %I < %L::timestamptz)',
        parent || '_default', key, lower, key, upper
    ) INTO waiting;
    IF waiting THEN
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I)', child || '_waiting', parent);
        IF parent = 'audit_log' THEN
            ALTER TABLE public.audit_log_default DISABLE TRIGGER audit_log_append_only;
        END IF;
        EXECUTE format(
            'WITH moved AS (DELETE FROM public.%I WHERE %I >= %L::timestamptz AND %I < %L::timestamptz'
            ' RETURNING *) INSERT INTO public.%I SELECT * FROM moved',
            parent || '_default', key, lower, key, upper, child || '_waiting'
        );
        IF parent = 'audit_log' THEN
            ALTER TABLE public.audit_log_default ENABLE TRIGGER audit_log_append_only;
        END IF;
    END IF;
    EXECUTE format(
        'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        parent, child, lower, upper
    );
    IF waiting THEN
        EXECUTE format('INSERT INTO public.%I SELECT * FROM public.%I', child, child || '_waiting');
        EXECUTE format('DROP TABLE public.%I', child || '_waiting');
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION ensure_month(text, date) IS
    'Makes the partition of a month if it is missing, moving rows out of the default partition; true if it did.';

CREATE FUNCTION ensure_months(parent text, first_at timestamptz, last_at timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    month date;
    made  integer := 0;
BEGIN
    FOR month IN
        SELECT m::date
        FROM generate_series(date_trunc('month', first_at), date_trunc('month', last_at), interval '1 month') AS m
    LOOP
        made := made + ensure_month(parent, month)::integer;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION ensure_months(text, timestamptz, timestamptz) IS
    'Makes the missing partitions for everything between two moments; returns how many it made.';

CREATE FUNCTION create_months_ahead(ahead integer DEFAULT 3) RETURNS integer
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT sum(ensure_months(parent, now(), now() + make_interval(months => ahead)))::integer
    FROM unnest(ARRAY['analytics', 'logs', 'audit_log']) AS parent
$$;
COMMENT ON FUNCTION create_months_ahead(integer) IS
    'Makes this month and those ahead for all partitioned tables; to be run by a monthly job.';

CREATE FUNCTION retire_months(parent text, before date, drop_them boolean DEFAULT false) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    child text;
BEGIN
    FOR child IN
        SELECT c.relname
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass(format('public.%I', parent))
          AND c.relname ~ '_[0-9]{4}_[0-9]{2}$'
          AND c.relname < partition_name(parent, before)
        ORDER BY c.relname
    LOOP
        EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', parent, child);
        IF drop_them THEN
            EXECUTE format('DROP TABLE public.%I', child);
        END IF;
        RETURN NEXT child;
    END LOOP;
END
$$;
COMMENT ON FUNCTION retire_months(text, date, boolean) IS
    'Detaches (or drops) the partitions of the months before the one given; returns their names.';

REVOKE ALL ON FUNCTION ensure_month(text, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION ensure_months(text, timestamptz, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION create_months_ahead(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION retire_months(text, date, boolean) FROM PUBLIC;


RESET ROLE;
