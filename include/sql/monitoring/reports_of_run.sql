SELECT
    kind,
    version,
    verdict,
    message,
    recommendation,
    report_uri,
    checked_for
FROM monitoring.reports
WHERE use_case = %(use_case)s AND dag_run_id = %(dag_run_id)s
ORDER BY kind
