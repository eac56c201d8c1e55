-- The last checks of each kind, the newest first.
WITH kind AS (
    SELECT given.name
    FROM (VALUES ('drift'), ('quality'), ('performance')) AS given (name)
)

SELECT
    report.report_id,
    report.kind,
    report.version,
    report.checked_for,
    report.current_source,
    report.reference_rows,
    report.current_rows,
    report.drifted_share,
    report.verdict,
    report.message,
    report.recommendation,
    report.dag_run_id,
    CASE WHEN report.removed_at IS NULL THEN report.report_uri END AS report_uri
FROM kind
INNER JOIN LATERAL (
    SELECT last_one.*
    FROM monitoring.reports AS last_one
    WHERE last_one.use_case = %(use_case)s AND last_one.kind = kind.name
    ORDER BY last_one.checked_for DESC, last_one.report_id DESC
    LIMIT %(most)s
) AS report ON TRUE
ORDER BY report.checked_for DESC, report.report_id DESC
