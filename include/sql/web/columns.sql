-- What the columns did in one check, those that drifted first.
SELECT
    column_name,
    method,
    score,
    threshold,
    drifted,
    sampled_method,
    sampled_score,
    sampled_threshold,
    sampled_drifted
FROM monitoring.columns
WHERE report_id = %(report_id)s
ORDER BY drifted DESC NULLS FIRST, score / nullif(threshold, 0) DESC NULLS LAST, column_name ASC
LIMIT 200
