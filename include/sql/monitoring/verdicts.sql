-- What the last checks of one kind found of a release up to a moment, the newest first.
SELECT verdict
FROM monitoring.reports
WHERE
    use_case = %(use_case)s
    AND kind = %(kind)s
    AND version = %(version)s
    AND checked_for <= %(until)s
ORDER BY checked_for DESC, report_id DESC
LIMIT %(most)s
