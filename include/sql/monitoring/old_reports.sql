-- The reports that were made before a moment and still have their pages and details.
SELECT
    report_id,
    kind,
    dag_run_id
FROM monitoring.reports
WHERE
    use_case = %(use_case)s
    AND removed_at IS NULL
    AND created_at < %(before)s
ORDER BY report_id
