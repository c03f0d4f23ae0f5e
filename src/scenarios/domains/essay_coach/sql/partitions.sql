-- One partition a month (UTC) for analytics, logs and the audit trail, and a default partition that should
-- stay empty: a row without a month is kept rather than refused, and the health check tells of it.
CREATE TABLE analytics_default PARTITION OF analytics DEFAULT;
CREATE TABLE logs_default PARTITION OF logs DEFAULT;
CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;

-- A policy on the parent does not protect its partitions. Nobody is granted a partition; should somebody be
-- one day, row-level security without a policy shows them nothing. Not forced: the owner moves rows here.
ALTER TABLE analytics_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE logs_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log_default ENABLE ROW LEVEL SECURITY;

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
