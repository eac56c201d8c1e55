-- What one check found of the data's quality, what did not hold first.
SELECT
    check_name,
    column_name,
    value,
    limit_value,
    passed,
    detail
FROM monitoring.quality
WHERE report_id = %(report_id)s
ORDER BY passed ASC NULLS FIRST, check_name ASC, column_name ASC
LIMIT 200
