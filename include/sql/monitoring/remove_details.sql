-- The verdicts stay, with what they say; what they rest on goes with their pages.
WITH columns_gone AS (
    DELETE FROM monitoring.columns
    WHERE report_id = any(%(report_ids)s)
),

quality_gone AS (
    DELETE FROM monitoring.quality
    WHERE report_id = any(%(report_ids)s)
),

performance_gone AS (
    DELETE FROM monitoring.performance
    WHERE report_id = any(%(report_ids)s)
)

UPDATE monitoring.reports
SET removed_at = now()
WHERE report_id = any(%(report_ids)s)
