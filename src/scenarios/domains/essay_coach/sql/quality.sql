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
