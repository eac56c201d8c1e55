-- The newest check of each kind, of each use case that has one.
WITH asked AS (
    SELECT given.use_case
    FROM unnest(%(use_cases)s::text[]) AS given (use_case)
)

SELECT
    asked.use_case,
    kind.name AS kind,
    report.verdict,
    report.message,
    report.dag_run_id,
    report.checked_for,
    CASE WHEN report.removed_at IS NULL THEN report.report_uri END AS report_uri
FROM asked
CROSS JOIN (VALUES ('drift'), ('quality'), ('performance')) AS kind (name)
INNER JOIN LATERAL (
    SELECT
        newest.verdict,
        newest.message,
        newest.dag_run_id,
        newest.checked_for,
        newest.report_uri,
        newest.removed_at
    FROM monitoring.reports AS newest
    WHERE newest.use_case = asked.use_case AND newest.kind = kind.name
    ORDER BY newest.checked_for DESC, newest.report_id DESC
    LIMIT 1
) AS report ON TRUE
