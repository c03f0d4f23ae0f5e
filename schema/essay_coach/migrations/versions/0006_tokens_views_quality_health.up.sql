SET ROLE ec_owner;

-- Logins and refresh tokens. Both happen before a tenant is known, so these functions belong to ec_auth,
-- which row-level security does not confine, and the application may call them and nothing behind them.
CREATE FUNCTION find_login(login text)
RETURNS TABLE (user_id bigint, institution_id bigint, role text, password text, is_active boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT u.id, u.institution_id, u.role::text, u.password::text, u.is_active
    FROM users AS u
    WHERE lower(u.email) = lower(login)
$$;
COMMENT ON FUNCTION find_login(text) IS 'The account with an e-mail address, whatever its case, to check a password.';

CREATE FUNCTION issue_refresh_token(
    for_user bigint, hash bytea, token_jti uuid, lifetime interval DEFAULT '7 days',
    agent text DEFAULT '', address inet DEFAULT NULL, at timestamptz DEFAULT clock_timestamp()
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    made uuid;
BEGIN
    IF NOT EXISTS (SELECT FROM users WHERE id = for_user AND is_active) THEN
        RAISE EXCEPTION 'user % is unknown or not active', for_user USING ERRCODE = 'invalid_authorization_specification';
    END IF;
    INSERT INTO refresh_tokens (user_id, family_id, jti, token_hash, issued_at, expires_at, user_agent, ip)
    VALUES (for_user, gen_random_uuid(), token_jti, hash, at, at + lifetime, agent, address)
    RETURNING id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION issue_refresh_token(bigint, bytea, uuid, interval, text, inet, timestamptz) IS
    'Begins a login session (a family of tokens) with its first refresh token.';

-- The outcome is a value, not an error: an error would roll back the revocation it is about.
CREATE FUNCTION rotate_refresh_token(
    hash bytea, new_hash bytea, new_jti uuid, lifetime interval DEFAULT '7 days',
    at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (outcome text, token_id uuid, user_id bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    shown refresh_tokens%ROWTYPE;
    made  uuid;
BEGIN
    -- Whoever shows the same token at the same time waits, and then finds it rotated: a reuse.
    SELECT * INTO shown FROM refresh_tokens AS t WHERE t.token_hash = hash FOR UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unknown', NULL::uuid, NULL::bigint;
        RETURN;
    END IF;
    IF shown.revoke_reason IN ('rotated', 'reuse_detected') THEN
        -- Somebody has a copy. Nobody can tell who is the thief, so the whole session ends.
        UPDATE refresh_tokens AS t
        SET revoked_at = coalesce(t.revoked_at, at), revoke_reason = 'reuse_detected'
        WHERE t.family_id = shown.family_id AND (t.revoked_at IS NULL OR t.id = shown.id);
        INSERT INTO logs (level, source, event, message, context, user_id, created_at)
        VALUES ('WARNING', 'auth', 'refresh_token_reuse', 'A refresh token was shown a second time; the session was ended.',
                jsonb_build_object('family_id', shown.family_id, 'jti', shown.jti), shown.user_id, at);
        RETURN QUERY SELECT 'reuse_detected', shown.id, shown.user_id;
        RETURN;
    END IF;
    IF shown.revoked_at IS NOT NULL THEN
        RETURN QUERY SELECT 'revoked', shown.id, shown.user_id;
        RETURN;
    END IF;
    IF shown.expires_at <= at THEN
        UPDATE refresh_tokens AS t SET revoked_at = at, revoke_reason = 'expired' WHERE t.id = shown.id;
        RETURN QUERY SELECT 'expired', shown.id, shown.user_id;
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM users AS u WHERE u.id = shown.user_id AND u.is_active) THEN
        UPDATE refresh_tokens AS t
        SET revoked_at = at, revoke_reason = 'admin'
        WHERE t.user_id = shown.user_id AND t.revoked_at IS NULL;
        RETURN QUERY SELECT 'inactive', shown.id, shown.user_id;
        RETURN;
    END IF;
    -- In this order: a family has one live token at any moment, and a unique index holds us to it.
    UPDATE refresh_tokens AS t SET revoked_at = at, revoke_reason = 'rotated' WHERE t.id = shown.id;
    INSERT INTO refresh_tokens (user_id, family_id, jti, token_hash, issued_at, expires_at, user_agent, ip)
    VALUES (shown.user_id, shown.family_id, new_jti, new_hash, at, at + lifetime, shown.user_agent, shown.ip)
    RETURNING id INTO made;
    UPDATE refresh_tokens AS t SET replaced_by = made WHERE t.id = shown.id;
    RETURN QUERY SELECT 'rotated', made, shown.user_id;
END
$$;
COMMENT ON FUNCTION rotate_refresh_token(bytea, bytea, uuid, interval, timestamptz) IS
    'Exchanges a refresh token for the next; outcome is rotated, unknown, revoked, expired, inactive or reuse_detected.';

CREATE FUNCTION revoke_refresh_tokens(of_user bigint, reason text DEFAULT 'logout', at timestamptz DEFAULT clock_timestamp())
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    revoked integer;
BEGIN
    UPDATE refresh_tokens SET revoked_at = at, revoke_reason = reason WHERE user_id = of_user AND revoked_at IS NULL;
    GET DIAGNOSTICS revoked = ROW_COUNT;
    RETURN revoked;
END
$$;
COMMENT ON FUNCTION revoke_refresh_tokens(bigint, text, timestamptz) IS
    'Ends all login sessions of a user (logout, suspension); returns how many tokens were live.';

CREATE FUNCTION prune_refresh_tokens(expired_for interval DEFAULT '30 days', at timestamptz DEFAULT clock_timestamp())
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    pruned integer;
BEGIN
    DELETE FROM refresh_tokens WHERE expires_at < at - expired_for;
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END
$$;
COMMENT ON FUNCTION prune_refresh_tokens(interval, timestamptz) IS
    'Deletes the tokens that expired longer ago than the interval; returns how many.';

-- No overall score is stored anywhere: it is the weighted mean of an essay's feedback, in percent. Taken for
-- one essay at a time: joined to the essays first, each essay would count once for each of its feedbacks.
CREATE VIEW essay_scores WITH (security_invoker = true) AS
SELECT
    f.essay_id,
    round(sum(f.score / f.max_score * 100 * t.weight) / sum(t.weight), 2) AS overall,
    count(*) AS feedback_count,
    min(f.confidence) AS lowest_confidence
FROM feedback AS f
JOIN feedback_types AS t ON t.id = f.type_id
GROUP BY f.essay_id;
COMMENT ON VIEW essay_scores IS 'The overall score of each essay with feedback: 0 to 100, weighted by feedback type.';

-- The materialized views hold every institution's rows, and belong to a role row-level security does not
-- confine: refreshed by anybody else they would come out empty, without an error. Nobody is granted them;
-- the views further down show each institution its own.
CREATE MATERIALIZED VIEW mv_student_progress AS
SELECT
    u.id AS user_id,
    u.institution_id,
    count(e.id) AS total_essays,
    count(e.id) FILTER (WHERE e.status = 'completed') AS completed_essays,
    round(avg(s.overall), 2) AS avg_overall,
    max(e.submitted_at) AS last_submission
FROM users AS u
LEFT JOIN essays AS e ON e.user_id = u.id
LEFT JOIN essay_scores AS s ON s.essay_id = e.id
WHERE u.role = 'student'
GROUP BY u.id, u.institution_id;
CREATE UNIQUE INDEX mv_student_progress_key ON mv_student_progress (user_id);

CREATE MATERIALIZED VIEW mv_daily_submissions AS
SELECT
    (e.submitted_at AT TIME ZONE 'UTC')::date AS day,
    e.institution_id,
    count(*) AS submissions
FROM essays AS e
WHERE e.submitted_at IS NOT NULL
GROUP BY 1, 2;
CREATE UNIQUE INDEX mv_daily_submissions_key ON mv_daily_submissions (day, institution_id);

CREATE MATERIALIZED VIEW mv_feedback_type_stats AS
SELECT
    t.id AS type_id,
    e.institution_id,
    t.name,
    count(*) AS feedback_count,
    round(avg(f.score / f.max_score * 100), 2) AS avg_score,
    round(avg(f.confidence), 3) AS avg_confidence,
    count(*) FILTER (WHERE f.confidence < 0.6) AS low_confidence
FROM feedback AS f
JOIN feedback_types AS t ON t.id = f.type_id
JOIN essays AS e ON e.id = f.essay_id
GROUP BY t.id, e.institution_id, t.name;
CREATE UNIQUE INDEX mv_feedback_type_stats_key ON mv_feedback_type_stats (type_id, institution_id);

CREATE VIEW student_progress WITH (security_barrier = true) AS
SELECT user_id, institution_id, total_essays, completed_essays, avg_overall, last_submission
FROM mv_student_progress
WHERE institution_id = app_institution_id() AND (user_id = app_user_id() OR app_is_staff());
COMMENT ON VIEW student_progress IS 'Progress of the students of one''s institution; a student sees their own.';

CREATE VIEW daily_submissions WITH (security_barrier = true) AS
SELECT day, institution_id, submissions FROM mv_daily_submissions WHERE institution_id = app_institution_id();
COMMENT ON VIEW daily_submissions IS 'Essays submitted in one''s institution on each day (UTC).';

CREATE VIEW feedback_type_stats WITH (security_barrier = true) AS
SELECT type_id, institution_id, name, feedback_count, avg_score, avg_confidence, low_confidence
FROM mv_feedback_type_stats
WHERE institution_id = app_institution_id();
COMMENT ON VIEW feedback_type_stats IS 'Scores and confidence by feedback type in one''s institution.';

CREATE FUNCTION refresh_views(online boolean DEFAULT true) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    view_name text;
    in_it     bigint;
    refreshed integer := 0;
BEGIN
    FOREACH view_name IN ARRAY ARRAY['mv_student_progress', 'mv_daily_submissions', 'mv_feedback_type_stats'] LOOP
        EXECUTE format(
            'REFRESH MATERIALIZED VIEW %s public.%I',
            CASE WHEN online THEN 'CONCURRENTLY' ELSE '' END, view_name
        );
        EXECUTE format('SELECT count(*) FROM public.%I', view_name) INTO in_it;
        INSERT INTO view_refreshes AS r (view_name, refreshed_at, row_count)
        VALUES (view_name, clock_timestamp(), in_it)
        ON CONFLICT ON CONSTRAINT view_refreshes_pkey
        DO UPDATE SET refreshed_at = excluded.refreshed_at, row_count = excluded.row_count;
        refreshed := refreshed + 1;
    END LOOP;
    RETURN refreshed;
END
$$;
COMMENT ON FUNCTION refresh_views(boolean) IS
    'Refreshes the materialized views, without blocking their readers unless told otherwise.';

-- What must hold across rows and cannot be a CHECK: one row for each breach of each rule. The view is the one
-- place where the rules stand; the audit stores its rows, and the validators of loaded scenarios read it.
CREATE VIEW data_quality_breaches AS
SELECT 'completed_has_all_feedback' AS rule, 'error' AS severity, 'essays' AS table_name, e.id::text AS row_pk,
       jsonb_build_object('missing', missing.names) AS detail
FROM essays AS e
CROSS JOIN LATERAL (
    SELECT array_agg(t.name ORDER BY t."order") AS names
    FROM feedback_types AS t
    WHERE t.is_active AND NOT EXISTS (SELECT FROM feedback AS f WHERE f.essay_id = e.id AND f.type_id = t.id)
) AS missing
WHERE e.status = 'completed' AND missing.names IS NOT NULL
UNION ALL
SELECT 'unfinished_has_no_full_feedback', 'error', 'essays', e.id::text,
       jsonb_build_object('status', e.status, 'feedback', count(*))
FROM essays AS e
JOIN feedback AS f ON f.essay_id = e.id
WHERE e.status <> 'completed'
GROUP BY e.id, e.status
HAVING e.status <> 'processing' OR count(*) >= (SELECT count(*) FROM feedback_types WHERE is_active)
UNION ALL
SELECT 'feedback_has_response', 'error', 'feedback', f.id::text, jsonb_build_object('essay_id', f.essay_id)
FROM feedback AS f
WHERE NOT EXISTS (
    SELECT FROM ai_responses AS r
    WHERE r.essay_id = f.essay_id AND r.feedback_type_id = f.type_id AND r.model_version = f.ai_model_version
)
UNION ALL
SELECT 'no_response_before_processing', 'error', 'ai_responses', r.id::text, jsonb_build_object('status', e.status)
FROM ai_responses AS r
JOIN essays AS e ON e.id = r.essay_id
WHERE e.status IN ('draft', 'submitted')
UNION ALL
SELECT 'submitted_has_version', 'error', 'essays', e.id::text, jsonb_build_object('status', e.status)
FROM essays AS e
WHERE e.status <> 'draft' AND NOT EXISTS (SELECT FROM submissions AS s WHERE s.essay_id = e.id)
UNION ALL
SELECT 'versions_without_gap', 'error', 'essays', s.essay_id::text,
       jsonb_build_object('versions', array_agg(s.version_number ORDER BY s.version_number))
FROM submissions AS s
GROUP BY s.essay_id
HAVING max(s.version_number) <> count(*)
UNION ALL
SELECT 'versions_in_order', 'error', 'submissions', later.id::text, jsonb_build_object('version', later.version_number)
FROM submissions AS later
JOIN submissions AS earlier
  ON earlier.essay_id = later.essay_id AND earlier.version_number = later.version_number - 1
WHERE later.created_at <= earlier.created_at
UNION ALL
SELECT 'latest_version_is_the_text', 'error', 'essays', e.id::text, jsonb_build_object('version', s.version_number)
FROM essays AS e
JOIN submissions AS s ON s.essay_id = e.id
WHERE s.version_number = (SELECT max(m.version_number) FROM submissions AS m WHERE m.essay_id = e.id)
  AND s.content <> e.content
UNION ALL
SELECT 'word_count_counts_words', 'error', 'essays', e.id::text,
       jsonb_build_object('stored', e.word_count, 'counted', counted.words)
FROM essays AS e
CROSS JOIN LATERAL (
    SELECT coalesce(array_length(regexp_split_to_array(nullif(btrim(e.content, E' \t\n\r'), ''), '\s+'), 1), 0) AS words
) AS counted
WHERE e.word_count <> counted.words
UNION ALL
SELECT 'character_count_is_length', 'error', 'essays', e.id::text,
       jsonb_build_object('stored', e.character_count, 'length', char_length(e.content))
FROM essays AS e
WHERE e.character_count <> char_length(e.content)
UNION ALL
SELECT 'reading_time_follows_words', 'warning', 'essays', e.id::text,
       jsonb_build_object('stored', e.reading_time_minutes, 'words', e.word_count)
FROM essays AS e
WHERE e.status <> 'draft' AND e.reading_time_minutes <> greatest(1, e.word_count / 200)
UNION ALL
SELECT 'highlight_is_in_the_text', 'error', 'feedback', f.id::text,
       jsonb_build_object('start', f.start_index, 'end', f.end_index)
FROM feedback AS f
JOIN essays AS e ON e.id = f.essay_id
WHERE f.start_index IS NOT NULL
  AND (f.end_index > char_length(e.content)
       OR substr(e.content, f.start_index + 1, f.end_index - f.start_index) <> f.highlighted_text)
UNION ALL
SELECT 'feedback_within_processing', 'error', 'feedback', f.id::text, jsonb_build_object('created_at', f.created_at)
FROM feedback AS f
JOIN essays AS e ON e.id = f.essay_id
WHERE f.created_at < e.processing_started_at OR f.created_at > e.processing_completed_at
UNION ALL
SELECT 'response_within_processing', 'error', 'ai_responses', r.id::text, jsonb_build_object('created_at', r.created_at)
FROM ai_responses AS r
JOIN essays AS e ON e.id = r.essay_id
WHERE r.created_at < e.submitted_at OR r.created_at > e.processing_completed_at
UNION ALL
SELECT 'essay_after_joining', 'error', 'essays', e.id::text, jsonb_build_object('joined', u.date_joined)
FROM essays AS e
JOIN users AS u ON u.id = e.user_id
WHERE e.created_at < u.date_joined
UNION ALL
SELECT 'failed_has_error_log', 'error', 'essays', e.id::text, '{}'::jsonb
FROM essays AS e
WHERE e.status = 'failed' AND e.ai_processing_status = 'failed'
  AND NOT EXISTS (
      SELECT FROM logs AS l
      WHERE l.level IN ('ERROR', 'CRITICAL') AND l.user_id = e.user_id AND l.created_at >= e.processing_started_at
  )
UNION ALL
SELECT 'analytics_is_the_authors', 'error', 'analytics', a.id::text, jsonb_build_object('essay_id', a.essay_id)
FROM analytics AS a
JOIN essays AS e ON e.id = a.essay_id
WHERE a.user_id <> e.user_id
UNION ALL
SELECT 'report_owner_may_report', 'error', 'reports', r.id::text, jsonb_build_object('role', u.role)
FROM reports AS r
JOIN users AS u ON u.id = r.user_id
WHERE r.report_type IN ('class_performance', 'system_usage') AND u.role = 'student'
UNION ALL
SELECT 'weights_sum_to_one', 'error', 'feedback_types', '*', jsonb_build_object('sum', sum(weight))
FROM feedback_types
WHERE is_active
HAVING sum(weight) <> 1
UNION ALL
SELECT 'student_count_is_right', 'error', 'institutions', i.id::text,
       jsonb_build_object('stored', i.student_count, 'counted', counted.students)
FROM institutions AS i
CROSS JOIN LATERAL (
    SELECT count(*) AS students FROM users AS u WHERE u.institution_id = i.id AND u.role = 'student'
) AS counted
WHERE i.student_count <> counted.students
UNION ALL
SELECT 'user_has_profile', 'warning', 'users', u.id::text, '{}'::jsonb
FROM users AS u
WHERE NOT EXISTS (SELECT FROM user_profiles AS p WHERE p.user_id = u.id)
UNION ALL
SELECT 'suspended_has_no_live_token', 'warning', 'refresh_tokens', t.id::text, jsonb_build_object('user_id', t.user_id)
FROM refresh_tokens AS t
JOIN users AS u ON u.id = t.user_id
WHERE NOT u.is_active AND t.revoked_at IS NULL AND t.expires_at > now()
UNION ALL
SELECT 'rotation_moves_forward', 'error', 'refresh_tokens', older.id::text, jsonb_build_object('replaced_by', newer.id)
FROM refresh_tokens AS older
JOIN refresh_tokens AS newer ON newer.id = older.replaced_by
WHERE newer.issued_at < older.revoked_at AND older.revoke_reason = 'rotated'
   OR newer.issued_at <= older.issued_at
   OR newer.family_id <> older.family_id
   OR newer.user_id <> older.user_id
UNION ALL
SELECT 'text_handed_in_twice', 'warning', 'essays', max(e.id)::text, jsonb_build_object('essays', array_agg(e.id ORDER BY e.id))
FROM essays AS e
WHERE e.status <> 'draft'
GROUP BY e.user_id, md5(e.content)
HAVING count(*) > 1
UNION ALL
SELECT 'confidence_stuck_at_default', 'warning', 'feedback', '*',
       jsonb_build_object('rows', count(*), 'at_default', count(*) FILTER (WHERE confidence = 0.8))
FROM feedback
HAVING count(*) >= 20 AND count(*) FILTER (WHERE confidence = 0.8) > count(*) / 2
UNION ALL
SELECT 'scores_all_alike', 'warning', 'feedback', '*', jsonb_build_object('rows', count(*))
FROM feedback
HAVING count(*) >= 20 AND count(DISTINCT score / max_score) = 1
UNION ALL
SELECT 'nothing_from_the_future', 'warning', stamped.table_name, stamped.row_pk, jsonb_build_object('at', stamped.at)
FROM (
    SELECT 'essays' AS table_name, id::text AS row_pk, updated_at AS at FROM essays
    UNION ALL SELECT 'feedback', id::text, created_at FROM feedback
    UNION ALL SELECT 'users', id::text, greatest(updated_at, last_login) FROM users
) AS stamped
WHERE stamped.at > now() + interval '1 minute'
UNION ALL
SELECT 'default_partition_is_empty', 'warning', pile.table_name, '*', jsonb_build_object('rows', pile.rows)
FROM (
    SELECT 'analytics' AS table_name, count(*) AS rows FROM analytics_default
    UNION ALL SELECT 'logs', count(*) FROM logs_default
    UNION ALL SELECT 'audit_log', count(*) FROM audit_log_default
) AS pile
WHERE pile.rows > 0;
COMMENT ON VIEW data_quality_breaches IS 'Every row that breaks a rule CHECKs cannot express; empty when all is well.';

CREATE FUNCTION run_data_quality_audit() RETURNS uuid
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH run AS MATERIALIZED (SELECT gen_random_uuid() AS id), found AS (
        INSERT INTO data_quality_findings (run_id, rule, severity, table_name, row_pk, detail)
        SELECT run.id, b.rule, b.severity, b.table_name, b.row_pk, b.detail FROM run, data_quality_breaches AS b
    )
    SELECT id FROM run
$$;
COMMENT ON FUNCTION run_data_quality_audit() IS 'Stores every breach of the data quality rules; returns the run''s id.';

-- With foreign keys in force there are no orphans, until somebody loads data with them switched off: then the
-- constraint still claims to hold. And some rows outlive their use: tokens and reports past their date.
CREATE FUNCTION cleanup_orphans(
    dry_run boolean DEFAULT true, keep_expired interval DEFAULT '30 days', at timestamptz DEFAULT clock_timestamp()
)
RETURNS TABLE (table_name text, kind text, action text, row_count bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    fk      record;
    orphans text;
    what    text;
    hit     bigint;
BEGIN
    FOR fk IN
        SELECT c.conname,
               child.relname AS child_table,
               parent.relname AS parent_table,
               c.confdeltype,
               bool_and(NOT ca.attnotnull) AS nullable,
               string_agg(format('c.%I IS NOT NULL', ca.attname), ' AND ' ORDER BY k.n) AS is_set,
               string_agg(format('p.%I = c.%I', pa.attname, ca.attname), ' AND ' ORDER BY k.n) AS matches,
               string_agg(format('%I = NULL', ca.attname), ', ' ORDER BY k.n) AS cleared
        FROM pg_constraint AS c
        JOIN pg_class AS child ON child.oid = c.conrelid
        JOIN pg_class AS parent ON parent.oid = c.confrelid
        CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (child_key, parent_key, n)
        JOIN pg_attribute AS ca ON ca.attrelid = c.conrelid AND ca.attnum = k.child_key
        JOIN pg_attribute AS pa ON pa.attrelid = c.confrelid AND pa.attnum = k.parent_key
        WHERE c.contype = 'f' AND c.conparentid = 0 AND child.relnamespace = 'public'::regnamespace
        GROUP BY c.oid, c.conname, child.relname, parent.relname, c.confdeltype
        ORDER BY child.relname, c.conname
    LOOP
        orphans := format(
            '%s AND NOT EXISTS (SELECT FROM public.%I AS p WHERE %s)', fk.is_set, fk.parent_table, fk.matches
        );
        -- A row that lives and dies with its parent goes; a reference that may be empty is emptied;
        -- anything else (a user without an institution) a person has to look at.
        what := CASE WHEN fk.confdeltype = 'c' THEN 'delete' WHEN fk.nullable THEN 'clear' ELSE 'report' END;
        IF dry_run OR what = 'report' THEN
            EXECUTE format('SELECT count(*) FROM public.%I AS c WHERE %s', fk.child_table, orphans) INTO hit;
        ELSIF what = 'delete' THEN
            EXECUTE format('DELETE FROM public.%I AS c WHERE %s', fk.child_table, orphans);
            GET DIAGNOSTICS hit = ROW_COUNT;
        ELSE
            EXECUTE format('UPDATE public.%I AS c SET %s WHERE %s', fk.child_table, fk.cleared, orphans);
            GET DIAGNOSTICS hit = ROW_COUNT;
        END IF;
        IF hit > 0 THEN
            RETURN QUERY SELECT fk.child_table::text, 'broken ' || fk.conname, what, hit;
        END IF;
    END LOOP;

    IF dry_run THEN
        SELECT count(*) INTO hit FROM refresh_tokens WHERE expires_at < at - keep_expired;
    ELSE
        DELETE FROM refresh_tokens WHERE expires_at < at - keep_expired;
        GET DIAGNOSTICS hit = ROW_COUNT;
    END IF;
    IF hit > 0 THEN
        RETURN QUERY SELECT 'refresh_tokens', 'expired', 'delete', hit;
    END IF;
    IF dry_run THEN
        SELECT count(*) INTO hit FROM reports WHERE expires_at < at - keep_expired;
    ELSE
        DELETE FROM reports WHERE expires_at < at - keep_expired;
        GET DIAGNOSTICS hit = ROW_COUNT;
    END IF;
    IF hit > 0 THEN
        RETURN QUERY SELECT 'reports', 'expired', 'delete', hit;
    END IF;
END
$$;
COMMENT ON FUNCTION cleanup_orphans(boolean, interval, timestamptz) IS
    'Finds (and, unless it is a dry run, removes) rows without their parent and rows past their date.';

-- The state of the database itself. Every view has the same shape, so that one reader serves them all:
-- what was looked at, ok / warning / problem / not applicable, the number, and a sentence.
CREATE VIEW health_connections AS
SELECT 'connections' AS item,
       CASE WHEN used.n >= allowed.n * 0.95 THEN 'problem' WHEN used.n >= allowed.n * 0.8 THEN 'warning' ELSE 'ok' END AS status,
       used.n::numeric AS value,
       format('%s of %s connections are in use, %s of them to this database, %s idle in a transaction',
              used.n, allowed.n, used.here, used.idle_in_transaction) AS detail
FROM (
    SELECT count(*) AS n,
           count(*) FILTER (WHERE datname = current_database()) AS here,
           count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction
    FROM pg_stat_activity WHERE backend_type = 'client backend'
) AS used
CROSS JOIN (SELECT current_setting('max_connections')::integer AS n) AS allowed;

CREATE VIEW health_slow_queries AS
SELECT 'slow queries' AS item,
       CASE WHEN count(running.pid) = 0 THEN 'ok' ELSE 'warning' END AS status,
       count(running.pid)::numeric AS value,
       format('%s statements have been running for longer than %s%s', count(running.pid), max(slow.after),
              coalesce(', the longest for ' || date_trunc('second', max(clock_timestamp() - query_start)), '')) AS detail
-- Five seconds, unless the one who asks sets app.slow_after.
FROM (SELECT coalesce(nullif(current_setting('app.slow_after', true), ''), '5 seconds')::interval AS after) AS slow
LEFT JOIN pg_stat_activity AS running
  ON running.datname = current_database() AND running.state = 'active' AND running.pid <> pg_backend_pid()
 AND running.backend_type = 'client backend' AND clock_timestamp() - running.query_start > slow.after;

CREATE VIEW health_disk AS
SELECT 'disk' AS item, 'ok' AS status, pg_database_size(current_database())::numeric AS value,
       format('the database takes %s; free space on the disk is not visible from SQL',
              pg_size_pretty(pg_database_size(current_database()))) AS detail
UNION ALL
(SELECT 'disk: ' || sized.name, 'ok', sized.bytes::numeric, format('%s with indexes', pg_size_pretty(sized.bytes))
 FROM (
     SELECT c.relname::text AS name,
            CASE c.relkind
                WHEN 'p' THEN (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) AS t)::bigint
                ELSE pg_total_relation_size(c.oid)
            END AS bytes
     FROM pg_class AS c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
 ) AS sized
 ORDER BY sized.bytes DESC, sized.name
 LIMIT 5);

CREATE VIEW health_index_usage AS
SELECT 'indexes' AS item,
       CASE WHEN count(*) FILTER (WHERE never AND reads > 1000) = 0 THEN 'ok' ELSE 'warning' END AS status,
       count(*) FILTER (WHERE never)::numeric AS value,
       format('%s of %s indexes were never used since %s', count(*) FILTER (WHERE never), count(*),
              coalesce(to_char(min(since), 'YYYY-MM-DD'), 'the statistics began')) AS detail
FROM (
    SELECT i.idx_scan = 0 AND NOT x.indisunique AS never,
           t.seq_scan + coalesce(t.idx_scan, 0) AS reads,
           (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS since
    FROM pg_stat_user_indexes AS i
    JOIN pg_index AS x ON x.indexrelid = i.indexrelid
    JOIN pg_stat_user_tables AS t ON t.relid = i.relid
    WHERE i.schemaname = 'public'
) AS used;

CREATE VIEW health_vacuum AS
SELECT 'vacuum and analyze' AS item,
       CASE WHEN count(*) FILTER (WHERE bloated) = 0 THEN 'ok' ELSE 'warning' END AS status,
       coalesce(sum(n_dead_tup), 0)::numeric AS value,
       format('%s dead rows; %s tables have more dead rows than a fifth of the living', coalesce(sum(n_dead_tup), 0),
              count(*) FILTER (WHERE bloated)) AS detail
FROM (
    SELECT n_dead_tup, n_dead_tup > 1000 AND n_dead_tup > n_live_tup / 5 AS bloated
    FROM pg_stat_user_tables WHERE schemaname = 'public'
) AS tables;

CREATE FUNCTION default_partition_rows() RETURNS TABLE (parent text, row_count bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT 'analytics', count(*) FROM analytics_default
    UNION ALL SELECT 'logs', count(*) FROM logs_default
    UNION ALL SELECT 'audit_log', count(*) FROM audit_log_default
$$;
COMMENT ON FUNCTION default_partition_rows() IS 'How many rows found no month of their own, for each partitioned table.';

CREATE VIEW health_partitions AS
SELECT 'partitions: ' || parent AS item,
       CASE WHEN missing_now THEN 'problem' WHEN missing_next OR row_count > 0 THEN 'warning' ELSE 'ok' END AS status,
       row_count::numeric AS value,
       format('%s months%s%s%s', months,
              CASE WHEN missing_now THEN '; this month has no partition' ELSE '' END,
              CASE WHEN missing_next THEN '; next month has no partition, run create_months_ahead()' ELSE '' END,
              CASE WHEN row_count > 0 THEN format('; %s rows lie in the default partition', row_count) ELSE '' END) AS detail
FROM (
    SELECT d.parent, d.row_count,
           NOT partition_name(d.parent, (now() AT TIME ZONE 'UTC')::date) = ANY (held.names) AS missing_now,
           NOT partition_name(
               d.parent, (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month')::date
           ) = ANY (held.names) AS missing_next,
           cardinality(held.names) - 1 AS months
    FROM default_partition_rows() AS d
    -- Attached, not merely there: a retired month still has its table.
    CROSS JOIN LATERAL (
        SELECT array_agg(c.relname::text) AS names
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass('public.' || d.parent)
    ) AS held
) AS looked;

CREATE VIEW health_views AS
SELECT 'view: ' || m.matviewname AS item,
       CASE WHEN NOT m.ispopulated THEN 'problem'
            WHEN r.refreshed_at IS NULL OR r.refreshed_at < now() - interval '24 hours' THEN 'warning'
            ELSE 'ok' END AS status,
       round(extract(epoch FROM now() - r.refreshed_at))::numeric AS value,
       CASE WHEN r.refreshed_at IS NULL THEN 'never refreshed since it was made'
            ELSE format('refreshed %s ago, %s rows', date_trunc('second', now() - r.refreshed_at), r.row_count) END AS detail
FROM pg_matviews AS m
LEFT JOIN view_refreshes AS r ON r.view_name = m.matviewname
WHERE m.schemaname = 'public';

CREATE VIEW health_replication AS
SELECT 'replication' AS item,
       CASE WHEN count(*) = 0 THEN 'not applicable'
            WHEN max(replay_lag) > interval '1 minute' THEN 'warning' ELSE 'ok' END AS status,
       round(extract(epoch FROM max(replay_lag)), 3)::numeric AS value,
       CASE WHEN count(*) = 0 THEN 'no standby is attached'
            ELSE format('%s standbys, the slowest is %s behind', count(*), coalesce(max(replay_lag), interval '0')) END AS detail
FROM pg_stat_replication;

CREATE VIEW health AS
SELECT * FROM health_connections
UNION ALL SELECT * FROM health_slow_queries
UNION ALL SELECT * FROM health_disk
UNION ALL SELECT * FROM health_index_usage
UNION ALL SELECT * FROM health_vacuum
UNION ALL SELECT * FROM health_partitions
UNION ALL SELECT * FROM health_views
UNION ALL SELECT * FROM health_replication;
COMMENT ON VIEW health IS 'All health checks, one row an item.';


RESET ROLE;
