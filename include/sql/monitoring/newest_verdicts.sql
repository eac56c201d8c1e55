-- What the newest check of each kind found of a release up to a moment.
SELECT DISTINCT ON (kind)
    kind,
    verdict
FROM monitoring.reports
WHERE
    use_case = %(use_case)s
    AND version = %(version)s
    AND checked_for <= %(until)s
ORDER BY kind ASC, checked_for DESC, report_id DESC
