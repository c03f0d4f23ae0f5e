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
